"""API tokens and their roles."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What a token may do, by API and console alike; each role includes the former."""

    LOOK = 1
    """States and counts: nobody's name, no file's name, no value."""
    READ = 2
    """Persons, files and what is in them, too."""
    WRITE = 3
    """Creates, changes and corrects persons and registrations, too."""
    OPERATE = 4
    """Imports, retries, discards, decides and erases, too."""


LEAST_TOKEN = 24
"""Characters of a token: who may try ten a minute never finds one of these."""


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
        raise ValueError("two entries share one token")
    if len({token.name for token in tokens}) < len(tokens):
        raise ValueError("two entries share one name, so nobody could tell who did what")
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
        raise ValueError(f"entry {position} is not name:role:token")
    name, role, token = parts
    if role.upper() not in Role.__members__:
        raise ValueError(f"entry {position} has no role of look, read, write, operate")
    if len(token) < LEAST_TOKEN:
        raise ValueError(f"the token of entry {position} is shorter than {LEAST_TOKEN} characters")
    return ApiToken(name, Role[role.upper()], token)
