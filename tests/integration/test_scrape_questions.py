"""Decisions keep up with the data: closed, refused or asked anew, never stale."""

import pytest

from shared.core.errors import NotAllowedError
from shared.reviews.reviews import ResolutionRefused
from shared.reviews.values import Resolution
from therapist_service.reviews import resolve_review
from therapist_service.use_cases import (
    Change,
    create_therapists,
    delete_therapist,
    lock_therapists,
    update_therapists,
)

pytestmark = pytest.mark.slow

WEEKS = ["2025-07-02", "2025-07-09", "2025-07-16", "2025-07-23", "2025-07-30"]


def resolve(therapists, choice, review_id=1, **more):
    with therapists.engine.begin() as connection:
        return resolve_review(connection, review_id, Resolution(choice, "api:test", **more))


def staff_writes(therapists, row_id=1, **values):
    with therapists.engine.begin() as connection:
        row = vars(lock_therapists(connection, [row_id])[row_id])
        update_therapists(connection, [Change(row, values)], "api:test")


def staff_enter(therapists, fields):
    with therapists.engine.begin() as connection:
        create_therapists(connection, [{**fields, "status": "aktiv"}], "api:test")


def week(therapists, number, *records):
    therapists.scrape(list(records), WEEKS[number])
    return therapists.run()


def reviews(therapists):
    return [(review["kind"], review["choice"], review["decided_by"]) for review in therapists.reviews()]


def phone(make_therapist, number, **more):
    return make_therapist(1, contact={"phone": number}, **more)


@pytest.fixture
def asked(therapists, make_therapist):
    """Staff say 888, the source 777."""
    week(therapists, 0, phone(make_therapist, "0241 666"))
    staff_writes(therapists, telefon="0241 888")
    week(therapists, 1, phone(make_therapist, "0241 777"))
    assert reviews(therapists) == [("conflict", None, None)]
    return therapists


@pytest.mark.parametrize("notation", ["0241 888", "+49 241 888"])
def test_a_conflict_is_settled_once_source_and_row_agree_again(asked, make_therapist, notation):
    week(asked, 2, phone(make_therapist, notation))
    assert reviews(asked) == [("conflict", "settled", "import:3")]
    with pytest.raises(NotAllowedError):
        resolve(asked, "source")
    assert asked.therapists()[0]["telefon"] == "0241 888"


def test_a_conflict_is_settled_where_staff_took_the_sources_value_by_hand(asked, make_therapist):
    staff_writes(asked, telefon="0241 777")
    week(asked, 2, phone(make_therapist, "0241 777"))
    assert reviews(asked) == [("conflict", "settled", "import:3")]


def test_the_source_is_what_it_says_now(asked, make_therapist):
    # Back to what it said before anybody was asked: that answers nothing.
    week(asked, 2, phone(make_therapist, "0241 666"))
    open_ones = [review for review in asked.reviews() if review["state"] == "open"]
    assert len(open_ones) == 1
    resolve(asked, "source", open_ones[0]["id"])
    assert asked.therapists()[0]["telefon"] == "0241 666"


def test_a_newer_conflict_takes_the_place_of_the_older_one(asked, make_therapist):
    week(asked, 2, phone(make_therapist, "0241 999"))
    assert reviews(asked) == [("conflict", "settled", "import:3"), ("conflict", None, None)]
    resolve(asked, "source", 2)
    assert asked.therapists()[0]["telefon"] == "0241 999"


PLACELESS = {"street": "", "house_number": ""}


def at(make_therapist, street, number, external_id, **more):
    return make_therapist(1, id=external_id, location={"street": street, "house_number": number}, **more)


@pytest.fixture
def ambiguous(therapists, make_therapist):
    """Two practices of one name, and a record without an address that may be either."""
    therapists.both = [at(make_therapist, "Hof", "1", "praxis1"), at(make_therapist, "Markt", "9", "praxis2")]
    therapists.record = make_therapist(1, id="praxis7", location=PLACELESS, contact={"phone": "0241 777"})
    week(therapists, 0, *therapists.both)
    week(therapists, 1, therapists.record)
    assert reviews(therapists) == [("possible_duplicate", None, None)]
    return therapists


def test_a_record_that_is_held_again_is_the_same_question_with_newer_data(ambiguous):
    newer = {**ambiguous.record, "contact": {"phone": "0241 999"}}
    week(ambiguous, 2, newer)
    (review,) = ambiguous.reviews()
    assert (review["import_id"], review["detail"]["record"]["telefon"]) == (3, "0241 999")
    resolve(ambiguous, "merge", into=2)
    assert ambiguous.therapists()[1]["telefon"] == "0241 999"


@pytest.mark.parametrize(
    ("zip_code", "number"),
    [("52001", 1), ("52099", 1), ("52099", 0)],
    ids=["smaller postal code", "greater postal code", "older day"],
)
def test_a_question_keeps_what_the_file_with_the_word_says(ambiguous, zip_code, number):
    other = {**ambiguous.record, "contact": {"phone": "0241 999"}}
    ambiguous.scrape([other], WEEKS[number], zip_code)
    ambiguous.run()
    assert ambiguous.last_file()["held_count"] == 1
    (review,) = ambiguous.reviews()
    assert (review["import_id"], review["detail"]["record"]["telefon"]) == (2, "0241 777")


