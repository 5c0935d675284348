"""A Kafka cluster of one's own: librdkafka's mock cluster, in a process of its own.

In its own process, so that it can be ended like a real one, and so that a fault in native code ends no test run.
The cluster is made by ctypes on the library inside the wheel: the Python client has no handle to offer for control.
What it lacks: it keeps nothing over its end, holds 5 MB per partition, and topics cannot be made by an admin client.
"""

import ctypes
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

TOPICS: Final = ("patient-events", "therapist-events")
API_KEYS: Final = {
    "produce": 0,
    "fetch": 1,
    "metadata": 3,
    "offset_commit": 8,
    "find_coordinator": 10,
    "join_group": 11,
}
"""The requests whose answers can be made errors, by the numbers of Kafka's protocol."""

_PRODUCER: Final = 0
_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 10.0


class MockBrokerError(RuntimeError):
    """The mock cluster did not start, or refused a command."""


class MockBroker:
    """A cluster of mock brokers with the topics of the services, as a child process.

    The controls below raise `MockBrokerError` where the cluster refuses them or is not running. Brokers are numbered
    from 1. Not safe for use by several threads.
    """

    def __init__(self, brokers: int = 1, partitions: int = 3, topics: Sequence[str] = TOPICS) -> None:
        self._arguments = [str(brokers), str(partitions), *topics]
        self._process: subprocess.Popen[str] | None = None
        self._servers = ""

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of the brokers; empty where the cluster does not run."""
        return self._servers

    @property
    def pid(self) -> int:
        """The process id of the cluster. Raises `MockBrokerError` where it does not run."""
        return self._running().pid

    def start(self) -> Self:
        """Starts the cluster, empty and on free ports, and returns once it can be used."""
        if self._process is not None:
            return self
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            [sys.executable, "-m", "standins.mock_broker", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent
        )
        try:
            self._servers = self._answer()
        except MockBrokerError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the cluster and all it holds. Does nothing where it does not run."""
        process = self._process
        if process is None:
            return
        self._process, self._servers = None, ""
        with process:
            try:
                process.communicate(timeout=_END_SECONDS)  # closes its input, which ends it
            except subprocess.TimeoutExpired:
                process.kill()

    def down(self, broker: int) -> None:
        """Cuts the broker's connections and takes no new ones."""
        self._command("down", broker)

    def up(self, broker: int) -> None:
        """Brings a broker back, on its port and with what it held."""
        self._command("up", broker)

    def round_trip(self, broker: int, milliseconds: int) -> None:
        """Delays each answer of the broker."""
        self._command("rtt", broker, milliseconds)

    def fail(self, request: str, codes: Sequence[int]) -> None:
        """Answers the next requests of this kind (of `API_KEYS`) with these errors, one after the other."""
        self._command("errors", API_KEYS[request], *codes)

    def clear_failures(self, request: str) -> None:
        """Forgets the errors that were not answered yet."""
        self._command("clear", API_KEYS[request])

    def fail_topic(self, topic: str, code: int) -> None:
        """Answers everything about the topic with this error, until told 0."""
        self._command("fail_topic", topic, code)

    def create_topic(self, topic: str, partitions: int) -> None:
        self._command("topic", topic, partitions)

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """Makes the broker the leader of the partition."""
        self._command("leader", topic, partition, broker)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise MockBrokerError("the mock cluster is not running")
        return self._process

    def _command(self, *words: str | int) -> None:
        process = self._running()
        line = " ".join(str(word) for word in words)
        try:
            if process.stdin is not None:
                process.stdin.write(f"{line}\n")
        except OSError:
            raise MockBrokerError("the mock cluster has ended") from None
        self._answer()

    def _answer(self) -> str:
        process = self._running()
        line = process.stdout.readline().strip() if process.stdout else ""
        verdict, _, text = line.partition(" ")
        if verdict != "ok":
            raise MockBrokerError(text or "the mock cluster has ended")
        return text


