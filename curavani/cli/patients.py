"""`curavani patients`: evidence and erasure of one person, and who is due to be erased."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import (
    TROUBLE,
    USAGE,
    end,
    examples,
    operator,
    print_json,
    print_table,
    talk,
    typed_again,
    with_exit_codes,
)
from shared.core.errors import NotFound
from shared.core.json_values import json_default
from shared.words.statuses import Access, Restriction

if TYPE_CHECKING:
    from patient_service.certificates import Certificate
    from patient_service.erasure import Erasure

app = typer.Typer(no_args_is_help=True, help="Evidence of consent, keeping, and erasure.")

_DUE = ("patient", "status", "nothing since", "days")

_LONGEST_NUMBER = 15
PatientId = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The patient's number.")]


@app.command(epilog=examples("curavani patients consent 17", "curavani patients consent 17 --json"))
@with_exit_codes
def consent(patient_id: PatientId, as_json: Json = False) -> None:
    """The evidence of consent: every document.

    With when, from where and by which file.
    """
    from curavani.services import SERVICES, connected
    from patient_service.use_cases import list_consents

    patient = SERVICES["patient"]
    with connected() as connection:
        rows = list_consents(connection, patient_id)
        found = [dict(row) | {"import_id": patient.number(row["import_id"])} for row in rows]
    if as_json:
        print_json(found)
        return
    for row in found:
        print_table(("", ""), list(row.items()), title=f"Consent {row['id']}")
    if not found:
        talk("There is no consent on record for this patient.")


@app.command(epilog=examples("curavani patients export 17", "curavani patients export 17 --out answer.json"))
@with_exit_codes
def export(
    patient_id: PatientId,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write it here, and a page for the person beside it.")
    ] = None,
) -> None:
    """Everything held about a patient (Art. 15, 20 GDPR).

    JSON, and a page that a person can read.
    """
    from curavani.services import SERVICES
    from patient_service.export import Exporter
    from patient_service.export_page import export_page
    from shared.database.engine import transaction
    from shared.history.accesses import Seen, record_accesses

    files = [] if out is None else [out, out.with_suffix(".html")]
    if len(set(files)) < len(files):
        end("--out takes the file of the JSON; the page beside it is the one that ends in .html", USAGE)
    if there := next((path for path in files if path.exists()), None):
        end(f"{there}: File exists", USAGE)
    with _erasure() as erasure, transaction(erasure.engine) as connection:
        held = Exporter(erasure.copies).collect(connection, patient_id)
        seen = [Seen(Access.EXPORT, patient_id)]
        record_accesses(connection, SERVICES["patient"].kernel, operator(), "curavani patients export", seen)
    if out is None:
        print_json(held.as_json())
        return
    _write_private(out, json.dumps(held.as_json(), ensure_ascii=False, indent=2, default=json_default))
    _write_private(out.with_suffix(".html"), export_page(held))
    talk(f"Written: {out} and {out.with_suffix('.html')}.")


def _write_private(path: Path, text: str) -> None:
    """For nobody but whoever runs the command; what is there already is not written over."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        end(f"{path}: {os.strerror(error.errno or 0)}", USAGE)


Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]
Mark = Annotated[Restriction, typer.Option(help="Processing restricted (Art. 18), or consent withdrawn (Art. 7(3)).")]


@app.command("restrict", epilog=examples("curavani patients restrict 17 --kind withdrawn --reason 'letter of 3 May'"))
@with_exit_codes
def set_mark(patient_id: PatientId, kind: Mark, reason: Reason) -> None:
    """From now on the data is kept or erased, nothing else."""
    from curavani.services import connected
    from patient_service.restrictions import restrict

    with connected() as connection:
        restrict(connection, patient_id, kind, reason, operator())
    talk(f"Patient {patient_id} is {kind}.")


@app.command("lift", epilog=examples("curavani patients lift 17 --kind restricted --reason 'data corrected'"))
@with_exit_codes
def take_back(patient_id: PatientId, kind: Mark, reason: Reason) -> None:
    """Takes a mark back; that it was there stays on record."""
    from curavani.services import connected
    from patient_service.restrictions import lift

    with connected() as connection:
        lift(connection, patient_id, kind, reason, operator())
    talk(f"Patient {patient_id} is not {kind} any more.")


@app.command(epilog=examples("curavani patients due", "curavani patients due --json"))
@with_exit_codes
def due(as_json: Json = False) -> None:
    """Who has passed PATIENT_RETENTION_DAYS. Erases nobody.

    Counted since the last registration, change or contact.
    """
    from curavani.services import connected, settings_of
    from patient_service.retention import due_patients
    from shared.core.settings import RetentionSettings

    days = settings_of(RetentionSettings)[RetentionSettings].patient_days
    with connected() as connection:
        found = due_patients(connection, days)
    if as_json:
        print_json([entry.as_json() for entry in found])
        return
    if days is None:
        talk("PATIENT_RETENTION_DAYS is not set: nobody is ever due.")
        return
    print_table(_DUE, [tuple(entry.as_json().values()) for entry in found])


