"""Kafka, as the relay sees it: messages go in, and for each one comes back whether the brokers have it.

A producer works only in the process that made it, so a `Producer` is made where it is used, never at start.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as Client

from shared.core.logs import get_logger
from shared.core.settings import KafkaSettings
from shared.events.envelope import Message
from shared.events.troubles import broker_trouble, more_telling
from shared.words.codes import Code

log = get_logger(__name__)

PROBE_SECONDS = 5.0
SEND_SECONDS = 30.0
"""So long the brokers may take for one batch; what they have not confirmed by then is sent again."""
FAREWELL_SECONDS = 5.0
"""So long a batch in hand may still take once the process is to stop: less than container tools wait."""
LARGEST_EVENT = 10 * 1024 * 1024
"""Bytes that the client takes for one message; brokers are rarely set to as much."""
_SLICE_SECONDS = 0.2


_REFUSALS = {
    KafkaError.MSG_SIZE_TOO_LARGE: Code.EVENT_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE: Code.EVENT_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE: Code.EVENT_TOO_LARGE,
    KafkaError.INVALID_MSG: Code.EVENT_REFUSED,
    KafkaError.INVALID_RECORD: Code.EVENT_REFUSED,
    KafkaError.INVALID_TIMESTAMP: Code.EVENT_REFUSED,
    KafkaError.POLICY_VIOLATION: Code.EVENT_REFUSED,
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT: Code.EVENT_REFUSED,
}
"""Answers that the same message would get again. Every other failure may pass, and costs the event nothing."""

_OF_THE_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: Code.TOPIC_MISSING,
    KafkaError.TOPIC_EXCEPTION: Code.TOPIC_MISSING,
    KafkaError._UNKNOWN_TOPIC: Code.TOPIC_MISSING,  # noqa: SLF001 - the client's own public name for it
    KafkaError._UNKNOWN_PARTITION: Code.TOPIC_MISSING,  # noqa: SLF001 - the same
    # Rights are given per topic: every event fares the same, and all of them go once the right is given.
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Code.TOPIC_NOT_ALLOWED,
}
"""Answers that say something of the topic, and nothing of the event."""


class Parcel(NamedTuple):
    """A message and the number of its outbox row."""

    row_id: int
    message: Message


@dataclass(slots=True)
class Receipt:
    """What became of a batch. Rows that are named nowhere wait: the brokers may or may not have them."""

    confirmed: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """By the brokers, with the code; possibly only because of another message in the same request."""
    impossible: dict[int, str] = field(default_factory=dict)
    """By the client itself, each one for its own sake."""
    problem: str | None = None
    """Why the rest waits: the brokers or the topic as a whole."""
    reason: str | None = None
    """Kafka's own name of the last error."""


