"""One pass for the command line: in this process, or by the service that imports already."""

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, cast

from curavani.cli.output import INTERRUPTED, TROUBLE, UNAVAILABLE, end, operator, talk
from curavani.progress import Stop, progress_bar, stopping_by_signal
from curavani.services import ServiceEntry, ServiceParts, settings_of
from shared.core.errors import LockHeld
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.imports import mend
from shared.imports.passes import PassReport, first_pass_after, newest_pass
from shared.state.progress import running_pass
from shared.state.reading import read_snapshot
from shared.words.codes import Code, describe
from shared.words.statuses import Work

if TYPE_CHECKING:
    from therapist_service.bootstrap import TherapistParts

_LOOK_SECONDS = 0.5


def run_pass(entry: ServiceEntry, *, wait: bool) -> tuple[PassReport, int]:
    """A pass's report, and the exit code of the signal that cut it short, 0 if none did.

    Raises `LockHeld` where another process imports, unless it is to be waited for.
    """
    base_url = os.environ.get("CONSOLE_BASE_URL") or None
    parts = entry.bootstrap.build_parts(settings_of(*entry.bootstrap.IMPORT_GROUPS), console_base_url=base_url)
    announced_holder = ""
    try:
        while True:
            try:
                report, stop = _own_pass(entry, parts)
            except LockHeld as held:
                if not wait:
                    raise
                asked = _pass_of_service(entry, parts, held.holder)
                if asked is not None:
                    return asked, 0
                if held.holder != announced_holder:
                    talk(f"Waiting for {held.holder}, which is importing just now …")
                announced_holder = held.holder
                time.sleep(_LOOK_SECONDS)
                continue
            if not stop.asked():
                _deliver(entry, parts)
            return report, stop.exit_code
    finally:
        parts.close()


def _own_pass(entry: ServiceEntry, parts: ServiceParts) -> tuple[PassReport, Stop]:
    with stopping_by_signal() as stop, progress_bar(entry.name) as bar:
        parts.importer.watch = bar.file_done
        if entry.name == "therapist":
            cast("TherapistParts", parts).source.watch_records = bar.records_done
        return parts.monitor.run_once(operator(), stop.asked), stop


def _pass_of_service(entry: ServiceEntry, parts: ServiceParts, holder: str) -> PassReport | None:
    """The pass that the service was asked for; None where a command holds the import, or the service has left it."""
    with transaction(parts.engine) as connection:
        snapshot = read_snapshot(connection, entry.kernel)
        if holder not in snapshot.leaders(Work.IMPORT):
            return None
        if not snapshot.is_led_by_a_service:
            end(f"{holder} holds the import and gives no sign of life. End that process, then try again.", UNAVAILABLE)
        before = newest_pass(connection, entry.kernel)
        mend.run_now(connection, entry.kernel, operator())
    talk(f"{holder} imports already: asked it for a pass.")
    try:
        return _followed(entry, parts, before)
    except KeyboardInterrupt:
        end("Stopped waiting. The service goes on with its pass.", INTERRUPTED)


def _followed(entry: ServiceEntry, parts: ServiceParts, before: int) -> PassReport | None:
    """The report of the next pass, once it is through. A pass that is at work already may have listed too early."""
    with progress_bar(entry.name) as bar:
        while True:
            with transaction(parts.engine) as connection:
                found = first_pass_after(connection, entry.kernel, before)
                snapshot = read_snapshot(connection, entry.kernel)
            if found is not None and found.error_code:
                code = found.error_code
                exit_code = TROUBLE if code == Code.INTERNAL_ERROR else UNAVAILABLE
                end(f"The service could not complete its pass. {code}: {describe(code).english}", exit_code)
            if found is not None:
                return PassReport(Counter(found.counts), Counter(found.ignored))
            if snapshot.lock_holders.get(Work.IMPORT) not in snapshot.leaders(Work.IMPORT):
                return None
            running = running_pass(snapshot)
            if running is not None:
                bar.show(running.done, running.due, running.records)
            time.sleep(_LOOK_SECONDS)


def _deliver(entry: ServiceEntry, parts: ServiceParts) -> None:
    """One turn of relay and mailer, where no service does that."""
    for work, deliver in ((Work.RELAY, parts.relay.run_once), (Work.MAILER, parts.mailer.run_once)):
        try:
            with hold(parts.engine, LockName(entry.kernel.schema, work)) as locked:
                deliver(locked)
        except LockHeld:
            continue
