"""Takes over a database of the platform: look, try on a copy, lock, change, check, commit; or leave all as it was."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from curavani import schema
from curavani.adoption import catalog
from curavani.adoption.certificate import Certificate, Proof, count_after, count_before
from curavani.adoption.conversion import convert, next_id
from curavani.adoption.plan import PEOPLE, Plan, read_plan
from curavani.adoption.rehearsal import rehearse
from shared.core.clock import now
from shared.core.errors import CuravaniError, DatabaseForeign, DatabaseNotMigrated, SchemaBusy
from shared.database.engine import transaction
from shared.database.revision import read_revision, require_revision
from shared.words.codes import Code

PATIENCE_SECONDS = 5
"""So long is waited for a table that somebody else uses."""
_TABLES = tuple(people.name for people in PEOPLE)


class NothingToAdopt(CuravaniError):
    """The database is ours already (`revision`), or empty."""

    def __init__(self, revision: str | None) -> None:
        super().__init__()
        self.revision = revision


class AdoptionRefused(CuravaniError):
    """Something does not fit or stands in the way; nothing was changed. `plan` says what."""

    code = Code.ADOPTION_REFUSED

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


class AdoptionFailed(CuravaniError):
    """The change was undone: the check afterwards found a difference, or the database refused a step."""

    code = Code.ADOPTION_FAILED

    def __init__(self, reasons: list[str]) -> None:
        super().__init__()
        self.reasons = reasons


def make_plan(engine: Engine, *, measure: bool = True) -> Plan:
    """What would change, and what does not fit; with `measure`, tried on a copy of the rows that is thrown away.

    Raises `NothingToAdopt`, and `SchemaBusy` where a table cannot even be read.
    """
    with _patient(engine) as connection:
        _require_foreign(connection)
        plan = read_plan(connection)
        if measure and not plan.obstacles:
            plan.seconds = rehearse(connection, plan)
        connection.rollback()
    return plan


def adopt(engine: Engine) -> Certificate:
    """Takes the database over, in one transaction.

    Raises `NothingToAdopt`, `AdoptionRefused`, `AdoptionFailed`, and `SchemaBusy` where another session is writing or
    keeps a table for longer than the patience. Whatever it raises, nothing has changed.
    """
    tried = make_plan(engine)
    if tried.obstacles:
        raise AdoptionRefused(tried)
    with _patient(engine) as connection:
        if catalog.writing_sessions(connection, _TABLES):
            raise SchemaBusy
        connection.exec_driver_sql(f"LOCK TABLE {', '.join(_TABLES)} IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        _require_foreign(connection)
        # Somebody may have written since it was tried.
        plan = read_plan(connection)
        if plan.obstacles:
            raise AdoptionRefused(plan)
        proofs = _change(connection, plan)
        return Certificate(now(), plan.revision, str(read_revision(connection)), time.monotonic() - begun, proofs)


def _change(connection: Connection, plan: Plan) -> tuple[Proof, ...]:
    counts = [count_before(connection, table) for table in plan.tables]
    references = _references(connection)
    convert(connection, plan)
    proofs = tuple(
        Proof(table, before, wanted, count_after(connection, table), next_id(connection, table.people.name))
        for table, (before, wanted) in zip(plan.tables, counts, strict=True)
    )
    found = [difference for proof in proofs for difference in proof.differences()]
    found += schema.differences(connection)
    after = _references(connection)
    found += [
        f"the reference {name} is gone or another one" for name, it in references.items() if after.get(name) != it
    ]
    if found:
        raise AdoptionFailed(found)
    require_revision(connection)
    return proofs


def _references(connection: Connection) -> dict[str, str]:
    found: dict[str, str] = {}
    for people in PEOPLE:
        found |= catalog.references(connection, people.schema, people.table.name)
    return found


def _require_foreign(connection: Connection) -> None:
    try:
        revision = read_revision(connection)
    except DatabaseForeign:
        return
    raise NothingToAdopt(revision)


@contextmanager
def _patient(engine: Engine) -> Iterator[Connection]:
    """A transaction that waits for locks a little, and whose errors say what kept it."""
    try:
        with transaction(engine) as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'")
            yield connection
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise SchemaBusy from None
        state = error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None
        # The driver's text may quote a row.
        raise AdoptionFailed([f"the database refused a step (SQLSTATE {state})"]) from None
    except DatabaseNotMigrated:
        raise AdoptionFailed(["a table vanished meanwhile"]) from None
