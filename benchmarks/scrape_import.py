"""Importing scrapes by the therapist service's import, whole passes over the folder as the service makes them."""

from pathlib import Path

from benchmarks.contenders import Week, run_contender
from curavani.schema import upgrade
from shared.core.settings import read_settings
from shared.database.engine import create_engine
from shared.imports.passes import PassReport
from therapist_service import bootstrap

_MAX_FILE_BYTES = 8 * 1024**3


def prepare(url: str) -> None:
    engine = create_engine(url, application_name="benchmark")
    upgrade(engine)
    engine.dispose()


def import_weeks(url: str, weeks: list[Week]) -> None:
    """Each week is a folder that stays, and all are walked in every pass."""
    for week in weeks:
        parts = build_parts(url, week.folder)
        with week.measured():
            report = parts.monitor.run_once("benchmark")
        parts.engine.dispose()
        require_success(report, len(week.files))


def build_parts(url: str, folder: Path) -> bootstrap.TherapistParts:
    """The service's parts on this database and folder."""
    environment = {
        "DATABASE_URL": url,
        "THERAPIST_IMPORT_FOLDER_PATH": str(folder),
        "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
        "THERAPIST_IMPORT_MAX_FILE_BYTES": str(_MAX_FILE_BYTES),
    }
    return bootstrap.build_parts(read_settings(environment, *bootstrap.IMPORT_GROUPS))


def require_success(report: PassReport, files: int) -> None:
    """A figure about something else than an import of every file is none."""
    if dict(report.counts) != {"success": files}:
        raise RuntimeError(f"not every file was imported: {dict(report.counts)}")


if __name__ == "__main__":
    run_contender(prepare, import_weeks)
