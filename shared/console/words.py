"""Words for what the database holds: states, outcomes, rules, fields, and who did it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from flask_babel import (
    LazyString,
    format_date,
    format_datetime,
    format_decimal,
    format_timedelta,
    gettext,
    lazy_gettext,
)

from shared.console.language import ngettext
from shared.core.clock import now
from shared.core.tokens import Role
from shared.http.service import current_service
from shared.words.codes import Code, describe
from shared.words.statuses import (
    Access,
    Action,
    AlertKind,
    AttemptStatus,
    FileStatus,
    RecordOutcome,
    Restriction,
    ReviewChoice,
    ReviewKind,
    ReviewState,
    Work,
    WorkerState,
)

SERVICES: Mapping[str, LazyString] = {
    "patient": lazy_gettext("Patient service"),
    "therapist": lazy_gettext("Therapist service"),
}

CONSOLES: Mapping[str, LazyString] = {"patient": lazy_gettext("Patients"), "therapist": lazy_gettext("Therapists")}
"""The two consoles as the link between them names them."""

DISTANCE = "max_km"
"""The one member of how far somebody would go."""

_LONGEST_WORD = 24

Tone = Literal["good", "busy", "warn", "bad", "calm"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word, with a tone that a colour and a sign go with."""

    word: LazyString | str
    tone: Tone


FILE_STATES: Mapping[str, Badge] = {
    FileStatus.PENDING: Badge(lazy_gettext("waiting"), "busy"),
    FileStatus.RETRYING: Badge(lazy_gettext("will be tried again"), "warn"),
    FileStatus.SUCCESS: Badge(lazy_gettext("imported"), "good"),
    FileStatus.PARTIAL: Badge(lazy_gettext("imported in part"), "warn"),
    FileStatus.FAILED: Badge(lazy_gettext("failed"), "bad"),
    FileStatus.SKIPPED: Badge(lazy_gettext("nothing to do"), "calm"),
    FileStatus.DISCARDED: Badge(lazy_gettext("discarded"), "calm"),
}

ATTEMPTS: Mapping[str, Badge] = {
    AttemptStatus.RUNNING: Badge(lazy_gettext("under way"), "busy"),
    AttemptStatus.SUCCESS: Badge(lazy_gettext("imported"), "good"),
    AttemptStatus.PARTIAL: Badge(lazy_gettext("imported in part"), "warn"),
    AttemptStatus.SKIPPED: Badge(lazy_gettext("nothing to do"), "calm"),
    AttemptStatus.RETRYING: Badge(lazy_gettext("will be tried again"), "warn"),
    AttemptStatus.FAILED: Badge(lazy_gettext("failed"), "bad"),
    AttemptStatus.DISCARDED: Badge(lazy_gettext("discarded"), "calm"),
    AttemptStatus.INTERRUPTED: Badge(lazy_gettext("cut off"), "warn"),
    AttemptStatus.RELEASED: Badge(lazy_gettext("does not count"), "calm"),
}

OUTCOMES: Mapping[str, Badge] = {
    RecordOutcome.NEW: Badge(lazy_gettext("new"), "good"),
    RecordOutcome.UPDATED: Badge(lazy_gettext("changed"), "good"),
    RecordOutcome.UNCHANGED: Badge(lazy_gettext("unchanged"), "calm"),
    RecordOutcome.DELETED: Badge(lazy_gettext("gone"), "warn"),
    RecordOutcome.REACTIVATED: Badge(lazy_gettext("back again"), "good"),
    RecordOutcome.SKIPPED: Badge(lazy_gettext("left out"), "calm"),
    RecordOutcome.HELD: Badge(lazy_gettext("held"), "warn"),
    RecordOutcome.FAILED: Badge(lazy_gettext("failed"), "bad"),
}

