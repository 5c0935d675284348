"""`curavani baseline`: what the source said last, from scrapes that were imported before."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from curavani.cli.imports import Json
from curavani.cli.output import TROUBLE, USAGE, end, examples, print_json, print_table, talk, with_exit_codes
from curavani.cli.progress import Bar, progress_bar, stopping_by_signal
from curavani.cli.services import database
from shared.core.clock import now
from shared.core.errors import CuravaniError, TransientError
from shared.core.settings import TherapistImportSettings
from shared.database.locks import LockedConnection, LockName, hold
from shared.database.revision import require_revision
from shared.imports.passes import FileDone
from shared.imports.source import NotYet
from shared.words.codes import describe
from shared.words.statuses import Work
from therapist_service.imports.baseline import Baseline, give_base, note_as_imported
from therapist_service.imports.scrape import read_scrape
from therapist_service.imports.scrape_files import FileUnreadable, ScrapeFile, ScrapeFolder, single_file
from therapist_service.models import kernel

EPILOG = examples("curavani baseline scrapes", "curavani baseline scrapes/20250702 52066.json --json")
_FOLDER = "THERAPIST_IMPORT_FOLDER_PATH"
_MAX_BYTES = int(TherapistImportSettings.model_fields["max_file_bytes"].default)


@dataclass(frozen=True, slots=True)
class _Scrape:
    """A file below the folder it was found in; `imported` is the same file as the import will find it, if it will."""

    folder: ScrapeFolder
    file: ScrapeFile
    path: Path
    imported: ScrapeFile | None


@dataclass(slots=True)
class _Report:
    files: int = 0
    noted: int = 0
    rows: int = 0
    without_row: int = 0
    ambiguous: list[tuple[str, int]] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def add(self, scrape: _Scrape, found: Baseline, *, noted: bool) -> None:
        self.files += 1
        self.noted += noted
        self.rows += found.rows
        self.without_row += found.without_row
        self.ambiguous += [(str(scrape.path), index) for index in found.ambiguous]

    def as_json(self) -> dict[str, object]:
        return {
            "files": self.files,
            "left_to_no_import": self.noted,
            "rows_with_a_base": self.rows,
            "records_without_row": self.without_row,
            "ambiguous": [{"file": file, "record_index": index} for file, index in self.ambiguous],
            "broken": [{"file": file, "code": code} for file, code in self.broken],
        }


@with_exit_codes
def baseline(
    paths: Annotated[list[Path], typer.Argument(help="Scrapes (ZIP.json), or folders of them.")], as_json: Json = False
) -> None:
    """Takes scrapes that were imported before as what the source said last; for rows that have no such word yet.

    No row, event or review changes: the first scrape after it asks only where
    staff and source really differ. Files below the import folder are not
    imported again. A second run changes nothing. Ends with 1 where a file is
    broken; the others are done.
    """
    scrapes = _latest_first(paths)
    report = _Report()
    engine = database()
    try:
        with hold(engine, LockName(kernel.schema, Work.IMPORT)) as locked:
            with locked.transaction() as connection:
                require_revision(connection)
            with stopping_by_signal() as stop, progress_bar("baseline") as bar:
                for number, scrape in enumerate(scrapes, 1):
                    if stop.asked():
                        break
                    _take(locked, scrape, report, bar, FileDone(number, len(scrapes), 0))
    finally:
        engine.dispose()
    _show(report, as_json=as_json)
    if stop.exit_code:
        raise typer.Exit(stop.exit_code)
    if report.broken:
        raise typer.Exit(TROUBLE)


def _take(locked: LockedConnection, scrape: _Scrape, report: _Report, bar: Bar, done: FileDone) -> None:
    try:
        content = read_scrape(scrape.folder, scrape.file, _MAX_BYTES)
        with locked.transaction() as connection:
            found = give_base(connection, content)
            noted = scrape.imported is not None and note_as_imported(connection, scrape.imported, content)
    except CuravaniError as error:
        if isinstance(error, TransientError) and not isinstance(error, (FileUnreadable, NotYet)):
            raise
        report.broken.append((str(scrape.path), error.code))
        return
    report.add(scrape, found, noted=noted)
    bar.file_done(FileDone(done.number, done.due, content.total))


def _latest_first(paths: Sequence[Path]) -> list[_Scrape]:
    """All scrapes below the paths, once each. Ends the command where a path leads to none."""
    imported = _below_import_folder()
    found: dict[Path, _Scrape] = {}
    for path in paths:
        there = list(_scrapes(path))
        if not there:
            end(f"{path}: there is no scrape, a file named ZIP.json. Check the path and its permissions.", USAGE)
        for folder, file, place in there:
            real = place.resolve()
            found.setdefault(real, _Scrape(folder, file, place, imported.get(real)))
    moment = now()
    return sorted(found.values(), key=lambda it: it.folder.order_key(it.file, moment), reverse=True)


def _scrapes(path: Path) -> Iterator[tuple[ScrapeFolder, ScrapeFile, Path]]:
    if path.is_dir():
        folder = ScrapeFolder(path)
        for file in folder.discover(lambda _reason: None):
            place = path / file.path
            # Of a dated folder that is named itself, the name dates the files.
            alone = single_file(place) if file.folder_date is None else None
            yield (ScrapeFolder(place.parent), alone, place) if alone else (folder, file, place)
        return
    try:
        single = single_file(path)
    except OSError:
        return
    if single is not None:
        yield ScrapeFolder(path.parent), single, path


def _below_import_folder() -> dict[Path, ScrapeFile]:
    """The files that the import would find, by their real place; none where no folder is configured."""
    given = os.environ.get(_FOLDER, "").strip()
    if not given or not Path(given).is_dir():
        return {}
    root = Path(given)
    return {(root / file.path).resolve(): file for file in ScrapeFolder(root).discover(lambda _reason: None)}


def _show(report: _Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    numbers = [(name.replace("_", " "), number) for name, number in report.as_json().items() if isinstance(number, int)]
    print_table(("", "number"), numbers, title="Baseline")
    if report.ambiguous:
        print_table(("file", "record"), report.ambiguous, title="Several rows may be meant: left out")
    if report.broken:
        rows = [(file, code, describe(code).english) for file, code in report.broken]
        print_table(("file", "code", "meaning"), rows, title="Broken: left out")
    talk("Next: start the therapist service, or: curavani imports run therapist")
