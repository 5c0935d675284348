"""After a baseline, the first scrape asks only where staff and source really differ, and old files are not replayed."""

import json
from datetime import UTC, datetime

import pytest

from therapist_service.imports.mapping import map_record
from therapist_service.imports.therapist_importer import new_row
from therapist_service.use_cases import create_therapists

pytestmark = pytest.mark.slow

EARLIER, LAST, NEXT = "2025-06-25", "2025-07-02", "2025-07-09"
ROWS = "SELECT to_jsonb(t) - ARRAY[{}] AS row FROM therapist_service.therapeuten t ORDER BY id"
TECHNICAL = (
    "external_id", "source_area", "source_zip", "source_record", "source_raw", "source_hash", "source_seen_at",
    "source_day", "source_named_at", "source_plz", "source_word_zip", "source_word_at",
    "last_key", "first_key", "mail_key", "line_key", "other_keys",
)  # fmt: skip


@pytest.fixture
def known(therapists, make_therapist):
    """Four practices that are in the database without the source's word, one of them corrected by staff."""
    records = [make_therapist(number) for number in range(4)]
    with therapists.engine.begin() as connection:
        people = [new_row(map_record(record, index)) for index, record in enumerate(records)]
        people[2]["telefon"] = "0241 99999"
        create_therapists(connection, people, "api:before")
        connection.exec_driver_sql("DELETE FROM therapist_service.event_outbox")
    return records


@pytest.fixture
def before(therapists, known):
    """Two scrapes of the time before, the earlier one with another phone number."""
    earlier = [{**record, "contact": {**record["contact"], "phone": "0241 1"}} for record in known]
    for day, records in ((EARLIER, earlier), (LAST, known)):
        folder = therapists.folder / day.replace("-", "")
        folder.mkdir(parents=True)
        metadata = {"scrape_date": f"{day}T03:13:24", "postcode_area": "52XXX"}
        (folder / "52066.json").write_text(json.dumps({"metadata": metadata, "therapists": records}))
    return therapists.folder


def visible(therapists):
    names = ", ".join(f"'{name}'" for name in TECHNICAL)
    return [row["row"] for row in therapists.rows(ROWS.format(names))]


def counted(therapists, table):
    return therapists.rows(f"SELECT count(*) AS n FROM therapist_service.{table}")[0]["n"]


def told(curavani, therapists, *arguments):
    ended = curavani("baseline", *arguments, "--json", THERAPIST_IMPORT_FOLDER_PATH=str(therapists.folder))
    return ended.returncode, json.loads(ended.stdout)


def test_a_scrape_without_news_opens_no_question_and_writes_no_event(therapists, curavani, known, before):
    seen = visible(therapists)
    code, report = told(curavani, therapists, str(before))
    assert (code, report["rows_with_a_base"], report["left_to_no_import"]) == (0, 4, 2)
    assert visible(therapists) == seen
    therapists.scrape(known, day=NEXT)
    therapists.run()
    assert visible(therapists)[0].keys() == seen[0].keys()
    assert counted(therapists, "reviews") == counted(therapists, "event_outbox") == 0
    ended = {(row["status"], row["error_code"]) for row in therapists.files()}
    assert ended == {("skipped", "before_adoption"), ("success", None)}
    assert therapists.last_file()["unchanged_count"] == 4


def test_only_where_both_have_changed_it_somebody_is_asked(therapists, curavani, known, before):
    told(curavani, therapists, str(before))
    changed = [{**record, "contact": {**record["contact"], "phone": "0241 77777"}} for record in known]
    therapists.scrape(changed, day=NEXT)
    therapists.run()
    assert [row["telefon"] for row in therapists.therapists()] == [
        "0241 77777",
        "0241 77777",
        "0241 99999",
        "0241 77777",
    ]
    reviews = therapists.rows("SELECT entity_id, kind FROM therapist_service.reviews")
    assert reviews == [{"entity_id": 3, "kind": "conflict"}]