RULES: Mapping[str, LazyString] = {
    "token": lazy_gettext("The registration's own mark is known."),
    "email_and_name": lazy_gettext("E-mail and name agree with exactly one person."),
    "new": lazy_gettext("Nobody like this was known."),
    "same_email": lazy_gettext("Somebody else has the same e-mail address."),
    "same_name_and_birth_date": lazy_gettext("Somebody has the same name and birth date."),
    "same_token": lazy_gettext("Somebody else's registration carries the same mark."),
    "several_matches": lazy_gettext("Several people have this e-mail address and name."),
    "same_record": lazy_gettext("The record is the same as last time."),
    "exact": lazy_gettext("Name and address agree."),
    "id": lazy_gettext("The source's number and the person agree."),
    "name": lazy_gettext("Name and postal code agree."),
    "compound": lazy_gettext("Same address, and the names fit (compound, shortened or incomplete)."),
    "renamed": lazy_gettext("First name, address and title agree: a changed last name."),
    "similar": lazy_gettext("Somebody resembles the person strongly."),
    "duplicate_in_file": lazy_gettext("The same person stands in the file twice."),
    "ambiguous": lazy_gettext("Several people may be meant."),
    "answered": lazy_gettext("Somebody here has decided so before."),
    "none": lazy_gettext("Nobody known is meant."),
    "corrected": lazy_gettext("A person corrected the file."),
    "entered_by_hand": lazy_gettext("A person entered this by hand."),
}

ACCESSES: Mapping[str, LazyString] = {
    Access.VIEW: lazy_gettext("looked at"),
    Access.LIST: lazy_gettext("looked at a list"),
    Access.CREATE: lazy_gettext("entered"),
    Access.CHANGE: lazy_gettext("changed"),
    Access.DELETE: lazy_gettext("deleted"),
    Access.EXPORT: lazy_gettext("downloaded"),
}

ROLES: Mapping[Role, LazyString] = {
    Role.LOOK: lazy_gettext("overview"),
    Role.READ: lazy_gettext("looks"),
    Role.WRITE: lazy_gettext("edits"),
    Role.OPERATE: lazy_gettext("operates"),
}

REVIEW_STATES: Mapping[str, Badge] = {
    ReviewState.OPEN: Badge(lazy_gettext("open"), "warn"),
    ReviewState.RESOLVED: Badge(lazy_gettext("decided"), "good"),
}

SEVERITIES: Mapping[str, Badge] = {
    "error": Badge(lazy_gettext("error"), "bad"),
    "finding": Badge(lazy_gettext("remark"), "calm"),
}

PEOPLE: Mapping[str, LazyString] = {
    "patient": lazy_gettext("Patient"),
    "therapist": lazy_gettext("Therapist"),
}

REVIEW_KINDS: Mapping[str, LazyString] = {
    ReviewKind.POSSIBLE_DUPLICATE: lazy_gettext("Possible duplicate"),
    ReviewKind.CONFLICT: lazy_gettext("Staff and source differ"),
    ReviewKind.HELD_DELETIONS: lazy_gettext("Held deletions"),
}

RESTRICTIONS: Mapping[str, LazyString] = {
    Restriction.RESTRICTED: lazy_gettext("Processing restricted"),
    Restriction.WITHDRAWN: lazy_gettext("Consent withdrawn"),
}

CHOICES: Mapping[str, LazyString] = {
    ReviewChoice.MERGE: lazy_gettext("the same person, joined"),
    ReviewChoice.SEPARATE: lazy_gettext("two different people"),
    ReviewChoice.SOURCE: lazy_gettext("the source is right"),
    ReviewChoice.STAFF: lazy_gettext("our value stays"),
    ReviewChoice.APPLY: lazy_gettext("marked as gone"),
    ReviewChoice.REJECT: lazy_gettext("left as they are"),
    ReviewChoice.ERASED: lazy_gettext("settled by an erasure"),
    ReviewChoice.SETTLED: lazy_gettext("settled by newer data"),
}

ACTIONS: Mapping[str, LazyString] = {
    Action.RUN: lazy_gettext("asked for a pass"),
    Action.RETRY: lazy_gettext("asked for another attempt"),
    Action.DISCARD: lazy_gettext("discarded the file"),
    Action.CORRECT: lazy_gettext("corrected the file"),
    Action.ENTER: lazy_gettext("entered the person of the file by hand"),
    Action.NOTE: lazy_gettext("noted"),
    Action.TAKE: lazy_gettext("takes care of it"),
    Action.GIVE_BACK: lazy_gettext("does not take care of it any more"),
    Action.RESOLVE: lazy_gettext("made a decision"),
    Action.UNDO: lazy_gettext("undid the decision"),
    Action.MERGE: lazy_gettext("joined two entries"),
    Action.CREATE: lazy_gettext("entered the person"),
    Action.DELETE: lazy_gettext("deleted the person"),
    Action.ERASE: lazy_gettext("erased the person's data"),
    Action.ALLOW: lazy_gettext("let the import bring somebody back"),
    Action.REPLAY_EVENTS: lazy_gettext("had events sent again"),
    Action.RELEASE_EVENT: lazy_gettext("released an event"),
    Action.DROP_EVENT: lazy_gettext("gave up an event"),
}

