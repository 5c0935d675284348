"""Files of a day that are applied together: what the first does, the next one sees, and nothing is asked twice."""

import pytest
import sqlalchemy as sa
from psycopg import Cursor

SEEN = "SELECT nachname, telefon, source_zip, source_word_zip FROM therapist_service.therapeuten ORDER BY id"


class CountingCursor(Cursor):
    """Counts what is sent to the server, statement by statement."""

    sent = 0

    def execute(self, *args, **kwargs):
        CountingCursor.sent += 1
        return super().execute(*args, **kwargs)

    def copy(self, *args, **kwargs):
        CountingCursor.sent += 1
        return super().copy(*args, **kwargs)


@pytest.fixture
def statements(therapists):
    """Runs a pass; returns how many statements its import sent."""

    def count(driver, _record):
        driver.cursor_factory = CountingCursor

    def run():
        CountingCursor.sent = 0
        therapists.run()
        return CountingCursor.sent

    engine = therapists.parts.engine
    engine.dispose()
    sa.event.listen(engine, "connect", count)
    yield run
    sa.event.remove(engine, "connect", count)


def practice(make_therapist, number, zip_code, **changes):
    location = {"street": "Markt", "house_number": str(number), "postal_code": zip_code, "city": "Aachen"}
    name = {"first_name": f"Vorname{number}", "last_name": f"Name{number}"}
    return make_therapist(number, id=f"praxis{number}", basic_info=name, location=location, **changes)


def week(therapists, make_therapist, numbers, day, shift=0, **changes):
    for number in numbers:
        record = practice(make_therapist, number, f"52{number:03d}", **changes)
        therapists.scrape([{**record, "id": f"praxis{number + shift}"}], day, f"52{number:03d}")


def test_statements_follow_batches_and_not_files(therapists, make_therapist, statements):
    def sent(numbers):
        week(therapists, make_therapist, numbers, "2025-07-02")
        first = statements()
        week(therapists, make_therapist, numbers, "2025-07-09")
        unchanged = statements()
        week(therapists, make_therapist, numbers, "2025-07-16", shift=1, contact={"phone": "0241 99"})
        return first, unchanged, statements()

    few = sent(range(1, 4))
    many = sent(range(100, 140))
    assert [file["status"] for file in therapists.files()] == ["success"] * 129
    # One statement more or less is the day's, not the files'.
    assert all(0 < less <= more <= less + 2 for less, more in zip(few, many, strict=True))


def test_a_file_sees_what_the_file_before_it_in_the_batch_has_made(therapists, make_therapist):
    """The neighbour's file creates, that of the own postal code corrects, and each has its event and its history."""
    therapists.scrape([practice(make_therapist, 1, "52062", contact={"phone": "0241 1"})], zip_code="52061")
    therapists.scrape([practice(make_therapist, 1, "52062", contact={"phone": "0241 2"})], zip_code="52062")
    therapists.scrape([practice(make_therapist, 1, "52062", contact={"phone": "0241 3"})], zip_code="52063")
    therapists.run()
    assert therapists.rows(SEEN) == [
        {"nachname": "Name1", "telefon": "0241 2", "source_zip": "52063", "source_word_zip": "52062"}
    ]
    assert therapists.events() == ["therapist.created", "therapist.updated"]
    told = therapists.rows("SELECT payload FROM therapist_service.event_outbox ORDER BY id")
    assert [row["payload"]["therapist_data"]["telefon"] for row in told] == ["0241 1", "0241 2"]
    changes = therapists.rows("SELECT field, old_value, new_value, changed_by FROM therapist_service.field_changes")
    assert changes == [{"field": "telefon", "old_value": "0241 1", "new_value": "0241 2", "changed_by": "import:2"}]
    counts = [(file["new_count"], file["updated_count"], file["skipped_count"]) for file in therapists.files()]
    assert counts == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_the_same_bytes_under_another_name_in_a_batch_count_once(therapists, make_therapist):
    for zip_code in ("52061", "52062"):
        therapists.scrape([practice(make_therapist, 1, "52061")], zip_code=zip_code)
    therapists.run()
    found = [(file["status"], file["error_code"]) for file in therapists.files()]
    assert found == [("success", None), ("skipped", "duplicate_content")]


def test_two_files_of_one_postal_code_and_day_are_never_applied_together(therapists, make_therapist):
    """The folder's and the root's: the latter says of itself that it is the earlier one."""
    therapists.scrape([practice(make_therapist, 1, "52061", contact={"phone": "0241 2"})], zip_code="52061")
    late = therapists.folder / "20250702" / "52061.json"
    therapists.put(late.read_bytes().replace(b"T03:", b"T02:").replace(b"0241 2", b"0241 1"), "52061.json")
    therapists.run()
    assert sorted(str(file["error_code"]) for file in therapists.files()) == ["None", "None"]
    assert therapists.rows(SEEN)[0]["telefon"] == "0241 2"


def test_an_id_that_moved_within_the_batch_is_nobody_elses(therapists, make_therapist):
    """Ids by position: both people of a file change places, and somebody leaves."""
    one, two, three = (practice(make_therapist, number, "52061") for number in (1, 2, 3))
    therapists.scrape([one, two, three], zip_code="52061")
    therapists.scrape([practice(make_therapist, 9, "52062")], zip_code="52062")
    therapists.run()
    moved = [{**two, "id": "praxis1"}, {**three, "id": "praxis2"}]
    therapists.scrape(moved, "2025-07-09", "52061")
    therapists.scrape([practice(make_therapist, 9, "52062")], "2025-07-09", "52062")
    therapists.run()
    rows = therapists.rows("SELECT nachname, external_id FROM therapist_service.therapeuten ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("Name1", None),
        ("Name2", "praxis1"),
        ("Name3", "praxis2"),
        ("Name9", "praxis9"),
    ]


def test_a_file_at_fault_within_a_batch_fails_alone(therapists, make_therapist):
    """Twenty people are known; the file that calls all of them somebody else is refused, its neighbours are applied."""
    people = [practice(make_therapist, number, "52062") for number in range(1, 25)]
    therapists.scrape(people, zip_code="52062")
    therapists.scrape([practice(make_therapist, 90, "52061")], zip_code="52061")
    therapists.run()
    strangers = [practice(make_therapist, number, "52062") for number in range(201, 225)]
    therapists.scrape([practice(make_therapist, 90, "52061", contact={"phone": "0241 9"})], "2025-07-09", "52061")
    therapists.scrape(strangers, "2025-07-09", "52062")
    therapists.scrape([practice(make_therapist, 91, "52063")], "2025-07-09", "52063")
    therapists.run()
    found = [(file["zip"], file["status"], file["error_code"]) for file in therapists.files()[2:]]
    assert found == [
        ("52061", "success", None),
        ("52062", "failed", "implausible_change"),
        ("52063", "success", None),
    ]
    assert therapists.rows("SELECT count(*) FROM therapist_service.therapeuten") == [{"count": 26}]