class Producer:
    """An idempotent producer for one topic, good until its first failure: then `usable` is False.

    A failed producer is not repaired: after an authorisation error or a fatal one the client refuses everything, and
    a new one costs milliseconds.
    """

    def __init__(self, settings: KafkaSettings, name: str, topic: str) -> None:
        self._topic = topic
        # What the connections said last, for example that the password is wrong: more than that time ran out.
        self._telling_error: str | None = None
        self._client = Client(
            {**client_configuration(settings, name), "error_cb": self._note_error, "logger": ClientLog()}
        )
        self._probed = False
        self.usable = True

    def send(self, parcels: Sequence[Parcel], stopping: Callable[[], bool]) -> Receipt:
        """Sends the messages in order and waits for the brokers' word, at most `SEND_SECONDS`.

        The brokers can reorder nothing, but one message may be refused and the next one taken: events that depend on
        each other do not belong in the same call.
        """
        receipt = Receipt()
        if self._probed or self._probe(receipt):
            self._enqueue(parcels, receipt)
            self._await(receipt, stopping)
        if receipt.problem or receipt.refused:
            self.close()
            receipt.reason = self._telling_error or receipt.reason
            if receipt.problem == Code.BROKER_UNAVAILABLE:
                receipt.problem = broker_trouble(receipt.reason)
        else:
            self._telling_error = None
        return receipt

    def close(self) -> None:
        """Gives up what was not confirmed and ends the producer."""
        if not self.usable:
            return
        self.usable = False
        # Otherwise the client would go on trying in the background, and hold up the end of the process.
        with last_words():
            self._client.purge()
            self._client.poll(0)
        with last_words():
            self._client.close()

    def _probe(self, receipt: Receipt) -> bool:
        """Whether brokers answer and have the topic. Without it a missing topic looks like a slow broker."""
        try:
            known = self._client.list_topics(self._topic, timeout=PROBE_SECONDS)
        except KafkaException as exception:
            self._fail(receipt, exception.args[0])
            return False
        error = known.topics[self._topic].error
        if error is not None and error.code() in _OF_THE_TOPIC:
            self._fail(receipt, error)
            return False
        self._probed = True
        return True

    def _enqueue(self, parcels: Sequence[Parcel], receipt: Receipt) -> None:
        for parcel in parcels:
            try:
                self._produce(parcel, receipt)
            except BufferError:
                # Its queue is full; what is in it has to be confirmed before there is room.
                receipt.problem = Code.BROKER_UNAVAILABLE
                return
            except KafkaException as exception:
                error = exception.args[0]
                code = _REFUSALS.get(error.code())
                if code == Code.EVENT_TOO_LARGE:
                    receipt.impossible[parcel.row_id] = code
                    continue
                self._fail(receipt, error)
                return

    def _produce(self, parcel: Parcel, receipt: Receipt) -> None:
        self._client.produce(
            self._topic,
            value=parcel.message.value,
            key=parcel.message.key,
            headers=parcel.message.headers,
            on_delivery=partial(self._note_delivery, receipt, parcel.row_id),
        )

    def _await(self, receipt: Receipt, stopping: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SEND_SECONDS
        while self._flush(receipt):
            if stopping():
                deadline = min(deadline, time.monotonic() + FAREWELL_SECONDS)
                stopping = _never
            if time.monotonic() > deadline:
                receipt.problem = receipt.problem or Code.BROKER_UNAVAILABLE
                return

    def _flush(self, receipt: Receipt) -> int:
        """Waits a moment for confirmations. Returns how many messages are still open; none once the client gave up."""
        try:
            return int(self._client.flush(_SLICE_SECONDS))
        except KafkaException as exception:
            # Raised for a fatal error only, after which this client sends nothing any more.
            self._fail(receipt, exception.args[0])
            return 0

    def _note_delivery(self, receipt: Receipt, row_id: int, error: KafkaError | None, _message: object) -> None:
        if error is None:
            receipt.confirmed.append(row_id)
        elif error.code() in _REFUSALS:
            self._refuse(receipt, row_id, error)
        else:
            self._fail(receipt, error)

    def _refuse(self, receipt: Receipt, row_id: int, error: KafkaError) -> None:
        receipt.refused[row_id] = _REFUSALS[error.code()]
        receipt.reason = error.name()

    def _fail(self, receipt: Receipt, error: KafkaError) -> None:
        receipt.problem = _OF_THE_TOPIC.get(error.code()) or receipt.problem or Code.BROKER_UNAVAILABLE
        receipt.reason = receipt.reason or error.name()

    def _note_error(self, error: KafkaError) -> None:
        log.debug("kafka_error", reason=error.name())
        self._telling_error = more_telling(self._telling_error, error.name())


@contextmanager
def last_words() -> Iterator[None]:
    """What a client complains of at its end is logged and goes no further: it would hide why the client is ended."""
    try:
        yield
    except KafkaException as exception:
        log.warning("client_closed_with_error", reason=exception.args[0].name())


def connection_configuration(settings: KafkaSettings, name: str) -> dict[str, object]:
    """librdkafka's configuration of the connections for these settings, for producers and consumers alike."""
    given = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        "sasl.mechanisms": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": settings.sasl_password.get_secret_value() if settings.sasl_password else None,
        "ssl.ca.location": settings.ssl_ca_location,
    }
    return {
        **{key: value for key, value in given.items() if value is not None},
        "client.id": name,
        # A missing topic is for somebody to create, with the number of partitions they want.
        "allow.auto.create.topics": False,
        # A broker that comes back is noticed within seconds.
        "reconnect.backoff.max.ms": 2000,
    }


def client_configuration(settings: KafkaSettings, name: str) -> dict[str, object]:
    """A producer's configuration, without anything it should keep to its own default."""
    return {
        **connection_configuration(settings, name),
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        # The partition that Java clients choose for a key: whoever else writes to the topic chooses the same.
        "partitioner": "murmur2_random",
        # How large an event may be is the brokers' decision, and can be changed there.
        "message.max.bytes": LARGEST_EVENT,
        # Longer than we wait: giving up is our decision, with everything unconfirmed at once.
        "message.timeout.ms": int(SEND_SECONDS * 1000) * 2,
    }


def _never() -> bool:
    return False


class ClientLog:
    """Takes librdkafka's log lines. Their texts carry addresses and user names; only the kind of line goes on.

    As DEBUG whatever they say of themselves: what concerns somebody comes back as a result, and is logged there.
    """

    def log(self, _level: int, _template: str, facility: str, *_texts: str) -> None:
        log.debug("kafka_client", reason=facility)