ALERTS: Mapping[str, LazyString] = {
    AlertKind.PROBLEM: lazy_gettext("problem"),
    AlertKind.REMINDER: lazy_gettext("reminder of a problem that lasts"),
    AlertKind.RESOLVED: lazy_gettext("problem that is over"),
    AlertKind.DIGEST: lazy_gettext("daily digest"),
}

WORKERS: Mapping[str, LazyString] = {
    Work.IMPORT: lazy_gettext("imports files"),
    Work.RELAY: lazy_gettext("sends events"),
    Work.MAILER: lazy_gettext("sends mails"),
    Work.CONTACTS: lazy_gettext("keeps the last contacts"),
}

WORKER_STATES: Mapping[str, LazyString] = {
    WorkerState.LEADING: lazy_gettext("at work"),
    WorkerState.STANDBY: lazy_gettext("ready to take over"),
    WorkerState.STOPPED: lazy_gettext("stopped"),
}


def number(bare: int | str) -> str:
    """A file's number as people say it: `P12`."""
    return current_service().kernel.number(bare)


def review_number(bare: int) -> str:
    """A review's number as people say it: `PE12`."""
    return current_service().kernel.review_number(bare)


def _badge(badges: Mapping[str, Badge], name: str) -> Badge:
    """A word that is unknown here, as after a change of versions, says itself."""
    return badges.get(name, Badge(name, "calm"))


def file_state(status: str) -> Badge:
    """The badge of a file's status."""
    return _badge(FILE_STATES, status)


def attempt(status: str) -> Badge:
    """The badge of how an attempt at a file ended."""
    return _badge(ATTEMPTS, status)


def outcome(name: str) -> Badge:
    """The badge of a record's outcome."""
    return _badge(OUTCOMES, name)


def rule(name: str | None) -> str:
    """Which rule decided, as a sentence; empty where none did."""
    return str(RULES.get(name, name)) if name else ""


def review_kind(kind: str) -> str:
    """What a review is about."""
    return str(REVIEW_KINDS.get(kind, kind))


def open_reviews(kind: str, many: int) -> str:
    """So many decisions of the kind, in words."""
    texts: Mapping[str, str] = {
        ReviewKind.POSSIBLE_DUPLICATE: ngettext("%(num)s possible duplicate", "%(num)s possible duplicates", many),
        ReviewKind.CONFLICT: ngettext(
            "%(num)s field in which staff and source differ", "%(num)s fields in which staff and source differ", many
        ),
        ReviewKind.HELD_DELETIONS: ngettext("%(num)s held list of deletions", "%(num)s held lists of deletions", many),
    }
    return texts.get(kind, f"{format_decimal(many)} {kind}")


def review_state(state: str) -> Badge:
    """The badge of a review's state."""
    return _badge(REVIEW_STATES, state)


def choice(name: str) -> str:
    """What was decided; a word that is unknown here says itself."""
    return str(CHOICES.get(name, name))


def action(name: str) -> str:
    """What a person did, after their name."""
    return str(ACTIONS.get(name, name))


def severity(code: str) -> Badge:
    """Whether a code stopped something, or the import went on."""
    return SEVERITIES[describe(code).severity]


def person_title(service_name: str) -> str:
    """What the people of this service are called."""
    return str(PEOPLE[service_name])


def counts(row: Mapping[str, int]) -> str:
    """A file's records by outcome, in a few words: `3 new, 97 unchanged`."""
    found = [(row[f"{name}_count"], state.word) for name, state in OUTCOMES.items() if row[f"{name}_count"]]
    return ", ".join(f"{format_decimal(many)} {word}" for many, word in found)


def pass_counts(files: Mapping[str, int]) -> str:
    """What a pass did, in a few words."""
    number = sum(many for name, many in files.items() if name not in ("delete_pending", Code.FOLDER_UNREADABLE))
    return str(ngettext("%(num)s file", "%(num)s files", number)) if number else str(gettext("nothing new"))


def since(moment: datetime) -> str:
    """How long ago that was, in one word and a number: `3 days`."""
    return str(format_timedelta(now() - moment, granularity="minute", threshold=1.5))


