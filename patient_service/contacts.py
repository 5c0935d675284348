"""Keeps the day of the last contact from what the communication service tells, as background work."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from confluent_kafka import Message

from patient_service.contact_events import Contact, ContactOutcome, read_contact
from patient_service.models import kernel
from patient_service.use_cases import note_contacts
from shared.core.clock import today
from shared.core.logs import get_logger
from shared.core.settings import KafkaSettings
from shared.database.locks import LockedConnection
from shared.events.inbox import Inbox
from shared.words.statuses import Work
from shared.workers.leader import Job

log = get_logger(__name__)

GROUP = "patient-service"
"""The consumer group of the platform's own patient service, whose place we take."""
ACTOR = "api:communication-events"
_TAKE_SECONDS = 0.5
_AGAIN_SECONDS = 5.0


class ContactReader:
    """Reads the topic as long as it leads. Holds nothing that a crash could lose."""

    def __init__(
        self, name: str, settings: KafkaSettings, topic: str, count: Callable[[str, int], None] = lambda _, __: None
    ) -> None:
        self._name = name
        self._settings = settings
        self._topic = topic
        self._count = count

    def job(self) -> Job:
        """The reading as background work; one turn lasts until the process is to stop."""
        return Job(Work.CONTACTS, kernel.channel(Work.CONTACTS), self.turn)

    def turn(self, locked: LockedConnection, stopping: Callable[[], bool]) -> float:
        """Reads until it is to stop. Raises `LockLost` or `DatabaseUnavailable`: what was in hand comes again."""
        inbox = Inbox(self._settings, self._name, GROUP, self._topic)
        try:
            while not stopping():
                messages = inbox.take(_TAKE_SECONDS)
                if messages:
                    self._count_all(self._keep(locked, messages))
                    inbox.done(messages)
                else:
                    # Notices a lost lock, with which another process reads already.
                    locked.wait(_TAKE_SECONDS)
        finally:
            inbox.close()
        return _AGAIN_SECONDS

    def _keep(self, locked: LockedConnection, messages: Sequence[Message]) -> Counter[str]:
        present = today()
        found = [read_contact(message.value(), present) for message in messages]
        contacts = [one for one in found if isinstance(one, Contact)]
        outcomes = Counter(one.value for one in found if not isinstance(one, Contact))
        latest: dict[int, date] = {}
        for contact in contacts:
            latest[contact.patient_id] = max(contact.day, latest.get(contact.patient_id, contact.day))
        with locked.transaction() as connection:
            known, moved = note_contacts(connection, latest, ACTOR)
        outcomes[ContactOutcome.MOVED] += len(moved)
        outcomes[ContactOutcome.UNKNOWN_PATIENT] += sum(it.patient_id not in known for it in contacts)
        outcomes[ContactOutcome.UNCHANGED] += sum(it.patient_id in known for it in contacts) - len(moved)
        return outcomes

    def _count_all(self, outcomes: Counter[str]) -> None:
        for outcome, number in outcomes.items():
            self._count(outcome, number)
        log.info("contacts_read", counts={outcome: number for outcome, number in outcomes.items() if number})
