"""The licences of what a list of requirements installs: `python -m curavani.licences requirements.txt`.

Ends with 1 where one is not known to go with how Curavani is run: installed from an index, unchanged, not handed on; or
is not installed here and so cannot be asked.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import typer
from packaging.requirements import Requirement

_REQUIREMENT = re.compile(r"^[A-Za-z0-9_.-]+==[^\\\n]*", re.MULTILINE)
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
    """Prints a line for each package that belongs on this system."""
    listed = sorted(set(_REQUIREMENT.findall(requirements.read_text("utf-8"))))
    wanted = [found for found in map(Requirement, listed) if found.marker is None or found.marker.evaluate()]
    good = [_tell(found.name) for found in wanted]
    return 0 if good and all(good) else 1


def _tell(name: str) -> bool:
    """Says what is known of the package's licence, and whether that is enough."""
    try:
        said = _licence(name)
    except PackageNotFoundError:
        said = "is not installed"
    noticed = _NOTICED.get(name.lower())
    good = noticed is not None or bool(_ALLOWED.search(said))
    typer.echo(f"{'ok' if good else 'UNKNOWN':8}{name}: {noticed or said}")
    return good


def _licence(name: str) -> str:
    """By its expression, else by its classifiers, else by the first line of whatever it says."""
    package = metadata(name)
    classifiers = [entry.rpartition(" :: ")[2] for entry in package.get_all("Classifier") or [] if "License" in entry]
    said = package["License"].strip().splitlines() if "License" in package else ["says nothing"]
    return package["License-Expression"] if "License-Expression" in package else ", ".join(classifiers) or said[0]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
