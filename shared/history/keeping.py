"""What the record of accesses, sessions and refusals keep no longer, and who sees to it."""

from collections.abc import Callable

from sqlalchemy.engine import Connection

from shared.core.logs import get_logger
from shared.core.settings import RetentionSettings
from shared.database.tables import KernelTables
from shared.history.accesses import forget_accesses
from shared.history.refusals import forget_refusals
from shared.history.sessions import end_old_sessions

log = get_logger(__name__)

Housekeeping = Callable[[Connection], None]


def housekeeping(kernel: KernelTables, settings: RetentionSettings) -> Housekeeping:
    """Removes what is past its time; done by a service from its start on, and with every pass."""

    def clean(connection: Connection) -> None:
        forgotten = forget_accesses(connection, kernel, settings.access_log_days)
        end_old_sessions(connection, kernel)
        forget_refusals(connection, kernel)
        if forgotten:
            log.info("accesses_forgotten", number=forgotten)

    return clean
