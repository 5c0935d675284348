"""The embedded PostgreSQL: durable through a kill, at one address, and never left behind."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from standins.local import wait_until
from standins.postgres import EmbeddedPostgres, EmbeddedPostgresError
from standins.postgres_account import _parts, _wheel_binaries

pytestmark = pytest.mark.slow

_PARENT = """
import sys
from standins.postgres import EmbeddedPostgres
server = EmbeddedPostgres(None, durable=False).start()
print(server.pid, server.url(), server.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(durable=False) as started:
        yield started


def _value(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def test_databases_are_created_copied_and_dropped(server: EmbeddedPostgres) -> None:
    template = server.create_database("a-template")
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")

    copy = server.create_database("copy", template="a-template")
    assert _value(copy, "SELECT n FROM t") == 7

    with psycopg.connect(copy):
        server.drop_database("copy")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy)


def test_settings_and_locale(server: EmbeddedPostgres) -> None:
    assert _value(server.url(), "SHOW max_connections") == "200"
    assert _value(server.url(), "SHOW listen_addresses") == "127.0.0.1"
    assert _value(server.url(), "SHOW server_encoding") == "UTF8"
    assert _value(server.url(), "SELECT datlocprovider::text FROM pg_database WHERE datname = 'postgres'") == "b"
    assert _value(server.url(), "SELECT lower('ÄRGER')") == "ärger"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres")


def test_a_committed_row_survives_the_kill_of_the_server(server: EmbeddedPostgres) -> None:
    url = server.url()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS n")

    server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.start()

    assert server.url() == url
    assert _value(url, "SELECT n FROM t") == 42


def test_a_kept_folder_is_used_again_with_its_password() -> None:
    server = EmbeddedPostgres(durable=False)
    folder = server.folder
    try:
        with psycopg.connect(server.start().url()) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS n")
        password = server.url().split("@")[0]
        assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
        server.stop()

        with EmbeddedPostgres(folder) as again:
            assert again.url().split("@")[0] == password
            assert _value(again.url(), "SELECT n FROM t") == 1
            assert _value(again.url(), "SHOW fsync") == "on"
        assert folder.exists()
    finally:
        server.close()
    assert not folder.exists()


def test_a_server_that_cannot_start_says_why(server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(server.folder)
    with pytest.raises(EmbeddedPostgresError, match="already exists"):
        second.start()
    assert _value(server.url(), "SELECT 1") == 1


def test_the_server_goes_with_its_killed_parent() -> None:
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, url, folder = parent.stdout.readline().split()
        assert _value(url, "SELECT 1") == 1
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_until(lambda: not Path(f"/proc/{pid}/exe").exists(), 60)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_programs_below_a_closed_folder_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = _wheel_binaries()
    closed = tmp_path / "closed"
    for part in _parts(wheel):
        shutil.copytree(part, closed / part.relative_to(wheel.parents[2]), symlinks=True)
    closed.chmod(0o700)
    with tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", cache)
        binaries = closed / wheel.relative_to(wheel.parents[2])
        for _ in range(2):  # with a new copy, and with the one there is
            with EmbeddedPostgres(durable=False, binaries=binaries) as server:
                assert _value(server.url(), "SELECT 1") == 1
        assert len(list(Path(cache).iterdir())) == 1
        Path(cache, next(Path(cache).iterdir())).chmod(0o777)
        with pytest.raises(PermissionError, match="only this account"):
            EmbeddedPostgres(durable=False, binaries=binaries).__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_a_folder_out_of_the_accounts_reach_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="choose another folder"):
        EmbeddedPostgres(tmp_path / "data").start()
