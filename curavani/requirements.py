"""What each service's image installs: `requirements.txt` beside the service, taken from the lock file."""

import subprocess
import sys
from pathlib import Path

EXTRAS = {"patient_service": "patient", "therapist_service": "therapist"}
_HEADER = "# Made by `python -m curavani.requirements` from uv.lock; do not edit.\n"


def requirements(root: Path, extra: str) -> str:
    """The exact versions, with hashes, of one service's dependencies. Raises `CalledProcessError` with uv's reason."""
    command = [
        str(Path(sys.executable).with_name("uv")),
        *("export", "--locked", "--no-dev", "--extra", extra, "--no-emit-project", "--no-header", "--quiet"),
    ]
    exported = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603 - fixed
    return _HEADER + exported.stdout


def main() -> None:
    """Writes the files of both services."""
    root = Path(__file__).parents[1]
    for service, extra in EXTRAS.items():
        (root / service / "requirements.txt").write_text(requirements(root, extra), encoding="utf-8")


if __name__ == "__main__":
    main()