def test_the_latest_scrape_day_wins_and_a_second_run_changes_nothing(therapists, curavani, before):
    told(curavani, therapists, str(before))
    rows = therapists.therapists()
    assert {row["source_record"]["telefon"] for row in rows} == {"+49 241 12345"}
    assert {row["source_seen_at"] for row in rows} == {datetime(2025, 7, 2, 3, 13, 24, tzinfo=UTC)}
    code, report = told(curavani, therapists, str(before))
    assert (code, report["rows_with_a_base"], report["left_to_no_import"]) == (0, 0, 0)
    assert therapists.therapists() == rows


def test_a_file_before_the_adoption_counts_for_what_is_outdated_but_not_as_the_same_content(
    therapists, curavani, known, before
):
    told(curavani, therapists, str(before))
    therapists.scrape(known[:2], day="2025-07-01")
    therapists.run()
    assert therapists.last_file()["error_code"] == "superseded"
    again = therapists.folder / "52066.json"
    again.write_bytes((before / "20250702" / "52066.json").read_bytes())
    therapists.run()
    assert therapists.last_file()["status"] == "success"


def test_a_file_elsewhere_gives_a_base_and_no_row_of_the_ledger(therapists, curavani, before, tmp_path):
    elsewhere = tmp_path / "52066.json"
    elsewhere.write_bytes((before / "20250702" / "52066.json").read_bytes())
    code, report = told(curavani, therapists, str(elsewhere))
    assert (code, report["rows_with_a_base"], report["left_to_no_import"]) == (0, 4, 0)
    assert therapists.files() == []


def test_a_broken_file_is_named_and_the_others_are_done(therapists, curavani, before):
    (before / "20250702" / "52070.json").write_text("{")
    code, report = told(curavani, therapists, str(before))
    assert (code, report["rows_with_a_base"], [one["code"] for one in report["broken"]]) == (1, 4, ["invalid_json"])
    assert curavani("baseline", str(before / "nothing")).returncode == 2


def test_several_rows_are_left_out_and_listed(therapists, curavani, known, before):
    with therapists.engine.begin() as connection:
        create_therapists(connection, [new_row(map_record(known[0], 0))], "api:before")
    _, report = told(curavani, therapists, str(before))
    assert report["rows_with_a_base"] == 3
    assert [one["record_index"] for one in report["ambiguous"]] == [0, 0]


@pytest.fixture
def reduced(therapists, known):
    """As `curavani db adopt` notes one word that the platform had left: only this field is known as the source's."""
    with therapists.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE therapist_service.therapeuten SET titel = 'Prof.', psychotherapieverfahren = '[\"egal\"]',"
            ' source_record = \'{"psychotherapieverfahren": ["egal"]}\''
        )


def test_one_word_that_the_platform_had_left_is_nobodys(therapists, known, reduced):
    therapists.scrape(known, day=NEXT)
    therapists.run()
    rows = therapists.therapists()
    assert [row["psychotherapieverfahren"] for row in rows] == [["Verhaltenstherapie"]] * 4
    assert {row["titel"] for row in rows} == {"Prof."}


def test_it_stays_nobodys_after_a_baseline_until_the_source_says_something_else(
    therapists, curavani, known, before, reduced
):
    told(curavani, therapists, str(before))
    therapists.scrape(known, day=NEXT)
    therapists.run()
    assert counted(therapists, "event_outbox") == 0
    therapists.scrape([{**record, "languages": ["Türkisch"]} for record in known], day="2025-07-16")
    therapists.run()
    assert counted(therapists, "reviews") == 0
    rows = therapists.therapists()
    assert [row["psychotherapieverfahren"] for row in rows] == [["Verhaltenstherapie"]] * 4


def test_of_one_day_the_file_of_the_practices_own_postal_code_has_the_word(therapists, curavani, known, before):
    for zip_code in ("52064", "52070"):
        neighbours = [{**record, "languages": [zip_code]} for record in known]
        metadata = {"scrape_date": f"{LAST}T04:00:00", "postcode_area": "52XXX"}
        (before / "20250702" / f"{zip_code}.json").write_text(
            json.dumps({"metadata": metadata, "therapists": neighbours})
        )
    told(curavani, therapists, str(before))
    assert {row["source_word_zip"] for row in therapists.therapists()} == {"52066"}
    _, again = told(curavani, therapists, str(before))
    assert again["rows_with_a_base"] == 0
