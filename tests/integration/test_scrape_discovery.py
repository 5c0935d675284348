"""Which files of the scraper's folder are read, when and in which order; nothing is passed over in silence."""

import json
import os
import time

import pytest

from shared.core.clock import now
from shared.imports.passes import PassReport
from therapist_service.imports.scrape_files import FileChanging, ScrapeFolder

pytestmark = pytest.mark.slow


def document(records, day="2025-07-02"):
    return json.dumps({"metadata": {"scrape_date": f"{day}T03:00:00"}, "therapists": records}).encode()


def discovered(root):
    report = PassReport()
    paths = [file.path for file in ScrapeFolder(root).discover(report.ignore)]
    return paths, dict(report.ignored)


def endings(therapists):
    return {file["file_name"]: (file["status"], file["error_code"]) for file in therapists.files()}


def age(path, seconds):
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}")


@pytest.mark.parametrize("path", ["52066.json", "01067.json", "20250702/52066.json", "20240229/00000.json"])
def test_a_postal_code_in_the_root_or_in_a_dated_folder_is_a_candidate(tmp_path, path):
    write(tmp_path / path)
    assert discovered(tmp_path) == ([path], {})


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("notes.txt", "other_name"),
        ("520.json", "other_name"),
        ("520666.json", "other_name"),
        ("52066.JSON", "other_name"),
        ("52066.json.tmp", "other_name"),
        (".52066.json.swp", "other_name"),
        ("٥٢٠٦٦.json", "other_name"),
        ("20250702/aachen.json", "other_name"),
        ("aachen/52066.json", "other_folder"),
        ("2025-07-02/52066.json", "other_folder"),
        ("20251399/52066.json", "other_folder"),
        ("20250229/52066.json", "other_folder"),
        ("00000000/52066.json", "other_folder"),
        ("20250702/again/52066.json", "other_folder"),
        ("20250702/20250702/52066.json", "other_folder"),
        ("52066.json/52066.json", "other_folder"),
    ],
)
def test_anything_else_is_left_alone_and_counted(tmp_path, path, reason):
    write(tmp_path / path)
    assert discovered(tmp_path) == ([], {reason: 1})


@pytest.mark.parametrize(
    ("link", "target", "expected"),
    [
        ("52070.json", "20250702/52066.json", (["20250702/52066.json", "52070.json"], {})),
        ("20250709", "20250702", (["20250702/52066.json", "20250709/52066.json"], {})),
        ("52070.json", "../outside/52066.json", (["20250702/52066.json"], {"leaves_the_folder": 1})),
        ("20250709", "../outside", (["20250702/52066.json"], {"leaves_the_folder": 1})),
        ("20250702/52070.json", "../../outside/52066.json", (["20250702/52066.json"], {"leaves_the_folder": 1})),
        ("52070.json", "nowhere.json", (["20250702/52066.json"], {"no_regular_file": 1})),
        ("52070.json", "52070.json", (["20250702/52066.json"], {"no_regular_file": 1})),
        ("20250709", "20250709", (["20250702/52066.json"], {"other_name": 1})),
        ("20250709", ".", (["20250702/52066.json"], {"other_folder": 2})),
    ],
)
def test_a_link_counts_as_what_it_leads_to_unless_it_leaves_the_folder(tmp_path, link, target, expected):
    root = tmp_path / "root"
    write(root / "20250702/52066.json")
    write(tmp_path / "outside/52066.json")
    (root / link).symlink_to(target)
    paths, ignored = discovered(root)
    assert (sorted(paths), ignored) == expected


def test_a_root_that_is_a_link_is_the_folder_it_leads_to(tmp_path):
    write(tmp_path / "real/52066.json")
    (tmp_path / "root").symlink_to("real")
    assert discovered(tmp_path / "root") == (["52066.json"], {})


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "52066.json")
    assert discovered(tmp_path) == ([], {"no_regular_file": 1})


def test_a_young_file_waits_until_nobody_has_written_to_it_for_the_settle_time(new_therapists, make_therapist):
    therapists = new_therapists(THERAPIST_IMPORT_SETTLE_SECONDS="60")
    half = document([make_therapist(1)])[:200]
    therapists.put(half, "20250702/52066.json")
    report = therapists.run()
    assert (dict(report.ignored), report.look_again_seconds) == ({"still_being_written": 1}, 60.0)
    assert therapists.files() == []
    therapists.put(document([make_therapist(1)]), "20250702/52066.json")
    age(therapists.folder / "20250702/52066.json", 61)
    assert dict(therapists.run().counts) == {"success": 1}


