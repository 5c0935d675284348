"""`make mutants`: changes the pure rules in every small way there is and counts how many changes the tests notice.

Which modules and tests is said in `pyproject.toml`. Names of modules or functions as arguments look at these alone.
What survives is listed, unless `docs/mutants.md` says why no test can or need tell it. Exit code 1 below nine of ten.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

ARGUED = Path("docs/mutants.md")
AIM = 0.9
_NOTICED = frozenset({"killed", "timeout", "segfault"})
_ARGUMENT = re.compile(r"^- `(?P<place>[^`]+)` → `(?P<change>[^`]+)`", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change and what became of it; `name` is the tester's own for it."""

    module: str
    name: str
    status: str
    path: Path

    @property
    def noticed(self) -> bool:
        return self.status in _NOTICED

    @property
    def place(self) -> str:
        """The function or method that is changed."""
        function = re.sub(r"^x_?|__mutmut_\d+$", "", self.name).strip("ǁ").replace("ǁ", ".")
        return f"{self.module}.{function}"

    def lines(self) -> list[str]:
        """The lines taken away and put in, with their sign."""
        diff = get_diff_for_mutant(f"{self.module}.{self.name}", path=self.path).splitlines()
        return [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]

    def change(self) -> str:
        """What stands there after the change, as one line."""
        return " ".join(line[1:].strip() for line in self.lines() if line[0] == "+")


def main(names: Sequence[str]) -> int:
    """Runs the tester and prints the figures; the exit code."""
    shutil.rmtree("mutants", ignore_errors=True)
    wanted = [pattern for name in names for pattern in (f"{name}.x*", f"{name}__mutmut_*")]
    subprocess.run([Path(sys.executable).with_name("mutmut"), "run", *wanted], check=True)
    mutants = [mutant for mutant in _results() if mutant.status not in ("not checked", "skipped")]
    argued = {(match["place"], match["change"]) for match in _ARGUMENT.finditer(ARGUED.read_text(encoding="utf-8"))}
    for mutant in mutants:
        if not mutant.noticed and (mutant.place, mutant.change()) not in argued:
            print(f"\n{mutant.module}.{mutant.name}: {mutant.status}", *mutant.lines(), sep="\n")
    return _print_figures(mutants)


def _print_figures(mutants: Sequence[Mutant]) -> int:
    print(f"\n{'noticed':>9} {'of':>5}")
    for module in sorted({mutant.module for mutant in mutants}):
        of_module = [mutant.noticed for mutant in mutants if mutant.module == module]
        print(f"{sum(of_module):>9} {len(of_module):>5} {sum(of_module) / len(of_module):7.1%}  {module}")
    noticed = sum(mutant.noticed for mutant in mutants)
    print(f"{noticed:>9} {len(mutants):>5} {noticed / len(mutants):7.1%}")
    return 0 if noticed >= AIM * len(mutants) else 1


def _results() -> Iterator[Mutant]:
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            module, _, function = name.rpartition(".")
            yield Mutant(module, function, status_by_exit_code[exit_code], path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
