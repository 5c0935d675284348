"""Scrapes from the folder: the right row, staff's work untouched, no deletion without a look, balanced books."""

import hashlib
import json

import pytest
import sqlalchemy as sa

from shared.core.errors import NotAllowedError, TransientError
from shared.fields.validation import InvalidInput
from shared.imports import mend
from shared.people.writer import Change
from shared.reviews.values import Resolution
from standins.local import wait_until
from therapist_service.imports.mapping import map_record
from therapist_service.imports.register import Arrival, Register
from therapist_service.models import kernel
from therapist_service.reviews import resolve_review
from therapist_service.use_cases import lock_therapists, update_therapists


def counts(file):
    names = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
    return {name: file[f"{name}_count"] for name in names if file[f"{name}_count"]}


def resolve(therapists, review_id, **choice):
    with therapists.engine.begin() as connection:
        return resolve_review(connection, review_id, Resolution(actor="api:test", **choice))


def staff_sets(therapists, **values):
    with therapists.engine.begin() as connection:
        sets = ", ".join(f"{name} = :{name}" for name in values)
        connection.execute(sa.text(f"UPDATE therapist_service.therapeuten SET {sets} WHERE id = 1"), values)


def staff_decides(therapists, values):
    with therapists.engine.begin() as connection:
        row = vars(lock_therapists(connection, [1])[1])
        update_therapists(connection, [Change(row, values)], "api:test")


def test_a_scrape_becomes_rows_with_events_and_stays_where_it_is(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2, basic_info={"salutation": ""})])
    report = therapists.run()
    one, two = therapists.therapists()
    assert (one["anrede"], one["geschlecht"], one["strasse"], one["plz"]) == (
        "Herr",
        "männlich",
        "Salierallee 1",
        "52066",
    )
    assert (one["kassensitz"], one["status"], one["potenziell_verfuegbar"]) == (True, "aktiv", False)
    assert one["psychotherapieverfahren"] == ["Verhaltenstherapie"]
    assert (two["anrede"], two["geschlecht"]) == (None, "keine_Angabe")
    assert one["source_raw"]["id"] == "praxis1"
    file = therapists.last_file()
    assert (file["status"], file["therapist_count"], counts(file)) == ("success", 2, {"new": 2})
    assert therapists.events() == ["therapist.created"] * 2
    assert dict(report.counts) == {"success": 1}
    assert (therapists.folder / "20250702/52066.json").exists()


