"""A disk that becomes full while a database is taken over: undone, said in a sentence, and nothing is changed.

The database lies in a tablespace of its own on a small disk in memory, most of which another file takes. PostgreSQL's
log of changes lies elsewhere, so it is the rows that find no room, as on a server whose log has its own disk.
"""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from curavani.adoption.adopt import make_plan
from shared.core.errors import DatabaseFull
from shared.database.engine import create_engine
from standins.platform_database import fill, make_tables
from standins.postgres_account import server_account

pytestmark = pytest.mark.slow

DISK_BYTES = 64 * 1024 * 1024


def _mounted(folder):
    """Whether a small disk could be put there, which takes root and a container that may."""
    account = server_account()
    options = f"size={DISK_BYTES},mode=0700,uid={account.user or os.geteuid()},gid={account.group or os.getegid()}"
    command = ["mount", "-t", "tmpfs", "-o", options, "curavani-tests", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0


@dataclass
class SmallDisk:
    folder: Path

    def leave(self, room):
        """Takes all but so many bytes."""
        state = os.statvfs(self.folder)
        with (self.folder / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - room)

    def make_room(self):
        (self.folder / "ballast").unlink()


@pytest.fixture
def disk():
    folder = Path(tempfile.mkdtemp(prefix="curavani-disk-"))
    if not _mounted(folder):
        folder.rmdir()
        pytest.skip("no disk can be mounted here (needs root with CAP_SYS_ADMIN)")
    yield SmallDisk(folder)
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
def platform_url(postgres, disk, people):
    """A database of the platform with so many people of each kind, on the small disk."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        connection.execute("CREATE DATABASE platform_small TABLESPACE small")
    url = postgres.url("platform_small")
    with psycopg.connect(url) as connection:
        make_tables(connection, "November")
        fill(connection, "November", patients=people, therapists=people)
    yield url
    postgres.drop_database("platform_small")
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP TABLESPACE small")


def everything(url):
    """All rows of all tables, what each column is, and where every sequence stands."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type, column_default, is_nullable"
            " FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
            " ORDER BY 1, 2, 3"
        ).fetchall()
        sequences = connection.execute("SELECT * FROM pg_sequences ORDER BY 1, 2").fetchall()
        tables = sorted({f'{schema}."{table}"' for schema, table, *_ in columns})
        rows = {name: connection.execute(f"SELECT t::text FROM {name} t ORDER BY 1").fetchall() for name in tables}
        return columns, sequences, rows


def is_tried_in_vain(url):
    """Whether there is no room for the rehearsal already."""
    engine = create_engine(url, application_name="tests")
    try:
        make_plan(engine)
    except DatabaseFull:
        return True
    finally:
        engine.dispose()
    return False


# Of many people the copies find no room; of a few they do, and our own tables do not.
@pytest.mark.parametrize(
    ("people", "room", "in_the_rehearsal"),
    [(300, 100_000, True), (20, 1_000_000, False)],
    ids=["in the rehearsal", "in the change"],
)
def test_a_disk_that_becomes_full_leaves_all_as_it_was(platform_url, disk, curavani, room, in_the_rehearsal):
    before = everything(platform_url)
    disk.leave(room)
    assert is_tried_in_vain(platform_url) is in_the_rehearsal
    ended = curavani("db", "adopt", DATABASE_URL=platform_url)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "database_full: PostgreSQL's disk is full. Make room" in ended.stderr
    assert "Everything is as it was" in ended.stderr
    assert everything(platform_url) == before
    disk.make_room()
    assert curavani("db", "adopt", DATABASE_URL=platform_url).returncode == 0
    assert curavani("db", "check", DATABASE_URL=platform_url).returncode == 0
