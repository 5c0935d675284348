"""`curavani patients`: evidence and erasure of one person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.imports import Json
from curavani.cli.output import USAGE, end, examples, operator, print_json, print_table, talk, with_exit_codes
from curavani.cli.services import SERVICES, connected, settings_of
from patient_service.use_cases import list_consents
from shared.database.engine import transaction
from shared.database.revision import require_revision

if TYPE_CHECKING:
    from patient_service.erasure import Erasure

app = typer.Typer(no_args_is_help=True, help="Evidence of consent, and erasure.")

PatientId = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The patient's number.")]


@app.command(epilog=examples("curavani patients consent 17", "curavani patients consent 17 --json"))
@with_exit_codes
def consent(patient_id: PatientId, as_json: Json = False) -> None:
    """The evidence of consent: every document, with when, from where and by which file."""
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


@app.command(epilog=examples("curavani patients erase 17", "curavani patients erase 17 --yes > certificate.json"))
@with_exit_codes
def erase(
    patient_id: PatientId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the number again.")] = False,
) -> None:
    """Erases every copy of a patient's data and prints the certificate. It cannot be undone."""
    with _erasure() as erasure:
        if not yes and _typed_again() != str(patient_id):
            end("That is not the number; nothing was erased.", USAGE)
        print_json(erasure.erase(patient_id, operator()))


@app.command("re-erase", epilog=examples("curavani patients re-erase", "curavani patients re-erase --yes"))
@with_exit_codes
def re_erase(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Erases again those whom a restored database backup has brought back, and prints the certificates."""
    with _erasure() as erasure:
        returned = erasure.returned()
        if not returned:
            talk("Nobody who was erased is in the database.")
            return
        talk(f"Erased before, and back again: {', '.join(map(str, returned))}.")
        if not yes and not typer.confirm("Erase them again?", err=True):
            end("Nothing was erased.", USAGE)
        print_json(erasure.erase_again(returned, operator()))


@contextmanager
def _erasure() -> Iterator["Erasure"]:
    from patient_service import bootstrap  # noqa: PLC0415 - the other service's image has no storage client

    parts = bootstrap.build_parts(settings_of(*bootstrap.IMPORT_GROUPS))
    try:
        with transaction(parts.engine) as connection:
            require_revision(connection)
        yield parts.erasure
    finally:
        parts.close()


def _typed_again() -> str:
    typer.echo("Type the patient's number again to erase: ", err=True, nl=False)
    line = sys.stdin.readline()
    if not line:
        typer.echo(err=True)
    return line.strip()
