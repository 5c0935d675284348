"""`curavani reviews` and `curavani patients`: what a person has to decide, and evidence and erasure of one person."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from curavani.cli.imports import Json
from curavani.cli.output import USAGE, print_json, print_table, talk, told, who
from curavani.cli.services import SERVICES, connected, numbered
from patient_service.use_cases import list_consents
from shared.http.json_values import plain
from shared.reviews import CHOICES, Choice, find_review, list_reviews
from shared.settings import read_settings

reviews = typer.Typer(no_args_is_help=True, help="Questions that wait for a person.")
patients = typer.Typer(no_args_is_help=True, help="Evidence of consent, and erasure.")


@reviews.command("list")
@told
def list_command(
    everything: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False, as_json: Json = False
) -> None:
    """Questions, oldest first. Example: curavani reviews list"""
    found: list[dict[str, Any]] = []
    with connected() as connection:
        for entry in SERVICES.values():
            rows, _ = list_reviews(connection, entry.kernel, state=None if everything else "open", limit=500)
            found += [dict(row) | {"id": f"{entry.prefix}{row['id']}"} for row in rows]
    if as_json:
        print_json([{name: value for name, value in row.items() if name != "fingerprint"} for row in found])
        return
    rows_shown = [
        (row["id"], row["kind"], row["state"], row["entity_id"], row["import_id"], ", ".join(CHOICES[row["kind"]]))
        for row in found
    ]
    print_table(("id", "kind", "state", "row", "file", "choices"), rows_shown)


@reviews.command()
@told
def show(number: Annotated[str, typer.Argument(help="P3 or T3")], as_json: Json = False) -> None:
    """One question with what it is about."""
    entry, review_id = numbered(number)
    with connected() as connection:
        row = dict(find_review(connection, entry.kernel, review_id)) | {"id": f"{entry.prefix}{review_id}"}
    row.pop("fingerprint")
    if as_json:
        print_json(row)
        return
    detail = plain(row.pop("detail"))
    print_table(("", ""), [*row.items(), *detail.items(), ("choices", ", ".join(CHOICES[row["kind"]]))])


@reviews.command()
@told
def resolve(
    number: Annotated[str, typer.Argument(help="P3 or T3")],
    choose: Annotated[str, typer.Option(help="merge or separate; source or staff; apply or reject")],
    into: Annotated[int | None, typer.Option(help="With merge, where there are several candidates.")] = None,
    comment: Annotated[str | None, typer.Option(help="Kept with the decision.")] = None,
) -> None:
    """Decides a question. Example: curavani reviews resolve P3 --choose separate"""
    entry, review_id = numbered(number)
    with connected() as connection:
        entry.resolve(connection, review_id, Choice(choose, who(), comment, into))
    talk(f"{entry.prefix}{review_id} is decided: {choose}.")


@patients.command()
@told
def consent(patient_id: Annotated[int, typer.Argument()], as_json: Json = False) -> None:
    """The evidence of consent: every document, with when, from where and by which file."""
    with connected() as connection:
        found = [dict(row) for row in list_consents(connection, patient_id)]
    if as_json:
        print_json(found)
        return
    for row in found:
        print_table(("", ""), list(row.items()), title=f"Consent {row['id']}")
    if not found:
        talk("There is no consent on record for this patient.")


@patients.command()
@told
def erase(
    patient_id: Annotated[int, typer.Argument()],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the number again.")] = False,
) -> None:
    """Erases every copy of a patient's data and prints the certificate."""
    if not yes and typer.prompt("Type the patient's number again to erase", type=int, err=True) != patient_id:
        talk("The numbers differ; nothing was erased.")
        raise typer.Exit(USAGE)
    with _patient_parts() as parts:
        print_json(parts.erasure.erase(patient_id, who()))


@patients.command("re-erase")
@told
def re_erase(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Erases again those whom a restored database backup has brought back, and prints the certificates."""
    with _patient_parts() as parts:
        returned = parts.erasure.returned()
        if not returned:
            talk("Nobody who was erased is in the database.")
            return
        talk(f"Erased before, and back again: {', '.join(map(str, returned))}.")
        if not yes and not typer.confirm("Erase them again?", err=True):
            talk("Nothing was erased.")
            raise typer.Exit(USAGE)
        print_json(parts.erasure.erase_again(returned, who()))


@contextmanager
def _patient_parts() -> Iterator[Any]:
    bootstrap = SERVICES["patient"].bootstrap
    parts = bootstrap.build_parts(read_settings(os.environ, *bootstrap.IMPORT_GROUPS))
    try:
        yield parts
    finally:
        parts.engine.dispose()