def test_a_half_written_file_that_nobody_finishes_is_an_error(new_therapists, make_therapist):
    therapists = new_therapists(THERAPIST_IMPORT_SETTLE_SECONDS="60")
    therapists.put(document([make_therapist(1)])[:200], "20250702/52066.json")
    age(therapists.folder / "20250702/52066.json", 61)
    assert dict(therapists.run().counts) == {"failed": 1}
    assert endings(therapists) == {"20250702/52066.json": ("failed", "invalid_json")}


def test_a_time_of_modification_in_the_future_does_not_make_a_file_wait_for_ever(new_therapists, make_therapist):
    therapists = new_therapists(THERAPIST_IMPORT_SETTLE_SECONDS="60")
    therapists.put(document([make_therapist(1)]), "20250702/52066.json")
    age(therapists.folder / "20250702/52066.json", -3600)
    assert dict(therapists.run().counts) == {"success": 1}


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"{} "), lambda path: age(path, 100)])
def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path, change):
    path = tmp_path / "52066.json"
    write(path)
    folder = ScrapeFolder(tmp_path)
    (file,) = folder.discover(lambda _reason: None)
    with pytest.raises(FileChanging), folder.opened(file):
        change(path)


@pytest.fixture
def three_files(therapists, make_therapist):
    """Due in this order, one by one: only files of one day are applied together."""
    days = ("2025-07-02", "2025-07-03", "2025-07-04")
    paths = [f"{day.replace('-', '')}/{52066 + number}.json" for number, day in enumerate(days)]
    for number, path in enumerate(paths):
        therapists.put(document([make_therapist(number)], days[number]), path)
    return paths


def after_the_first(therapists, act):
    therapists.parts.importer.watch = lambda progress: act() if progress.number == 1 else None


def test_a_file_that_changes_before_its_turn_costs_no_attempt_and_is_read_in_the_next_pass(
    therapists, make_therapist, three_files
):
    late = document([make_therapist(2), make_therapist(3)], "2025-07-04")
    after_the_first(therapists, lambda: therapists.put(late, three_files[2]))
    report = therapists.run()
    assert (dict(report.counts), dict(report.ignored)) == ({"success": 2}, {"still_being_written": 1})
    assert report.look_again_seconds is not None
    assert dict(therapists.run().counts) == {"success": 1}
    files = therapists.files()
    assert [(file["status"], file["error_code"], file["attempts"]) for file in files] == [
        ("success", None, 1),
        ("success", None, 1),
        ("skipped", "superseded", 0),
        ("success", None, 1),
    ]
    assert len(therapists.therapists()) == 4


def test_a_file_that_vanishes_before_its_turn_is_tried_again(therapists, three_files):
    after_the_first(therapists, (therapists.folder / three_files[2]).unlink)
    assert dict(therapists.run().counts) == {"success": 2, "retrying": 1}
    assert endings(therapists)[three_files[2]] == ("retrying", "file_unreadable")


def test_scrapes_are_applied_oldest_first_whatever_their_names(therapists, make_therapist):
    by_day = {"2025-07-16": "20250716/52066.json", "2025-07-09": "52066.json", "2025-07-02": "20250702/52066.json"}
    for day, path in by_day.items():
        therapists.put(document([make_therapist(1, contact={"phone": f"0241 {day[-2:]}"})], day), path)
    therapists.run()
    applied = therapists.rows("SELECT file_name, error_code FROM therapist_service.import_tracking ORDER BY id")
    assert [row["error_code"] for row in applied] == [None] * 3
    changes = therapists.rows("SELECT old_value, new_value FROM therapist_service.field_changes ORDER BY id")
    assert [(change["old_value"], change["new_value"]) for change in changes] == [
        ("0241 02", "0241 09"),
        ("0241 09", "0241 16"),
    ]


def test_a_scrape_older_than_an_applied_one_is_recorded_as_superseded(therapists, make_therapist):
    therapists.scrape([make_therapist(1)], day="2025-07-09")
    therapists.run()
    therapists.scrape([make_therapist(2)], day="2025-07-02")
    therapists.run()
    assert endings(therapists)["20250702/52066.json"] == ("skipped", "superseded")
    assert len(therapists.therapists()) == 1


def test_a_second_scrape_of_the_same_day_counts(therapists, make_therapist):
    therapists.put(document([make_therapist(1)]), "20250702/52066.json")
    therapists.run()
    therapists.put(document([make_therapist(1), make_therapist(2)]), "52066.json")
    therapists.run()
    assert endings(therapists)["52066.json"] == ("success", None)
    assert len(therapists.therapists()) == 2