def test_a_second_pass_does_not_open_what_it_knows(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    before = therapists.therapists(), therapists.files(), therapists.events()
    report = therapists.run()
    assert (therapists.therapists(), therapists.files(), therapists.events()) == before
    assert dict(report.ignored) == {"known": 1}


def test_the_next_week_changes_only_what_changed(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    changed = make_therapist(2, status="modified", contact={"phone": "+49 241 99999"})
    therapists.scrape([make_therapist(1, status="unchanged"), changed], day="2025-07-09")
    therapists.run()
    assert counts(therapists.last_file()) == {"updated": 1, "unchanged": 1}
    changes = therapists.rows("SELECT entity_id, field, changed_by FROM therapist_service.field_changes")
    assert changes == [{"entity_id": 2, "field": "telefon", "changed_by": "import:2"}]
    assert therapists.events() == ["therapist.created", "therapist.created", "therapist.updated"]


def test_what_staff_changed_stays_and_a_conflict_is_asked_once(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    staff_sets(therapists, telefon="0241 777", potenziell_verfuegbar_notizen="nett")
    again = make_therapist(1, status="modified", contact={"phone": "+49 241 99999"})
    for day in ("2025-07-09", "2025-07-16"):
        therapists.scrape([again], day=day)
        therapists.run()
    (row,) = therapists.therapists()
    assert (row["telefon"], row["potenziell_verfuegbar_notizen"]) == ("0241 777", "nett")
    (review,) = therapists.reviews()
    assert review["kind"] == "conflict"
    asked = {"field": "telefon", "base": "+49 241 12345", "staff": "0241 777", "source": "+49 241 99999"}
    assert review["detail"]["fields"] == [asked]
    assert [counts(file) for file in therapists.files()[1:]] == [{"held": 1}, {"unchanged": 1}]
    resolve(therapists, review["id"], choice="source")
    assert therapists.therapists()[0]["telefon"] == "+49 241 99999"
    with pytest.raises(NotAllowedError) as refused:
        resolve(therapists, review["id"], choice="staff")
    assert refused.value.message == "Review TE1 was decided already"


def test_a_deletion_marks_as_gone_and_a_return_reactivates(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(2)], day="2025-07-09")
    therapists.run()
    row = therapists.therapists()[0]
    assert (row["status"], row["source_removed_at"] is not None) == ("inaktiv", True)
    assert counts(therapists.last_file()) == {"deleted": 1, "unchanged": 1}
    therapists.scrape([make_therapist(1), make_therapist(2)], day="2025-07-16")
    therapists.run()
    row = therapists.therapists()[0]
    assert (row["status"], row["source_removed_at"]) == ("aktiv", None)
    assert counts(therapists.last_file()) == {"reactivated": 1, "unchanged": 1}
    assert therapists.events()[2:] == ["therapist.updated", "therapist.updated"]


def test_staff_who_set_somebody_active_again_are_not_overruled(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    for day in ("2025-07-09", "2025-07-16"):
        therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(2)], day=day)
        therapists.run()
        staff_sets(therapists, status="aktiv")
    assert therapists.therapists()[0]["status"] == "aktiv"
    assert counts(therapists.last_file()) == {"unchanged": 2}


@pytest.mark.parametrize(
    ("while_gone", "afterwards", "outcome"),
    [
        ({}, "aktiv", "reactivated"),
        ({"potenziell_verfuegbar_notizen": "verzogen?"}, "aktiv", "reactivated"),
        ({"status": "gesperrt"}, "gesperrt", "unchanged"),
        ({"status": "aktiv"}, "aktiv", "unchanged"),
    ],
)
def test_who_returns_becomes_active_only_if_the_import_had_set_them_inactive(
    therapists, make_therapist, while_gone, afterwards, outcome
):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    therapists.scrape([make_therapist(1, status="deleted"), make_therapist(2)], day="2025-07-09")
    therapists.run()
    if while_gone:
        staff_decides(therapists, while_gone)
    therapists.scrape([make_therapist(1), make_therapist(2)], day="2025-07-16")
    therapists.run()
    row = therapists.therapists()[0]
    assert (row["status"], row["source_removed_at"]) == (afterwards, None)
    assert therapists.last_file()[f"{outcome}_count"] >= 1


def test_who_was_inactive_before_vanishing_stays_inactive_on_return(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    staff_decides(therapists, {"status": "inaktiv"})
    for day, status in (("2025-07-09", "deleted"), ("2025-07-16", "modified")):
        therapists.scrape([make_therapist(1, status=status), make_therapist(2)], day=day)
        therapists.run()
    assert therapists.therapists()[0]["status"] == "inaktiv"
    assert therapists.last_file()["reactivated_count"] == 0


@pytest.mark.parametrize(("active", "gone", "held"), [(10, 5, 0), (30, 6, 0), (29, 6, 6)])
def test_the_guard_counts_the_active_therapists_before_the_file(therapists, make_therapist, active, gone, held):
    everybody = [make_therapist(number) for number in range(1, active + 1)]
    therapists.scrape(everybody)
    therapists.run()
    newcomers = [make_therapist(number) for number in range(61, 71)]
    deleted = [{"id": f"praxis{number}", "status": "deleted"} for number in range(1, gone + 1)]
    therapists.scrape([*deleted, *everybody[gone:], *newcomers], day="2025-07-09")
    therapists.run()
    file = therapists.last_file()
    assert (file["held_count"], file["deleted_count"]) == (held, gone - held)


def test_an_id_alone_that_two_rows_carry_deletes_nobody(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2, id="praxis1")])
    therapists.run()
    therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(3)], day="2025-07-09")
    therapists.run()
    assert counts(therapists.last_file()) == {"skipped": 1, "new": 1}
    assert {row["status"] for row in therapists.therapists()} == {"aktiv"}


