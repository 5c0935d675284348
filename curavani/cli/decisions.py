"""`curavani reviews` and `curavani patients`: what a person has to decide, and evidence and erasure of one person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from curavani.cli.imports import FEW, Json, Limit
from curavani.cli.output import USAGE, end, examples, operator, print_json, print_table, talk, with_exit_codes
from curavani.cli.services import SERVICES, ServiceEntry, connected, numbered, settings_of
from patient_service.use_cases import list_consents
from shared.core.errors import NotFound
from shared.http.json_values import plain
from shared.reviews.comparison import Conflict, Duplicate, HeldDeletion, Subject
from shared.reviews.reviews import CHOICES, Choice, find_review, list_reviews

reviews = typer.Typer(no_args_is_help=True, help="Questions that wait for a person.")
patients = typer.Typer(no_args_is_help=True, help="Evidence of consent, and erasure.")

Number = Annotated[str, typer.Argument(help="P3 or T3")]
PatientId = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The patient's number.")]
_ALL = 2**31 - 1


@reviews.command("list", epilog=examples("curavani reviews list", "curavani reviews list --all --json"))
@with_exit_codes
def list_command(
    everything: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Questions, oldest first."""
    found: list[dict[str, Any]] = []
    in_all = 0
    most = limit or (_ALL if as_json else FEW)
    with connected() as connection:
        for entry in SERVICES.values():
            rows, total = list_reviews(connection, entry.kernel, state=None if everything else "open", limit=most)
            found += [_numbered(entry, row) for row in rows]
            in_all += total
    if as_json:
        print_json(found)
        return
    if not found:
        talk("Nothing waits for a decision.")
        return
    rows_shown = [
        (row["id"], row["kind"], row["choice"] or row["state"], row["entity_id"], row["import_id"],
         ", ".join(CHOICES[row["kind"]]))
        for row in found
    ]  # fmt: skip
    print_table(("id", "kind", "state", "row", "file", "choices"), rows_shown)
    if in_all > len(found):
        talk(f"{len(found)} of {in_all} questions. More: --limit {in_all}")


@reviews.command(epilog=examples("curavani reviews show T3", "curavani reviews show P3 --json"))
@with_exit_codes
def show(number: Number, as_json: Json = False) -> None:
    """One question with what it is about."""
    entry, review_id = numbered(number)
    with connected() as connection:
        review = _find(connection, entry, review_id)
        subject = entry.subject_of(connection, review) if review["detail"] else None
    row = _numbered(entry, review)
    if as_json:
        print_json(row)
        return
    facts = [(name, row[name]) for name in row if name != "detail" and row[name] is not None]
    choices = ", ".join(CHOICES[row["kind"]])
    print_table(("", ""), [*facts, ("choices", choices)], title=row["id"])
    if subject is not None:
        _print_subject(subject)
    earlier = [list(entry.values()) for entry in row["detail"].get("earlier", [])]
    if earlier:
        print_table(tuple(row["detail"]["earlier"][0]), earlier, title="Decided and undone before")


@reviews.command(
    epilog=examples(
        "curavani reviews resolve P3 --choose separate",
        "curavani reviews resolve P3 --choose merge --into 17",
        'curavani reviews resolve T4 --choose source --comment "asked by phone"',
        "curavani reviews resolve T5 --choose apply --only 81 --only 82",
    )
)
@with_exit_codes
def resolve(
    number: Number,
    choose: Annotated[str, typer.Option(help="merge or separate; source or staff; apply or reject")],
    into: Annotated[int | None, typer.Option(help="With merge, where there are several candidates.")] = None,
    only: Annotated[list[int] | None, typer.Option(help="With apply: only these therapists.")] = None,
    comment: Annotated[str | None, typer.Option(help="Kept with the decision.")] = None,
) -> None:
    """Decides a question."""
    entry, review_id = numbered(number)
    with connected() as connection:
        _find(connection, entry, review_id)
        entry.resolve(connection, review_id, Choice(choose, operator(), comment, into, tuple(only) if only else None))
    talk(f"{entry.number(review_id)} is decided: {choose}.")


