"""What a scrape file says about itself, and whether that is believable."""

import time
from datetime import UTC, date, datetime

import pytest

from shared.core.errors import RejectedError
from therapist_service.imports.envelope import (
    Dating,
    count_findings,
    is_implausible_change,
    plausibility,
    read_envelope,
)

FILE_TIME = datetime(2025, 7, 3, 8, 0, tzinfo=UTC)
PRESENT = datetime(2025, 7, 5, 8, 0, tzinfo=UTC)
METADATA = {"scrape_id": "52XXX_20250702", "scrape_date": "2025-07-02T03:13:24.425211", "postcode_area": "52XXX"}


def read(folder_date=None, file_time=FILE_TIME, **changes):
    return read_envelope({**METADATA, **changes}, "52066", Dating(folder_date, file_time, PRESENT))


def codes(findings):
    return [(finding.pointer, finding.code) for finding in findings]


def test_an_ordinary_envelope_has_no_findings():
    envelope, findings = read()
    assert envelope.scrape_moment == datetime(2025, 7, 2, 3, 13, 24, 425211, UTC)
    assert (envelope.zip, envelope.area, envelope.scrape_day) == ("52066", "52XXX", date(2025, 7, 2))
    assert (envelope.totals, envelope.states_moment, findings) == (None, True, [])


@pytest.mark.parametrize("metadata", [None, [], "text"])
def test_without_metadata_there_is_no_file_to_apply(metadata):
    with pytest.raises(RejectedError) as refused:
        read_envelope(metadata, "52066", Dating(None, FILE_TIME, PRESENT))
    assert (refused.value.code, codes(refused.value.findings)) == (
        "missing_section",
        [("/metadata", "missing_section")],
    )


@pytest.mark.parametrize(
    "value", [None, "", "gestern", "2025-02-30", 20250702, "0001-01-01T00:00:00+14:00", "2025-07-06T08:01"]
)
@pytest.mark.parametrize(
    ("folder_date", "expected"),
    [(date(2025, 7, 1), datetime(2025, 7, 1, tzinfo=UTC)), (None, FILE_TIME)],
)
def test_unreadable_scrape_date_is_replaced_with_a_finding(value, folder_date, expected):
    envelope, findings = read(folder_date, scrape_date=value)
    assert (envelope.scrape_moment, envelope.scrape_day) == (expected, expected.date())
    assert envelope.states_moment is False
    assert codes(findings) == [("/metadata/scrape_date", "scrape_date_assumed")]


@pytest.mark.parametrize(
    ("stated", "folder_date", "file_time", "expected"),
    [
        ("2025-07-06T08:00", date(2025, 7, 1), FILE_TIME, datetime(2025, 7, 6, 8, tzinfo=UTC)),
        ("2099-07-02", date(2025, 7, 1), FILE_TIME, datetime(2025, 7, 1, tzinfo=UTC)),
        ("2099-07-02", date(2099, 7, 2), FILE_TIME, FILE_TIME),
        ("2099-07-02", None, datetime(2099, 7, 2, tzinfo=UTC), PRESENT),
        ("2099-07-02", None, datetime(2025, 7, 6, 8, tzinfo=UTC), datetime(2025, 7, 6, 8, tzinfo=UTC)),
    ],
)
def test_no_date_is_believed_that_is_more_than_a_day_in_the_future(stated, folder_date, file_time, expected):
    assert read(folder_date, file_time, scrape_date=stated)[0].scrape_moment == expected


def test_a_zone_is_respected():
    assert read(scrape_date="2025-07-02T01:00:00+02:00")[0].scrape_moment == datetime(2025, 7, 1, 23, 0, tzinfo=UTC)


@pytest.fixture(params=["Pacific/Auckland", "America/Los_Angeles"])
def zone_of_the_machine(request, monkeypatch):
    with monkeypatch.context() as environment:
        environment.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("stated", ["2025-07-02T12:00", "2025-07-02T14:00+02:00", None])
