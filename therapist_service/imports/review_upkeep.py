"""Reviews keep up with the data: a newer one takes an older one's place, and what newer data answers is closed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import Connection

from shared.database.statements import Statement
from shared.fields.declaration import Row
from shared.reviews.reviews import change_detail, lock_all_open, open_reviews, settle
from shared.reviews.stored import read_review
from shared.reviews.values import (
    ConflictDetail,
    FieldConflict,
    HeldDeletion,
    HeldDeletionsDetail,
    HeldRecordDetail,
    NewReview,
    Review,
)
from shared.words.statuses import ReviewKind, ReviewState
from therapist_service.imports.identity import Known, Listed, same_person
from therapist_service.imports.merge import agrees
from therapist_service.imports.register import Register, known
from therapist_service.imports.removals import is_listed_since
from therapist_service.imports.traits import Traits, traits_of
from therapist_service.models import kernel, therapeuten
from therapist_service.suppressions import resembled_by


def ask(connection: Connection, reviews: Sequence[NewReview]) -> None:
    """Opens an import's reviews about rows and records. There is one open review at most about a row's conflicts,
    and about a record: the newest, with what is still open of the ones before; within a day that of the file that has
    the word."""
    conflicts = {review.entity_id: review for review in reviews if isinstance(review.detail, ConflictDetail)}
    others = [review for review in reviews if not isinstance(review.detail, ConflictDetail)]
    for older in lock_all_open(connection, kernel, ReviewKind.CONFLICT, list(conflicts)) if conflicts else ():
        newer = conflicts[older.entity_id]
        conflicts[older.entity_id] = replace(newer, detail=_joined(connection, newer, older))
        settle(connection, kernel, older.id, f"import:{newer.import_id}")
    open_reviews(connection, kernel, [*_not_outranked(connection, others), *conflicts.values()])


def _not_outranked(connection: Connection, new: Sequence[NewReview]) -> list[NewReview]:
    """Those about whose record no open review holds what a later day's file says, or the one that has the word."""
    if not new:
        return []
    table = kernel.reviews
    asked = [review.fingerprint for review in new]
    same = sa.select(table).where(table.c.fingerprint.in_(asked), table.c.state == ReviewState.OPEN)
    found = [read_review(row) for row in connection.execute(same.with_for_update()).mappings()]
    open_ones = {review.fingerprint: review.detail for review in found}
    return [one for one in new if not _outranks(open_ones.get(one.fingerprint), one.detail)]


def _outranks(known: object, other: object) -> bool:
    """Whether what is known of a held record counts more than what another file says of it."""
    if not isinstance(known, HeldRecordDetail) or not isinstance(other, HeldRecordDetail):
        return False
    if known.scrape_day != other.scrape_day or known.zip == other.zip:
        return known.scrape_day > other.scrape_day
    own_zip = known.record["plz"]
    return known.zip == own_zip or (other.zip != own_zip and known.zip < other.zip)


def _joined(connection: Connection, newer: NewReview, older: Review) -> ConflictDetail:
    """The newer conflict with those fields of the older one on which source and row still differ."""
    fields = {found.field: found for found in _conflicts(newer.detail)}
    row = _rows(connection, [older.entity_id]).get(older.entity_id)
    left = [found for found in _conflicts(older.detail) if found.field not in fields and row and _differs(row, found)]
    said = (row and row["source_record"]) or {}
    return ConflictDetail((*fields.values(), *(replace(found, source=said.get(found.field)) for found in left)))


def _conflicts(detail: object) -> tuple[FieldConflict, ...]:
    return detail.fields if isinstance(detail, ConflictDetail) else ()


def _differs(row: Row, found: FieldConflict) -> bool:
    said = row["source_record"] or {}
    return not agrees(found.field, said.get(found.field, found.source), row[found.field])


