"""The scrape day is the unit of what is absent: who is gone is decided at its end, and looked at again on approval."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.imports import mend
from shared.reviews.values import Resolution
from therapist_service.models import kernel
from therapist_service.reviews import resolve_review

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = "2025-07-02", "2025-07-09", "2025-07-16"


def counts(file):
    names = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
    return {name: file[f"{name}_count"] for name in names if file[f"{name}_count"]}


def put(therapists, records, path, moment=None):
    metadata = {"postcode_area": "52XXX"} | ({"scrape_date": moment} if moment else {})
    therapists.put(json.dumps({"metadata": metadata, "therapists": records}).encode(), path)


def statuses(therapists):
    return [row["status"] for row in therapists.therapists()]


def resolve(therapists, choice, review_id=1, **more):
    with therapists.engine.begin() as connection:
        return resolve_review(connection, review_id, Resolution(choice, "api:test", **more))


def gone(make_therapist, numbers):
    return [make_therapist(number, status="deleted") for number in numbers]


def people(make_therapist, numbers):
    return [make_therapist(number) for number in numbers]


def open_reviews(therapists):
    return [review for review in therapists.reviews() if review["state"] == "open"]


def asked_about(review):
    return [deletion["entity_id"] for deletion in review["detail"]["deletions"]]


@pytest.fixture
def thirty_files(therapists, make_therapist):
    """150 therapists in 30 files of five."""
    for number in range(30):
        therapists.scrape(people(make_therapist, range(5 * number, 5 * number + 5)), FIRST, str(52001 + number))
    therapists.run()
    return therapists


def test_a_day_on_which_everybody_vanishes_is_asked_about_as_a_whole(thirty_files, make_therapist):
    for number in range(30):
        deleted = gone(make_therapist, range(5 * number, 5 * number + 5))
        thirty_files.scrape(deleted, SECOND, str(52001 + number))
    report = thirty_files.run()
    assert (dict(report.counts), report.has_trouble) == ({"partial": 30}, True)
    assert set(statuses(thirty_files)) == {"aktiv"}
    assert counts(thirty_files.last_file()) == {"held": 5}
    (review,) = thirty_files.reviews()
    assert (review["kind"], review["entity_id"], review["import_id"]) == ("held_deletions", None, None)
    assert (len(asked_about(review)), review["detail"]["active_before"]) == (150, 150)
    resolve(thirty_files, "apply")
    assert set(statuses(thirty_files)) == {"inaktiv"}


def test_the_guard_counts_the_passes_of_a_day_together(therapists, make_therapist):
    therapists.scrape(people(make_therapist, range(20)))
    therapists.run()
    for hour in range(4):
        deleted = gone(make_therapist, range(5 * hour, 5 * hour + 5))
        put(therapists, deleted, "52066.json", f"2025-07-09T0{hour}:00:00")
        therapists.run()
    assert statuses(therapists).count("inaktiv") == 5
    (review,) = open_reviews(therapists)
    assert asked_about(review) == [*range(16, 21), *range(11, 16), *range(6, 11)]


def test_the_guard_counts_the_files_of_a_day_together(therapists, make_therapist):
    """Whichever file calls them gone: they were all last seen in the file of one postal code."""
    therapists.scrape(people(make_therapist, range(20)))
    therapists.run()
    for number in range(4):
        therapists.scrape(gone(make_therapist, range(5 * number, 5 * number + 5)), SECOND, str(52066 + number))
    report = therapists.run()
    assert (set(statuses(therapists)), report.has_trouble) == ({"aktiv"}, True)
    (review,) = open_reviews(therapists)
    assert (len(asked_about(review)), review["detail"]["active_before"]) == (20, 20)
    therapists.scrape(people(make_therapist, range(3)), SECOND, "52099")
    therapists.run()
    resolve(therapists, "apply")
    assert statuses(therapists) == ["aktiv"] * 3 + ["inaktiv"] * 17


def test_the_guard_measures_against_the_rows_before_the_day(therapists, make_therapist):
    """Another file of the day lists ten of thirty before this postal code's own calls six of the others gone."""
    therapists.scrape(people(make_therapist, range(30)))
    therapists.run()
    therapists.scrape(people(make_therapist, range(10)), SECOND, "52001")
    therapists.run()
    therapists.scrape(gone(make_therapist, range(24, 30)), SECOND)
    therapists.run()
    assert counts(therapists.last_file()) == {"deleted": 6}


