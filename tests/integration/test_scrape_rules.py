"""Rules of the import of scrapes that only whole passes show: attempts, the day of a scrape, the guard of deletions."""

import json
from contextlib import contextmanager

import pytest


@pytest.fixture
def unreadable(therapists):
    """Runs a pass to which the folder of a listed file is lost whenever a file is read, and gives the folder back."""

    def run(day):
        folder = therapists.folder / day

        @contextmanager
        def lost_while_read(stage):
            if stage != "read":
                yield
                return
            away = folder.rename(folder.with_name("away"))
            try:
                yield
            finally:
                away.rename(folder)

        therapists.parts.source.stage = lost_while_read
        report = therapists.run()
        # Its next attempt is due at once.
        therapists.rows("UPDATE therapist_service.import_tracking SET next_attempt_at = NULL RETURNING id")
        return dict(report.counts)

    return run


def test_a_scrape_that_cannot_be_read_is_given_up_after_the_eighth_attempt(therapists, make_therapist, unreadable):
    therapists.scrape([make_therapist(1)])
    therapists.scrape([make_therapist(2)], day="2025-07-09", zip_code="52070")
    assert [unreadable("20250702") for _ in range(8)] == [
        {"retrying": 1, "success": 1},
        *[{"retrying": 1}] * 6,
        {"failed": 1},
    ]
    (file,) = therapists.rows("SELECT * FROM therapist_service.import_tracking WHERE zip = '52066'")
    assert (file["status"], file["error_code"], file["attempts"]) == ("failed", "file_unreadable", 8)
    assert therapists.rows("SELECT code FROM therapist_service.alert_outbox") == [{"code": "file_unreadable"}]
    assert dict(therapists.run().counts) == {}


def put(therapists, records, moment, path):
    metadata = {"scrape_date": moment, "postcode_area": "52XXX"}
    therapists.put(json.dumps({"metadata": metadata, "therapists": records}).encode(), path)


@pytest.mark.parametrize("moment", ["2025-07-02T12:00:00", "2025-07-02T23:59:59"])
def test_of_two_scrapes_of_one_day_none_but_an_earlier_one_is_left_out(therapists, make_therapist, moment):
    put(therapists, [make_therapist(1), make_therapist(2)], "2025-07-02T12:00:00", "20250702/52066.json")
    therapists.run()
    moved = make_therapist(1, contact={"phone": "0241 999"})
    put(therapists, [moved, make_therapist(2), make_therapist(3)], moment, "52066.json")
    therapists.run()
    file = therapists.last_file()
    assert (file["status"], file["error_code"]) == ("success", None)
    assert (file["updated_count"], file["unchanged_count"], file["new_count"]) == (1, 1, 1)
    assert therapists.therapists()[0]["telefon"] == "0241 999"


def test_of_the_day_before_both_the_file_and_its_records_are_older(therapists, make_therapist):
    put(therapists, [make_therapist(1)], "2025-07-03T00:00:00", "20250703/52066.json")
    therapists.run()
    moved = make_therapist(1, contact={"phone": "0241 999"})
    put(therapists, [moved], "2025-07-02T23:59:59", "20250702/52066.json")
    put(therapists, [moved], "2025-07-02T23:59:59.5", "20250702/52070.json")
    therapists.run()
    rows = therapists.rows(
        "SELECT zip, status, error_code, skipped_count FROM therapist_service.import_tracking"
        " WHERE file_name LIKE '20250702/%' ORDER BY zip"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("52066", "skipped", "superseded", 0),
        ("52070", "success", None, 1),
    ]
    assert therapists.therapists()[0]["telefon"] == "+49 241 12345"


@pytest.fixture
def held_of(therapists, make_therapist):
    """Twenty active therapists and some who are not, of whom the next file calls some gone; how many are held."""

    def run(status, inactive, gone):
        everybody = [make_therapist(number) for number in range(1, 21 + inactive)]
        therapists.scrape(everybody)
        therapists.run()
        therapists.rows(
            "UPDATE therapist_service.therapeuten SET status = :status WHERE id > 20 RETURNING id", status=status
        )
        deleted = [{"id": f"praxis{number}", "status": "deleted"} for number in range(1, gone + 1)]
        therapists.scrape([*deleted, *everybody[gone:]], day="2025-07-09")
        therapists.run()
        file = therapists.last_file()
        assert file["held_count"] + file["deleted_count"] == gone
        return file["held_count"]

    return run


@pytest.mark.parametrize("status", ["inaktiv", "gesperrt"])
@pytest.mark.parametrize(("inactive", "gone", "held"), [(0, 6, 6), (10, 6, 6), (30, 6, 6), (30, 5, 0)])
def test_the_guard_measures_against_the_active_therapists_alone(held_of, status, inactive, gone, held):
    assert held_of(status, inactive, gone) == held
