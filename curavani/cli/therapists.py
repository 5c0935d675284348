"""`curavani therapists`: people who object, and whom imports leave out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import (
    USAGE,
    end,
    examples,
    operator,
    print_json,
    print_table,
    printable,
    talk,
    typed_again,
    with_exit_codes,
)

if TYPE_CHECKING:
    from therapist_service.suppressions import Digests

app = typer.Typer(no_args_is_help=True, help="Erasure of one therapist, and whom imports leave out.")

TherapistId = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The therapist's number.")]
ErasureId = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The erasure's number: `suppression_id`.")]


@app.command(epilog=examples("curavani therapists erase 17", "curavani therapists erase 17 --yes > certificate.json"))
@with_exit_codes
def erase(
    therapist_id: TherapistId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the number again.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, without names; it stays in the certificate.")] = None,
) -> None:
    """Erases every copy of a therapist's data.

    Prints the certificate; imports leave the person out from now on.
    """
    from curavani.services import connected, database
    from therapist_service import erasure

    # Nobody types a number in vain where the database cannot be used.
    with connected():
        pass
    if not yes and typed_again("therapist") != str(therapist_id):
        end("That is not the number; nothing was erased.", USAGE)
    engine = database()
    try:
        print_json(erasure.erase(engine, therapist_id, operator(), reason))
    finally:
        engine.dispose()


@app.command(
    "re-erase",
    epilog=examples("curavani therapists re-erase certificate.json", "curavani therapists re-erase --yes *.json"),
)
@with_exit_codes
def re_erase(
    certificates: Annotated[
        list[Path] | None,
        typer.Argument(help="Certificates of erasures that a restored database may not know.", dir_okay=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erases again those whom a restored backup has brought back.

    Prints the certificates. A backup that is older than an erasure has forgotten it: name its certificate, and imports
    leave the person out.
    """
    from curavani.services import database
    from shared.database.engine import transaction
    from shared.database.revision import require_revision
    from therapist_service import erasure

    kept = [_digests_in(path) for path in certificates or []]
    engine = database()
    try:
        with transaction(engine) as connection:
            require_revision(connection)
            found = erasure.returned(connection, kept, operator())
        if not found:
            talk("Nobody who was erased is in the database.")
            return
        talk(f"Erased before, and back again: {', '.join(map(str, found))}.")
        if not yes and not typer.confirm("Erase them again?", err=True):
            end("Nothing was erased.", USAGE)
        print_json([erasure.erase(engine, number, operator()) for number in found])
    finally:
        engine.dispose()


def _digests_in(path: Path) -> "Digests":
    from therapist_service import suppressions

    try:
        return suppressions.read_digests(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        raise typer.BadParameter(f"{printable(str(path))} is no certificate of a therapist's erasure") from None


@app.command(epilog=examples("curavani therapists allow 3"))
@with_exit_codes
def allow(erasure_id: ErasureId) -> None:
    """Lets imports bring back whom this erasure has kept out."""
    from curavani.services import connected
    from therapist_service import suppressions

    with connected() as connection:
        suppressions.allow(connection, erasure_id, operator())
    talk("The next scrape that lists the person brings them back.")


@app.command(
    "list-erased", epilog=examples("curavani therapists list-erased", "curavani therapists list-erased --json")
)
@with_exit_codes
def list_erased(as_json: Json = False) -> None:
    """Who is left out of imports.

    The number of each erasure, when it was, and who did it; nothing else is
    known.
    """
    from curavani.services import connected
    from therapist_service import suppressions

    with connected() as connection:
        found = suppressions.list_suppressions(connection)
    if as_json:
        print_json([asdict(one) for one in found])
    elif found:
        print_table(("erasure", "at", "by"), [(one.id, one.erased_at, one.erased_by) for one in found])
    else:
        talk("Nobody is left out.")
