"""Sample scrapes of the 116117 search: ordinary weeks of therapist files, and one file of every peculiarity."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple

from curavani.demo.samples.places import AACHEN, PLACES, Place, all_postal_codes
from curavani.demo.samples.practices import Document, Practices, Record, area_of

IMPORTED = "success"
PARTIAL = "partial"
PER_FILE = 100
"""Records in one file: the search shows no more."""

# No place of the ordinary samples, so that a peculiar file never meets an ordinary one.
_PECULIAR_PLACE = Place("Chemnitz", 9111, 9131, "371")
_PECULIAR_SIZE = 10
_MOST_GONE = 5  # as many as may go at once without a person having to look
_OUTCOMES = {"new": "new", "modified": "updated", "unchanged": "unchanged", "deleted": "deleted"}

Maker = Callable[["Practices", str, date], list["Scrape"]]
"""Makes the files of a postal code up to this day."""
Edit = Callable[[Document], Mapping[str, object]]
"""Makes something peculiar of an ordinary document, which it may change."""


class Scrape(NamedTuple):
    """A file for the import folder; `path` is relative to its root.

    `expected` is what becomes of the file: `success`, `partial` (some of its records failed), or a code of the
    catalogue: an error or `superseded` and the like mean that nothing of it is applied, a finding that it is applied
    with it. `outcomes` counts what becomes of its records, zeros left out, if the files are imported in their order.
    """

    path: str
    content: bytes
    expected: str
    outcomes: Mapping[str, int]


def specification_example() -> Scrape:
    """The specification's therapist, in a file of its own."""
    record: Record = {
        "id": "praxis67",
        "status": "modified",
        "last_modified": "2025-07-02T03:13:24.425333",
        "basic_info": {
            "salutation": "Herr",
            "title": "Dr.",
            "first_name": "Thomas",
            "last_name": "Zeevaert",
            "full_name": "Thomas Zeevaert",
            "classification": "Psychotherapie: Ärztliche Psychotherapie",
        },
        "location": {"street": "Salierallee", "house_number": "15", "postal_code": "52066", "city": "Aachen"},
        "contact": {
            "phone": "+49 241 12345",
            "email": "praxis@example.com",
            "fax": "0241 54321",
            "website": "https://www.example.com/",
        },
        "telephone_hours": {"montag": ["10:00-12:00"]},
        "languages": ["Englisch"],
        "therapy_methods": ["Tiefenpsychologisch fundierte Psychotherapie für Erwachsene in Einzeltherapie"],
    }
    document = _document("52066", datetime(2025, 7, 2, 3, 13, 24, 425211), [record])  # noqa: DTZ001 - as the source
    return Scrape("20250702/52066.json", encode(document), IMPORTED, {"new": 1})


def generate_scrapes(seed: int, therapists: int, day: date, per_file: int = PER_FILE) -> list[Scrape]:
    """The first scrape of `therapists` different people, `per_file` to a postal code, beginning in Aachen.

    Raises `ValueError` if the postal codes of the samples do not suffice.
    """
    codes = all_postal_codes()
    sizes = [min(per_file, therapists - start) for start in range(0, therapists, per_file)]
    if len(sizes) > len(codes):
        raise ValueError(f"at most {len(codes)} files of {per_file} therapists")
    practices = Practices(seed, "scrapes")
    return [_first(practices, code, place, size, day) for size, (code, place) in zip(sizes, codes, strict=False)]


def next_week(scrapes: Sequence[Scrape], seed: int, changed: float = 0.05, day: date | None = None) -> list[Scrape]:
    """The same postal codes a week after `scrapes`, or on `day`; the share `changed` of the records differs.

    They have another phone number, another address or another last name, are absent or marked as deleted, or new ones
    join. `scrapes` are ordinary ones.
    """
    practices = Practices(seed, f"week after {[scrape.path for scrape in scrapes[:1]]}")
    documents = [(scrape.path, json.loads(scrape.content)) for scrape in scrapes]
    for _, document in documents:
        practices.reserve(document)
    return [_week(practices, _code(path), document, changed, day) for path, document in documents]


