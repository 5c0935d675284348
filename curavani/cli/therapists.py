"""`curavani therapists`: people who object, and whom imports leave out."""

from dataclasses import asdict
from typing import Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import (
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

app = typer.Typer(no_args_is_help=True, help="Erasure of one therapist, and whom imports leave out.")

TherapistId = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The therapist's number.")]
ErasureId = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The erasure's number: `suppression_id`.")]


@app.command(epilog=examples("curavani therapists erase 17", "curavani therapists erase 17 --yes > certificate.json"))
@with_exit_codes
def erase(
    therapist_id: TherapistId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the number again.")] = False,
) -> None:
    """Erases every copy of a therapist's data.

    Prints the certificate; imports leave the person out from now on.
    """
    from curavani.services import database
    from therapist_service import erasure

    if not yes and typed_again("therapist") != str(therapist_id):
        end("That is not the number; nothing was erased.", USAGE)
    engine = database()
    try:
        print_json(erasure.erase(engine, therapist_id, operator()))
    finally:
        engine.dispose()


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
