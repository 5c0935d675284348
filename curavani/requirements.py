"""What the images install, taken from the lock file: `requirements.txt` beside each service, and the build backend."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

LISTS: Mapping[str, tuple[str, ...]] = {
    "patient_service/requirements.txt": ("--no-dev", "--extra", "patient"),
    "therapist_service/requirements.txt": ("--no-dev", "--extra", "therapist"),
    "deploy/build-requirements.txt": ("--only-group", "build"),
}
"""Each list's path below the project's root, and what of the lock file it holds."""
_HEADER = "# Made by `python -m curavani.requirements` from uv.lock; do not edit.\n"


def requirements(root: Path, selection: tuple[str, ...]) -> str:
    """The exact versions of what is selected, with hashes. Raises `CalledProcessError` with uv's reason."""
    command = [
        str(Path(sys.executable).with_name("uv")),
        *("export", "--locked", *selection, "--no-emit-project", "--no-header", "--quiet"),
    ]
    exported = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603 - fixed
    return _HEADER + exported.stdout


def main() -> None:
    """Writes every list anew."""
    root = Path(__file__).parents[1]
    for path, selection in LISTS.items():
        (root / path).write_text(requirements(root, selection), encoding="utf-8")


if __name__ == "__main__":
    main()
