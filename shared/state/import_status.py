"""The answer of `import-status`: how an import is doing, for programs."""

from datetime import datetime, timedelta

from shared.state.snapshot import FinishedPass, Snapshot
from shared.words.codes import describe
from shared.words.statuses import FileStatus, ServiceName


def import_status(snapshot: Snapshot, interval_seconds: int, service_name: ServiceName) -> dict[str, object]:
    """The answer, times as ISO 8601 texts; files without their names: this is for the role `read`."""
    failure = snapshot.last_failure
    total = sum(snapshot.files.get(status, 0) for status in (FileStatus.SUCCESS, FileStatus.PARTIAL))
    status: dict[str, object] = {
        "running": snapshot.is_led,
        "last_check": _iso(snapshot.last_pass.finished_at if snapshot.last_pass else None),
        "next_check": _iso(_next_check(snapshot.last_pass, interval_seconds)),
        "files_processed_today": snapshot.today.applied,
        "files_failed_today": snapshot.today.failed,
        "total_processed": total,
        "total_failed": snapshot.files.get(FileStatus.FAILED, 0),
        "last_error": f"{failure.code}: {describe(failure.code).english}" if failure else None,
        "last_error_time": _iso(failure.at if failure else None),
        "recent_imports": _recent(snapshot, service_name),
    }
    if service_name == "therapist":
        status["therapists_processed_today"] = sum(snapshot.today.records.values())
        status["total_files_processed"] = total
    return status


def _next_check(latest: FinishedPass | None, interval_seconds: int) -> datetime | None:
    if latest is None:
        return None
    return latest.next_pass_at or latest.finished_at + timedelta(seconds=interval_seconds)


def _recent(snapshot: Snapshot, service_name: ServiceName) -> list[dict[str, object]]:
    return [
        {
            "id": file.id,
            "status": file.status,
            "error_code": file.error_code,
            "processed_at": _iso(file.processed_at),
            f"{service_name}_count": file.records,
        }
        for file in snapshot.recent
    ]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
