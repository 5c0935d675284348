"""What a person waits for before a command begins: help, completion and `check`, beside a help text by Typer alone.

Processor time of whole processes, medians of rounds taken in turn: how busy the machine is does not count.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.tables import Row

ROUNDS = 9
_TYPER_ALONE = '''
import typer

app = typer.Typer()


@app.command()
def first(name: str) -> None:
    """Does one thing."""


@app.command()
def second(name: str) -> None:
    """Does another."""


app()
'''


def run() -> list[Row]:
    """Rows of the table of figures: what runs, seconds of processor time, and times Typer alone."""
    with tempfile.TemporaryDirectory() as folder:
        alone, scrape = Path(folder, "alone.py"), Path(folder, "52066.json")
        alone.write_text(_TYPER_ALONE, encoding="utf-8")
        scrape.write_text('{"metadata": {}, "therapists": []}', encoding="utf-8")
        curavani = str(Path(sys.executable).with_name("curavani"))
        completion = {"_CURAVANI_COMPLETE": "complete_bash", "COMP_WORDS": "curavani imports ", "COMP_CWORD": "2"}
        runs: dict[str, tuple[Sequence[str], dict[str, str]]] = {
            "Typer alone: --help": ((str(alone), "--help"), {}),
            "Typer alone: first --help": ((str(alone), "first", "--help"), {}),
            "curavani --help": ((curavani, "--help"), {}),
            "curavani imports run --help": ((curavani, "imports", "run", "--help"), {}),
            "completion": ((curavani,), completion),
            "curavani check FILE": ((curavani, "check", str(scrape)), {}),
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS + 1):
            for name, (arguments, environment) in runs.items():
                seconds[name].append(_processor_seconds(arguments, environment))
    # The first round compiles, and reads files that the others find in memory.
    figures = {name: median(measured[1:]) for name, measured in seconds.items()}
    alone_takes = figures["Typer alone: --help"]
    return [("", "s", "times Typer alone"), *[(name, figure, figure / alone_takes) for name, figure in figures.items()]]


def _processor_seconds(arguments: Sequence[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
