"""What an object's name tells: whether it is a candidate, and which token it claims. Content decides the rest."""

import re
from dataclasses import dataclass

from shared.text.strict_json import is_storable
from shared.words.codes import Code

# {lastname}_{firstname}_{date}_{token}.json: names may hold underscores themselves, so it is read from its end.
_PATTERN = re.compile(
    r"(?P<person>.+_.+)_(?P<date>\d{4}-?\d{2}-?\d{2}[\d\-T:]*)_(?P<token>[0-9A-Za-z]+)\.json", re.IGNORECASE | re.DOTALL
)


LEAST_TOKEN = 8
"""So many characters of a token tell two registrations apart."""


@dataclass(frozen=True, slots=True)
class ParsedName:
    """`token` is None where the name does not follow the pattern; `person` is who it names, last name first."""

    token: str | None
    person: str | None = None


def ignored_reason(name: str) -> str | None:
    """Why an object is no candidate: `unusable_name`, `folder_placeholder` or `other_ending`; None for a candidate."""
    if not is_storable(name):
        return Code.UNUSABLE_NAME
    if name.endswith("/"):
        return "folder_placeholder"
    if not name.lower().endswith(".json"):
        return "other_ending"
    return None


def stands_for(name_token: str, token: str) -> bool:
    """Whether the token in an object's name is that registration's: all of it or its beginning, in any case."""
    is_beginning = len(name_token) >= LEAST_TOKEN and token.casefold().startswith(name_token.casefold())
    return is_beginning or name_token.casefold() == token.casefold()


def parse_name(name: str) -> ParsedName:
    """Reads the name leniently: any prefix, umlauts, hyphens, several underscores."""
    match = _PATTERN.fullmatch(name.rsplit("/", 1)[-1])
    return ParsedName(match["token"], match["person"].replace("_", " ")) if match else ParsedName(None)
