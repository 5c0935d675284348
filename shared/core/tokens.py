"""API tokens and their roles."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What a token may do; each role includes the former."""

    READ = 1
    WRITE = 2
    OPERATE = 3


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A named caller. The name appears in the history of what was changed, the token nowhere."""

    name: str
    role: Role
    token: str = field(repr=False)


def parse_tokens(text: str) -> tuple[ApiToken, ...]:
    """`name:role:token` entries, comma separated. Raises ValueError that names the entry's position, not its text."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    tokens = tuple(_parse_entry(position, entry) for position, entry in enumerate(entries, start=1))
    if len({token.token for token in tokens}) < len(tokens):
        raise ValueError("API_TOKENS: two entries share one token")
    return tokens


def find_token(tokens: Iterable[ApiToken], presented: str) -> ApiToken | None:
    """The entry whose token is `presented`, compared in constant time."""
    found = None
    for token in tokens:
        if hmac.compare_digest(token.token.encode(), presented.encode("utf-8", "surrogateescape")):
            found = token
    return found


def _parse_entry(position: int, entry: str) -> ApiToken:
    parts = entry.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"API_TOKENS: entry {position} is not name:role:token")
    name, role, token = parts
    if role.upper() not in Role.__members__:
        raise ValueError(f"API_TOKENS: entry {position} has no role of read, write, operate")
    return ApiToken(name, Role[role.upper()], token)
