"""Addresses as settings name them: networks of callers, and origins of front ends in a browser."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR notation, comma separated. Raises ValueError that names the entry's position, not its text."""
    return tuple(_network(position, entry) for position, entry in enumerate(_entries(text), start=1))


def parse_origins(text: str) -> tuple[str, ...]:
    """Origins (`https://host[:port]`), comma separated, as browsers write them.

    Raises ValueError that names the entry's position; a wildcard is no origin.
    """
    return tuple(_origin(position, entry) for position, entry in enumerate(_entries(text), start=1))


def is_within(address: str | None, networks: Iterable[Network]) -> bool:
    """Whether the address, as a server sees its peer, is in one of the networks."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        # So a socket for both families names its callers of the older one.
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",")] if text.strip() else []


def _network(position: int, entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError:
        raise ValueError(f"entry {position} is no network like 10.20.0.0/16") from None


def _origin(position: int, entry: str) -> str:
    try:
        parts = urlsplit(entry)
        port = "" if parts.port is None else f":{parts.port}"
        is_origin = entry.rstrip("/").lower() == f"{parts.scheme}://{parts.netloc}".lower() and "@" not in parts.netloc
    except ValueError:
        is_origin, port = False, ""
        parts = urlsplit("")
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not is_origin or not re.fullmatch(r"[a-z0-9.:-]+", host):
        raise ValueError(f"entry {position} is no origin like https://staff.example")
    named = f"[{host}]" if ":" in host else host
    is_usual = (parts.scheme, parts.port) in (("http", 80), ("https", 443))
    return f"{parts.scheme}://{named}{'' if is_usual else port}"
