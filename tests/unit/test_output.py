"""How commands print: for people, for programs, and nothing that steers a terminal."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import typer

from curavani.cli.output import end, print_json, print_table, printable, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b", "a\\u2028b"),
        ("a\ufeffb\u00adc", "a\\ufeffb\\xadc"),
        ("tag\U000e0041", "tag\\ue0041"),
        ("half\ud800", "half\\ud800"),
        ("Zoë Müller-Łuczak 王", "Zoë Müller-Łuczak 王"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text, expected):
    assert printable(text) == expected


def test_times_are_told_in_utc_and_say_so():
    assert shown(datetime(2026, 1, 5, 10, 7, tzinfo=UTC)) == "2026-01-05 10:07 UTC"
    assert shown(datetime(2026, 1, 5, 10, 7, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-05 08:07 UTC"


def test_a_piped_table_has_a_tab_between_cells_and_nothing_else(capsys):
    print_table(("id", "name"), [("P1", "Max"), ("P1000", "a\nb")])
    assert capsys.readouterr().out == "id\tname\nP1\tMax\nP1000\ta\\x0ab\n"


def test_a_table_has_an_end_and_says_how_much_more_there_is(capsys):
    print_table(("number",), [(number,) for number in range(120)], title="Many")
    printed = capsys.readouterr()
    assert printed.out.splitlines()[:3] == ["Many", "number", "0"]
    assert len(printed.out.splitlines()) == 2 + 50 + 1
    assert printed.err == "50 of 120 rows. All of them: --json\n"
    print_table(("number",), [(number,) for number in range(120)], most=None)
    assert len(capsys.readouterr().out.splitlines()) == 121


def test_json_stays_the_same_data_and_hides_nothing(capsys):
    value = {"name": "a\u202eb\U000e0041\x7f Müller"}
    print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert out.isprintable() or all(character.isprintable() or character == "\n" for character in out)
    assert "Müller" in out


@pytest.mark.parametrize(("code", "said"), [(2, "Error: No.\n"), (3, "Error: No.\n"), (1, "No.\n"), (130, "No.\n")])
def test_what_ends_a_command_early_is_an_error_of_one_form(code, said, capsys):
    with pytest.raises(typer.Exit) as ended:
        end("No.", code)
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == said


def test_a_full_disk_is_told_as_such(tmp_path):
    file = tmp_path / "A_B_20250705_0b1ab67b.json"
    file.write_text("[]")
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "curavani", "check", str(file)],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (ran.returncode, ran.stderr.startswith("Error: The disk is full")) == (3, True), ran.stderr


def test_whoever_reads_only_the_beginning_gets_it_without_complaint(tmp_path):
    files = []
    for number in range(2_000):
        files.append(tmp_path / f"{number}_{'x' * 80}.json")
        files[-1].write_text("[]")
    reading = subprocess.Popen(
        [sys.executable, "-m", "curavani", "check", *map(str, files)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reading.stdout is not None
    assert reading.stdout.readline()
    reading.stdout.close()
    assert reading.stderr is not None
    with reading.stderr:
        assert reading.stderr.read() == ""
    reading.wait(timeout=120)