@pytest.mark.usefixtures("zone_of_the_machine")
def test_the_machines_own_zone_moves_no_scrape_to_another_day(stated):
    noon = datetime(2025, 7, 2, 12, tzinfo=UTC)
    envelope, _ = read(file_time=noon, scrape_date=stated)
    assert (envelope.scrape_moment, envelope.scrape_day) == (noon, noon.date())
    assert envelope.scrape_moment.tzinfo is UTC


@pytest.mark.usefixtures("zone_of_the_machine")
def test_the_present_is_told_in_utc_as_well():
    scraped = Dating(None, datetime(2099, 1, 1, tzinfo=UTC), PRESENT).of(None)
    assert (scraped.moment, scraped.day, scraped.is_stated) == (PRESENT, PRESENT.date(), False)
    assert scraped.moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("area", "expected", "code"),
    [
        (None, "52XXX", None),
        ("", "52XXX", None),
        (" 52XXX ", "52XXX", None),
        ("52xxx", "52XXX", None),
        ("52066", "52066", None),
        ("10XXX", "10XXX", "postcode_area_mismatch"),
        ("Aachen", "52XXX", "postcode_area_ignored"),
        (52, "52XXX", "postcode_area_ignored"),
    ],
)
def test_area_comes_from_the_file_or_its_name(area, expected, code):
    envelope, findings = read(postcode_area=area)
    assert envelope.area == expected
    assert codes(findings) == ([("/metadata/postcode_area", code)] if code else [])


def test_unknown_metadata_is_named():
    assert codes(read(**{"a/b": 1})[1]) == [("/metadata/a~1b", "unknown_field")]


@pytest.mark.parametrize(
    ("stated", "wrong"),
    [
        ({}, []),
        ({"total_therapists": 10, "new_therapists": 2, "deleted_therapists": 3}, []),
        ({"total_therapists": 7}, []),
        ({"total_therapists": 11}, ["total_therapists"]),
        ({"new_therapists": 1, "modified_therapists": 1}, ["new_therapists", "modified_therapists"]),
    ],
)
def test_wrong_totals_are_named(stated, wrong):
    envelope, findings = read(**stated)
    counted = {"total_therapists": 10, "new_therapists": 2, "deleted_therapists": 3}
    assert findings == []
    assert codes(count_findings(envelope, counted)) == [(f"/metadata/{name}", "wrong_total") for name in wrong]


@pytest.mark.parametrize(
    ("stated", "wrong"),
    [
        ({"total_therapists": 0, "new_therapists": 0, "deleted_therapists": 0}, []),
        ({"total_therapists": 1}, ["total_therapists"]),
        ({"total_therapists": -1}, ["total_therapists"]),
        ({"deleted_therapists": 1}, ["deleted_therapists"]),
    ],
)
def test_what_was_not_counted_is_none(stated, wrong):
    assert codes(count_findings(read(**stated)[0], {})) == [(f"/metadata/{name}", "wrong_total") for name in wrong]


@pytest.mark.parametrize("value", ["10", True, 1.5])
def test_a_total_that_is_no_number_is_wrong(value):
    assert codes(read(total_therapists=value)[1]) == [("/metadata/total_therapists", "wrong_total")]


@pytest.mark.parametrize(
    ("valid", "invalid", "usual", "expected"),
    [
        (5, 5, [], None),
        (5, 6, [], "too_many_invalid"),
        (0, 0, [], None),
        (1, 0, [100, 100], None),
        (50, 0, [100, 100, 100], None),
        (49, 0, [100, 100, 100], "implausible_count"),
        (30, 19, [100, 90, 120, 1, 1], "implausible_count"),
        (30, 20, [100, 90, 120], None),
        (10, 0, [100, 10, 10], None),
        (0, 0, [1, 1, 1], "implausible_count"),
    ],
)
def test_plausibility(valid, invalid, usual, expected):
    assert plausibility(valid, invalid, usual) == expected


@pytest.mark.parametrize(
    ("new", "total", "last_count", "expected"),
    [
        (11, 21, 20, True),
        (11, 21, 19, False),
        (10, 11, 20, False),
        (11, 22, 20, False),
        (12, 23, 100, True),
    ],
)
def test_more_than_ten_new_people_and_more_than_half_of_a_known_postal_code_are_implausible(
    new, total, last_count, expected
):
    assert is_implausible_change(new, total, last_count) is expected
