"""The table of `docs/engines.md`: which engines were run, in which versions, and what passed against them."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from standins.postgres_account import readable_binaries, server_account
from tests.engines import kafka, storage
from tests.engines.programs import debians_postgres

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "engines.md"
_BETWEEN = re.compile(r"(?<=<!-- table: made by the suite -->\n).*(?=<!-- end of the table -->)", re.DOTALL)

ENGINES: Mapping[str, tuple[str, ...]] = {
    "test_kafka": ("Apache Kafka, three brokers",),
    "test_postgres": ("PostgreSQL of Debian", "PostgreSQL of the wheel", "PgBouncer", "Apache Kafka, three brokers"),
    "test_pooler": ("PgBouncer", "PostgreSQL of the wheel"),
    "test_storage": ("fake-gcs-server",),
    "test_prometheus": ("Prometheus",),
    "test_images": ("buildah", "PostgreSQL of the wheel"),
    "test_image_contents": ("PostgreSQL of the wheel",),
    "test_audit": ("pip-audit",),
    "test_compose": ("Apache Kafka, one broker", "PostgreSQL of the wheel"),
}
"""The engines that each module of tests needs."""


def table(passed: Iterable[str]) -> str:
    """Markdown, of the tests' node ids."""
    lines = ["| engines | passed |", "|---|---|"]
    by_module: dict[str, list[str]] = {}
    for node in passed:
        module, _, test = node.rpartition("/")[2].partition(".py::")
        by_module.setdefault(module, []).append(_words(test))
    for module, tests in sorted(by_module.items()):
        engines = "<br>".join(f"{engine} {_version(engine)}" for engine in ENGINES[module])
        lines.append(f"| {engines} | {'<br>'.join(tests)} |")
    return "\n".join(lines) + "\n"


def write(passed: Iterable[str]) -> None:
    """Replaces the page's table."""
    made = table(passed)
    PAGE.write_text(_BETWEEN.sub(lambda _: made, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _words(test: str) -> str:
    name, _, variant = test.removeprefix("test_").partition("[")
    return name.replace("_", " ") + (f" ({variant.rstrip(']')})" if variant else "")


def _version(engine: str) -> str:
    if engine.startswith("Apache Kafka"):
        return kafka.version()
    if engine == "fake-gcs-server":
        return storage.VERSION.removeprefix("v")
    command = {
        "PostgreSQL of Debian": str(debians_postgres() / "postgres"),
        "PostgreSQL of the wheel": str(readable_binaries(None, server_account()) / "postgres"),
        "PgBouncer": "/usr/sbin/pgbouncer",
        "Prometheus": str(shutil.which("prometheus")),
        "buildah": "buildah",
        "pip-audit": str(ROOT / ".venv" / "bin" / "pip-audit"),
    }[engine]
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    assert found is not None
    return found[0]
