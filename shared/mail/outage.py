"""The one mail that does not come from the database: it tells that the database itself is away."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from shared.core.clock import now
from shared.core.errors import DatabaseUnavailable
from shared.core.logs import get_logger
from shared.core.settings import MailSettings
from shared.mail.messages import Alert, compose
from shared.mail.smtp import MailUnavailable, send
from shared.words.statuses import AlertKind

log = get_logger(__name__)

EVERY = timedelta(hours=1)
TOLERATED_OUTAGE = timedelta(seconds=15)
"""A restart of the database server is over by then and worth no mail."""
_BETWEEN_TRIES = timedelta(minutes=1)
_FORGET_AFTER = timedelta(minutes=2)
"""Without a word for so long, the database was back in between."""


def _stamps() -> Path:
    """A folder that every process of this user on this host shares. Raises `OSError` on a disk that is full."""
    return Path(tempfile.gettempdir()) / f"curavani-{os.getuid()}"


@dataclass(slots=True)
class OutageMail:
    """Mails that the database is away: after `TOLERATED_OUTAGE`, and then once an hour as long as it lasts.

    All processes of one user on one host that use the database named by `url` send one mail between them; a file in
    `folder` (None: one below the system's temporary folder) keeps its time. Where it cannot be had, each process counts
    for itself.
    """

    service_name: str
    settings: MailSettings
    url: str = field(repr=False)
    console_base_url: str | None = None
    folder: Path | None = None
    clock: Callable[[], datetime] = now
    _since: datetime | None = None
    _heard: datetime | None = None
    _tried: datetime | None = None
    _sent: datetime | None = None

    def tell(self, error: DatabaseUnavailable) -> None:
        """To be called again and again while the database is away, with what says why.

        Never raises for a mail that cannot be sent.
        """
        moment = self.clock()
        if self._since is None or self._heard is None or moment - self._heard > _FORGET_AFTER:
            self._since = moment
        self._heard = moment
        if (
            self.settings.host is None
            or moment - self._since < TOLERATED_OUTAGE
            or self._recent(self._tried, _BETWEEN_TRIES)
        ):
            return
        self._tried = moment
        with self._claim() as mine:
            if mine:
                self._send(error)

    def _send(self, error: DatabaseUnavailable) -> None:
        alerts = [Alert(AlertKind.PROBLEM, error.code, None, {"reason": error.detail})]
        try:
            send(self.settings, compose(self.settings, self.service_name, alerts, self.console_base_url, self.clock()))
        except MailUnavailable as failure:
            log.warning("mail_failed", code=failure.code, number=1)
            return
        self._sent = self.clock()
        log.info("outage_mail_sent", code=error.code)

    def _recent(self, moment: datetime | None, span: timedelta) -> bool:
        # A time to come is that of a clock that was set back since: it holds nothing up.
        return moment is not None and timedelta() <= self.clock() - moment < span

    @contextmanager
    def _claim(self) -> Iterator[bool]:
        """Whether a mail is due and no other process sends it; keeps the time if one was sent."""
        stamp = self._open_stamp()
        if stamp is None:
            yield not self._recent(self._sent, EVERY)
            return
        try:
            with suppress(BlockingIOError):
                fcntl.flock(stamp, fcntl.LOCK_EX | fcntl.LOCK_NB)
                due = not self._recent(_read(stamp), EVERY)
                yield due
                if due and self._recent(self._sent, EVERY):
                    os.pwrite(stamp, f"{self._sent:%Y-%m-%dT%H:%M:%S}".encode(), 0)
                return
            yield False
        finally:
            os.close(stamp)

    def _open_stamp(self) -> int | None:
        url = make_url(self.url)
        name = hashlib.sha256(f"{url.host}:{url.port}/{url.database}".encode()).hexdigest()[:16]
        try:
            folder = self.folder or _stamps()
            folder.mkdir(mode=0o700, exist_ok=True)
            return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return None


def _read(stamp: int) -> datetime | None:
    """When the last mail was sent."""
    try:
        return datetime.fromisoformat(os.pread(stamp, 32, 0).decode()).replace(tzinfo=UTC)
    except ValueError:
        return None
