"""The licences of a list of requirements: each package that belongs here has one that is known to be good."""

import platform

import pytest

from curavani.licences import main


@pytest.fixture
def told(tmp_path, capsys):
    def tell(*lines):
        (tmp_path / "list.txt").write_text("".join(f"{line} \\\n    --hash=sha256:0\n" for line in lines))
        return main(tmp_path / "list.txt"), capsys.readouterr().out

    return tell


def test_known_licences_and_those_that_ask_for_more_are_good(told):
    ended, said = told("flask==3.1.3", "psycopg==3.3.9")
    assert ended == 0
    assert [line.split()[1].rstrip(":") for line in said.splitlines()] == ["flask", "psycopg"]
    assert "LGPL-3.0" in said


def test_a_package_of_another_system_is_left_aside_and_one_that_is_missing_here_is_told(told):
    assert told("flask==3.1.3", "nowhere-to-be-found==1.0 ; sys_platform == 'another'")[0] == 0
    ended, said = told("flask==3.1.3", f"nowhere-to-be-found==1.0 ; sys_platform == '{platform.system().lower()}'")
    assert (ended, "UNKNOWN nowhere-to-be-found: is not installed" in said) == (1, True)


def test_a_list_of_nothing_says_nothing(told):
    assert told()[0] == 1