def broken_scrapes(seed: int, day: date) -> list[Scrape]:
    """One file of each peculiarity, together with the earlier files of the same postal code that some need.

    To be imported in this order; each peculiarity has a postal code of its own, and none of `generate_scrapes`.
    """
    practices = Practices(seed, "broken scrapes")
    made: list[Scrape] = []
    for code, make in zip(_PECULIAR_PLACE.postal_codes, _PECULIARITIES.values(), strict=False):
        made += make(practices, code, day)
    return made


def encode(document: Mapping[str, object]) -> bytes:
    """The document on one line, umlauts as they are."""
    return json.dumps(document, ensure_ascii=False).encode()


def _first(practices: Practices, code: str, place: Place, size: int, day: date) -> Scrape:
    """The first scrape of a postal code: everybody is new."""
    return _scrape(code, practices.moment(day), practices.records(code, place, size, day))


def _week(practices: Practices, code: str, document: Document, share: float, day: date | None) -> Scrape:
    """The next scrape of the postal code after `document`."""
    earlier = date.fromisoformat(document["metadata"]["scrape_date"][:10])
    moment = practices.moment(day or earlier + timedelta(days=7))
    place = _place(document["therapists"])
    records: list[Record] = []
    spare = _MOST_GONE
    for record in document["therapists"]:
        if record["status"] == "deleted":
            continue
        followers = practices.a_week_later(record, code, place, moment, share, may_go=spare > 0)
        spare -= sum(follower["status"] == "deleted" for follower in followers)
        records += followers
    return _scrape(code, moment, records)


