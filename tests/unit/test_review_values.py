"""What lies in the table of reviews: read as values, and written in the form that every version reads."""

import json
from datetime import UTC, date, datetime

import pytest

from shared.database.json_text import json_text
from shared.reviews.stored import read_review, review_json, written_json
from shared.reviews.values import (
    CHOICES,
    ConflictDetail,
    DuplicateDetail,
    FieldConflict,
    HeldDeletion,
    HeldDeletionsDetail,
    HeldRecordDetail,
    Written,
    WrittenRow,
)
from shared.words.statuses import ReviewKind

MOMENT = datetime(2025, 7, 5, 14, 33, 55, 120000, tzinfo=UTC)
SEEN = "2025-07-05T14:33:55.120000+00:00"
DAY = "2025-07-04"
RECORD = {"nachname": "Zeevaert", "telefon": None, "fremdsprachen": ["Türkisch"]}
ORIGIN = {"external_id": None, "area": "52XXX", "zip": "52064", "hash": "abc", "seen_at": SEEN, "day": DAY}
CONFLICT = {"field": "telefon", "staff": "0241 777", "source": None, "base": "0241 1"}
# Each detail as the table holds it.
STORED = {
    "possible_duplicate": (
        {"rule": "same_email", "candidates": [1, 2]},
        DuplicateDetail(candidates=(1, 2), rule="same_email"),
    ),
    "possible_duplicate, held": (
        {"candidates": [1, 2], "record": RECORD, **ORIGIN},
        HeldRecordDetail((1, 2), RECORD, None, "52XXX", "52064", "abc", MOMENT, date(2025, 7, 4)),
    ),
    "conflict": (
        {"fields": [CONFLICT]},
        ConflictDetail((FieldConflict("telefon", "0241 777", None, "0241 1"),)),
    ),
    "held_deletions": (
        {
            "deletions": [{"entity_id": 7, "record_index": 0, "zip": "52064", "day": DAY}],
            "active_before": 20,
            "seen_at": SEEN,
        },
        HeldDeletionsDetail((HeldDeletion(7, 0, "52064", date(2025, 7, 4)),), 20, MOMENT),
    ),
}
MARKED = {"status": "inaktiv", "source_removed_at": SEEN}
ROWS = {"rows": [{"entity_id": 7, "before": {"status": "aktiv", "source_removed_at": None}, "after": MARKED}]}
UNDONE = {
    "choice": "apply",
    "comment": None,
    "decided_by": "api:anna",
    "decided_at": SEEN,
    "undone_by": "api:bert",
    "undone_at": SEEN,
    "why": "vertan",
}


def row(kind="conflict", detail=None, **columns):
    return {
        "id": 3,
        "kind": kind,
        "state": "open",
        "entity_id": 7,
        "other_id": None,
        "import_id": 2,
        "record_index": 0,
        "fingerprint": "f",
        "detail": detail or {},
        "choice": None,
        "comment": None,
        "decided_by": None,
        "decided_at": None,
        "created_at": MOMENT,
        **columns,
    }


def resolved(kind, detail, choice):
    return read_review(row(kind, detail, state="resolved", choice=choice, decided_by="api:anna", decided_at=MOMENT))


@pytest.mark.parametrize("case", STORED)
def test_a_detail_is_read_as_a_value_and_written_as_it_was(case):
    stored, value = STORED[case]
    assert read_review(row(case.partition(",")[0], stored)).detail == value
    assert json.loads(json_text(value)) == stored


def test_a_conflict_that_kept_no_base_is_read_without_one():
    stored = {"fields": [{"field": "telefon", "staff": "1", "source": "2"}]}
    assert read_review(row("conflict", stored)).detail == ConflictDetail((FieldConflict("telefon", "1", "2", None),))


@pytest.mark.parametrize(
    ("done", "written"),
    [
        ({}, Written()),
        ({"created": 9}, Written(created=9)),
        (ROWS, Written((WrittenRow(7, ROWS["rows"][0]["before"], MARKED),))),
    ],
)
def test_what_resolving_wrote_is_read_and_written_as_before(done, written):
    review = resolved("held_deletions", {**STORED["held_deletions"][0], "done": done}, "apply")
    assert (review.written, review.can_undo) == (written, True)
    assert json.loads(json_text(written_json(written))) == done


@pytest.mark.parametrize(
    ("choice", "done", "undoable"),
    [
        ("merge", {"done": {}}, False),
        ("separate", {"done": {}}, True),
        ("separate", {}, False),  # resolved before what it wrote was kept
        ("erased", {"done": {}}, False),
        ("brand_new", {"done": {}}, False),
    ],
)
def test_what_can_be_undone_is_what_was_kept_and_is_not_final(choice, done, undoable):
    assert resolved("possible_duplicate", {"candidates": [1], **done}, choice).can_undo is undoable


def test_an_open_review_has_nothing_to_undo():
    assert not read_review(row("conflict", {"fields": [CONFLICT], "done": {}}, choice="source")).can_undo


def test_a_review_that_an_erasure_blanked_has_no_detail():
    assert resolved("possible_duplicate", {}, "erased").detail is None


def test_resolutions_that_were_undone_come_along():
    review = read_review(row("held_deletions", {**STORED["held_deletions"][0], "earlier": [UNDONE]}))
    (undone,) = review.earlier
    assert (undone.choice, undone.undone_by, undone.undone_at, undone.why) == ("apply", "api:bert", MOMENT, "vertan")


@pytest.mark.parametrize("case", STORED)
def test_the_api_shows_the_columns_as_they_are(case):
    detail = {**STORED[case][0], "done": {}, "earlier": [UNDONE]}
    given = row(case.partition(",")[0], detail, state="resolved", choice="staff", decided_at=MOMENT)
    shown = review_json(read_review(given))
    assert shown == {name: value for name, value in json.loads(json_text(given)).items() if name != "fingerprint"}


def test_an_open_review_shows_no_traces_of_what_never_happened():
    assert review_json(read_review(row("conflict", STORED["conflict"][0])))["detail"] == STORED["conflict"][0]
    assert set(CHOICES) == set(ReviewKind)


def test_without_a_scrape_day_that_of_the_moment_stands_for_it():
    held = {name: value for name, value in STORED["possible_duplicate, held"][0].items() if name != "day"}
    assert read_review(row("possible_duplicate", held)).detail.scrape_day == date(2025, 7, 5)
    deletions = {"deletions": [{"entity_id": 7, "record_index": 0}], "active_before": 20, "seen_at": SEEN}
    detail = read_review(row("held_deletions", deletions)).detail
    assert detail.day_of(detail.deletions[0]) == date(2025, 7, 5)
