"""Whether processes fit into what they are given: connections of PostgreSQL, and memory of the container."""

from shared.core.memory import BYTES_PER_WORKER
from shared.database.room import CONNECTIONS_PER_PROCESS, FOR_COMMANDS, Room

_MB = 1024 * 1024


def connections_advice(room: Room, processes: int) -> str | None:
    """What to do where so many processes of both services may open more connections than there are; else None."""
    needed = processes * CONNECTIONS_PER_PROCESS + FOR_COMMANDS
    if needed <= room.free_for_us:
        return None
    return (
        f"PostgreSQL has {room.free_for_us} connections for us; {processes} processes and the command line may need"
        f" {needed}. Raise max_connections, or run fewer processes; until then some requests wait, and fail."
    )


def memory_advice(limit: int | None, workers: int) -> str | None:
    """What to do where the container's limit is too small for so many workers; else None."""
    if limit is None or workers * BYTES_PER_WORKER <= limit:
        return None
    return (
        f"The container may use {limit // _MB} MB; {workers} worker(s) may need {workers * BYTES_PER_WORKER // _MB}."
        " Raise its memory limit, or run fewer workers; or one is killed in mid-work."
    )
