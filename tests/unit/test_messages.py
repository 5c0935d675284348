"""The German catalogue says everything that the console says, and nothing else."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
TRANSLATIONS = ROOT / "shared" / "console" / "translations"
GERMAN = Path("de", "LC_MESSAGES", "messages.po")
_PLACEHOLDER = re.compile(r"%\(\w+\)s")


def texts(message):
    return message.string if isinstance(message.string, tuple) else (message.string,)


def identifier(message):
    return message.id[0] if isinstance(message.id, tuple) else message.id


with (TRANSLATIONS / GERMAN).open("rb") as _file:
    CATALOGUE = read_po(_file, locale="de")
MESSAGES = {identifier(message): message for message in CATALOGUE if message.id}


@pytest.fixture
def translations(tmp_path):
    """A copy to work on."""
    return shutil.copytree(TRANSLATIONS, tmp_path / "translations")


def test_the_catalogue_has_exactly_the_messages_that_are_used(translations, tmp_path):
    variables = {
        "TRANSLATIONS": translations,
        "TEMPLATE": tmp_path / "messages.pot",
        "BIN": Path(sys.executable).parent,
    }
    settings = [f"{name}={value}" for name, value in variables.items()]
    made = ["make", "--assume-old=.venv/.synced", "messages", *settings]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert (translations / GERMAN).read_text() == (TRANSLATIONS / GERMAN).read_text(), "run: make messages"


def test_what_the_console_reads_is_compiled_from_the_catalogue(translations):
    CommandLineInterface().run(["pybabel", "--quiet", "compile", "--directory", str(translations)])
    fresh, present = ((folder / GERMAN).with_suffix(".mo") for folder in (translations, TRANSLATIONS))
    assert present.read_bytes() == fresh.read_bytes(), "run: make setup"


def test_nothing_left_over_stands_in_the_catalogue():
    assert not CATALOGUE.obsolete


@pytest.mark.parametrize("message", MESSAGES.values(), ids=list(MESSAGES))
def test_a_message_is_translated_with_all_its_values(message):
    assert all(texts(message))
    assert not message.fuzzy
    wanted = set(_PLACEHOLDER.findall(message.id[-1] if isinstance(message.id, tuple) else message.id))
    assert set(_PLACEHOLDER.findall(texts(message)[-1])) == wanted
