"""The mailer with all that looks for something to tell, as both services put it together."""

from collections.abc import Callable, Iterable

from sqlalchemy.engine import Connection

from shared.core.settings import DatabaseSettings, MailSettings, RetentionSettings, Settings
from shared.database.tables import KernelTables
from shared.history.keeping import housekeeping
from shared.mail.digest import Digest
from shared.mail.mailer import Mailer
from shared.mail.outage import OutageMail
from shared.mail.watch import Look, Watch
from shared.state.health import Expectations


def mailer_of(
    kernel: KernelTables,
    settings: Settings,
    expected: Expectations,
    console_base_url: str | None,
    *,
    looks: Iterable[Look] = (),
    count_due: Callable[[Connection], int] = lambda _connection: 0,
) -> Mailer:
    """The mailer of a service; `looks` are its own, `count_due` counts the people whose time is over."""
    mail, url = settings[MailSettings], settings[DatabaseSettings].database_url.get_secret_value()
    watch = Watch(kernel, expected, looks)
    digest = Digest(kernel, expected, mail.digest_at, count_due=count_due)
    return Mailer(
        kernel,
        mail,
        console_base_url,
        outage=OutageMail(kernel.service_name, mail, url, console_base_url),
        watchers=[watch.look, digest.look, housekeeping(kernel, settings[RetentionSettings])],
    )