@app.command(
    epilog=examples(
        "curavani patients erase 17",
        "curavani patients erase 17 --yes > certificate.json",
        "curavani patients erase 17 --also P7,P9 --keep P8 --page certificate.html",
    )
)
@with_exit_codes
def erase(
    patient_id: PatientId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the number again.")] = False,
    also: Annotated[str, typer.Option(help="Doubtful files that are the person's: P7,P9.")] = "",
    keep: Annotated[str, typer.Option(help="Doubtful files that are somebody else's: P8.")] = "",
    others: Annotated[str, typer.Option(help="Patients of an open review who are somebody else: 12,13.")] = "",
    page: Annotated[Path | None, typer.Option(help="Writes the certificate as a page to print, too.")] = None,
) -> None:
    """Erases every copy of a patient's data. No undo.

    Prints the certificate. What may be the person's and may be somebody
    else's is named before and in the certificate, which is complete once all
    of it is decided, with --also and --keep, now or later. Ends with 1 as
    long as it is not complete.
    """
    from patient_service.certificates import DoubtAnswers, certificate_page

    answers = DoubtAnswers(_files(also, "also"), _files(keep, "keep"), _patients(others))
    with _erasure() as erasure:
        if not yes:
            _tell_doubts(erasure, patient_id)
            if typed_again("patient") != str(patient_id):
                end("That is not the number; nothing was erased.", USAGE)
        certificate = erasure.erase(patient_id, operator(), answers)
    print_json(_numbered(certificate))
    if page is not None:
        page.write_text(certificate_page(certificate), encoding="utf-8")
    if certificate["completed_at"] is None:
        end(_what_is_left(certificate), TROUBLE)


def _files(text: str, option: str) -> list[int]:
    from curavani.services import numbered

    found = [numbered(part) for part in text.split(",") if part.strip()]
    if any(entry.name != "patient" for entry, _ in found):
        raise typer.BadParameter(f"--{option} takes numbers of registrations, like P7")
    return [number for _, number in found]


def _patients(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) <= _LONGEST_NUMBER for part in parts):
        raise typer.BadParameter("--others takes numbers of patients, like 12,13")
    return [int(part) for part in parts]


def _tell_doubts(erasure: "Erasure", patient_id: int) -> None:
    with suppress(NotFound):
        found = erasure.preview(patient_id)
        if found.doubtful:
            talk(f"May be the person's, or somebody else's: {_p(found.doubtful)}. Decide with --also and --keep, now or"
                 " later.")  # fmt: skip
        if found.doubtful_copies:
            talk(f"Copies without an entry that may be the person's: {len(found.doubtful_copies)}. The certificate will"
                 " name their numbers; look at each, and decide.")  # fmt: skip


def _what_is_left(certificate: "Certificate") -> str:
    left = []
    if certificate["doubtful"]:
        left.append(f"May be the person's: {_p(certificate['doubtful'])}. Look at each, then run this again with"
                    " --also or --keep.")  # fmt: skip
    if certificate["possible_duplicates"]:
        numbers = ", ".join(map(str, certificate["possible_duplicates"]))
        left.append(f"May be the same person: patient {numbers}. Erase them as well, or run this again with --others.")
    return "\n".join(["The erasure is not complete.", *left, *certificate["not_reached"]])


def _p(numbers: Iterable[int]) -> str:
    return ", ".join(f"P{number}" for number in numbers)


def _numbered(certificate: "Certificate") -> dict[str, object]:
    files = {name: [f"P{number}" for number in numbers] for name, numbers in _file_lists(certificate)}
    return {**certificate, **files}


def _file_lists(certificate: "Certificate") -> list[tuple[str, list[int]]]:
    return [("files", certificate["files"]), ("doubtful", certificate["doubtful"])]


@app.command("re-erase", epilog=examples("curavani patients re-erase", "curavani patients re-erase --yes"))
@with_exit_codes
def re_erase(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Erases again whom a restored backup has brought back.

    Prints the certificates.
    """
    with _erasure() as erasure:
        returned = erasure.returned()
        if not returned:
            talk("Nobody who was erased is in the database.")
            return
        talk(f"Erased before, and back again: {', '.join(map(str, returned))}.")
        if not yes and not typer.confirm("Erase them again?", err=True):
            end("Nothing was erased.", USAGE)
        print_json([_numbered(each) for each in erasure.erase_again(returned, operator())])


@contextmanager
def _erasure() -> Iterator["Erasure"]:
    from curavani.services import settings_of
    from patient_service import bootstrap
    from shared.database.engine import transaction
    from shared.database.revision import require_revision

    parts = bootstrap.build_parts(settings_of(*bootstrap.IMPORT_GROUPS))
    try:
        with transaction(parts.engine) as connection:
            require_revision(connection)
        yield parts.erasure
    finally:
        parts.close()