@pytest.mark.parametrize("listed_in", ["52001", "52099"])
@pytest.mark.parametrize("in_one_pass", [True, False])
def test_who_any_file_of_the_day_lists_is_not_gone(therapists, make_therapist, listed_in, in_one_pass):
    therapists.scrape(people(make_therapist, range(8)))
    therapists.run()
    therapists.scrape([*gone(make_therapist, [1]), make_therapist(2)], SECOND)
    if not in_one_pass:
        therapists.run()
        assert statuses(therapists)[1] == "inaktiv"
    therapists.scrape([make_therapist(1)], SECOND, listed_in)
    therapists.run()
    assert set(statuses(therapists)) == {"aktiv"}
    outcomes = therapists.rows("SELECT code FROM therapist_service.import_outcomes WHERE outcome = 'skipped'")
    assert outcomes == ([{"code": "displaced"}] if in_one_pass else [])


def test_who_was_listed_since_stays_when_the_deletions_are_approved(held_deletions, make_therapist):
    held_deletions.scrape(people(make_therapist, [1, 2, 3]), SECOND, "52001")
    held_deletions.run()
    resolve(held_deletions, "apply")
    assert statuses(held_deletions)[:8] == ["aktiv"] * 3 + ["inaktiv"] * 5


def test_one_run_that_crosses_midnight_is_one_day(therapists, make_therapist):
    therapists.scrape(people(make_therapist, range(8)))
    therapists.run()
    put(therapists, gone(make_therapist, [1]), "20250709/52066.json", "2025-07-10T00:10:00")
    put(therapists, [make_therapist(1)], "20250709/52001.json", "2025-07-09T23:50:00")
    therapists.run()
    assert set(statuses(therapists)) == {"aktiv"}
    put(therapists, gone(make_therapist, [2]), "20250709/52002.json", "2025-07-10T00:20:00")
    put(therapists, [make_therapist(2)], "20250709/52003.json", "2025-07-09T23:55:00")
    therapists.run()
    assert set(statuses(therapists)) == {"aktiv"}


def test_an_older_scrape_neither_revives_nor_deletes(therapists, make_therapist):
    therapists.scrape(people(make_therapist, range(8)))
    therapists.run()
    therapists.scrape([*gone(make_therapist, [1]), make_therapist(2)], THIRD)
    therapists.run()
    late = [make_therapist(1, contact={"phone": "0241 999"}), *gone(make_therapist, [2]), make_therapist(40)]
    therapists.scrape(late, SECOND, "52001")
    therapists.run()
    assert counts(therapists.last_file()) == {"skipped": 2, "new": 1}
    one, two = therapists.therapists()[1:3]
    assert (one["status"], one["telefon"], two["status"]) == ("inaktiv", "+49 241 12345", "aktiv")
    codes = therapists.rows(
        "SELECT code FROM therapist_service.import_outcomes WHERE import_id = 3 AND code IS NOT NULL"
    )
    assert sorted(row["code"] for row in codes) == ["displaced", "superseded"]


def test_deletions_wait_for_the_days_end_where_the_pass_is_stopped_before(therapists, make_therapist):
    therapists.scrape(people(make_therapist, range(8)))
    therapists.run()
    therapists.scrape(gone(make_therapist, [1]), SECOND)
    therapists.scrape([make_therapist(1, location={"city": "A" * 700_000})], SECOND, "52099")
    asked = iter([False, True])
    report = therapists.parts.monitor.run_once("test", lambda: next(asked))
    assert dict(report.counts) == {}
    assert statuses(therapists)[1] == "aktiv"
    (file,) = [file for file in therapists.files() if file["held_count"]]
    assert (file["status"], counts(file)) == ("partial", {"held": 1})
    report = therapists.run()
    assert dict(report.counts)["success"] >= 1
    file = therapists.files()[file["id"] - 1]
    assert (file["status"], counts(file)) in [("success", {"deleted": 1}), ("success", {"skipped": 1})]


