"""The compose file's processes, started with its own environment, secrets, folders, accounts and order."""

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from standins.local import wait_until
from standins.postgres_account import Account, readable_binaries
from standins.storage_emulator import StorageEmulator
from tests.engines import kafka
from tests.engines.compose import Container, Network, may_mount, read
from tests.engines.conftest import SECONDS, registration, therapist
from tests.engines.programs import Program, program
from tests.engines.test_image_contents import Image

TOKEN = "a-token-of-24-characters"
STORAGE_PORT = 4443
BUCKET = "registrations"

# What the image postgres:18.4 does at its first start.
_POSTGRES = """
data=/var/lib/postgresql/18/docker
mkdir -p "$data" && chmod 700 "$data"
eval "initdb --pgdata=$data --username=$POSTGRES_USER --pwfile=$POSTGRES_PASSWORD_FILE $POSTGRES_INITDB_ARGS"
echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
pg_ctl --pgdata="$data" --options="-c listen_addresses='' -k /var/run/postgresql" --wait start
export PGHOST=/var/run/postgresql
createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
for file in /docker-entrypoint-initdb.d/*; do
  case "$file" in
    *.sql) psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --file="$file" ;;
    *.sh) sh "$file" ;;
  esac
done
pg_ctl --pgdata="$data" --mode=fast --wait stop
exec postgres -D "$data" -c listen_addresses='*' -k /var/run/postgresql
"""

# What the image apache/kafka:4.1.1 does: each KAFKA_SOME_NAME is the property some.name.
_KAFKA = """
set -f
printenv | grep -E '^KAFKA_' | grep -v KAFKA_HEAP_OPTS | while IFS='=' read -r name value; do
  echo "$(echo "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')=$value"
done > /tmp/server.properties
JAVA="java $KAFKA_HEAP_OPTS -XX:TieredStopAtLevel=1 -cp /opt/kafka/libs/*"
$JAVA kafka.tools.StorageTool format --cluster-id 5L6g3nShT-eMCtK--X86sw --config /tmp/server.properties
exec $JAVA kafka.Kafka /tmp/server.properties
"""
_TOPICS = """#!/bin/sh
exec java -XX:TieredStopAtLevel=1 -cp "/opt/kafka/libs/*" org.apache.kafka.tools.TopicCommand "$@"
"""