def test_a_date_in_the_far_future_does_not_outdate_the_weeks_that_follow(therapists, make_therapist):
    therapists.put(document([make_therapist(1)], "2099-01-01"), "20250702/52066.json")
    therapists.put(document([make_therapist(1), make_therapist(2)], "2025-07-09"), "20250709/52066.json")
    therapists.run()
    assert set(endings(therapists).values()) == {("success", None)}
    findings = therapists.rows("SELECT pointer, code FROM therapist_service.import_findings WHERE record_index IS NULL")
    assert findings == [{"pointer": "/metadata/scrape_date", "code": "scrape_date_assumed"}]
    assert all(row["source_seen_at"] < now() for row in therapists.therapists())


def test_the_same_bytes_under_another_name_are_recorded_as_a_duplicate(therapists, make_therapist):
    same = document([make_therapist(1)])
    for path in ("20250702/52066.json", "52066.json", "20250702/52070.json"):
        therapists.put(same, path)
    therapists.run()
    assert sorted(endings(therapists).values(), key=str) == [
        ("skipped", "duplicate_content"),
        ("skipped", "duplicate_content"),
        ("success", None),
    ]


def test_a_file_that_was_only_touched_is_a_duplicate_of_itself(therapists, make_therapist):
    therapists.put(document([make_therapist(1)]), "52066.json")
    therapists.run()
    age(therapists.folder / "52066.json", 3600)
    before = therapists.therapists(), therapists.events()
    assert dict(therapists.run().counts) == {"skipped": 1}
    assert (therapists.therapists(), therapists.events()) == before


def test_a_file_changed_under_its_name_is_read_again_and_what_waited_for_the_old_one_ends(therapists, make_therapist):
    therapists.put(b"{", "52066.json")
    therapists.run()
    therapists.put(document([make_therapist(1)]), "52066.json")
    therapists.run()
    assert [(file["status"], file["error_code"]) for file in therapists.files()] == [
        ("skipped", "superseded"),
        ("success", None),
    ]


def test_known_files_are_not_opened(therapists, make_therapist):
    path = therapists.folder / "52066.json"
    therapists.put(document([make_therapist(1)]), "52066.json")
    therapists.run()
    read = path.stat().st_atime_ns
    assert dict(therapists.run().ignored) == {"known": 1}
    assert path.stat().st_atime_ns == read


def test_a_file_that_changed_behind_its_size_and_time_is_read_again(therapists, make_therapist):
    path = therapists.folder / "52066.json"
    therapists.put(document([make_therapist(1)]), "52066.json")
    times = path.stat()
    therapists.run()
    path.write_bytes(document([make_therapist(1)]).replace(b"12345", b"54321"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    therapists.run()
    assert therapists.therapists()[0]["telefon"] == "+49 241 54321"


def test_a_file_that_was_registered_without_its_time_of_change_is_known(therapists, make_therapist):
    therapists.put(document([make_therapist(1)]), "52066.json")
    therapists.run()
    times = (therapists.folder / "52066.json").stat()
    version = f"{times.st_size}:{times.st_mtime_ns}"
    therapists.rows(
        "UPDATE therapist_service.import_tracking SET source_key = :key, file_version = :version RETURNING id",
        key=f"52066.json|{version}",
        version=version,
    )
    assert dict(therapists.run().ignored) == {"known": 1}
    assert [file["file_version"] for file in therapists.files()] == [f"{version}:{times.st_ctime_ns}"]


def test_a_name_without_its_leading_zero_is_completed(therapists, make_therapist):
    therapists.put(document([make_therapist(1)]), "20250702/1067.json")
    therapists.run()
    assert (therapists.last_file()["zip"], therapists.last_file()["status"]) == ("01067", "success")
    findings = therapists.rows("SELECT code FROM therapist_service.import_findings WHERE code = 'zip_padded'")
    assert len(findings) == 1


def test_an_unreadable_folder_is_its_own_failure(therapists, make_therapist, curavani):
    therapists.put(document([make_therapist(1)]), "20250702/52066.json")
    therapists.put(document([make_therapist(2)]), "20250709/52070.json")
    folder = therapists.folder / "20250702"
    folder.chmod(0)
    # Who may everything may read that folder, too.
    alone = 'exec setpriv --bounding-set=-dac_override,-dac_read_search "$@"' if os.geteuid() == 0 else "true"
    try:
        done = curavani("imports", "run", "therapist", before=alone)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 1
    assert list(endings(therapists)) == ["20250709/52070.json"]
    problems = "SELECT code, resolved_at IS NULL AS lasts FROM therapist_service.alert_outbox WHERE kind = 'problem'"
    assert therapists.rows(problems) == [{"code": "folder_unreadable", "lasts": True}]
    therapists.run()
    assert len(therapists.therapists()) == 2
    assert therapists.rows(problems) == [{"code": "folder_unreadable", "lasts": False}]
