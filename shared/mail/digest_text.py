"""The daily digest in German words, from the counts and codes that its row holds."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict, cast

from shared.words.codes import describe
from shared.words.statuses import RecordOutcome, ReviewKind

Urgency = Literal["well", "changed", "needs_you"]


class DigestDetail(TypedDict):
    """What a digest's row holds: files applied and failed in a day and the applied ones' records by outcome, then what
    there is to do (failed files, open reviews by kind, parked events, people whose time is over,
    copies without an entry) and the codes of what
    is not well.
    """

    files: int
    files_failed: int
    records: Mapping[str, int]
    failed: int
    reviews: Mapping[str, int]
    parked: int
    due: NotRequired[int]
    unknown_copies: NotRequired[int]
    trouble: Sequence[str]


def detail_of(row: Mapping[str, object]) -> DigestDetail:
    """The detail as it was written into the row."""
    return cast("DigestDetail", row)


def state_of(detail: DigestDetail) -> Urgency:
    """What the digest comes down to."""
    if (
        any(detail[name] for name in ("failed", "reviews", "parked", "trouble"))
        or detail.get("due")
        or detail.get("unknown_copies")
    ):
        return "needs_you"
    return "changed" if detail["files"] else "well"


GIST: Mapping[Urgency, str] = {
    "well": "alles in Ordnung",
    "changed": "alles in Ordnung, es gab Neues",
    "needs_you": "es gibt etwas zu tun",
}


def digest_text(detail: DigestDetail) -> str:
    """The body of the mail, in German, without its closing line."""
    state = state_of(detail)
    parts = [f"Tagesbericht: {GIST[state]}.", _listed("In den letzten 24 Stunden", _news(detail))]
    parts += [_listed("Zu tun", _to_do(detail))] if _to_do(detail) else []
    trouble = [f"{code}: {describe(code).german}" for code in detail["trouble"]]
    parts += [_listed("Störungen", trouble)] if trouble else []
    return "\n\n".join(parts)


def _news(detail: DigestDetail) -> list[str]:
    news = [counted(detail["files"], "Datei importiert", "Dateien importiert")] if detail["files"] else []
    news += [counted(detail["files_failed"], "Datei", "Dateien") + " fehlgeschlagen"] if detail["files_failed"] else []
    records = [f"{grouped(number)} {_RECORDS.get(name, name)}" for name, number in detail["records"].items()]
    return [*news, *(["Einträge: " + ", ".join(records)] if records else [])] or ["nichts Neues"]


def _to_do(detail: DigestDetail) -> list[str]:
    failed, parked = detail["failed"], detail["parked"]
    lines = [counted(failed, "fehlgeschlagene Datei", "fehlgeschlagene Dateien")] if failed else []
    for kind in (*ReviewKind, *sorted(detail["reviews"].keys() - set(ReviewKind))):
        number = detail["reviews"].get(kind, 0)
        lines += [counted(number, *_REVIEWS.get(kind, (kind, kind)))] if number else []
    lines += [counted(parked, *_PARKED)] if parked else []
    due = detail.get("due", 0)
    lines += [counted(due, *_DUE)] if due else []
    unknown = detail.get("unknown_copies", 0)
    return [*lines, *([counted(unknown, "Kopie ohne Eintrag", "Kopien ohne Eintrag")] if unknown else [])]


_PARKED = ("abgelehnte Meldung an andere Dienste", "abgelehnte Meldungen an andere Dienste")
_DUE = ("Person, deren Aufbewahrungsfrist abgelaufen ist", "Personen, deren Aufbewahrungsfrist abgelaufen ist")
_RECORDS: Mapping[str, str] = {
    RecordOutcome.NEW: "neu",
    RecordOutcome.UPDATED: "geändert",
    RecordOutcome.UNCHANGED: "unverändert",
    RecordOutcome.DELETED: "weggefallen",
    RecordOutcome.REACTIVATED: "wieder da",
    RecordOutcome.SKIPPED: "ausgelassen",
    RecordOutcome.HELD: "angehalten",
    RecordOutcome.FAILED: "fehlgeschlagen",
}
_REVIEWS: Mapping[str, tuple[str, str]] = {
    ReviewKind.POSSIBLE_DUPLICATE: ("mögliche Dublette", "mögliche Dubletten"),
    ReviewKind.CONFLICT: (
        "Widerspruch zwischen unserem Eintrag und der Arztsuche",
        "Widersprüche zwischen unseren Einträgen und der Arztsuche",
    ),
    ReviewKind.HELD_DELETIONS: ("angehaltene Löschliste", "angehaltene Löschlisten"),
}


def counted(number: int, one: str, many: str) -> str:
    """So many of something, in German."""
    return f"{grouped(number)} {one if number == 1 else many}"


def grouped(number: int) -> str:
    """The number as people write it in German: `10.024`."""
    return f"{number:,}".replace(",", ".")


def _listed(head: str, lines: list[str]) -> str:
    return "\n".join([f"{head}:", *(f"- {line}" for line in lines)])
