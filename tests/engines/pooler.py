"""PgBouncer in front of a PostgreSQL server, with nothing set but where it listens and who may log in."""

import os
from pathlib import Path

import psycopg
import sqlalchemy as sa

from standins.local import free_port
from tests.engines.programs import Program, open_to_others, program


class PgBouncer:
    """A pooler before every database of one server; its defaults hold but for `changes`."""

    def __init__(self, url: str, folder: Path, **changes: str) -> None:
        target = sa.make_url(url)
        self._port = free_port()
        folder.mkdir()
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self._port),
            "unix_socket_dir": "",
            "auth_type": "plain",
            "auth_file": str(folder / "users"),
            **changes,
        }
        lines = ["[databases]", f"* = host=127.0.0.1 port={target.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (folder / "users").write_text(f'"{target.username}" "{target.password}"\n')
        (folder / "pgbouncer.ini").write_text("\n".join(lines))
        open_to_others(folder)
        command = [
            program("pgbouncer", what="Debian package pgbouncer", places=["/usr/sbin"]),
            folder / "pgbouncer.ini",
        ]
        # It refuses to run as root.
        self._program = Program("PgBouncer", command, folder / "log", as_nobody=os.geteuid() == 0)
        self._program.await_answer(lambda: _answers(self.url(url)))

    def url(self, url: str) -> str:
        """The address of the same database through the pooler."""
        return sa.make_url(url).set(port=self._port).render_as_string(hide_password=False)

    def close(self) -> None:
        self._program.end()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, autocommit=True, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
