"""Apache Kafka itself: brokers in KRaft mode, each a Java process, with listeners for every way to get in."""

import hashlib
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from standins.local import free_port, wait_until
from tests.engines.certificates import Certificates
from tests.engines.programs import Program, program

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "engines"
HOST = "localhost"
WAIT_SECONDS = 120.0
PASSWORD = "right-password"
LISTENERS = ("OPEN", "TLS", "MISNAMED", "LOGIN", "BOTH")
"""Without anything; TLS; TLS with another host's certificate; SASL; SASL over TLS."""
_PROTOCOLS = {"OPEN": "PLAINTEXT", "TLS": "SSL", "MISNAMED": "SSL", "LOGIN": "SASL_PLAINTEXT", "BOTH": "SASL_SSL"}
# Little memory, and no time spent on what only long runs repay.
_JAVA = ("-Xmx320m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


def libraries() -> Path:
    """The folder of the broker's libraries, fetched by Maven where they are not there, and compared with our list."""
    java = program("java", what="Java 17 or later, Debian package default-jre-headless")
    folder = BUILD / "kafka"
    wanted = dict(reversed(line.split()) for line in (HERE / "kafka.sha256").read_text().splitlines())
    if not _matches(folder, wanted):
        maven = program("mvn", what="Debian package maven")
        copy = [maven, "-q", "-B", "-C", "-f", HERE / "kafka.pom.xml", "dependency:copy-dependencies"]
        done = subprocess.run(
            [*copy, f"-DoutputDirectory={folder}"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"Maven could not fetch Apache Kafka:\n{done.stdout[-3000:]}"
    assert _matches(folder, wanted), f"{folder} does not hold the libraries that tests/engines/kafka.sha256 names"
    assert Path(java).exists()
    return folder


def _matches(folder: Path, wanted: Mapping[str, str]) -> bool:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    return found == wanted


class Broker:
    """One Java process, with its properties in a file."""

    def __init__(self, name: str, folder: Path, properties: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._properties = folder / "server.properties"
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        logging = folder / "log4j2.properties"
        logging.write_text(
            "rootLogger.level=WARN\nrootLogger.appenderRef.a.ref=A\n"
            "appender.a.type=Console\nappender.a.name=A\nappender.a.layout.type=PatternLayout\n"
            "appender.a.layout.pattern=%d %p %c{1}: %m%n\n"
        )
        self._java = [program("java", what="Java 17 or later, Debian package default-jre-headless"), *_JAVA]
        self._java += [f"-Dlog4j2.configurationFile={logging}", "-cp", f"{BUILD / 'kafka'}/*"]
        self._program: Program | None = None

    def format(self, cluster: str) -> None:
        tool = [*self._java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config"]
        done = subprocess.run([*tool, self._properties], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def program(self) -> Program:
        assert self._program is not None
        return self._program

    def start(self) -> None:
        command = [*self._java, "kafka.Kafka", self._properties]
        self._program = Program(self.name, command, self.folder / "log")

    def kill(self) -> None:
        self.program.end(signal.SIGKILL)

    def stop(self) -> None:
        if self._program is not None:
            self._program.end(seconds=20.0)


class Cluster:
    """Brokers that are controllers, too. What is done to it goes through Kafka's own administration."""

    def __init__(self, folder: Path, certificates: Certificates, size: int) -> None:
        self._ports = {number: {name: free_port() for name in LISTENERS} for number in range(1, size + 1)}
        self._controllers = {number: free_port() for number in self._ports}
        self.brokers = {
            number: Broker(f"Kafka {number}", folder / str(number), self._configuration(number, folder, certificates))
            for number in self._ports
        }
        self.admin = self._new_admin()

    def servers(self, listener: str = "OPEN") -> str:
        return ",".join(f"{HOST}:{ports[listener]}" for ports in self._ports.values())

    def start(self) -> None:
        threads = [
            threading.Thread(target=broker.format, args=("4L6g3nShT-eMCtK--X86sw",)) for broker in self.brokers.values()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for broker in self.brokers.values():
            broker.start()
        for broker in self.brokers.values():
            broker.program.await_answer(self.complete)

    def close(self) -> None:
        for broker in self.brokers.values():
            broker.kill()

    def complete(self) -> bool:
        """Whether every broker is part of the cluster."""
        return self._alive() == set(self.brokers)

    def _alive(self) -> set[int]:
        try:
            return set(self.admin.list_topics(timeout=5).brokers)
        except KafkaException:
            return set()

    def restart(self, number: int) -> None:
        """Starts a broker that was killed, and waits until it has caught up everywhere."""
        self.brokers[number].start()
        # A client that has seen brokers die has aborted the whole process at a later task.
        self.admin = self._new_admin()
        self.brokers[number].program.await_answer(lambda: self.complete() and self._in_sync())

    def _new_admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers(), "log_level": 0})

    def _in_sync(self) -> bool:
        topics = self.admin.list_topics(timeout=10).topics.values()
        partitions = [partition for topic in topics for partition in topic.partitions.values()]
        return all(set(partition.isrs) == set(partition.replicas) for partition in partitions)

    def leader(self, topic: str, partition: int = 0) -> int:
        found: int = self.admin.list_topics(topic, timeout=30).topics[topic].partitions[partition].leader
        return found

    def create(self, topic: str, partitions: int = 3, replicas: int = 3, **config: str) -> None:
        """Makes a topic and waits until every broker knows it; the configuration's dots are underscores here."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        wanted = NewTopic(topic, partitions, replicas, config=settings)
        self.admin.create_topics([wanted])[topic].result(WAIT_SECONDS)
        assert wait_until(lambda: self._led(topic) == partitions, WAIT_SECONDS)

    def _led(self, topic: str) -> int:
        found = self.admin.list_topics(topic, timeout=30).topics[topic]
        return sum(partition.leader >= 0 for partition in found.partitions.values()) if found.error is None else 0

    def delete(self, topic: str) -> None:
        self.admin.delete_topics([topic])[topic].result(WAIT_SECONDS)
        assert wait_until(lambda: topic not in self.admin.list_topics(timeout=30).topics, WAIT_SECONDS)

    def configure(self, topic: str, **config: str) -> None:
        entries = [
            ConfigEntry(
                key.replace("_", "."),
                value,
                source=ConfigSource.DYNAMIC_TOPIC_CONFIG,
                incremental_operation=AlterConfigOpType.SET,
            )
            for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for answer in self.admin.incremental_alter_configs([resource]).values():
            answer.result(WAIT_SECONDS)

    def set_scram_password(self, user: str, password: str) -> None:
        change = UserScramCredentialUpsertion(
            user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password.encode()
        )
        self.admin.alter_user_scram_credentials([change])[user].result(WAIT_SECONDS)

    def allow(self, user: str, topic: str) -> list[AclBinding]:
        """The rights that docs ask for: to see the topic and to write to it."""
        rights = [
            AclBinding(
                ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*", operation,
                AclPermissionType.ALLOW,
            )
            for operation in (AclOperation.DESCRIBE, AclOperation.WRITE)
        ]  # fmt: skip
        for answer in self.admin.create_acls(rights).values():
            answer.result(WAIT_SECONDS)
        return rights

    def forbid_all(self) -> None:
        """Takes every right back."""
        every = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        for answer in self.admin.delete_acls([every]).values():
            answer.result(WAIT_SECONDS)

    def members(self, group: str) -> list[int]:
        """How many partitions each member of a settled group has."""
        about = self.admin.describe_consumer_groups([group])[group].result(WAIT_SECONDS)
        return sorted(len(member.assignment.topic_partitions) for member in about.members)

    def coordinator(self, group: str) -> int:
        """The broker that keeps the group."""
        found: int = self.admin.describe_consumer_groups([group])[group].result(WAIT_SECONDS).coordinator.id
        return found

    def forget_group(self, group: str) -> None:
        """Removes a group with its offsets, once its members have left."""
        assert wait_until(lambda: self.members(group) == [], WAIT_SECONDS)
        self.admin.delete_consumer_groups([group])[group].result(WAIT_SECONDS)

    def _configuration(self, number: int, folder: Path, certificates: Certificates) -> dict[str, str]:
        ports = self._ports[number]
        replicas = str(min(3, len(self._ports)))
        login = "listener.name.{}.{}.sasl.jaas.config"
        plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="{PASSWORD}";'
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        listed = [f"{name}://:{port}" for name, port in ports.items()]
        return {
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": ",".join(f"{n}@{HOST}:{port}" for n, port in self._controllers.items()),
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join([*listed, f"CONTROLLER://:{self._controllers[number]}"]),
            "advertised.listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
            "listener.security.protocol.map": ",".join(
                ["CONTROLLER:PLAINTEXT", *(f"{name}:{_PROTOCOLS[name]}" for name in ports)]
            ),
            "inter.broker.listener.name": "OPEN",
            "log.dirs": str(folder / str(number) / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": replicas,
            "share.coordinator.state.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "group.initial.rebalance.delay.ms": "0",
            "log.retention.check.interval.ms": "500",
            "log.segment.delete.delay.ms": "500",
            "num.partitions": "1",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "background.threads": "2",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # Who comes without a login may everything, who has one only what was given.
            "super.users": "User:ANONYMOUS",
            **certificates.listener("tls", "broker"),
            **certificates.listener("both", "broker"),
            **certificates.listener("misnamed", "elsewhere"),
            **{f"listener.name.{name}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512" for name in ("login", "both")},
            **{login.format(name, "plain"): plain for name in ("login", "both")},
            **{login.format(name, "scram-sha-512"): scram for name in ("login", "both")},
        }


def version() -> str:
    """Of the broker, as its library is called."""
    (found,) = [path.stem for path in (BUILD / "kafka").glob("kafka_2.13-*.jar")]
    return found.rpartition("-")[2]