# Another service of the platform, on the network of the events.
_CONSUMER = """
import json
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": "kafka:9092", "group.id": "another", "auto.offset.reset": "earliest"})
consumer.subscribe(["patient-events", "therapist-events"])
found = []
while len(found) < 3:
    found += [json.loads(message.value())["eventType"] for message in consumer.consume(3, 1.0) if not message.error()]
consumer.close()
print(*sorted(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where other accounts can go in."""
    if not may_mount():
        pytest.skip("this machine lets nobody make namespaces: the compose file's containers need root")
    made = Path(tempfile.mkdtemp(prefix="curavani-compose-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def images(folder: Path) -> dict[str, Image]:
    """What both images have installed."""
    made = {}
    for service in ("patient", "therapist"):
        (folder / f"image-{service}").mkdir()
        made[service] = Image(service, folder / f"image-{service}")
    return made


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    """The file, read with an `.env` that names folders of ours, and the secrets that it asks for."""
    data, keys = folder / "data", folder / "secrets"
    for name in ("patient_imports", "scrapes"):
        (data / name).mkdir(parents=True)
    os.chown(data / "patient_imports", 10001, 10001)
    keys.mkdir()
    made = read({"CURAVANI_DATA": str(data), "CURAVANI_SECRETS": str(keys)})
    owner, service = secrets.token_hex(16), secrets.token_hex(16)
    contents = {
        "postgres_password": secrets.token_hex(16),
        "owner_password": owner,
        "service_password": service,
        "owner_database_url": f"postgresql://curavani_owner:{owner}@postgres:5432/curavani",
        "database_url": f"postgresql://curavani_service:{service}@postgres:5432/curavani",
        "api_tokens": f"test:operate:{TOKEN}",
        "smtp_password": "",
        "gcs_service_account": "{}",
    }
    assert set(contents) == set(made["secrets"])
    for name, text in contents.items():
        (keys / name).write_text(text)
    # The deployment's own `.env`.
    for name in ("patient-service", "therapist-service"):
        made["services"][name]["environment"] |= {
            "GCS_IMPORT_BUCKET": BUCKET,
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{STORAGE_PORT}",
            "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "2",
            "THERAPIST_IMPORT_CHECK_INTERVAL_SECONDS": "2",
            "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
        }
    return made


@pytest.fixture(scope="module")
def network(folder: Path) -> Iterator[Network]:
    made = Network(folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def storage(folder: Path, network: Network) -> Iterator[StorageEmulator]:
    """A bucket in the network, which holds what was put into it before."""
    objects = folder / "objects"
    objects.mkdir()
    filled = StorageEmulator(objects, buckets=(BUCKET,))
    filled.put(BUCKET, "Mustermann_Max_20250705_0b1ab67b.json", registration())
    code = (
        "import signal; from pathlib import Path; from standins.storage_emulator import StorageEmulator;"
        f"StorageEmulator(Path({str(objects)!r}), port={STORAGE_PORT}).start(); signal.pause()"
    )
    command = ["nsenter", f"--net={network.path}", sys.executable, "-c", code]
    server = Program("storage", command, folder / "storage.log", environment={"PYTHONPATH": str(kafka.HERE.parents[1])})
    address = f"http://127.0.0.1:{STORAGE_PORT}/storage/v1/b/{BUCKET}/o"
    server.await_answer(lambda: network.do(answers, address))
    yield StorageEmulator(objects)
    server.end()


def answers(address: str) -> bool:
    try:
        return requests.get(address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def containers(
    document: dict[str, Any], folder: Path, network: Network, images: dict[str, Image]
) -> Iterator[dict[str, Container]]:
    """Every container of the file that has a part in the pipeline, none started."""
    postgres = readable_binaries(None, Account(999, 999))
    java = Path(program("java", what="Java 17 or later, Debian package default-jre-headless"))
    broker_files = {"/opt/kafka/bin/kafka-topics.sh": _TOPICS}
    made: dict[str, Container] = {}

    def add(name: str, host: Mapping[Path, str], path: str, **more: Any) -> None:
        made[name] = Container(
            name, document["services"][name], document, folder, network, host=host, path=path, **more
        )

    add("postgres", {postgres.parents[2]: str(postgres.parents[2])}, str(postgres))
    for name in ("kafka", "kafka-topics"):
        add(name, {kafka.libraries(): "/opt/kafka/libs"}, str(java.parent), files=broker_files)
    for name, image in (("migrate", "patient"), ("patient-service", "patient"), ("therapist-service", "therapist")):
        venv = images[image].venv
        add(name, {venv: str(venv)}, f"{venv}/bin")
    yield made
    for container in reversed(made.values()):
        container.close()


def command_of(service: str) -> list[str]:
    """Of the Dockerfile: what its image starts."""
    text = (kafka.HERE.parents[1] / f"{service}_service" / "Dockerfile").read_text()
    return [
        *json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.M)[1]),
        *json.loads(re.search(r"^CMD (.*)$", text, re.M)[1]),
    ]


def test_the_file_brings_up_a_pipeline_that_imports_and_sends(containers, document, network, storage, folder) -> None:
    (folder / "data" / "scrapes" / "52066.json").write_text(
        json.dumps({"metadata": {"scrape_date": "2025-07-02T03:13:24"}, "therapists": [therapist(1), therapist(2)]})
    )
    postgres, broker = containers["postgres"], containers["kafka"]
    postgres.start(["sh", "-ceu", _POSTGRES])
    broker.start(["sh", "-ceu", _KAFKA])
    postgres.await_health()
    migrate = containers["migrate"]
    migrate.start(["curavani", *document["services"]["migrate"]["command"]])
    migrate.await_success()
    broker.await_health()
    topics = containers["kafka-topics"]
    topics.start(
        [*document["services"]["kafka-topics"]["entrypoint"], *document["services"]["kafka-topics"]["command"]]
    )
    topics.await_success()
    services = {name: containers[f"{name}-service"] for name in ("patient", "therapist")}
    for name, container in services.items():
        container.start(command_of(name))
    for container in services.values():
        container.await_health()

    consumed = services["patient"].run("python", "-c", _CONSUMER)
    assert consumed.stdout.split() == ["patient.created", "therapist.created", "therapist.created"], consumed.stderr
    assert wait_until(lambda: StorageEmulator(folder / "objects").names(BUCKET) == [], SECONDS)
    # Nothing but what the file opens can be written to, and no secret read that is not the container's own.
    for place in ("/usr/x", "/x", "/run/secrets/x", "/var/lib/curavani/x"):
        assert services["patient"].run("touch", place).returncode != 0, place
    assert services["patient"].run("touch", "/tmp/x", "/var/lib/curavani/patient_imports/x").returncode == 0
    assert services["therapist"].run("touch", "/var/lib/curavani/scrapes/x").returncode != 0
    assert services["patient"].run("cat", "/run/secrets/owner_database_url").returncode != 0
    for container in services.values():
        status = Path(f"/proc/{container.program.process.pid}/status").read_text()
        assert set(re.findall(r"Cap(?:Prm|Eff|Bnd):\s*(\w+)", status)) == {"0000000000000000"}
        assert re.findall(r"(?:Uid|NoNewPrivs):\s*(\w+)", status) == ["10001", "1"]
    # The services end in order within the grace that the file gives them.
    for container in services.values():
        assert container.program.end(seconds=40.0) == 0, container.log()