def ask_about_deletions(
    connection: Connection, detail: HeldDeletionsDetail, zips: Collection[str], import_id: int | None, *, asked_by: int
) -> None:
    """Asks whether these are gone; `zips` are the postal codes of the review, which older reviews about them leave
    to it. `import_id` is None for a whole scrape day; `asked_by` is the import that replaces the older ones."""
    asked = {deletion.entity_id for deletion in detail.deletions}
    taken: dict[int, HeldDeletion] = {}
    for older in lock_all_open(connection, kernel, ReviewKind.HELD_DELETIONS):
        for deletion in _leave(connection, older, zips, asked_by):
            if deletion.entity_id not in asked:
                taken[deletion.entity_id] = replace(deletion, record_index=None)
    complete = replace(detail, deletions=(*detail.deletions, *taken.values()))
    index = detail.deletions[0].record_index
    open_reviews(connection, kernel, [NewReview(ReviewKind.HELD_DELETIONS, import_id, index, complete)])


def _leave(connection: Connection, older: Review, zips: Collection[str], asked_by: int) -> list[HeldDeletion]:
    """What the older review leaves to a newer one: those of these postal codes who are still to be decided on."""
    detail = older.detail
    if not isinstance(detail, HeldDeletionsDetail):
        return []
    of_file = _zip_of(connection, older.import_id)
    everybody = [replace(one, zip=one.zip or of_file, day=detail.day_of(one)) for one in detail.deletions]
    others = tuple(one for one in everybody if one.zip not in zips)
    if len(others) == len(everybody):
        return []
    if others:
        change_detail(connection, kernel, older.id, replace(detail, deletions=others))
    else:
        settle(connection, kernel, older.id, f"import:{asked_by}")
    return _standing(connection, [one for one in everybody if one.zip in zips], detail)


def _zip_of(connection: Connection, import_id: int | None) -> str | None:
    files = kernel.import_tracking.c
    found: str | None = connection.execute(sa.select(files.zip).where(files.id == import_id)).scalar_one_or_none()
    return found


def _standing(
    connection: Connection, deletions: Sequence[HeldDeletion], detail: HeldDeletionsDetail
) -> list[HeldDeletion]:
    rows = _rows(connection, [one.entity_id for one in deletions])
    return [one for one in deletions if stands(rows.get(one.entity_id), detail.day_of(one))]


def stands(row: Row | None, day: date) -> bool:
    """Whether a deletion of that scrape day is still to be decided on, with the row as it is now."""
    return row is not None and row["source_removed_at"] is None and not is_listed_since(row, day)


def settle_answered(connection: Connection) -> None:
    """Closes the open reviews to which there is nothing left to say: source and row agree again, everybody is gone
    or listed since, the record has found its row, nobody whom it resembles is left out any more."""
    reviews = lock_all_open(connection, kernel)
    held = {review.id: review.detail for review in reviews if isinstance(review.detail, HeldRecordDetail)}
    at_home = _at_home(connection, held)
    for review in reviews:
        import_id = _newest(connection) if at_home.get(review.id) else _answered_by(connection, review)
        if import_id is not None:
            settle(connection, kernel, review.id, f"import:{import_id}")


def _answered_by(connection: Connection, review: Review) -> int | None:
    """The import that has answered the review; None while it is open."""
    match review.detail:
        case ConflictDetail(fields):
            row = _rows(connection, [review.entity_id]).get(review.entity_id)
            if row is None or any(_differs(row, found) for found in fields):
                return None
            return row["source_import_id"] or review.import_id
        case HeldDeletionsDetail() as detail:
            rows = _rows(connection, [one.entity_id for one in detail.deletions])
            if _standing(connection, detail.deletions, detail):
                return None
            listed_by = max((row["source_import_id"] or 0 for row in rows.values()), default=0)
            return listed_by or review.import_id or _newest(connection)
        case HeldRecordDetail() as detail:
            is_moot = not detail.candidates and not resembled_by(connection, detail.record)
            return _newest(connection) if is_moot else _listed_since(connection, review, detail)[0]
    return None


def _newest(connection: Connection) -> int | None:
    return connection.execute(sa.select(sa.func.max(kernel.import_tracking.c.id))).scalar()


