"""What a single setting may be: each check raises ValueError that says what is wrong, never with the value."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from shared.core.tokens import parse_tokens

_ADDRESS = re.compile(r"(?P<name>[^@\s<>,][^@<>,\r\n]* <)?[^@\s<>,]+@[^@\s<>,]+(?(name)>)")


def postgresql_url(value: SecretStr) -> SecretStr:
    """An address of PostgreSQL that SQLAlchemy can read."""
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    # Here, because who reads no such setting needs no library for databases, and it takes long to load.
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        make_url(value.get_secret_value())
    except (ValueError, ArgumentError):
        # Its own text quotes the address, and with it the password.
        raise ValueError("is no address like postgresql://user:password@host:port/name") from None
    return value


def well_formed_tokens(value: SecretStr) -> SecretStr:
    """Tokens with names and roles, as `parse_tokens` reads them."""
    parse_tokens(value.get_secret_value())
    return value


def web_address(value: str) -> str:
    """The address of a site, without query and fragment."""
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    is_plain = not parts.query and not parts.fragment and not re.search(r"\s", value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ValueError("is no address like https://curavani.example")
    return value


def mail_addresses(value: str) -> str:
    """One address of mail or several, each with a name or without, with commas between them."""
    if not all(_ADDRESS.fullmatch(each.strip(" ")) for each in value.split(",")):
        raise ValueError("is no address like imports@curavani.example")
    return value


def mail_address(value: str) -> str:
    """One address of mail."""
    return mail_addresses("" if "," in value else value)


def off_or_time(value: str) -> str:
    """`off`, or a time of day with hours and minutes."""
    if value != "off" and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError("must be off, or a time of day such as 07:30")
    return value
