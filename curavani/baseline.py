"""What the source said last, from scrapes that were imported before."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curavani.cli.output import USAGE, end
from curavani.progress import Bar, progress_bar, stopping_by_signal
from curavani.services import database
from shared.core.clock import now
from shared.core.errors import CuravaniError, NotYet, TransientError
from shared.core.settings import TherapistImportSettings
from shared.database.locks import LockedConnection, LockName, hold
from shared.database.revision import require_revision
from shared.imports.passes import FileDone
from shared.words.statuses import Work
from therapist_service.imports.baseline import Baseline, give_base, note_as_imported
from therapist_service.imports.scrape import read_scrape
from therapist_service.imports.scrape_files import FileUnreadable, ScrapeFile, ScrapeFolder, single_file
from therapist_service.models import kernel

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
class Report:
    """How many scrapes and rows, and what was left out."""

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


def take_baseline(paths: Sequence[Path]) -> tuple[Report, int]:
    """Gives rows without one their base, and the exit code of the signal that cut it short, 0 if none did."""
    scrapes = _latest_first(paths)
    report = Report()
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
    return report, stop.exit_code


def _take(locked: LockedConnection, scrape: _Scrape, report: Report, bar: Bar, done: FileDone) -> None:
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