def rows_found(connection: Connection, review: Review, detail: HeldRecordDetail) -> frozenset[int]:
    """The rows that are the held record's person by now: listed by a later file of the same postal code, or entered
    since under the full name at the full address."""
    return _at_home(connection, {review.id: detail})[review.id] | _listed_since(connection, review, detail)[1]


def _at_home(connection: Connection, details: Mapping[int, HeldRecordDetail]) -> dict[int, frozenset[int]]:
    """By review, the rows under the held record's full name at its full address that nobody was asked about: when the
    record was held, there were none."""
    if not details:
        return {}
    people = [Listed("", None, traits_of(detail.record)) for detail in details.values()]
    found: dict[int, frozenset[int]] = {}
    for (number, detail), person, rows in zip(details.items(), people, _known(connection, people), strict=True):
        at_home = frozenset(one.row_id for one in rows if _lives(person.traits, one))
        found[number] = at_home - set(detail.candidates)
    return found


def _known(connection: Connection, people: Sequence[Listed]) -> list[list[Known]]:
    """By person, the rows that any rule could find."""
    register = Register(connection, locks=False)
    register.look_for(people)
    return [[known(entry) for entry in register.of(person)] for person in people]


def _lives(traits: Traits, row: Known) -> bool:
    """Whether the row has this full name and this full address."""
    return traits.numbered and any(
        same_person(traits, each) and traits.street == each.street for each in row.versions()
    )


def _listed_since(
    connection: Connection, review: Review, detail: HeldRecordDetail
) -> tuple[int | None, frozenset[int]]:
    """The later file of the same postal code in which the held record's person is listed, and their rows.

    That is so, too, where it lists all whom the record may have meant, and not the record: so does a scraper that had
    mixed up names for a week. A record that is held again is asked about anew, with the newer file: then nobody has
    found anything.
    """
    latest = _LATEST_APPLIED(connection, zip=detail.zip).fetchone()
    if latest is None or latest.id == review.import_id or latest.scrape_day < detail.scrape_day:
        return None, frozenset()
    person = Listed(detail.area or "", detail.external_id, traits_of(detail.record))
    (rows_of_person,) = _known(connection, [person])
    same = {one.row_id for one in rows_of_person if any(same_person(person.traits, each) for each in one.versions())}
    rows = _rows(connection, same | set(detail.candidates))
    since = {row["id"] for row in rows.values() if is_listed_since(row, latest.scrape_day)}
    are_listed = bool(detail.candidates) and since.issuperset(detail.candidates)
    listed = frozenset(since if are_listed else since & same)
    return (int(latest.id) if listed else None), listed


def _rows(connection: Connection, ids: Iterable[int | None]) -> dict[int | None, Row]:
    columns = [column for column in therapeuten.c if column.name != "source_raw"]
    found = sa.select(*columns).where(therapeuten.c.id.in_([number for number in ids if number is not None]))
    return {row["id"]: dict(row) for row in connection.execute(found).mappings()}


_LATEST_APPLIED = Statement("""
    SELECT id, scrape_day FROM therapist_service.import_tracking
    WHERE zip = :zip AND status IN ('success', 'partial') ORDER BY processed_at DESC, id DESC LIMIT 1
""")


def earlier_answers(connection: Connection, fingerprints: Collection[str]) -> dict[str, int]:
    """The rows that people have said the records of these reviews are, by the review's fingerprint."""
    reviews = kernel.reviews
    latest = (
        sa.select(reviews)
        .ext(distinct_on(reviews.c.fingerprint))
        .where(reviews.c.fingerprint.in_(fingerprints), reviews.c.state == ReviewState.RESOLVED)
        .order_by(reviews.c.fingerprint, reviews.c.id.desc())
    )
    found = [read_review(row) for row in connection.execute(latest).mappings()]
    rows = {str(one.fingerprint): one.written.merged or one.written.created for one in found if one.written}
    return {fingerprint: row_id for fingerprint, row_id in rows.items() if row_id is not None}