def test_for_adults_leaves_out_who_treats_children_only_but_no_deletion(new_therapists, make_therapist):
    therapists = new_therapists()
    children = {"therapy_methods": ["Verhaltenstherapie für Kinder und Jugendliche in Einzeltherapie"]}
    therapists.scrape([make_therapist(1), make_therapist(2, **children)])
    therapists.run()
    adults = new_therapists(THERAPIST_IMPORT_AUDIENCE="adults")
    newcomer = make_therapist(3, **children)
    adults.scrape([make_therapist(1), make_therapist(2, status="deleted", **children), newcomer], day="2025-07-09")
    adults.run()
    assert counts(adults.last_file()) == {"unchanged": 1, "deleted": 1, "skipped": 1}
    outcomes = adults.rows("SELECT code FROM therapist_service.import_outcomes WHERE outcome = 'skipped'")
    assert outcomes == [{"code": "not_for_adults"}]


def test_a_blocked_therapist_stays_blocked(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    staff_sets(therapists, status="gesperrt")
    therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(2)], day="2025-07-09")
    therapists.run()
    assert therapists.therapists()[0]["status"] == "gesperrt"


def test_who_is_listed_elsewhere_is_displaced_not_gone(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    therapists.scrape([make_therapist(1)], day="2025-07-09", zip_code="52064")
    therapists.run()
    therapists.scrape([make_therapist(1, status="deleted"), make_therapist(2)], day="2025-07-09")
    therapists.run()
    assert therapists.therapists()[0]["status"] == "aktiv"
    outcomes = therapists.rows("SELECT outcome, code FROM therapist_service.import_outcomes WHERE import_id = 3")
    assert outcomes == [{"outcome": "skipped", "code": "displaced"}]


@pytest.mark.parametrize(("choose", "gone"), [("apply", 8), ("reject", 0)])
def test_many_deletions_at_once_wait_for_a_person(therapists, make_therapist, choose, gone):
    everybody = [make_therapist(number) for number in range(1, 21)]
    therapists.scrape(everybody)
    therapists.run()
    deleted = [{"id": f"praxis{number}", "status": "deleted"} for number in range(1, 9)]
    therapists.scrape([*deleted, *everybody[8:], make_therapist(99)], day="2025-07-09")
    therapists.run()
    file = therapists.last_file()
    assert (file["status"], counts(file)) == ("partial", {"held": 8, "unchanged": 12, "new": 1})
    assert {row["status"] for row in therapists.therapists()} == {"aktiv"}
    (review,) = therapists.reviews()
    assert (review["kind"], len(review["detail"]["deletions"])) == ("held_deletions", 8)
    resolve(therapists, review["id"], choice=choose)
    assert [row["status"] for row in therapists.therapists()].count("inaktiv") == gone


@pytest.mark.parametrize("only", [(), (99,), (1, 99)])
def test_only_therapists_whom_the_question_lists_can_be_ticked(therapists, make_therapist, only):
    everybody = [make_therapist(number) for number in range(1, 21)]
    therapists.scrape(everybody)
    therapists.run()
    therapists.scrape([{"id": f"praxis{number}", "status": "deleted"} for number in range(1, 19)], day="2025-07-09")
    therapists.run()
    (review,) = therapists.reviews()
    with pytest.raises(InvalidInput):
        resolve(therapists, review["id"], choice="apply", only=only)
    assert {row["status"] for row in therapists.therapists()} == {"aktiv"}
    assert therapists.reviews() == [review]


@pytest.mark.parametrize(
    ("by_hand", "outcome", "status"),
    [((), "reactivated", "aktiv"), (("aktiv", "inaktiv"), "unchanged", "inaktiv")],
)
def test_whose_deletion_was_approved_comes_back_with_the_source_unless_staff_decided_since(
    therapists, make_therapist, by_hand, outcome, status
):
    everybody = [make_therapist(number) for number in range(1, 21)]
    therapists.scrape(everybody)
    therapists.run()
    deleted = [{"id": f"praxis{number}", "status": "deleted"} for number in range(1, 9)]
    therapists.scrape([*deleted, *everybody[8:]], day="2025-07-09")
    therapists.run()
    (review,) = therapists.reviews()
    resolve(therapists, review["id"], choice="apply")
    for word in by_hand:
        staff_decides(therapists, {"status": word})
    therapists.scrape([everybody[0], *everybody[8:]], day="2025-07-16")
    therapists.run()
    outcomes = {1: "unchanged"} | {
        row["entity_id"]: row["outcome"]
        for row in therapists.rows("SELECT * FROM therapist_service.import_outcomes WHERE import_id = 3")
    }
    assert (outcomes[1], therapists.therapists()[0]["status"]) == (outcome, status)
    changes = therapists.rows("SELECT * FROM therapist_service.field_changes WHERE entity_id = 1 ORDER BY id")
    assert (changes[0]["new_value"], changes[0]["changed_by"]) == ("inaktiv", "api:test")


def test_an_id_that_moved_to_somebody_else_is_reassigned(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    swapped = [make_therapist(1, id="praxis2"), make_therapist(2, id="praxis1")]
    therapists.scrape(swapped, day="2025-07-09")
    therapists.run()
    assert [row["external_id"] for row in therapists.therapists()] == ["praxis2", "praxis1"]
    assert counts(therapists.last_file()) == {"unchanged": 2}
    codes = {row["code"] for row in therapists.rows("SELECT code FROM therapist_service.import_findings")}
    assert "id_reassigned" in codes


def test_two_candidates_hold_the_record_and_ask_once(therapists, make_therapist):
    shared_place = {"street": "", "house_number": ""}
    one = make_therapist(1, location={"street": "Hof", "house_number": "1"})
    two = make_therapist(1, id="praxis2", location={"street": "Markt", "house_number": "9"})
    therapists.scrape([one, two])
    therapists.run()
    for day in ("2025-07-09", "2025-07-16"):
        therapists.scrape([make_therapist(1, id="praxis7", location=shared_place)], day=day)
        therapists.run()
    assert counts(therapists.last_file()) == {"held": 1}
    (review,) = therapists.reviews()
    assert (review["kind"], review["detail"]["candidates"]) == ("possible_duplicate", [1, 2])
    resolve(therapists, review["id"], choice="merge", into=2)
    assert therapists.therapists()[1]["external_id"] == "praxis7"


def test_whom_an_import_had_deactivated_is_active_again_once_a_held_record_is_theirs(therapists, make_therapist):
    one = make_therapist(1, location={"street": "Hof", "house_number": "1"})
    two = make_therapist(1, id="praxis2", location={"street": "Markt", "house_number": "9"})
    therapists.scrape([one, two])
    therapists.run()
    therapists.scrape([{**one, "status": "deleted"}, two], day="2025-07-09")
    therapists.run()
    assert [row["status"] for row in therapists.therapists()] == ["inaktiv", "aktiv"]
    nameless_place = {"street": "", "house_number": ""}
    therapists.scrape([make_therapist(1, id="praxis7", location=nameless_place)], day="2025-07-16")
    therapists.run()
    (review,) = therapists.reviews()
    resolve(therapists, review["id"], choice="merge", into=1)
    first = therapists.therapists()[0]
    assert (first["status"], first["source_removed_at"]) == ("aktiv", None)


def test_a_scraped_file_is_discarded_only_without_deleting_it(therapists, make_therapist):
    therapists.put(b"{", "20250702/52066.json")
    therapists.run()
    with pytest.raises(NotAllowedError), therapists.engine.begin() as connection:
        mend.discard(connection, kernel, 1, "api:test", "empty", delete_source=True)
    assert therapists.last_file()["status"] == "failed"
    with therapists.engine.begin() as connection:
        mend.discard(connection, kernel, 1, "api:test", "empty")
    assert therapists.last_file()["status"] == "discarded"


def test_one_bad_record_does_not_sink_the_file(therapists, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2, basic_info={"last_name": ""}), make_therapist(3)])
    therapists.run()
    file = therapists.last_file()
    assert (file["status"], counts(file)) == ("partial", {"new": 2, "failed": 1})
    (finding,) = therapists.rows("SELECT record_index, pointer, code FROM therapist_service.import_findings")
    assert finding == {"record_index": 1, "pointer": "/therapists/1/basic_info/last_name", "code": "missing"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b'{"metadata": {}, "therapists": [', "invalid_json"),
        (b"[" * 40_000 + b"]" * 40_000, "invalid_json"),
        (b'{"metadata": {}, "therapists": null}', "missing_section"),
        (b'{"metadata": {}}', "missing_section"),
        (b'{"therapists": []}', "missing_section"),
        (b'{"metadata": {}, "therapists": [{}, {}, {"a": NaN}]}', "invalid_json"),
        (b'{"metadata": {}, "therapists": [{}, {}]}', "too_many_invalid"),
        (b" " * 1_000_000, "empty_file"),
        (b'{"metadata": {}, "therapists": [NaN]}' + b" " * 1_000_000, "invalid_json"),
        (b'{"metadata": {}}' + b" " * 1_000_000, "missing_section"),
    ],
)
def test_a_bad_file_is_reported_and_does_not_sink_the_pass(therapists, make_therapist, data, code):
    therapists.put(data, "20250702/52064.json")
    therapists.scrape([make_therapist(1)])
    report = therapists.run()
    assert dict(report.counts) == {"failed": 1, "success": 1}
    file = therapists.files()[0] if therapists.files()[0]["zip"] == "52064" else therapists.files()[1]
    assert (file["status"], file["error_code"], file["therapist_count"]) == ("failed", code, 0)
    assert file["file_hash"] == hashlib.sha256(data).hexdigest()
    (alert,) = therapists.rows("SELECT code, import_id FROM therapist_service.alert_outbox")
    assert alert == {"code": code, "import_id": file["id"]}


