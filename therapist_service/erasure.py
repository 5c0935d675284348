"""Erasing a therapist who objects: every copy that we hold, and digests by which an import leaves them out.

The digests are committed first, so that every later file knows them. What a file in hand may still write of the person
is waited for: its transaction shares the lock that an erasure takes alone.
"""

from collections.abc import Sequence
from typing import TypedDict

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from shared.core.clock import now
from shared.core.errors import TransientError
from shared.core.logs import get_logger
from shared.database.engine import transaction
from shared.events.queue import forget_events
from shared.fields.declaration import Row
from shared.reviews.reviews import forget
from shared.words.codes import Code
from shared.words.statuses import Action
from therapist_service.imports.names import first_name_key, last_name_key
from therapist_service.models import kernel, proposed_deletions, therapeuten
from therapist_service.suppressions import (
    Digests,
    Suppressed,
    digests_of,
    keep_certificate,
    recognising,
    settle_keys,
    suppress,
    suppress_again,
    suppressed,
    withdraw,
)
from therapist_service.use_cases import delete_therapist, lock_therapists

log = get_logger(__name__)

_PATIENCE_SECONDS = 30
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('curavani:therapist-erasure', 0))")
# Reviews about many people stay, without this one.
_LEAVE_OUT = sa.text("""
    UPDATE therapist_service.reviews SET detail = jsonb_set(
      CASE WHEN detail #> '{done,rows}' IS NULL THEN detail ELSE jsonb_set(detail, '{done,rows}', (
        SELECT coalesce(jsonb_agg(one), '[]') FROM jsonb_array_elements(detail #> '{done,rows}') AS one
        WHERE one ->> 'entity_id' <> CAST(:id AS text)
      )) END,
      '{deletions}', (
        SELECT coalesce(jsonb_agg(one), '[]') FROM jsonb_array_elements(detail -> 'deletions') AS one
        WHERE one ->> 'entity_id' <> CAST(:id AS text)
      )
    )
    WHERE detail -> 'deletions' @> jsonb_build_array(jsonb_build_object('entity_id', CAST(:id AS bigint)))
""")
OUT_OF_REACH = (
    "scraped_files: the scraper's files in its folder still list the practice; imports leave it out",
    "kafka_retention: earlier events stay on the topic until its retention ends; therapist.deleted is published",
    "database_backups: backups made before hold the data; after a restore `therapists re-erase` takes this certificate",
)


class ImportBusy(TransientError):
    """The import has a file in hand for longer than an erasure waits; nothing was erased."""

    code = Code.LOCK_HELD


class Certificate(TypedDict):
    """What an erasure removed and what it left. `suppression_id` is the number that `therapists allow` takes;
    `doubtful` are other practices under the same name, which only a person can say to be the same's. By `digests` the
    person is known again where a restored database has forgotten the erasure."""

    suppression_id: int
    therapist_id: int
    erased_at: str
    erased_by: str
    reason: str | None
    removed: dict[str, int]
    doubtful: list[int]
    out_of_reach: list[str]
    digests: Digests


def preview(connection: Connection, therapist_id: int) -> tuple[dict[str, int], list[int]]:
    """What an erasure would remove, in numbers, and what is doubtful; nothing is touched. Raises `NotFound`."""
    with connection.begin_nested() as attempt:
        row = vars(lock_therapists(connection, [therapist_id])[therapist_id])
        removed = _remove_rows(connection, therapist_id, digests_of(connection, _versions_of(row)))
        attempt.rollback()
    return removed, _namesakes(connection, row)


def erase(
    engine: Engine,
    therapist_id: int,
    actor: str,
    reason: str | None = None,
    *,
    patience_seconds: int = _PATIENCE_SECONDS,
) -> Certificate:
    """Erases the therapist and returns the certificate, which is kept, too.

    Raises `NotFound`, `ImportBusy`, or `DatabaseUnavailable`; the person is left as they are then.
    """
    with transaction(engine) as connection:
        settle_keys(connection)
        digests = digests_of(connection, _versions(connection, therapist_id))
        suppression_id = suppress(connection, digests, actor)
    try:
        with transaction(engine) as connection:
            _wait_for_the_file_in_hand(connection, patience_seconds)
            row = vars(lock_therapists(connection, [therapist_id])[therapist_id])
            certificate: Certificate = {
                "suppression_id": suppression_id,
                "therapist_id": therapist_id,
                "erased_at": now().isoformat(),
                "erased_by": actor,
                "reason": reason,
                "removed": _remove_rows(connection, therapist_id, digests),
                "doubtful": _namesakes(connection, row),
                "out_of_reach": list(OUT_OF_REACH),
                "digests": digests,
            }
            delete_therapist(connection, therapist_id, actor)
            keep_certificate(connection, suppression_id, certificate)
    except BaseException:
        with transaction(engine) as connection:
            withdraw(connection, suppression_id)
        raise
    log.info("therapist_erased", entity_id=therapist_id)
    return certificate


