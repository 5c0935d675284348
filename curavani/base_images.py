"""Whether the images that Dockerfiles begin with are what their tags mean: `python -m curavani.base_images FILE…`.

A digest keeps an image as it is; the tag beside it moves on with what is mended in its system and its Python. Ends with
1 where a tag has moved on, an image has no digest, or its registry cannot be asked.
"""

import re
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import requests
import typer
from werkzeug.datastructures import WWWAuthenticate

_BEGINNING = re.compile(r"^FROM (\S+)(?: AS (\S+))?", re.MULTILINE)
_PINNED = re.compile(
    r"(?:(?P<registry>[^/]*[.:][^/]*)/)?(?P<name>[^@:]+):(?P<tag>[^@:]+)@(?P<digest>sha256:[0-9a-f]{64})"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOCKER_HUB = "registry-1.docker.io"
_KINDS = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
"""Lists of an image for every processor: of those is the digest, not of one processor's image."""
_SECONDS = 30.0


def main(files: Sequence[Path]) -> int:
    """Prints a line for each image."""
    images = sorted({image for file in files for image in bases_of(file)})
    verdicts = {image: _verdict(image) for image in images}
    for image, verdict in verdicts.items():
        typer.echo(f"{image}: {verdict}")
    return 0 if images and set(verdicts.values()) == {_CURRENT} else 1


def bases_of(dockerfile: Path) -> set[str]:
    """The images that its stages begin with, but for its own stages."""
    beginnings = _BEGINNING.findall(dockerfile.read_text("utf-8"))
    return {image for image, _ in beginnings} - {stage for _, stage in beginnings}


_CURRENT = "ok"


def _verdict(image: str) -> str:
    pinned = _PINNED.fullmatch(image)
    if pinned is None:
        return "HAS NO DIGEST"
    try:
        current = _current_digest(pinned["registry"], pinned["name"], pinned["tag"])
    except (requests.RequestException, ValueError) as error:
        return f"NOT KNOWN: its registry cannot be asked ({type(error).__name__})"
    return _CURRENT if current == pinned["digest"] else f"MOVED ON to {current}"


def _current_digest(registry: str | None, name: str, tag: str) -> str:
    """What the tag means now. Raises `RequestException`, or ValueError for an answer that says nothing of it."""
    if registry is None:
        registry, name = _DOCKER_HUB, name if "/" in name else f"library/{name}"
    scheme = "http" if _is_this_machine(registry.partition(":")[0]) else "https"
    address = f"{scheme}://{registry}/v2/{name}/manifests/{tag}"
    with requests.Session() as session:
        session.headers["Accept"] = _KINDS
        answer = session.head(address, timeout=_SECONDS, allow_redirects=True)
        if answer.status_code == requests.codes.unauthorized:
            session.headers["Authorization"] = f"Bearer {_pass(session, answer)}"
            answer = session.head(address, timeout=_SECONDS, allow_redirects=True)
        answer.raise_for_status()
        found = answer.headers.get("Docker-Content-Digest", "")
    if not _DIGEST.fullmatch(found):
        raise ValueError("the registry names no digest")
    return found


def _pass(session: requests.Session, refusal: requests.Response) -> str:
    """What a registry lets anybody have who asks where it says."""
    asked = WWWAuthenticate.from_header(refusal.headers.get("WWW-Authenticate"))
    if asked is None or asked.type != "bearer" or not asked.parameters.get("realm"):
        raise ValueError("the registry does not say whom to ask")
    wanted = {name: value for name, value in asked.parameters.items() if name in ("service", "scope")}
    answer = session.get(str(asked.parameters["realm"]), params=wanted, timeout=_SECONDS)
    answer.raise_for_status()
    given = answer.json()
    if not isinstance(given, dict) or not given.keys() & {"token", "access_token"}:
        raise ValueError("the registry gives no pass")
    return str(given.get("token") or given["access_token"])


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main([Path(file) for file in sys.argv[1:]]))