@pytest.mark.parametrize("choice", ["separate", "merge"])
def test_a_question_whose_record_has_found_its_row_is_closed(ambiguous, make_therapist, choice):
    week(ambiguous, 2, at(make_therapist, "Hof", "1", "praxis7"))
    assert reviews(ambiguous) == [("possible_duplicate", "settled", "import:3")]
    with pytest.raises(NotAllowedError):
        resolve(ambiguous, choice, **({"into": 2} if choice == "merge" else {}))
    assert len(ambiguous.therapists()) == 2


def test_a_record_that_has_found_its_row_within_the_pass_becomes_no_second_one(ambiguous, make_therapist):
    ambiguous.scrape([at(make_therapist, "Hof", "1", "praxis7")], WEEKS[2])
    stops = iter([False])
    ambiguous.parts.monitor.run_once("test", lambda: next(stops, True))
    ambiguous.rows("UPDATE therapist_service.reviews SET state = 'open', decided_at = NULL RETURNING id")
    with pytest.raises(ResolutionRefused) as refused:
        resolve(ambiguous, "separate")
    assert refused.value.code == "answered_since"


def test_an_answer_holds_for_as_long_as_it_may_still_be_that_row(ambiguous):
    resolve(ambiguous, "merge", into=2)
    staff_writes(ambiguous, 2, telefon="0241 888")
    for number in (2, 3):
        # The ids are positions: the same record comes under another one each week.
        report = week(ambiguous, number, {**ambiguous.record, "id": f"praxis{50 + number}"})
        assert not report.has_trouble
    assert len(ambiguous.reviews()) == 1
    assert ambiguous.therapists()[1]["external_id"] == "praxis53"
    with ambiguous.engine.begin() as connection:
        delete_therapist(connection, 2, "api:test")
    week(ambiguous, 4, *ambiguous.both, {**ambiguous.record, "id": "praxis99"})
    assert len(ambiguous.therapists()) == 2


def test_a_merge_that_is_answered_late_writes_nothing_older(ambiguous, make_therapist):
    newer = at(make_therapist, "Hof", "1", "praxis1", contact={"phone": "0241 999"}, languages=[])
    ambiguous.scrape([newer], WEEKS[2], "52070")
    ambiguous.run()
    staff_writes(ambiguous, webseite=None, fremdsprachen=[])
    resolve(ambiguous, "merge", into=1)
    row = ambiguous.therapists()[0]
    assert (row["telefon"], row["fremdsprachen"], row["external_id"]) == ("0241 999", ["Englisch"], "praxis1")


def test_a_late_merge_into_another_row_than_the_record_s_own_is_refused(ambiguous, make_therapist):
    ambiguous.scrape([at(make_therapist, "Hof", "1", "praxis7")], WEEKS[2])
    stops = iter([False])
    ambiguous.parts.monitor.run_once("test", lambda: next(stops, True))
    ambiguous.rows("UPDATE therapist_service.reviews SET state = 'open', decided_at = NULL RETURNING id")
    before = ambiguous.therapists()
    with pytest.raises(ResolutionRefused) as refused:
        resolve(ambiguous, "merge", into=2)
    assert (refused.value.code, ambiguous.therapists()) == ("answered_since", before)
    resolve(ambiguous, "merge", into=1)


@pytest.fixture
def alike(therapists, make_therapist):
    """Somebody of another first name with the same mail, who is held."""
    contact = {"email": "a@example.com"}
    week(therapists, 0, at(make_therapist, "Hof", "1", "praxis1", contact=contact))
    therapists.record = at(
        make_therapist, "Markt", "9", "praxis2", contact=contact, basic_info={"first_name": "Rita", "title": "Dr."}
    )
    week(therapists, 1, therapists.record)
    assert reviews(therapists) == [("possible_duplicate", None, None)]
    return therapists


@pytest.mark.parametrize("choice", ["separate", "merge"])
def test_somebody_whom_staff_have_entered_meanwhile_becomes_no_second_row(alike, choice):
    (held,) = alike.reviews()
    staff_enter(alike, held["detail"]["record"])
    with pytest.raises(ResolutionRefused) as refused:
        resolve(alike, choice)
    assert refused.value.code == "answered_since"
    assert not alike.run().counts
    assert reviews(alike) == [("possible_duplicate", "settled", "import:2")]
    assert len(alike.therapists()) == 2


@pytest.mark.parametrize(("choice", "row_id"), [("separate", 2), ("merge", 1)])
def test_the_file_whose_record_was_held_has_the_word_from_then_on(alike, make_therapist, choice, row_id):
    resolve(alike, choice)
    row = alike.therapists()[row_id - 1]
    assert (row["source_word_zip"], row["source_word_at"].date().isoformat()) == ("52066", WEEKS[1])
    # A neighbour's file lists the practice on the same day, and another day.
    other = {**alike.record, "contact": {"email": "a@example.com", "phone": "0241 999"}}
    for number in (1, 2):
        alike.scrape([other], WEEKS[number], "52001")
        alike.run()
    assert alike.last_file()["skipped_count"] == 1
    assert alike.therapists()[row_id - 1]["telefon"] == row["telefon"]
