"""`make audit` as people run it, against an index and a registry that stand in under the names of the real ones."""

import json
import os
import re
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from curavani.base_images import bases_of
from standins.local import free_port

ROOT = Path(__file__).parents[2]
KNOWN = {"id": "PYSEC-2099-1", "aliases": [], "summary": "", "details": "Opens every door.", "fixed_in": ["99.0"]}


class Elsewhere(BaseHTTPRequestHandler):
    """A proxy that leads everywhere to itself: to an index that knows weaknesses, and a registry of one image."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self):
        name, version = re.fullmatch(r"/pypi/([^/]+)/([^/]+)/json", self.path).groups()
        known = [KNOWN] if name == self.server.weak else []
        about = {"info": {"name": name, "version": version}, "urls": [], "vulnerabilities": known}
        self._answer(json.dumps(about).encode())

    def do_HEAD(self):
        self._answer(b"", ("Docker-Content-Digest", self.server.digest))

    def _answer(self, body, *headers):
        self.send_response(200)
        for name, value in (("Content-Length", str(len(body))), ("Content-Type", "application/json"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def finish(self):
        super().finish()
        self.connection.close()

    def log_message(self, *_arguments):
        """Says nothing."""


@pytest.fixture
def elsewhere(certificates):
    (image,) = bases_of(ROOT / "patient_service" / "Dockerfile")
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.tls.load_cert_chain(certificates.chain("index"))
        server.weak, server.digest = None, image.partition("@")[2]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def audit(certificates, tmp_path):
    """Runs it with everything outside behind this port of ours; its own tools are installed before."""
    subprocess.run([ROOT / ".venv/bin/uv", "sync", "--quiet", "--locked", "--group", "audit"], cwd=ROOT, check=True)

    def run(port):
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        led = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "REQUESTS_CA_BUNDLE": certificates.authority()}
        environment = {**kept, **led, "PIP_CACHE_DIR": str(tmp_path)}
        return subprocess.run(["make", "audit"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_lock_that_nobody_knows_ill_of_passes(audit, elsewhere):
    done = audit(elsewhere.server_port)
    assert done.returncode == 0, done.stderr
    assert "No known vulnerabilities found" in done.stderr
    assert re.search(r"^ok +psycopg: LGPL-3.0", done.stdout, re.MULTILINE)
    assert re.search(r"^python:\S+@sha256:[0-9a-f]{64}: ok$", done.stdout, re.MULTILINE)


def test_a_known_weakness_a_moved_base_and_an_index_that_is_away_fail(audit, elsewhere):
    away = audit(free_port())
    assert (away.returncode, "pypi.org" in away.stderr, "ok" in away.stdout) == (2, True, False)
    elsewhere.digest = f"sha256:{'0' * 64}"
    moved = audit(elsewhere.server_port)
    assert (moved.returncode, f"MOVED ON to {elsewhere.digest}" in moved.stdout) == (2, True)
    elsewhere.weak = "flask"
    weak = audit(elsewhere.server_port)
    assert (weak.returncode, KNOWN["id"] in weak.stdout) == (2, True)
