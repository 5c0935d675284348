"""Messages of others, as a member of a consumer group: nothing counts as read before whoever read it says so.

A consumer works only in the process that made it, so an `Inbox` is made where it is used, never at start.
"""

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from shared.core.logs import get_logger
from shared.core.settings import KafkaSettings
from shared.events.broker import ClientLog, connection_configuration, last_words

log = get_logger(__name__)

_MOST = 500


class Inbox:
    """One topic, read by a group from the beginning on. Every message comes at least once, also after a crash."""

    def __init__(self, settings: KafkaSettings, name: str, group: str, topic: str) -> None:
        self._client = Consumer(
            {
                **connection_configuration(settings, name),
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                # A member that was killed is not waited for longer than another takes its work.
                "session.timeout.ms": 15_000,
                "error_cb": self._note_error,
                "logger": ClientLog(),
            }
        )
        self._trouble: str | None = None
        self._client.subscribe([topic])

    def take(self, seconds: float) -> list[Message]:
        """The next messages, none where none come within so long. Brokers that are away are waited for."""
        try:
            found = self._client.consume(_MOST, seconds)
        except KafkaException as exception:
            self._note_error(exception.args[0])
            return []
        messages = []
        for message in found:
            error = message.error()
            if error is None:
                messages.append(message)
            else:
                self._note_error(error)
        if messages:
            self._trouble = None
        return messages

    def done(self, messages: Iterable[Message]) -> None:
        """Says that the messages need not come again. Where the brokers do not take that, they will."""
        latest: dict[tuple[str, int], int] = {}
        for message in messages:
            latest[str(message.topic()), int(message.partition() or 0)] = int(message.offset() or 0) + 1
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in latest.items()]
        try:
            self._client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as exception:
            # The partitions went to another member meanwhile, or the brokers are away.
            log.info("offsets_not_committed", reason=exception.args[0].name())

    def close(self) -> None:
        """Leaves the group, so that another member takes over at once."""
        with last_words():
            self._client.close()

    def _note_error(self, error: KafkaError) -> None:
        """Logs trouble when it begins or becomes another one, not with every look."""
        if error.name() != self._trouble:
            log.warning("inbox_waits", reason=error.name())
        self._trouble = error.name()
