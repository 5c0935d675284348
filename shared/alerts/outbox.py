"""Alert rows: one open problem per fingerprint, written in the transaction of what they tell of."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from shared.database.tables import KernelTables
from shared.words.statuses import AlertKind


def raise_problem(
    connection: Connection,
    kernel: KernelTables,
    *,
    code: str,
    fingerprint: str,
    import_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Opens the problem, or changes the code of the open one, and wakes the mailer. True where there is news.

    `detail` holds ids, counts and codes only: it goes into a mail.
    """
    table = kernel.alert_outbox
    given = insert(table).values(
        kind=AlertKind.PROBLEM, code=code, import_id=import_id, fingerprint=fingerprint, detail=dict(detail or {})
    )
    news = given.on_conflict_do_update(
        index_elements=["fingerprint"],
        index_where=sa.text("kind = 'problem' AND resolved_at IS NULL"),
        set_={
            "code": given.excluded.code,
            "detail": given.excluded.detail,
            "created_at": sa.func.now(),
            "sent_at": None,
            "send_attempts": 0,
            "next_attempt_at": None,
        },
        where=table.c.code != given.excluded.code,
    ).returning(table.c.id)
    if connection.execute(news).scalar_one_or_none() is None:
        return False
    _forget_reminders(connection, kernel, fingerprint)
    wake(connection, kernel)
    return True


def resolve_problem(connection: Connection, kernel: KernelTables, fingerprint: str) -> bool:
    """Closes the open problem; people who were told of it are told that it is over, and no longer reminded.

    False if there was none.
    """
    table = kernel.alert_outbox
    closed = connection.execute(
        sa.update(table)
        .where(table.c.fingerprint == fingerprint, table.c.kind == AlertKind.PROBLEM, table.c.resolved_at.is_(None))
        .values(resolved_at=sa.func.now())
        .returning(table.c.code, table.c.import_id, table.c.detail, table.c.sent_at)
    ).one_or_none()
    if closed is None:
        return False
    _forget_reminders(connection, kernel, fingerprint)
    if closed.sent_at is not None:
        message = {"code": closed.code, "import_id": closed.import_id, "detail": closed.detail}
        connection.execute(sa.insert(table).values(kind=AlertKind.RESOLVED, fingerprint=fingerprint, **message))
        wake(connection, kernel)
    return True


def is_open(connection: Connection, kernel: KernelTables, fingerprint: str) -> bool:
    """Whether the problem was raised and is not resolved yet."""
    table = kernel.alert_outbox
    open_problem = sa.and_(table.c.kind == AlertKind.PROBLEM, table.c.resolved_at.is_(None))
    found = sa.select(sa.exists().where(table.c.fingerprint == fingerprint, open_problem))
    return bool(connection.execute(found).scalar())


def watched(check: str) -> str:
    """The fingerprint of the alert about a check of health."""
    return f"watch:{check}"


def _forget_reminders(connection: Connection, kernel: KernelTables, fingerprint: str) -> None:
    """Those that the mail server has not taken yet would tell people of what is over, or has become something else."""
    table = kernel.alert_outbox
    unsent = sa.and_(table.c.kind == AlertKind.REMINDER, table.c.sent_at.is_(None))
    connection.execute(sa.delete(table).where(table.c.fingerprint == fingerprint, unsent))


def wake(connection: Connection, kernel: KernelTables) -> None:
    """Wakes the mailer once the transaction commits."""
    connection.execute(sa.select(sa.func.pg_notify(kernel.channel("alerts"), "")))