def import_far_fewer_than_usual(therapists, make_therapist):
    everybody = [make_therapist(number) for number in range(1, 11)]
    for day in ("2025-07-02", "2025-07-09", "2025-07-16"):
        therapists.scrape([*everybody, make_therapist(40 + int(day[-2:]))], day=day)
        therapists.run()
    therapists.scrape(everybody[:3], day="2025-07-23")
    therapists.run()
    assert therapists.last_file()["error_code"] == "implausible_count"


def test_far_fewer_records_than_usual_are_not_believed(therapists, make_therapist):
    import_far_fewer_than_usual(therapists, make_therapist)
    therapists.run()
    assert therapists.last_file()["status"] == "failed"


def test_a_person_who_retries_a_file_with_far_fewer_records_says_that_it_is_right(therapists, make_therapist):
    import_far_fewer_than_usual(therapists, make_therapist)
    with therapists.engine.begin() as connection:
        mend.retry(connection, kernel, [therapists.last_file()["id"]], "test")
    assert dict(therapists.run().counts) == {"success": 1}
    assert counts(therapists.last_file()) == {"unchanged": 3}
    assert (therapists.last_file()["error_code"], therapists.last_file()["attempts"]) == (None, 2)


@pytest.mark.slow
def test_a_large_file_is_read_in_pieces_with_the_same_result(therapists, make_therapist):
    filler = {"location": {"city": "Aachen" + " " * 3000}}
    records = [make_therapist(number, **filler) for number in range(1, 600)]
    records += [make_therapist(1)]
    data = json.dumps({"therapists": records, "metadata": {"padding": "x" * 16_000}}, indent=4).encode()
    therapists.put(data.replace(b'"metadata"', b" " * (16 * 1024 * 1024) + b'"metadata"'), "20250702/52066.json")
    therapists.run()
    file = therapists.last_file()
    assert (file["status"], counts(file)) == ("success", {"new": 599, "skipped": 1})