@reviews.command(
    epilog=examples("curavani reviews undo P3", 'curavani reviews undo T4 --comment "the source was right after all"')
)
@with_exit_codes
def undo(
    number: Number, comment: Annotated[str | None, typer.Option(help="Why; kept with the question.")] = None
) -> None:
    """Undoes a decision: the rows are as before it, and the question is open again.

    A merge is final. Ends with 2, and changes nothing, where a row was
    changed since.
    """
    entry, review_id = numbered(number)
    with connected() as connection:
        _find(connection, entry, review_id)
        entry.undo(connection, review_id, operator(), comment)
    talk(f"{entry.number(review_id)} is open again. Decide it: curavani reviews show {entry.number(review_id)}")


@patients.command(epilog=examples("curavani patients consent 17", "curavani patients consent 17 --json"))
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


@patients.command(epilog=examples("curavani patients erase 17", "curavani patients erase 17 --yes > certificate.json"))
@with_exit_codes
def erase(
    patient_id: PatientId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the number again.")] = False,
) -> None:
    """Erases every copy of a patient's data and prints the certificate. It cannot be undone."""
    with _patient_parts() as parts:
        if not yes and _typed_again() != str(patient_id):
            end("That is not the number; nothing was erased.", USAGE)
        print_json(parts.erasure.erase(patient_id, operator()))


@patients.command("re-erase", epilog=examples("curavani patients re-erase", "curavani patients re-erase --yes"))
@with_exit_codes
def re_erase(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Erases again those whom a restored database backup has brought back, and prints the certificates."""
    with _patient_parts() as parts:
        returned = parts.erasure.returned()
        if not returned:
            talk("Nobody who was erased is in the database.")
            return
        talk(f"Erased before, and back again: {', '.join(map(str, returned))}.")
        if not yes and not typer.confirm("Erase them again?", err=True):
            end("Nothing was erased.", USAGE)
        print_json(parts.erasure.erase_again(returned, operator()))


@contextmanager
def _patient_parts() -> Iterator[Any]:
    bootstrap = SERVICES["patient"].bootstrap
    parts = bootstrap.build_parts(settings_of(*bootstrap.IMPORT_GROUPS))
    try:
        yield parts
    finally:
        parts.close()


def _typed_again() -> str:
    typer.echo("Type the patient's number again to erase: ", err=True, nl=False)
    line = sys.stdin.readline()
    if not line:
        typer.echo(err=True)
    return line.strip()


def _find(connection: Any, entry: ServiceEntry, review_id: int) -> Any:
    try:
        return find_review(connection, entry.kernel, review_id)
    except NotFound:
        raise NotFound(
            f"There is no question {entry.number(review_id)}. Known ones: curavani reviews list --all"
        ) from None


def _numbered(entry: ServiceEntry, row: Any) -> dict[str, Any]:
    """The review as people and programs see it, with the numbers that they type."""
    known: dict[str, Any] = plain(row)
    numbers = {"id": entry.number(known["id"]), "import_id": entry.number(known["import_id"])}
    return {name: value for name, value in (known | numbers).items() if name != "fingerprint"}


def _print_subject(subject: Subject) -> None:
    if isinstance(subject, Duplicate):
        sides = ["this record" if side.entity_id is None else f"row {side.entity_id}" for side in subject.sides]
        lines = [("*" if line.differs else "", line.field, *line.values) for line in subject.lines]
        print_table(("", "field", *sides), lines, title="Side by side; what differs is marked")
    elif isinstance(subject, Conflict):
        lines = [(line.field, line.base, line.staff, line.source, line.present) for line in subject.lines]
        print_table(("field", "source before", "staff", "source", "holds now"), lines, title=f"Row {subject.entity_id}")
    else:
        lines = [(held.entity_id, *_of_held(held)) for held in subject.deletions]
        title = f"{len(lines)} deletions; {subject.active_before} were active before"
        print_table(("row", "name", "place", "now"), lines, title=title)


def _of_held(held: HeldDeletion) -> tuple[str, str, str]:
    if held.row is None:
        return "", "", "does not exist any more"
    name, place = (" ".join(filter(None, map(held.row.get, names))) for names in (_NAME, _PLACE))
    return name, place, "listed again" if held.reappeared else str(held.row["status"])


_NAME = ("titel", "vorname", "nachname")
_PLACE = ("plz", "ort", "strasse")