def test_a_process_that_dies_before_the_days_end_leaves_its_deletions_to_the_next(
    therapists, make_therapist, process_environment, tmp_path
):
    therapists.scrape(people(make_therapist, range(8)))
    therapists.run()
    therapists.scrape(gone(make_therapist, [1]), SECOND)
    script = tmp_path / "dies.py"
    script.write_text(
        "import os, signal\n"
        "from shared.core.settings import read_settings\n"
        "from therapist_service import bootstrap\n"
        "from therapist_service.imports.file_monitor import ScrapeSource\n"
        "class Dying(ScrapeSource):\n"
        "    def conclude(self, connection, group):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "bootstrap.ScrapeSource = Dying\n"
        "parts = bootstrap.build_parts(read_settings(os.environ, *bootstrap.IMPORT_GROUPS))\n"
        "parts.monitor.run_once('test')\n"
    )
    environment = {**process_environment, "PYTHONPATH": str(Path.cwd())}
    assert subprocess.run([sys.executable, script], env=environment, check=False).returncode == -signal.SIGKILL
    assert statuses(therapists)[1] == "aktiv"
    report = therapists.run()
    assert dict(report.counts) == {"success": 1}
    assert statuses(therapists)[1] == "inaktiv"
    assert counts(therapists.last_file()) == {"deleted": 1}


def test_a_newer_question_about_a_postal_code_takes_an_older_ones_place(held_deletions, make_therapist):
    listed = people(make_therapist, [1, 2, *range(15, 21)])
    held_deletions.scrape([*gone(make_therapist, range(9, 15)), *listed], THIRD)
    held_deletions.run()
    older, newer = held_deletions.reviews()
    assert (older["state"], older["choice"], older["decided_by"]) == ("resolved", "settled", "import:3")
    # One and two are listed again; the others of the older question nobody has decided on.
    assert asked_about(newer) == [*range(9, 15), *range(3, 9)]


def test_a_question_to_which_there_is_nothing_left_to_say_is_closed(held_deletions, make_therapist):
    held_deletions.scrape(people(make_therapist, range(1, 21)), THIRD)
    held_deletions.run()
    (review,) = held_deletions.reviews()
    assert (review["choice"], review["decided_by"]) == ("settled", "import:3")


def test_the_question_of_a_day_stands_instead_of_the_postal_codes_own(therapists, make_therapist):
    therapists.scrape(people(make_therapist, range(30)), FIRST, "52001")
    therapists.scrape(people(make_therapist, range(30, 60)), FIRST, "52002")
    therapists.run()
    therapists.scrape(gone(make_therapist, range(10)), SECOND, "52001")
    therapists.run()
    therapists.scrape(gone(make_therapist, range(30, 45)), SECOND, "52002")
    therapists.run()
    older, newer = therapists.reviews()
    assert (older["import_id"], older["choice"]) == (3, "settled")
    assert (newer["import_id"], sorted(asked_about(newer))) == (None, [*range(1, 11), *range(31, 46)])


def test_the_same_person_called_deleted_by_two_files_of_a_day_is_gone_once(therapists, make_therapist):
    therapists.scrape(people(make_therapist, range(8)))
    therapists.run()
    therapists.scrape(gone(make_therapist, [1]), SECOND)
    therapists.scrape([*gone(make_therapist, [1]), make_therapist(2)], SECOND, "52001")
    therapists.run()
    assert [counts(file) for file in therapists.files()[1:]] == [{"deleted": 1, "unchanged": 1}, {"unchanged": 1}]
    assert therapists.events()[8:] == ["therapist.updated"]