def test_a_record_that_is_too_large_fails_alone_with_its_place(therapists, make_therapist):
    bloated = make_therapist(2, location={"street": "x" * 1_100_000})
    therapists.scrape([make_therapist(1), bloated, make_therapist(3)])
    therapists.run()
    file = therapists.last_file()
    assert (file["status"], counts(file)) == ("partial", {"new": 2, "failed": 1})
    findings = therapists.rows("SELECT record_index, pointer, code FROM therapist_service.import_findings")
    assert findings == [{"record_index": 1, "pointer": "/therapists/1", "code": "record_too_large"}]


def test_a_file_whose_attempts_never_end_is_given_up_and_reported(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    # As the third kill in a row leaves it, of the eighth attempt.
    begun = "UPDATE therapist_service.import_tracking SET status = 'pending', round_attempts = 8, interruptions = 2"
    with therapists.engine.begin() as connection:
        connection.execute(sa.text(f"{begun}, therapist_count = 0, new_count = 0"))
        connection.execute(sa.text("INSERT INTO therapist_service.import_attempts (import_id, number) VALUES (1, 2)"))
    assert dict(therapists.run().ignored) == {"waits_for_a_person": 1}
    assert (therapists.last_file()["error_code"], len(therapists.therapists())) == ("interrupted", 1)
    assert therapists.rows("SELECT code FROM therapist_service.alert_outbox") == [{"code": "interrupted"}]


def test_a_missing_folder_is_an_error_of_the_pass(therapists):
    therapists.folder.rmdir()
    with pytest.raises(TransientError, match="folder_unavailable"):
        therapists.run()


def test_of_a_postal_code_only_those_who_resemble_a_record_are_read(therapists, make_therapist):
    therapists.scrape([make_therapist(number, basic_info={"first_name": f"T{number}"}) for number in range(1, 101)])
    therapists.run()
    record = map_record(make_therapist(7, id="praxis999", basic_info={"first_name": "Kunibert"}), 0)
    with therapists.engine.begin() as connection:
        register = Register(connection)
        register.meet([Arrival(record, "52XXX")])
    assert [entry.id for entry in register.of(Arrival(record, "52XXX").listed)] == [7]
    assert len(register._entries) == 1


@pytest.mark.parametrize("edit", [{"last_key": None}, {"nachname": "Maier"}, {"nachname": "Maier", "plz": "52064"}])
@pytest.mark.parametrize("listed_as", ["what it says now", "what the source said"])
def test_a_row_written_without_keys_is_found(therapists, make_therapist, edit, listed_as):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    staff_sets(therapists, **edit)
    row = therapists.therapists()[0]
    now = {"basic_info": {"last_name": row["nachname"]}, "location": {"postal_code": row["plz"]}}
    change = now if listed_as == "what it says now" else {}
    therapists.scrape([make_therapist(1, id="praxis999", **change)], day="2025-07-09")
    therapists.run()
    assert len(therapists.therapists()) == 1


@pytest.mark.parametrize("change", [{}, {"basic_info": {"last_name": "Maier"}, "location": {"postal_code": "52064"}}])
def test_who_was_renamed_and_moved_by_staff_is_found_by_either_name(therapists, make_therapist, change):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    staff_decides(therapists, {"nachname": "Maier", "plz": "52064"})
    assert therapists.rows("SELECT count(*) FROM therapist_service.therapeuten WHERE last_key IS NULL")[0]["count"] == 0
    therapists.scrape([make_therapist(1, id="praxis999", **change)], day="2025-07-09")
    therapists.run()
    assert len(therapists.therapists()) == 1


ZIP_CODES = [str(number) for number in range(52001, 52013)]
"""So many files that statements get their lasting plan."""


@pytest.fixture
def with_many_neighbours(therapists, make_therapist):
    """Rows just imported, of which there are no statistics: a plan that guesses few in an area would read them all."""
    sql(therapists, "ALTER TABLE therapist_service.therapeuten SET (autovacuum_enabled = false)")
    people = [somebody(make_therapist, f"n{number}", "52999", "new") for number in range(3000)]
    therapists.scrape(people, "2025-07-02", "52999")
    therapists.run()
    return therapists


def list_everybody(therapists, make_therapist, day, status):
    for zip_code in ZIP_CODES:
        people = [somebody(make_therapist, f"{zip_code}-{number}", zip_code, status) for number in range(20)]
        therapists.scrape(people, day, zip_code)


@pytest.mark.slow
def test_a_file_costs_its_own_rows_and_not_those_of_its_area(with_many_neighbours, make_therapist):
    therapists = with_many_neighbours
    for day, status in (("2025-07-02", "new"), ("2025-07-09", "unchanged")):
        # The day's first file counts the active therapists, once.
        therapists.scrape([], day, "52998")
        therapists.run()
        before = rows_read(therapists)
        list_everybody(therapists, make_therapist, day, status)
        assert dict(therapists.run().counts) == {"success": len(ZIP_CODES)}
        assert counts(therapists.last_file()) == {status: 20}
        assert 1 <= (rows_read(therapists) - before) / (20 * len(ZIP_CODES)) < 5


def somebody(make_therapist, number, zip_code, status):
    basic = {"first_name": f"Vorname{number}", "last_name": f"Nachname{number}"}
    return make_therapist(1, id=number, status=status, basic_info=basic, location={"postal_code": zip_code})


def rows_read(therapists):
    """So far, in that table. A session adds its own when it ends, a moment after its pool."""
    therapists.parts.engine.dispose()
    others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert wait_until(lambda: therapists.rows(others) == [], 60)
    reads = "coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
    (row,) = therapists.rows(f"SELECT {reads} AS number FROM pg_stat_user_tables WHERE relname = 'therapeuten'")
    return row["number"]


def sql(therapists, statement):
    with therapists.engine.begin() as connection:
        connection.execute(sa.text(statement))
