"""What the services' Dockerfiles say."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def dockerfile(service: str) -> str:
    return (ROOT / f"{service}_service" / "Dockerfile").read_text(encoding="utf-8")


def copied(service: str) -> list[str]:
    """What the Dockerfile copies from the project's root into the stage that builds."""
    return [
        path
        for line in re.findall(r"^COPY (?!--)(.*)$", dockerfile(service), re.MULTILINE)
        for path in line.split()[:-1]
    ]
