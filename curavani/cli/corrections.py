"""`curavani imports document` and `correct`: a file's content as it came, and what a person puts right in it."""

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from curavani.cli.output import TROUBLE, USAGE, end, examples, login_name, print_table, talk, with_exit_codes
from shared.core.errors import CopyGone, RejectedError
from shared.words.codes import describe

app = typer.Typer()


@app.command(epilog=examples("curavani imports document P12", "curavani imports document P12 > corrected.json"))
@with_exit_codes
def document(number: Annotated[str, typer.Argument(help="P12 or T7")]) -> None:
    """The content of a file as it came, byte for byte.

    Ends with 1 where no copy is kept, or where a scrape has left its folder.
    """
    from curavani.services import numbered

    entry, import_id = numbered(number)
    content = _registration(import_id) if entry.name == "patient" else _scrape(import_id)
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


@app.command(epilog=examples('curavani imports correct P12 corrected.json --reason "birth date told on the phone"'))
@with_exit_codes
def correct(
    number: Annotated[str, typer.Argument(help="P12")],
    file: Annotated[Path, typer.Argument(help="The registration as it should have come.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the file.")],
) -> None:
    """Imports a failed registration as corrected in FILE.

    Under its number. `curavani imports document` prints what to start from.
    Consent, token and time stay as they came. Ends with 1 where the content is still wrong.
    """
    from curavani.services import numbered, settings_of

    if not reason.strip():
        end("Say why with --reason: somebody will want to know it.", USAGE)
    entry, import_id = numbered(number)
    if entry.name != "patient":
        end("Only registrations can be corrected. The next scrape of the practices brings the next values.", USAGE)
    from patient_service.bootstrap import build_parts

    corrected = _document(file)
    parts = build_parts(settings_of(*entry.bootstrap.IMPORT_GROUPS))
    try:
        parts.corrections.correct(import_id, corrected, reason, f"cli:{login_name()}")
    except RejectedError as error:
        found = [(finding.pointer, finding.code, describe(finding.code).english) for finding in error.findings]
        print_table(("place", "code", "meaning"), found)
        end(f"Nothing is imported. {error.code}: {describe(error.code).english}", TROUBLE)
    finally:
        parts.close()
    talk(f"{entry.number(import_id)} is imported as corrected. More: curavani imports show {entry.number(import_id)}")


def _document(file: Path) -> dict[str, object]:
    from shared.text.strict_json import parse_document

    try:
        return parse_document(file.read_bytes())
    except OSError:
        end(f"{file} cannot be read.", USAGE)
    except RejectedError as error:
        end(f"Nothing is imported. {error.code}: {describe(error.code).english}", TROUBLE)


def _registration(import_id: int) -> bytes:
    from curavani.services import settings_of
    from patient_service.bootstrap import IMPORT_GROUPS, build_parts

    parts = build_parts(settings_of(*IMPORT_GROUPS))
    try:
        return parts.corrections.content_of(import_id)
    finally:
        parts.close()


def _scrape(import_id: int) -> bytes:
    """Scrapes stay in their folder: there may be another one under the name by now."""
    from curavani.services import SERVICES, connected, settings_of
    from shared.core.settings import TherapistImportSettings
    from shared.imports import ledger

    folder: Path = settings_of(TherapistImportSettings)[TherapistImportSettings].folder_path
    with connected() as connection:
        row = ledger.find(connection, SERVICES["therapist"].kernel, import_id)
    try:
        content = folder.joinpath(str(row["file_name"])).read_bytes()
    except OSError:
        raise CopyGone from None
    if row["file_hash"] not in (None, hashlib.sha256(content).hexdigest()):
        raise CopyGone
    return content
