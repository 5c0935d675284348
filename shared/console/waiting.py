"""Who waits because a registration failed: as far as the file says, what is wrong, and the file as it came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from flask_babel import format_timedelta
from sqlalchemy.engine import Connection, RowMapping

from shared.console import forms, words
from shared.console.corrections import Correcting, problems_in
from shared.console.excerpts import Excerpt, whole_text
from shared.console.language import meaning
from shared.core.clock import now, today
from shared.core.errors import CopyGone, RejectedError, TransientError
from shared.imports.ledger import RETRYABLE
from shared.text.json_faults import fault_of, text_of
from shared.words.codes import Code
from shared.words.statuses import FileStatus

_REACHED_BY = ("telefon", "email", "geburtsdatum")

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Came:
    """The file as it came: its fields by label, what else it holds, or its text with the place that cannot be read."""

    fields: Facts
    rest: Mapping[str, object]
    text: Excerpt | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The person whose registration failed, and what is wrong."""

    name: str
    age: int | None
    since: datetime
    since_in_words: str
    facts: Facts
    problems: Facts
    mix_up: tuple[object, object] | None


def waiting_in(connection: Connection, correcting: Correcting, row: RowMapping) -> Waiting | None:
    """Who waits because this file failed; None where nobody does, or nobody may be told of."""
    if row["status"] != FileStatus.FAILED or not correcting.is_enterable(row):
        return None
    since = cast("datetime", row.get("uploaded_at") or row["first_seen_at"])
    content = _content(correcting, row)
    document = correcting.read_remains(content) if content is not None else {}
    person = correcting.person_in(document)
    name = " ".join(str(person[part]) for part in ("vorname", "nachname") if person.get(part))
    labels = {field.name: field.label for field in correcting.fields}
    facts = [(labels[field], words.value(person.get(field))) for field in _REACHED_BY]
    return Waiting(
        name=name,
        age=age_of(person.get("geburtsdatum")),
        since=since,
        since_in_words=str(format_timedelta(now() - since, granularity="minute")),
        facts=tuple((label, value) for label, value in facts if value),
        problems=_what_is_wrong(correcting, row, content),
        mix_up=correcting.mix_up(connection, row, document, name),
    )


def kept_of(correcting: Correcting, row: RowMapping) -> Came | None:
    """The file as it came, from which nobody was imported: whoever decides on it has to see it. None where no copy is
    kept, or nobody may be told of.
    """
    if row["status"] not in (*RETRYABLE, FileStatus.DISCARDED) or not correcting.is_enterable(row):
        return None
    content = _content(correcting, row)
    return None if content is None else _came(correcting, content)


def _content(correcting: Correcting, row: RowMapping) -> bytes | None:
    try:
        return correcting.content_of(row["id"])
    except (CopyGone, TransientError):
        return None


def _what_is_wrong(correcting: Correcting, row: RowMapping, content: bytes | None) -> Facts:
    """What keeps the file out; where it is not the content that can be put right, the code says it on the page."""
    if content is None or not correcting.is_possible(row):
        return ()
    try:
        document = correcting.read(content)
    except RejectedError as error:
        # The text shows where; the code of the file says what.
        return () if error.code == row["error_code"] else (("", meaning(error.code)),)
    texts = forms.texts_of(correcting.fields, correcting.person_in(document))
    of_fields, others = problems_in(correcting, document, row, texts)
    labels = {field.name: field.label for field in correcting.fields}
    return (
        *((labels[name], problem) for name, problems in of_fields.items() for problem in problems),
        *(("", problem) for problem in others),
    )


def _came(correcting: Correcting, content: bytes) -> Came:
    try:
        document = correcting.read(content)
    except RejectedError as error:
        text = text_of(content)
        is_broken = error.code in (Code.INVALID_JSON, Code.EMPTY_FILE)
        return Came((), {}, whole_text(text, fault_of(content)) if is_broken else None)
    person = correcting.person_in(document)
    labels = {field.name: field.label for field in correcting.fields}
    shown = tuple((labels.get(name, name), words.value(value)) for name, value in person.items() if words.value(value))
    section = correcting.section.removeprefix("/")
    return Came(shown, {name: value for name, value in document.items() if name != section}, None)


def age_of(born: object) -> int | None:
    """The age of somebody born on that day; None where it is no day, or nobody can be that old or that young."""
    try:
        day = date.fromisoformat(str(born))
    except ValueError:
        return None
    present = today()
    age = present.year - day.year - ((present.month, present.day) < (day.month, day.day))
    return age if 0 <= age <= 120 else None
