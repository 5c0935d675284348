"""Odd values of scrapes, as rows and alarms show them."""

import pytest

from therapist_service.imports.drift import LEAST_RECORDS, drops
from therapist_service.imports.fill_rates import fills_by_day

WEEK, NEXT_WEEK = "2025-07-02", "2025-07-09"


def remarks(therapists, code):
    return therapists.rows(
        "SELECT pointer, record_index, records FROM therapist_service.import_findings WHERE code = :code ORDER BY id",
        code=code,
    )


@pytest.mark.parametrize("nothing", ["k.A.", "-", "n/a", "keine", "Unbekannt", "auf Anfrage", "\u200b"])
def test_a_placeholder_overwrites_nothing_and_counts_as_empty(therapists, make_therapist, nothing):
    everybody = range(1, LEAST_RECORDS + 1)
    therapists.scrape([make_therapist(number) for number in everybody])
    therapists.run()
    therapists.scrape([make_therapist(number, contact={"phone": nothing}) for number in everybody], day=NEXT_WEEK)
    therapists.run()
    assert {row["telefon"] for row in therapists.therapists()} == {"+49 241 12345"}
    assert therapists.last_file()["unchanged_count"] == LEAST_RECORDS
    with therapists.engine.begin() as connection:
        latest, *earlier = fills_by_day(connection)
    assert set(drops(latest, earlier)) == {"telefon"}


@pytest.mark.parametrize(("number", "kept"), [(20, [1] * 20), (21, [21])])
def test_more_than_twenty_remarks_of_a_code_are_kept_as_one(therapists, make_therapist, number, kept):
    odd = [make_therapist(each, contact={"fax": "-"}) for each in range(1, number + 1)]
    therapists.scrape([*odd, *(make_therapist(each) for each in range(number + 1, 31))])
    therapists.run()
    found = remarks(therapists, "placeholder")
    assert [finding["records"] for finding in found] == kept
    if number > 20:
        assert (found[0]["pointer"], found[0]["record_index"]) == ("/therapists", None)


def test_of_errors_each_keeps_its_place(therapists, make_therapist):
    bad = [make_therapist(each, location={"postal_code": "5206"}) for each in range(1, 26)]
    therapists.scrape([*bad, *(make_therapist(each) for each in range(26, 61))])
    therapists.run()
    found = remarks(therapists, "invalid_zip")
    assert [finding["record_index"] for finding in found] == list(range(25))
    assert {finding["records"] for finding in found} == {1}


def test_a_misread_file_doubles_nobody(therapists, make_therapist):
    """Forty of sixty are failed, more than half: nothing is applied. Twenty of them: the others are."""
    named = [make_therapist(each, basic_info={"last_name": f"Müller{chr(64 + each)}"}) for each in range(1, 61)]
    therapists.scrape(named)
    therapists.run()
    for day, broken in ((NEXT_WEEK, 40), ("2025-07-16", 20)):
        misread = [
            make_therapist(each, basic_info={"last_name": f"MÃ¼ller{chr(64 + each)}"}) for each in range(1, broken + 1)
        ]
        therapists.scrape([*misread, *named[broken:]], day=day)
        therapists.run()
    assert [file["error_code"] for file in therapists.files()] == [None, "too_many_invalid", None]
    assert (therapists.last_file()["failed_count"], therapists.last_file()["unchanged_count"]) == (20, 40)
    assert len(therapists.therapists()) == 60


def test_titles_that_the_scraper_moves_into_names_change_nobody(therapists, make_therapist):
    therapists.scrape([make_therapist(each) for each in range(1, 31)])
    therapists.run()
    moved = [make_therapist(each, basic_info={"title": "", "first_name": "Dr. Thomas"}) for each in range(1, 31)]
    therapists.scrape(moved, day=NEXT_WEEK)
    therapists.run()
    assert (therapists.last_file()["unchanged_count"], len(therapists.therapists())) == (30, 30)
    assert remarks(therapists, "title_in_name") == [{"pointer": "/therapists", "record_index": None, "records": 30}]


def test_a_changed_extension_is_a_change(therapists, make_therapist):
    for day, number in (
        (WEEK, "0241 12345 App. 7"),
        (NEXT_WEEK, "0241 12345 App. 8"),
        ("2025-07-16", "0241/12345 DW 8"),
    ):
        therapists.scrape([make_therapist(1, contact={"phone": number})], day=day)
        therapists.run()
    assert [file["updated_count"] for file in therapists.files()] == [0, 1, 0]
    assert therapists.therapists()[0]["telefon"] == "0241 12345 App. 8"


def test_a_house_number_in_the_street_is_no_move(therapists, make_therapist):
    therapists.scrape([make_therapist(12)])
    therapists.run()
    therapists.scrape([make_therapist(12, location={"street": "Salierallee 12"})], day=NEXT_WEEK)
    therapists.run()
    assert (therapists.last_file()["unchanged_count"], therapists.therapists()[0]["strasse"]) == (1, "Salierallee 12")
