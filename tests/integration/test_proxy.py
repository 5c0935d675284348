"""The proxy of the compose file in front of a real service: TLS by its own authority, limits, and what it hides."""

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from shared.http.requests import MAX_BODY_BYTES
from standins.local import free_port, wait_until

pytestmark = pytest.mark.slow

CADDYFILE = Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"
HOST = "patients.localhost"
DRIPPING = 200


class Proxy:
    """The door as a browser finds it: by name, with a certificate that has to be right."""

    def __init__(self, port, authority):
        self.port, self.authority = port, authority

    def connect(self):
        context = ssl.create_default_context(cafile=self.authority)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return context.wrap_socket(plain, server_hostname=HOST)

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection(HOST)
        with self.connect() as connection.sock:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            # Whoever is refused while still sending finds the answer waiting.
            with contextlib.suppress(OSError):
                connection.request(method, path, body, named)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer

    def is_up(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("/livez").status == 200
        return False


@pytest.fixture
def proxy(run_service, caddy, tmp_path):
    service = run_service("patient", TRUSTED_PROXY_HOPS="1")
    port, plain_port = free_port(), free_port()
    text = CADDYFILE.read_text(encoding="utf-8")
    for ours, here in (
        ("https_port 8443", f"https_port {port}\n\tskip_install_trust"),
        ("http_port 8080", f"http_port {plain_port}"),
        ("patient-service:8001", f"127.0.0.1:{service.port}"),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (tmp_path / "Caddyfile").write_text(text, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    command = [caddy, "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    with (tmp_path / "proxy-log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        found = Proxy(port, tmp_path / "caddy" / "pki" / "authorities" / "local" / "root.crt")
        assert wait_until(found.is_up, 120), (tmp_path / "proxy-log").read_text()
        yield found
    finally:
        process.kill()
        process.wait()


def test_the_proxy_lets_in_what_is_named_and_hides_the_rest(proxy):
    answer = proxy.ask("/livez")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["Server"] is None
    hidden = ("/metrics", "/metrics/", "//metrics", "/livez/../metrics", "/%6detrics", "/readyz", "/health/import")
    assert {path: proxy.ask(path).status for path in hidden} == dict.fromkeys(hidden, 404)
    away = proxy.ask("/console", Host="evil.example", X_Forwarded_Host="evil.example")
    assert "evil.example" not in str(away.headers) + away.text
    to_sign_in = proxy.ask("/console", X_Forwarded_Host="evil.example")
    assert (to_sign_in.status, to_sign_in.headers["Location"][:17]) == (302, "/console/sign-in?")


def test_the_proxy_bounds_headers_and_bodies(proxy):
    assert proxy.ask("/livez", X_Long="x" * 60_000).status == 431


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_body_that_is_too_large_is_told_as_that_by_proxy_and_service_alike(proxy, in_chunks):
    """Whoever notices: what says its length is refused unread, and of the rest no more than that is read."""
    answers = {}
    for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 3_000_000, 5_000_000, 30_000_000):
        body = b"x" * size
        answer = proxy.ask(
            "/api/patients", "POST", iter([body]) if in_chunks else body, Content_Type="application/json"
        )
        answers[size] = (answer.status, answer.headers["Content-Type"])
    allowed, *refused = answers.values()
    assert (allowed, set(refused)) == ((401, "application/json"), {(413, "application/json")})


def test_a_caller_behind_the_proxy_is_who_the_proxy_says(proxy):
    wrong = [
        proxy.ask("/api/patients", Authorization="Bearer wrong", X_Forwarded_For=f"192.0.2.{number}").status
        for number in range(11)
    ]
    assert wrong == [401] * 10 + [429]


def test_the_proxy_answers_while_two_hundred_clients_drip(proxy):
    with contextlib.ExitStack() as stack:
        dripping = [stack.enter_context(proxy.connect()) for _ in range(DRIPPING)]
        for connection in dripping:
            connection.sendall(f"GET /livez HTTP/1.1\r\nHost: {HOST}\r\nX-Slow: ".encode())
        for _ in range(3):
            for connection in dripping:
                connection.sendall(b"x")
            assert proxy.ask("/livez").status == 200