def returned(connection: Connection, kept: Sequence[Digests], actor: str) -> list[int]:
    """Whom a restored backup has brought back: the therapists that are left out of imports, and yet are here.

    A backup that is older than an erasure knows nothing of it; then the digests that were `kept` do.
    """
    settle_keys(connection)
    for digests in kept:
        suppress_again(connection, digests, actor)
    left_out = suppressed(connection)
    rows = [dict(row) for row in connection.execute(sa.select(therapeuten)).mappings()]
    return sorted(row["id"] for row in rows if any(left_out.knows(version) for version in _versions_of(row)))


def _versions(connection: Connection, therapist_id: int) -> list[Row]:
    return _versions_of(vars(lock_therapists(connection, [therapist_id])[therapist_id]))


def _versions_of(row: Row) -> list[Row]:
    """What the row says now and what the source said last: staff may have corrected a name."""
    return [row, row["source_record"]] if row["source_record"] else [row]


def _wait_for_the_file_in_hand(connection: Connection, seconds: int) -> None:
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{seconds}s'"))
    try:
        connection.execute(_ALONE)
    except sa.exc.OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise ImportBusy from None
        raise


def _remove_rows(connection: Connection, therapist_id: int, digests: Digests) -> dict[str, int]:
    """How many rows of each kind were removed or blanked."""
    changes, outcomes, proposed = kernel.field_changes, kernel.import_outcomes, proposed_deletions
    reviews = _reviews_about(connection, therapist_id, recognising(connection, digests))
    return {
        "therapist": 1,
        "field_changes": connection.execute(sa.delete(changes).where(changes.c.entity_id == therapist_id)).rowcount,
        "reasons": _blank_reasons(connection, therapist_id, reviews),
        "reviews": forget(connection, kernel, reviews) + connection.execute(_LEAVE_OUT, {"id": therapist_id}).rowcount,
        "outcomes": connection.execute(
            sa.update(outcomes).where(outcomes.c.entity_id == therapist_id).values(entity_id=None)
        ).rowcount,
        # One that waits for the end of its day keeps its place in the file's counts, and meets nobody.
        "proposed_deletions": connection.execute(
            sa.update(proposed).where(proposed.c.entity_id == therapist_id).values(entity_id=0)
        ).rowcount,
        "events": forget_events(connection, kernel, [therapist_id]),
    }


def _reviews_about(connection: Connection, therapist_id: int, person: Suppressed) -> list[int]:
    """The reviews that name the person, or hold a record of theirs, whether it has found its row or not."""
    reviews = kernel.reviews.c
    named = sa.or_(
        reviews.entity_id == therapist_id,
        reviews.other_id == therapist_id,
        reviews.detail["candidates"].contains([therapist_id]),
        reviews.detail["done"]["created"] == sa.cast(therapist_id, kernel.reviews.c.detail.type),
    )
    held = sa.select(reviews.id, reviews.detail["record"].label("record"), named.label("named"))
    found = connection.execute(held.where(sa.or_(named, reviews.detail.has_key("record"))))
    return [row.id for row in found if row.named or person.knows(row.record)]


def _blank_reasons(connection: Connection, therapist_id: int, review_ids: Sequence[int]) -> int:
    """What people wrote down about the person, or about a decision on them."""
    actions = kernel.operator_actions
    undone = sa.and_(actions.c.action == Action.UNDO, actions.c.review_id.in_(review_ids))
    about = sa.or_(actions.c.entity_id == therapist_id, undone)
    statement = sa.update(actions).where(about, actions.c.reason.is_not(None)).values(reason=None)
    return connection.execute(statement).rowcount


def _namesakes(connection: Connection, row: Row) -> list[int]:
    """Other rows under the same full name, however it is spelled and wherever they practise."""
    columns = therapeuten.c
    last, first = last_name_key(row["nachname"]), first_name_key(row["vorname"])
    # A row's keys have the name behind the postal code, and are empty without one.
    spelled = [
        sa.func.split_part(columns.last_key, "|", 2) == last if last else sa.false(),
        sa.func.split_part(columns.first_key, "|", 2) == (first or ""),
    ]
    written = [
        sa.func.lower(columns.nachname) == (row["nachname"] or "").lower(),
        sa.func.lower(columns.vorname) == (row["vorname"] or "").lower(),
    ]
    same = sa.or_(sa.and_(*spelled), sa.and_(*written))
    found = sa.select(columns.id).where(columns.id != row["id"], same).order_by(columns.id)
    return list(connection.execute(found).scalars())
