"""Whether a base image's tag has moved on is asked of its registry, and no answer is no consent."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from curavani.base_images import bases_of, main
from standins.local import free_port

ROOT = Path(__file__).parents[2]
THEN, NOW = ("sha256:" + digit * 64 for digit in "ab")
TAG, SCOPE = "/v2/library/python/manifests/3.11-slim", "repository:library/python:pull"


class Registry(BaseHTTPRequestHandler):
    """Speaks the registries' protocol: who has no pass is told where to get one, and a tag has a digest."""

    def do_HEAD(self):
        if self.path != TAG:
            return self._answer(404)
        if self.headers.get("Authorization") != "Bearer pass":
            where = f"http://127.0.0.1:{self.server.server_port}/token"
            return self._answer(401, **{"WWW-Authenticate": f'Bearer realm="{where}",service="here",scope="{SCOPE}"'})
        assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
        return self._answer(200, **({"Docker-Content-Digest": self.server.digest} if self.server.digest else {}))

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        right = asked == {"service": ["here"], "scope": [SCOPE]}
        self._answer(200 if right else 400, json.dumps(self.server.given if right else {}).encode())

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Says nothing."""


@pytest.fixture
def registry():
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        server.digest, server.given = NOW, {"token": "pass"}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def told(tmp_path, capsys):
    """What is said of the bases of a Dockerfile that begins so, and how it ends."""

    def tell(*bases):
        (tmp_path / "Dockerfile").write_text("".join(f"FROM {base}\nRUN true\n" for base in bases))
        return main([tmp_path / "Dockerfile"]), capsys.readouterr().out

    return tell


def base(port, tag="3.11-slim", digest=NOW):
    return f"127.0.0.1:{port}/library/python:{tag}@{digest}"


def test_a_tag_that_means_what_it_meant_is_well(registry, told):
    ended, said = told(f"{base(registry.server_port)} AS build", base(registry.server_port), "build")
    assert (ended, said) == (0, f"{base(registry.server_port)}: ok\n")


def test_a_tag_that_has_moved_on_is_told_with_where_to(registry, told):
    ended, said = told(base(registry.server_port), base(registry.server_port, digest=THEN))
    assert ended == 1
    assert f"{THEN}: MOVED ON to {NOW}" in said


def test_an_image_without_a_digest_is_told(registry, told):
    assert told(f"127.0.0.1:{registry.server_port}/library/python:3.11-slim")[0] == 1
    assert "HAS NO DIGEST" in told("python:3.11-slim")[1]


@pytest.mark.parametrize(
    ("digest", "given"), [("", {"token": "pass"}), ("abc", {"token": "pass"}), (NOW, {}), (NOW, [])]
)
def test_an_answer_that_names_no_digest_is_no_consent(registry, told, digest, given):
    registry.digest, registry.given = digest, given
    ended, said = told(base(registry.server_port))
    assert (ended, "NOT KNOWN" in said) == (1, True)


def test_a_tag_that_is_gone_and_a_registry_that_is_away_are_told(registry, told):
    for image in (base(registry.server_port, tag="3.10-slim"), base(free_port())):
        ended, said = told(image)
        assert (ended, "NOT KNOWN" in said) == (1, True)


def test_a_file_that_begins_with_nothing_is_not_well(told):
    assert told()[0] == 1


def test_both_services_begin_with_the_same_image_and_its_digest():
    (image,) = {
        image for service in ("patient", "therapist") for image in bases_of(ROOT / f"{service}_service/Dockerfile")
    }
    assert "@sha256:" in image
