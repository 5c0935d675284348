"""Prometheus itself, with the project's configuration and rules, made to look every few seconds instead of minutes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from standins.local import free_port
from tests.engines.programs import Program, program

DEPLOY = Path(__file__).parents[2] / "deploy"
INTERVAL = "5s"
_WINDOW = "[30s]"
_LIMIT_SECONDS = 8


def quick(rules: str) -> str:
    """The shipped rules with the same conditions, but seconds where they have minutes, hours and days."""
    rules = re.sub(r"(?m)^( +for:) .*$", r"\1 1s", rules)
    rules = re.sub(r"\[\d+m\]", _WINDOW, rules)
    # Ages against a limit; with it a latency, of which it takes a thousandth.
    rules = re.sub(r"> (?:\d+ \* \d+|3600)(?=\s)", f"> {_LIMIT_SECONDS}", rules)
    return re.sub(r"(?m)(\[30s\]\)\)\)) > 2$", r"\1 > 0.002", rules)


class Prometheus:
    """A server of its own that watches the services at these addresses."""

    def __init__(self, folder: Path, targets: Sequence[str]) -> None:
        folder.mkdir()
        configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": "1s"}
        (job,) = configuration["scrape_configs"]
        job["static_configs"] = [{"targets": list(targets)}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        (name,) = configuration["rule_files"]
        (folder / name).write_text(quick((DEPLOY / "prometheus" / name).read_text()))
        port = free_port()
        self._host = f"http://127.0.0.1:{port}"
        command = [
            program("prometheus", what="Debian package prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self._program = Program("Prometheus", command, folder / "log")
        self._program.await_answer(self._ready)

    def close(self) -> None:
        self._program.end()

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        answer = requests.get(f"{self._host}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire, each with its service and what else tells it apart."""
        labels = [series["metric"] for series in self.ask('ALERTS{alertstate="firing"}')]
        return {
            (one["alertname"], one.get("dependency") or one.get("worker") or one.get("service", "")) for one in labels
        }

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self._host}/-/ready", timeout=5).ok
        except requests.ConnectionError:
            return False
