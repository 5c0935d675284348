"""What the documents point to exists: files, headings, commands, variables."""

import re
from pathlib import Path

import pytest
import typer.main
from babel.messages import pofile

from curavani.__main__ import app
from curavani.pages.environment import DEPLOYMENT
from shared.core.settings import ALL_GROUPS
from shared.words.codes import Code

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(path for folder in ("docs", "deploy") for path in (ROOT / folder).rglob("*.md"))]
)
HANDWRITTEN = [
    path for path in DOCUMENTS if path.name not in {"commands.md", "settings.md", "codes.md", "CHANGELOG.md"}
]
NAMES = {str(info.alias) for group in ALL_GROUPS for info in group.model_fields.values()} | set(DEPLOYMENT)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"curavani ([a-z][a-z-]*(?: [a-z][a-z-]*)*)")
_IMAGE_COMMAND = re.compile(r"docker compose (?:run --rm|exec)(?: -T)? (?:patient|therapist)-service (.*)")
_VARIABLE = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")
_CODE = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
named = pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
handwritten = pytest.mark.parametrize("path", HANDWRITTEN, ids=[str(path.relative_to(ROOT)) for path in HANDWRITTEN])


def text_of(path):
    return path.read_text(encoding="utf-8")


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", without_code(text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@named
def test_every_link_within_the_project_leads_somewhere(path):
    for link in _LINK.findall(without_code(text_of(path))):
        if re.match(r"https?://|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_index():
    index = ROOT / "docs" / "README.md"
    reached, pending = set(), [index]
    while pending:
        page = pending.pop()
        reached.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(text_of(page)) if "://" not in link)
        found = {(page.parent / link).resolve() for link in links if link.endswith(".md")}
        pending += [target for target in found - reached if target not in pending]
    assert {path for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")} <= reached


def known_commands(command, prefix=()):
    """Every command and group, as words."""
    yield prefix
    for name, inner in getattr(command, "commands", {}).items():
        yield from known_commands(inner, (*prefix, name))


COMMANDS = set(known_commands(typer.main.get_command(app)))


@handwritten
def test_every_command_that_a_page_names_exists(path):
    text = text_of(path).replace("docker compose", "")
    for words in [*_COMMAND.findall(text), *_IMAGE_COMMAND.findall(text_of(path))]:
        parts = tuple(words.removeprefix("curavani ").split())
        assert any(parts[:length] in COMMANDS for length in (1, 2)), words
        if len(parts) > 1 and any(len(known) == 2 and known[0] == parts[0] for known in COMMANDS):
            assert parts[:2] in COMMANDS, words


@handwritten
def test_every_variable_that_a_page_names_is_a_setting(path):
    for name in _VARIABLE.findall(text_of(path)):
        assert name in NAMES or name.removesuffix("_FILE") in {*NAMES, "X", "NAME"}, name


@pytest.mark.parametrize("page", ["handbook.md", "operations.md"])
def test_every_code_of_the_handbooks_is_in_the_catalogue(page):
    first_cells = re.findall(r"^\| (.+?) \|", text_of(ROOT / "docs" / page), re.MULTILINE)
    codes = {code for cell in first_cells for code in _CODE.findall(cell)}
    secrets = {"database_url", "api_tokens", "smtp_password", "gcs_service_account"}
    assert codes
    assert codes - secrets <= set(Code)


def test_every_label_that_the_handbook_quotes_is_one_of_the_console():
    catalogues = list((ROOT / "shared" / "console" / "translations").rglob("de/**/*.po"))
    with catalogues[0].open("rb") as opened:
        shown = [str(message.string) for message in pofile.read_po(opened) if message.string]
    labels = {re.sub(r"%\(\w+\)s", "…", text).rstrip(".") for text in shown}
    quoted = re.findall(r"\*\*„(.+?)“\*\*", text_of(ROOT / "docs" / "handbook.md"))
    assert len(quoted) > 20
    assert {label.rstrip(".") for label in quoted} <= labels
