"""How much memory this process may use, by the container that it runs in."""

from pathlib import Path
from typing import Final

BYTES_PER_WORKER: Final = 256 * 1024 * 1024
"""A worker at rest has some 130 MB, an import of the largest files 50 MB more, and answers need room, too. The compose
file gives a service 512 MB: two workers."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_NO_LIMIT = 1 << 60


def memory_limit(files: tuple[Path, ...] = _LIMITS) -> int | None:
    """The container's limit in bytes; None where there is none, or none can be read."""
    for file in files:
        try:
            limit = int(file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        return limit if limit < _NO_LIMIT else None
    return None
