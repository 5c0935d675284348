"""Asking the brokers whether they are there and have the topic."""

from functools import partial

from confluent_kafka import KafkaError, KafkaException, Producer

from shared.core.dependencies import Dependency
from shared.core.errors import CuravaniError, TransientError
from shared.core.settings import KafkaSettings
from shared.events.broker import client_configuration, last_words
from shared.events.troubles import broker_trouble, more_telling
from shared.words.codes import Code

_SECONDS = 4.0


class BrokerUnavailable(TransientError):
    """No broker answers, or none lets us in: `code` says which, `detail` is the client library's own name for it."""

    code = Code.BROKER_UNAVAILABLE


def broker_dependency(settings: KafkaSettings, topic: str) -> Dependency:
    """The brokers, with the topic that the service writes to."""
    probe = None if settings.bootstrap_servers is None else partial(ask_brokers, settings, topic)
    advice = "Set KAFKA_BOOTSTRAP_SERVERS; events wait in the database until then."
    return Dependency("broker", probe, Code.BROKER_UNAVAILABLE, advice)


def contacts_dependency(settings: KafkaSettings) -> Dependency:
    """The brokers, with the topic of the communication service that the patient service reads."""
    topic = settings.communication_topic
    probe = None if topic is None else partial(_ask_for_contacts, settings, topic)
    advice = "Set COMMUNICATION_EVENTS_TOPIC to keep the last contacts by what the communication service tells."
    return Dependency("communication_events", probe, Code.BROKER_UNAVAILABLE, advice)


def _ask_for_contacts(settings: KafkaSettings, topic: str) -> None:
    try:
        ask_brokers(settings, topic)
    except BrokerUnavailable:
        raise
    except CuravaniError:
        # What is to do differs from a topic that events wait for: nothing of ours waits here.
        raise CuravaniError(Code.COMMUNICATION_TOPIC_UNAVAILABLE) from None


def ask_brokers(settings: KafkaSettings, topic: str) -> None:
    """Returns where they answer and have the topic.

    Raises `BrokerUnavailable`, or a `CuravaniError` with the code `topic_missing` or `topic_not_allowed`.
    """
    said: list[str] = []
    # Its log would repeat, with addresses in it, what the errors say.
    client = Producer(
        {
            **client_configuration(settings, "curavani-probe"),
            "log_level": 0,
            "error_cb": lambda error: said.append(error.name()),
        }
    )
    try:
        known = client.list_topics(topic, timeout=_SECONDS)
    except KafkaException as exception:
        # Of the connections' errors the client tells when it is asked.
        with last_words():
            client.poll(0)
        telling: str | None = None
        for name in said:
            telling = more_telling(telling, name)
        reason = telling or exception.args[0].name()
        raise BrokerUnavailable(broker_trouble(reason), detail=reason) from None
    finally:
        with last_words():
            client.close()
    error = known.topics[topic].error
    if error is not None:
        is_forbidden = error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        raise CuravaniError(Code.TOPIC_NOT_ALLOWED if is_forbidden else Code.TOPIC_MISSING)