def _code(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")


def _place(records: Sequence[Record]) -> Place:
    """The place of a file's records, for those who move there."""
    city = records[0]["location"]["city"] if records else AACHEN.city
    return next((place for place in PLACES if place.city == city), AACHEN)


def _document(code: str, moment: datetime, records: list[Record]) -> Document:
    claims = Counter(record["status"] for record in records)
    return {
        "metadata": {
            "scrape_id": f"{area_of(code)}_{moment:%Y%m%d}",
            "scrape_date": moment.isoformat(),
            "postcode_area": area_of(code),
            "total_therapists": len(records),
            "new_therapists": claims["new"],
            "modified_therapists": claims["modified"],
            "deleted_therapists": claims["deleted"],
        },
        "therapists": records,
    }


def _scrape(code: str, moment: datetime, records: list[Record]) -> Scrape:
    """A file that is imported as its records claim."""
    claims = Counter(_OUTCOMES[record["status"]] for record in records)
    content = encode(_document(code, moment, records))
    return Scrape(f"{moment:%Y%m%d}/{code}.json", content, IMPORTED, dict(claims))


def _ordinary(practices: Practices, code: str, day: date, size: int = _PECULIAR_SIZE) -> tuple[Scrape, Document]:
    scrape = _first(practices, code, _PECULIAR_PLACE, size, day)
    return scrape, json.loads(scrape.content)


def _raw(expected: str, spoil: Callable[[bytes], bytes], practices: Practices, code: str, day: date) -> list[Scrape]:
    scrape, _ = _ordinary(practices, code, day)
    return [Scrape(scrape.path, spoil(scrape.content), expected, {})]


def _edited(expected: str, edit: Edit, practices: Practices, code: str, day: date) -> list[Scrape]:
    """An ordinary file but for this edit."""
    scrape, document = _ordinary(practices, code, day)
    outcomes = _OUTCOMES_OF_EDITED.get(expected, {"new": _PECULIAR_SIZE})
    return [Scrape(scrape.path, encode(edit(document)), expected, outcomes)]


def _metadata(key: str, value: object) -> Edit:
    return lambda document: {**document, "metadata": {**document["metadata"], key: value}}


def _field(key: str, value: object, section: Literal["basic_info", "contact"] | None = None) -> Edit:
    """The first record has this value, in one of its sections or beside them."""

    def edit(document: Document) -> Mapping[str, object]:
        first, *others = document["therapists"]
        changed = {**first, section: {**first[section], key: value}} if section else {**first, key: value}
        return {**document, "therapists": [changed, *others]}

    return edit


def _without_therapists(document: Document) -> Mapping[str, object]:
    return {"metadata": document["metadata"]}


def _one_invalid(document: Document) -> Document:
    document["therapists"][3]["location"]["postal_code"] = "5206"
    return document


def _most_invalid(document: Document) -> Document:
    for record in document["therapists"][: _PECULIAR_SIZE // 2 + 1]:
        record["basic_info"]["last_name"] = ""
    return document


def _repeated(document: Document) -> Document:
    """The search shows somebody twice, under two ids."""
    document["therapists"].append(document["therapists"][0] | {"id": "praxis9999"})
    document["metadata"] |= {"total_therapists": _PECULIAR_SIZE + 1, "new_therapists": _PECULIAR_SIZE + 1}
    return document


def _broken_off(practices: Practices, code: str, day: date) -> list[Scrape]:
    """Three ordinary weeks, then a list of less than half their length."""
    first, document = _ordinary(practices, code, day - timedelta(days=21))
    everybody = document["therapists"]
    weeks = [_unchanged(practices, code, everybody, day - timedelta(days=back)) for back in (14, 7)]
    short = _unchanged(practices, code, everybody[:4], day)
    return [first, *weeks, Scrape(short.path, short.content, "implausible_count", {})]


def _late(practices: Practices, code: str, day: date) -> list[Scrape]:
    """A scrape that turns up after its successor."""
    first, document = _ordinary(practices, code, day)
    late = _unchanged(practices, code, document["therapists"], day - timedelta(days=7))
    return [first, Scrape(late.path, late.content, "superseded", {})]


def _copied(practices: Practices, code: str, day: date) -> list[Scrape]:
    """The same file once more, at the root."""
    first, _ = _ordinary(practices, code, day)
    return [first, Scrape(f"{code}.json", first.content, "duplicate_content", {})]


def _emptied(practices: Practices, code: str, day: date) -> list[Scrape]:
    """A week after which more are gone than can be believed."""
    first, document = _ordinary(practices, code, day - timedelta(days=7))
    gone = _MOST_GONE + 1
    records = [record | {"status": "deleted"} for record in document["therapists"][:gone]]
    records += [record | {"status": "unchanged"} for record in document["therapists"][gone:]]
    second = _scrape(code, practices.moment(day), records)
    outcomes = {"held": gone, "unchanged": _PECULIAR_SIZE - gone}
    return [first, Scrape(second.path, second.content, "held_deletions", outcomes)]


def _unchanged(practices: Practices, code: str, records: Sequence[Record], day: date) -> Scrape:
    return _scrape(code, practices.moment(day), [record | {"status": "unchanged"} for record in records])


_EDITS: dict[str, Edit] = {
    "missing_section": _without_therapists,
    PARTIAL: _one_invalid,
    "too_many_invalid": _most_invalid,
    "duplicate_in_file": _repeated,
    "wrong_total": _metadata("total_therapists", 100),
    "scrape_date_assumed": _metadata("scrape_date", "gestern"),
    "postcode_area_mismatch": _metadata("postcode_area", "52XXX"),
    "unknown_status": _field("status", "moved"),
    "unknown_field": _field("mobile", "0171 3920011", "contact"),
    "unknown_salutation": _field("salutation", "Dr.", "basic_info"),
    "missing_salutation": _field("salutation", "", "basic_info"),
    "name_repaired": _field("last_name", "Tietz -Roder", "basic_info"),
    "invalid_email_ignored": _field("email", "praxis(at)example.com", "contact"),
    "unknown_method": _field("therapy_methods", ["Hypnotherapie für Erwachsene in Einzeltherapie"]),
}
_OUTCOMES_OF_EDITED: dict[str, Mapping[str, int]] = {
    "missing_section": {},
    PARTIAL: {"new": _PECULIAR_SIZE - 1, "failed": 1},
    "too_many_invalid": {},
    "duplicate_in_file": {"new": _PECULIAR_SIZE, "skipped": 1},
}
"""Of the others every record is imported."""
_PECULIARITIES: dict[str, Maker] = {
    "invalid_json": partial(_raw, "invalid_json", lambda content: content[: len(content) * 2 // 3]),
    "empty_file": partial(_raw, "empty_file", lambda _: b""),
    "implausible_count": _broken_off,
    "superseded": _late,
    "duplicate_content": _copied,
    "held_deletions": _emptied,
    **{expected: partial(_edited, expected, edit) for expected, edit in _EDITS.items()},
}
EXPECTATIONS = frozenset({IMPORTED, *_PECULIARITIES})
"""Everything that can be expected of a generated scrape."""