def page_numbers(page: int, pages: int) -> list[int | None]:
    """The pages of a list to choose from: the first, the last and those around this one; None stands for a gap."""
    shown = sorted(number for number in {1, *range(page - 2, page + 3), pages} if 1 <= number <= pages)
    found: list[int | None] = []
    for number in shown:
        found += [None] if found and number - (found[-1] or 0) > 1 else []
        found.append(number)
    return found


def has_endless_word(text: object) -> bool:
    """Whether a word of it is longer than any line of a phone."""
    return any(len(part) > _LONGEST_WORD for part in str(text).split())


def size(number_of_bytes: int) -> str:
    """A size in bytes for people."""
    if number_of_bytes < 1000:
        return f"{number_of_bytes} B"
    if number_of_bytes < 1_000_000:
        return f"{format_decimal(number_of_bytes / 1000, '0.#')} kB"
    return f"{format_decimal(number_of_bytes / 1_000_000, '0.#')} MB"


def role(of: Role) -> str:
    """A role's word."""
    return str(ROLES[of])


def field(name: str) -> str:
    """A domain field's German name, the same in both languages: `Straße`, `Verträge unterschrieben`."""
    return current_service().fields.labels.get(name) or name.replace("_", " ").capitalize()


def place_of(pointer: str) -> tuple[str, str]:
    """A place in a file in words, and what is left to say of it exactly: the field of a registration, or which record
    of a scrape, counted from one. The words are empty where there are none."""
    section, _, rest = pointer.removeprefix("/").partition("/")
    first, _, inner = rest.partition("/")
    if section == "patient_data" and rest.isidentifier():
        return field(rest), pointer
    if section == "therapists" and first.isdecimal():
        return str(gettext("Entry %(number)s", number=int(first) + 1)), inner
    return "", pointer


def value(content: object) -> str:
    """A value for people; empty for none. Texts of the history that hold JSON are read as such."""
    if isinstance(content, str):
        content = _from_history(content)
    if content is None or content in ("", [], {}):
        return ""
    if isinstance(content, bool):
        return str(gettext("yes") if content else gettext("no"))
    if isinstance(content, list):
        return ", ".join(value(entry) for entry in content)
    if isinstance(content, dict) and set(content) == {DISTANCE}:
        return str(gettext("at most %(number)s km", number=content[DISTANCE]))
    if isinstance(content, dict):
        named = in_order_of_the_week(content)
        return "; ".join(f"{key.replace('_', ' ').capitalize()}: {value(inner)}" for key, inner in named)
    return _text(content)


def _text(content: object) -> str:
    if isinstance(content, datetime):
        return str(format_datetime(content, "short"))
    if isinstance(content, date):
        return str(format_date(content, "medium"))
    if (day := _day_in(str(content))) is not None:
        return str(format_date(day, "medium"))
    return str(content).replace("_", " ") if str(content) in _UNDERSCORED else str(content)


def _day_in(text: str) -> date | None:
    """Histories and files have days as texts."""
    try:
        return date.fromisoformat(text) if len(text) == len("2000-01-01") else None
    except ValueError:
        return None


def actor_name(actor: str | None) -> str:
    """Who did it: a person by the name of their token, a file's import, or the program itself."""
    if not actor:
        return ""
    kind, _, name = actor.partition(":")
    if kind == "import":
        return str(gettext("Import of file %(number)s", number=number(name)))
    return name or str(gettext("the service itself"))


def _from_history(text: str) -> object:
    if text in ("true", "false") or text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


_UNDERSCORED = frozenset(
    {
        "keine_Angabe",
        "auf_der_Suche",
        "in_Therapie",
        "Therapie_abgeschlossen",
        "Suche_abgebrochen",
        "Therapie_abgebrochen",
        "tiefenpsychologisch_fundierte_Psychotherapie",
        "analytische_Psychotherapie",
        "Systemische_Therapie",
    }
)


WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")


def in_order_of_the_week(content: Mapping[str, object]) -> list[tuple[str, object]]:
    """The members with weekdays as they follow each other; PostgreSQL keeps them by the length of their names."""
    return sorted(
        content.items(), key=lambda entry: WEEKDAYS.index(key) if (key := entry[0].lower()) in WEEKDAYS else 7
    )


def access(word: str) -> str:
    """What somebody did with the data of a person or a file."""
    return str(ACCESSES.get(word, word))
