"""PgBouncer itself between us and PostgreSQL, with its defaults and in the modes that it has."""

import os
import pwd
import shutil
import subprocess
from contextlib import contextmanager, suppress

import psycopg
import pytest
import sqlalchemy as sa

from patient_service.models import kernel
from shared.core.errors import PoolerInTransactionMode
from shared.database.engine import create_engine
from shared.database.locks import LockName, hold
from shared.database.pooler import require_own_sessions
from standins.local import free_port, wait_until

LOCK = LockName(kernel.schema, "mailer")
PATIENCE = 60.0


@pytest.fixture(scope="session")
def pgbouncer():
    """The program, which no Python package brings. Continuous integration has to have it."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None and "CI" in os.environ:
        pytest.fail("pgbouncer is missing: install the Debian package pgbouncer")
    if found is None:
        pytest.skip("pgbouncer is not installed (Debian package pgbouncer)")
    return found


@pytest.fixture
def pooled(pgbouncer, database_url, tmp_path):
    """Starts PgBouncer before the database with these changes of its defaults; gives an engine that goes through it."""
    url = sa.make_url(database_url)

    @contextmanager
    def start(**changes):
        port, folder = free_port(), tmp_path / "pgbouncer"
        folder.mkdir()
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "plain",
            "auth_file": folder / "users",
            **changes,
        }
        target = f"{url.database} = host=127.0.0.1 port={url.port} dbname={url.database}"
        lines = ["[databases]", target, "[pgbouncer]", *(f"{name} = {value}" for name, value in settings.items())]
        (folder / "users").write_text(f'"{url.username}" "{url.password}"\n')
        (folder / "pgbouncer.ini").write_text("\n".join(lines))
        user = {}
        if os.geteuid() == 0:
            # It does not run as root.
            user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
            _open_to_all(folder)
        process = subprocess.Popen(
            [pgbouncer, folder / "pgbouncer.ini"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
        )
        address = url.set(port=port).render_as_string(hide_password=False)
        engine = create_engine(address, application_name="tests")
        try:
            assert wait_until(lambda: _answers(address), PATIENCE)
            yield engine
        finally:
            engine.dispose()
            process.terminate()
            process.wait()

    return start


def _open_to_all(folder):
    folder.chmod(0o755)
    for parent in list(folder.parents)[:-2]:
        with suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o011)
    for file in folder.iterdir():
        file.chmod(0o644)


def _answers(address):
    try:
        psycopg.connect(address, autocommit=True).close()
    except psycopg.OperationalError:
        return False
    return True


def test_with_its_defaults_locks_hold_and_times_are_utc(pooled):
    with pooled() as engine:
        require_own_sessions(engine)
        for _ in range(3):
            with hold(engine, LOCK) as locked:
                locked.require_same_session()
                with locked.transaction() as connection:
                    assert connection.exec_driver_sql("SHOW timezone").scalar_one() == "UTC"


@pytest.mark.parametrize("round_robin", [0, 1])
def test_transaction_mode_is_refused(pooled, round_robin):
    with pooled(pool_mode="transaction", server_round_robin=round_robin) as engine:
        for _ in range(3):
            with pytest.raises(PoolerInTransactionMode), hold(engine, LOCK):
                pass


def test_transaction_mode_is_refused_where_it_has_one_session_only(pooled):
    with pooled(pool_mode="transaction", default_pool_size=1) as engine, pytest.raises(PoolerInTransactionMode):
        require_own_sessions(engine)