def renamed(make_therapist, numbers):
    names = ["Anna", "Berta", "Clara", "Dora", "Emma", "Frieda", "Gerda", "Hanna", "Ida", "Jutta", "Karla", "Lena"]
    return [
        make_therapist(
            900 + number,
            basic_info={"first_name": names[number % 12] + "x", "last_name": f"Ganzanders{chr(97 + number)}"},
            location={"street": f"Weg{chr(97 + number)}"},
            contact={"email": f"x{number}@example.com", "phone": f"0241 8{number:03d}"},
        )
        for number in numbers
    ]


@pytest.mark.parametrize(
    ("known", "new", "believed"), [(20, 11, False), (20, 10, True), (19, 11, True), (24, 12, False), (24, 13, False)]
)
def test_a_file_of_mostly_new_people_where_the_postal_code_is_known_is_not_believed(
    therapists, make_therapist, known, new, believed
):
    therapists.scrape(people(make_therapist, range(known)))
    therapists.run()
    therapists.scrape([*people(make_therapist, range(new - 1)), *renamed(make_therapist, range(new))], SECOND)
    therapists.scrape([make_therapist(300)], SECOND, "52001")
    therapists.run()
    file, other = therapists.files()[1:]
    file, other = (file, other) if file["zip"] == "52066" else (other, file)
    assert other["status"] == "success"
    assert len(therapists.therapists()) == known + 1 + (new if believed else 0)
    if believed:
        return
    assert (file["status"], file["error_code"], file["therapist_count"]) == ("failed", "implausible_change", 0)
    content = (therapists.folder / file["file_name"]).read_bytes()
    assert file["file_hash"] == hashlib.sha256(content).hexdigest()
    assert therapists.rows("SELECT code FROM therapist_service.alert_outbox") == [{"code": "implausible_change"}]
    with therapists.engine.begin() as connection:
        mend.retry(connection, kernel, [file["id"]], "test")
    therapists.run()
    assert len(therapists.therapists()) == known + 1 + new


@pytest.mark.parametrize(("again", "day"), [("a", "same"), ("a", "next")])
def test_content_that_was_applied_once_but_not_last_is_applied_again(therapists, make_therapist, again, day):
    content = {"a": [make_therapist(1)], "b": [make_therapist(1, contact={"phone": "0241 999"})]}
    put(therapists, content["a"], "20250709/52066.json")
    therapists.run()
    put(therapists, content["b"], "20250709/52066.json")
    therapists.run()
    assert therapists.therapists()[0]["telefon"] == "0241 999"
    put(therapists, content[again], "20250709/52066.json" if day == "same" else "20250716/52066.json")
    therapists.run()
    assert (therapists.last_file()["status"], therapists.therapists()[0]["telefon"]) == ("success", "+49 241 12345")
    put(therapists, content[again], "20250723/52066.json")
    therapists.run()
    assert (therapists.last_file()["status"], therapists.last_file()["error_code"]) == ("skipped", "duplicate_content")


def test_the_same_bytes_under_another_name_of_the_day_are_applied_once(therapists, make_therapist):
    put(therapists, [make_therapist(1)], "20250709/52066.json")
    put(therapists, [make_therapist(1)], "20250709/52001.json")
    put(therapists, [make_therapist(1)], "20250716/52001.json")
    therapists.run()
    found = {file["file_name"]: file["error_code"] for file in therapists.files()}
    # Which of the two comes first is the file system's business.
    assert (found["20250709/52001.json"] is None) != (found["20250709/52066.json"] is None)
    assert found["20250716/52001.json"] == ("duplicate_content" if found["20250709/52001.json"] is None else None)


def test_a_scrape_of_an_earlier_hour_of_the_day_is_superseded(therapists, make_therapist):
    put(therapists, [make_therapist(1)], "20250709/52066.json", "2025-07-09T15:00:00")
    therapists.run()
    put(therapists, gone(make_therapist, [1]), "52066.json", "2025-07-09T03:00:00")
    therapists.run()
    assert (therapists.last_file()["error_code"], statuses(therapists)) == ("superseded", ["aktiv"])