class _Cluster:
    """The mock cluster in this process."""

    def __init__(self, brokers: int) -> None:
        self._library = _library()
        message = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        # It only carries the cluster. That it knows no broker itself would be told to whoever looks on.
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"2", message, ctypes.sizeof(message))
        client = self._library.rd_kafka_new(_PRODUCER, configuration, message, ctypes.sizeof(message))
        if not client:
            raise MockBrokerError(message.value.decode())
        self._handle = self._library.rd_kafka_mock_cluster_new(client, brokers)
        if not self._handle:
            raise MockBrokerError("librdkafka made no mock cluster")
        # The default of three seconds makes each test with a consumer group that much slower.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._handle, 0)

    @property
    def bootstrap_servers(self) -> str:
        servers: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._handle)
        return servers.decode()

    def do(self, command: str, words: Sequence[str]) -> None:
        """Does a command. Raises ValueError for one there is not, `MockBrokerError` for one that is refused."""
        commands: dict[str, Callable[..., None]] = {
            "down": lambda broker: self._call("broker_set_down", int(broker)),
            "up": lambda broker: self._call("broker_set_up", int(broker)),
            "rtt": lambda broker, milliseconds: self._call("broker_set_rtt", int(broker), int(milliseconds)),
            "topic": lambda topic, count: self._call("topic_create", topic.encode(), int(count), 1),
            "leader": self._leader,
            "fail_topic": lambda topic, code: self._library.rd_kafka_mock_topic_set_error(
                self._handle, topic.encode(), int(code)
            ),
            "errors": self._errors,
            "clear": lambda key: self._library.rd_kafka_mock_clear_request_errors(self._handle, int(key)),
        }
        if command not in commands:
            raise ValueError(f"no such command: {command}")
        commands[command](*words)

    def _leader(self, topic: str, partition: str, broker: str) -> None:
        self._call("partition_set_leader", topic.encode(), int(partition), int(broker))

    def _errors(self, key: str, *codes: str) -> None:
        array = (ctypes.c_int * len(codes))(*(int(code) for code in codes))
        self._library.rd_kafka_mock_push_request_errors_array(self._handle, int(key), len(codes), array)

    def _call(self, function: str, *arguments: bytes | int) -> None:
        code = getattr(self._library, f"rd_kafka_mock_{function}")(self._handle, *arguments)
        if code != 0:
            text: bytes = self._library.rd_kafka_err2str(code)
            raise MockBrokerError(text.decode())


def _library() -> ctypes.CDLL:
    """The librdkafka that the Python client brings along, with the types of the functions used here."""
    package = find_spec("confluent_kafka")
    if package is None or package.origin is None:
        raise MockBrokerError("the package confluent-kafka is not installed")
    folder = Path(package.origin).parent
    found = [*folder.parent.glob("confluent_kafka.libs/librdkafka*"), *folder.glob(".dylibs/librdkafka*")]
    if len(found) != 1:
        raise MockBrokerError("the wheel of confluent-kafka has no librdkafka inside")
    library = ctypes.CDLL(str(found[0]))
    pointer, text, number, short, size = (
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int16,
        ctypes.c_size_t,
    )
    prefix = "rd_kafka_mock_"
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, size]),
        "rd_kafka_new": (pointer, [number, pointer, text, size]),
        "rd_kafka_err2str": (text, [number]),
        f"{prefix}cluster_new": (pointer, [pointer, number]),
        f"{prefix}cluster_bootstraps": (text, [pointer]),
        f"{prefix}group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        f"{prefix}broker_set_down": (number, [pointer, ctypes.c_int32]),
        f"{prefix}broker_set_up": (number, [pointer, ctypes.c_int32]),
        f"{prefix}broker_set_rtt": (number, [pointer, ctypes.c_int32, number]),
        f"{prefix}topic_create": (number, [pointer, text, number, number]),
        f"{prefix}topic_set_error": (None, [pointer, text, number]),
        f"{prefix}partition_set_leader": (number, [pointer, text, ctypes.c_int32, ctypes.c_int32]),
        f"{prefix}push_request_errors_array": (None, [pointer, short, size, ctypes.POINTER(number)]),
        f"{prefix}clear_request_errors": (None, [pointer, short]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main(arguments: Sequence[str]) -> int:
    """Runs a cluster until its input ends, which it does with the parent: `BROKERS PARTITIONS TOPIC...`."""
    try:
        cluster = _Cluster(int(arguments[0]))
        for topic in arguments[2:]:
            cluster.do("topic", [topic, arguments[1]])
    except (MockBrokerError, ValueError) as error:
        _say(f"error {error}")
        return 1
    _say(f"ok {cluster.bootstrap_servers}")
    for line in sys.stdin:
        command, *words = line.split() or [""]
        try:
            cluster.do(command, words)
        except (MockBrokerError, ValueError, TypeError) as error:
            _say(f"error {error}")
        else:
            _say("ok")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
