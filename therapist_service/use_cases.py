"""What can be done to therapists, whoever asks: the HTTP API, the import, a decision in a review.

Every function works in the caller's transaction; `shared.people.writer` says what is written with a change.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy.engine import Connection

from shared.fields.declaration import Row, Values
from shared.people.table import PersonTable
from shared.people.writer import Change, PersonWriter
from therapist_service import events
from therapist_service.keys import following_keys
from therapist_service.models import kernel, therapeuten
from therapist_service.therapist import THERAPIST, Therapist

THERAPISTS = PersonTable(kernel, therapeuten, THERAPIST, Therapist)


def create_therapists(connection: Connection, rows: Sequence[Values], actor: str) -> list[int]:
    """Inserts validated rows; returns their ids in the same order.

    All rows have the same columns, whichever; the others take the database's defaults.
    """
    return WRITER.create(connection, rows, actor)


def update_therapists(connection: Connection, changes: Sequence[Change], actor: str) -> list[Row]:
    """Writes the changes of rows that the caller has locked; returns them as they are afterwards."""
    return WRITER.update(connection, changes, actor)


def update_therapist(connection: Connection, therapist_id: int, values: Values, actor: str) -> Therapist:
    """Writes validated fields and returns the therapist as they are afterwards. Raises `NotFound`."""
    before = lock_therapists(connection, [therapist_id])[therapist_id]
    (after,) = update_therapists(connection, [Change(vars(before), values)], actor)
    return Therapist(**after)


def delete_therapist(connection: Connection, therapist_id: int, actor: str) -> None:
    """Removes the therapist and announces it. Raises `NotFound`."""
    WRITER.delete(connection, [therapist_id], actor)


def get_therapist(connection: Connection, therapist_id: int) -> Therapist:
    """The therapist. Raises `NotFound`."""
    return THERAPISTS.get(connection, therapist_id)


def lock_therapists(connection: Connection, ids: Iterable[int]) -> dict[int, Therapist]:
    """The therapists, locked in order of id against concurrent writers. Raises `NotFound` if one is missing."""
    return THERAPISTS.lock(connection, ids)


def list_therapists(
    connection: Connection,
    *,
    status: str | None = None,
    potenziell_verfuegbar: bool | None = None,
    search: str | None = None,
    plz_prefix: str | None = None,
    offset: int,
    limit: int,
) -> tuple[list[Therapist], int]:
    """A page of therapists, newest first, and how many there are in all. Every word of `search` has to occur."""
    columns = therapeuten.c
    conditions = []
    if status is not None:
        conditions.append(columns.status == status)
    if potenziell_verfuegbar is not None:
        conditions.append(columns.potenziell_verfuegbar == potenziell_verfuegbar)
    if plz_prefix:
        conditions.append(columns.plz.startswith(plz_prefix, autoescape=True))
    return THERAPISTS.page(connection, conditions, search, offset=offset, limit=limit)


WRITER = PersonWriter(THERAPISTS, following_keys, events.of_change)
