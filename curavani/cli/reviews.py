"""`curavani reviews`: what a person has to decide."""

from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json, Limit, most_of
from curavani.cli.output import examples, operator, print_json, print_table, talk, with_exit_codes
from shared.core.errors import NotFound
from shared.words.statuses import ReviewState

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from curavani.services import ServiceEntry
    from shared.reviews.subjects import ProposedDeletion, Subject
    from shared.reviews.values import Review

app = typer.Typer(no_args_is_help=True, help="What waits for a person's decision.")

Number = Annotated[str, typer.Argument(help="PE3 or TE3")]


@app.command("list", epilog=examples("curavani reviews list", "curavani reviews list --all --json"))
@with_exit_codes
def list_command(
    everything: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Reviews, oldest first."""
    from curavani.services import SERVICES, connected
    from shared.reviews.reviews import list_reviews

    found: list[tuple[ServiceEntry, Review]] = []
    in_all = 0
    most = most_of(limit, as_json=as_json)
    state = None if everything else ReviewState.OPEN
    with connected() as connection:
        for entry in SERVICES.values():
            reviews, total = list_reviews(connection, entry.kernel, state=state, limit=most)
            found += [(entry, review) for review in reviews]
            in_all += total
    found = sorted(found, key=lambda it: it[1].created_at)[:most]
    if as_json:
        print_json([_as_json(entry, review) for entry, review in found])
        return
    if not found:
        talk("Nothing waits for a decision.")
        return
    print_table(
        ("id", "kind", "state", "row", "file", "choices"), [_row(entry, review) for entry, review in found], most=None
    )
    if in_all > len(found):
        talk(f"{len(found)} of {in_all} reviews. More: --limit {in_all}")


@app.command(epilog=examples("curavani reviews show TE3", "curavani reviews show PE3 --json"))
@with_exit_codes
def show(number: Number, as_json: Json = False) -> None:
    """One review with what it is about."""
    from curavani.services import connected, review_numbered
    from shared.reviews.stored import review_json

    entry, review_id = review_numbered(number)
    with connected() as connection:
        review = _find(connection, entry, review_id)
        subject = entry.subject_of(connection, review)
    shown = _as_json(entry, review)
    if as_json:
        print_json(shown)
        return
    facts = [(name, shown[name]) for name in shown if name != "detail" and shown[name] is not None]
    print_table(("", ""), [*facts, ("choices", _choices(review))], title=entry.kernel.review_number(review.id))
    if subject is not None:
        _print_subject(subject)
    earlier = review_json(review)["detail"].get("earlier", [])
    if earlier:
        rows = [list(undone.values()) for undone in earlier]
        print_table(tuple(earlier[0]), rows, title="Decided and undone before")


@app.command(
    epilog=examples(
        "curavani reviews resolve PE3 --choose separate",
        "curavani reviews resolve PE3 --choose merge --into 17",
        'curavani reviews resolve TE4 --choose source --comment "asked by phone"',
        "curavani reviews resolve TE5 --choose apply --only 81 --only 82",
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
    """Decides a review."""
    from curavani.services import connected, review_numbered
    from shared.reviews.values import Resolution

    entry, review_id = review_numbered(number)
    resolution = Resolution(choose, operator(), comment, into, tuple(only) if only else None)
    with connected() as connection:
        _find(connection, entry, review_id)
        entry.resolve(connection, review_id, resolution)
    talk(f"{entry.kernel.review_number(review_id)} is decided: {choose}.")


@app.command(
    epilog=examples("curavani reviews undo PE3", 'curavani reviews undo TE4 --comment "the source was right after all"')
)
@with_exit_codes
def undo(
    number: Number, comment: Annotated[str | None, typer.Option(help="Why; kept with the review.")] = None
) -> None:
    """Undoes a decision: the review is open again.

    The rows are as before it. A merge is final. Ends with 2, and changes nothing, where a row was
    changed since.
    """
    from curavani.services import connected, review_numbered

    entry, review_id = review_numbered(number)
    with connected() as connection:
        _find(connection, entry, review_id)
        entry.undo(connection, review_id, operator(), comment)
    number = entry.kernel.review_number(review_id)
    talk(f"{number} is open again. Decide it: curavani reviews show {number}")


def _find(connection: "Connection", entry: "ServiceEntry", review_id: int) -> "Review":
    from shared.reviews.reviews import find_review

    try:
        return find_review(connection, entry.kernel, review_id)
    except NotFound:
        number = entry.kernel.review_number(review_id)
        raise NotFound(f"There is no review {number}. Known ones: curavani reviews list --all") from None


def _as_json(entry: "ServiceEntry", review: "Review") -> dict[str, object]:
    """The review as people and programs see it, with the numbers that they type."""
    from shared.reviews.stored import review_json

    return review_json(review) | {
        "id": entry.kernel.review_number(review.id),
        "import_id": entry.number(review.import_id),
    }


def _row(entry: "ServiceEntry", review: "Review") -> tuple[object, ...]:
    number, file = entry.kernel.review_number(review.id), entry.number(review.import_id)
    return number, review.kind, review.choice or review.state, review.entity_id, file, _choices(review)


def _choices(review: "Review") -> str:
    from shared.reviews.values import CHOICES

    return ", ".join(CHOICES[review.kind])


def _print_subject(subject: "Subject") -> None:
    from shared.reviews.subjects import ConflictSubject, DuplicateSubject

    if isinstance(subject, DuplicateSubject):
        sides = ["this record" if side.entity_id is None else f"row {side.entity_id}" for side in subject.sides]
        rows = [("*" if it.differs else "", it.field, *it.values) for it in subject.fields]
        print_table(("", "field", *sides), rows, title="Side by side; what differs is marked")
    elif isinstance(subject, ConflictSubject):
        fields = [(it.field, it.base, it.staff, it.source, it.present) for it in subject.fields]
        print_table(
            ("field", "source before", "staff", "source", "holds now"), fields, title=f"Row {subject.entity_id}"
        )
    else:
        deletions = [(held.entity_id, *_of_held(held)) for held in subject.deletions]
        title = f"{len(deletions)} deletions; {subject.active_before} were active before"
        print_table(("row", "name", "place", "now"), deletions, title=title)


def _of_held(held: "ProposedDeletion") -> tuple[str, str, str]:
    if held.row is None:
        return "", "", "does not exist any more"
    name, place = (" ".join(str(held.row[it]) for it in names if held.row[it]) for names in (_NAME, _PLACE))
    return name, place, "listed again" if held.reappeared else str(held.row["status"])


_NAME = ("titel", "vorname", "nachname")
_PLACE = ("plz", "ort", "strasse")
