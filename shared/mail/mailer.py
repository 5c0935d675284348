"""The mailer: alert rows become mails, bundled per pass, tried again until the server takes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.clock import now
from shared.core.logs import get_logger
from shared.core.settings import MailSettings
from shared.database.locks import LockedConnection
from shared.database.tables import KernelTables
from shared.mail.messages import Alert, compose
from shared.mail.outage import OutageMail
from shared.mail.smtp import MailUnavailable, send
from shared.words.codes import Code
from shared.words.statuses import AlertKind, Work
from shared.workers.leader import Job

log = get_logger(__name__)

REMIND_AFTER = timedelta(days=1)
_LOOK_SECONDS = 60.0
_PASS_RUNS_SECONDS = 2.0
_LONGEST_PASS = timedelta(minutes=2)
"""A pass that runs longer does not keep its alerts back any more."""
_FIRST_RETRY_SECONDS = 30.0
_LAST_RETRY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Mailer:
    """Mails one schema's alerts. Without a mail server the rows wait."""

    kernel: KernelTables
    settings: MailSettings
    console_base_url: str | None = None
    clock: Callable[[], datetime] = now
    outage: OutageMail | None = None
    watchers: Sequence[Callable[[Connection], None]] = ()
    """What may find something to tell, asked with each turn of the background work."""

    def job(self) -> Job:
        """The mailer as background work; where there is no database to read from, `outage` tells that."""
        away = self.outage.tell if self.outage else None
        return Job(Work.MAILER, self.kernel.channel("alerts"), self._turn, away)

    def run_once(self, locked: LockedConnection) -> bool:
        """Sends what is due, in one mail, and a digest in one of its own; False where the server did not take it."""
        if self.settings.host is None:
            return True
        with locked.transaction() as connection:
            self._remind(connection)
            due = self._due(connection)
        digests = [row for row in due if row["kind"] == AlertKind.DIGEST]
        alerts = [row for row in due if row["kind"] != AlertKind.DIGEST]
        return all(self._send(locked, rows) for rows in (alerts, *([row] for row in digests)) if rows)

    def _turn(self, locked: LockedConnection, _stopping: Callable[[], bool]) -> float:
        with locked.transaction() as connection:
            if self._pass_runs(connection):
                return _PASS_RUNS_SECONDS
        # First, so that a fault in what follows keeps no mail back.
        self.run_once(locked)
        for watch in self.watchers:
            with locked.transaction() as connection:
                watch(connection)
        return _LOOK_SECONDS

    def _pass_runs(self, connection: Connection) -> bool:
        """Whether a pass may still add to the mail."""
        passes = self.kernel.import_passes.c
        running = sa.and_(passes.finished_at.is_(None), passes.started_at > self.clock() - _LONGEST_PASS)
        latest = sa.select(sa.func.max(passes.id)).scalar_subquery()
        return bool(connection.execute(sa.select(sa.exists().where(running, passes.id == latest))).scalar())

    def _remind(self, connection: Connection) -> None:
        """Adds a reminder for each open problem of which nothing was sent for a day.

        Of an object whose name nobody can use, people are told once: nothing gets worse by waiting.
        """
        table = self.kernel.alert_outbox
        open_problems = table.alias("problem")
        latest = (
            sa.select(sa.func.max(table.c.created_at))
            .where(
                table.c.fingerprint == open_problems.c.fingerprint,
                table.c.kind.in_((AlertKind.PROBLEM, AlertKind.REMINDER)),
            )
            .scalar_subquery()
        )
        due = sa.select(
            sa.literal(AlertKind.REMINDER),
            open_problems.c.code,
            open_problems.c.import_id,
            open_problems.c.fingerprint,
            open_problems.c.detail,
            sa.literal(self.clock()),
        ).where(
            open_problems.c.kind == AlertKind.PROBLEM,
            open_problems.c.code != Code.UNUSABLE_NAME,
            open_problems.c.resolved_at.is_(None),
            open_problems.c.sent_at.is_not(None),
            latest < self.clock() - REMIND_AFTER,
        )
        columns = ["kind", "code", "import_id", "fingerprint", "detail", "created_at"]
        connection.execute(sa.insert(table).from_select(columns, due))

    def _due(self, connection: Connection) -> Sequence[RowMapping]:
        table = self.kernel.alert_outbox
        open_problem = sa.and_(table.c.kind == AlertKind.PROBLEM, table.c.resolved_at.is_(None))
        return (
            connection.execute(
                sa.select(table)
                .where(
                    table.c.sent_at.is_(None),
                    sa.or_(open_problem, table.c.kind.in_((AlertKind.REMINDER, AlertKind.RESOLVED, AlertKind.DIGEST))),
                    sa.or_(table.c.next_attempt_at.is_(None), table.c.next_attempt_at <= self.clock()),
                )
                .order_by(table.c.id)
            )
            .mappings()
            .all()
        )

    def _send(self, locked: LockedConnection, due: Sequence[RowMapping]) -> bool:
        table = self.kernel.alert_outbox
        rows = table.c.id.in_([row["id"] for row in due])
        try:
            alerts = [Alert(row["kind"], row["code"], row["import_id"], row["detail"]) for row in due]
            send(
                self.settings,
                compose(self.settings, self.kernel.service_name, alerts, self.console_base_url, self.clock()),
            )
        except MailUnavailable as error:
            log.warning("mail_failed", code=error.code, number=len(due))
            attempts = max(row["send_attempts"] for row in due) + 1
            delay = min(_FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, 10), _LAST_RETRY_SECONDS)
            retry = {"send_attempts": attempts, "next_attempt_at": self.clock() + timedelta(seconds=delay)}
            with locked.transaction() as connection:
                connection.execute(sa.update(table).where(rows).values(retry))
            return False
        with locked.transaction() as connection:
            connection.execute(sa.update(table).where(rows).values(sent_at=self.clock()))
        log.info("mail_sent", number=len(due))
        return True
