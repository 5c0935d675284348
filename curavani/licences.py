"""The licences of what a list of requirements installs: `python -m curavani.licences requirements.txt`.

Ends with 1 where one is not known to go with how Curavani is run: installed from an index, unchanged, not handed on.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import typer

_ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|Unlicense|CC0|0BSD|Public Domain|Zope)\b|^PIL",
    re.IGNORECASE,
)
_NOTICED = {
    "psycopg": "LGPL-3.0: used as a library of its own, unchanged; whoever hands the image on adds its text and source",
    "psycopg-binary": "LGPL-3.0, with libpq (PostgreSQL licence) and OpenSSL (Apache-2.0) inside; the same",
    "certifi": "MPL-2.0: used unchanged; whoever changes it publishes the changed files",
    "tqdm": "MPL-2.0 and MIT: used unchanged",
}
"""What asks for more than a name in a list: read, and kept to."""


def main(requirements: Path) -> int:
    """Prints a line for each package."""
    unknown = 0
    for name in sorted(set(re.findall(r"^([A-Za-z0-9_.-]+)==", requirements.read_text("utf-8"), re.MULTILINE))):
        try:
            licence = _licence(name)
        except PackageNotFoundError:
            # Of another system: the list has it with a condition.
            continue
        noticed = _NOTICED.get(name.lower())
        good = noticed is not None or bool(_ALLOWED.search(licence))
        unknown += not good
        typer.echo(f"{'ok' if good else 'UNKNOWN':8}{name}: {noticed or licence}")
    return 1 if unknown else 0


def _licence(name: str) -> str:
    """By its expression, else by its classifiers, else by the first line of whatever it says."""
    package = metadata(name)
    classifiers = [entry.rpartition(" :: ")[2] for entry in package.get_all("Classifier") or [] if "License" in entry]
    said = package["License"].strip().splitlines() if "License" in package else ["says nothing"]
    return package["License-Expression"] if "License-Expression" in package else ", ".join(classifiers) or said[0]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
