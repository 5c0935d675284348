"""Who is who over files and weeks: nobody is split in two, nobody's row is taken over, and the word stays put."""

import json

import pytest
import sqlalchemy as sa

from shared.reviews.values import Resolution
from therapist_service.reviews import resolve_review

pytestmark = pytest.mark.slow

COUNTS = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
WEEKS = ("2025-07-02", "2025-07-09", "2025-07-16", "2025-07-23")


def anna(make_therapist, id="praxis1", **changes):  # noqa: A002 - as in the file
    """Anna Falke, Markt 3; changes are `first`, `last`, `street`, `number`, `zip`, `phone`, `email`, `status`."""
    given = {"first": "Anna", "last": "Falke", "street": "Markt", "number": "3", "zip": "52062"}
    given |= {"phone": "0241 12345", "email": "anna@example.com", "title": "", "status": "modified"} | changes
    return make_therapist(
        1,
        id=id,
        status=given["status"],
        basic_info={"first_name": given["first"], "last_name": given["last"], "title": given["title"]},
        location={"street": given["street"], "house_number": given["number"], "postal_code": given["zip"]},
        contact={"phone": given["phone"], "email": given["email"]},
    )


def counts(file):
    return {name: file[f"{name}_count"] for name in COUNTS if file[f"{name}_count"]}


def latest(therapists, zip_code="52062"):
    return [file for file in therapists.files() if file["zip"] == zip_code][-1]


@pytest.fixture
def blocked(therapists, make_therapist):
    """Anna Falke, whom staff have blocked."""
    therapists.scrape([anna(make_therapist), make_therapist(50)], zip_code="52062")
    therapists.run()
    block = "UPDATE therapist_service.therapeuten SET status = 'gesperrt', sperrgrund = 'Beschwerde' WHERE id = 1"
    with therapists.engine.begin() as connection:
        connection.execute(sa.text(block))
    return therapists


def next_week(therapists, *records, zip_code="52062", week=1):
    therapists.scrape(list(records), day=WEEKS[week], zip_code=zip_code)
    therapists.run()


@pytest.mark.parametrize("external_id", ["praxis1", "praxis77"])
@pytest.mark.parametrize("first", ["Anna Maria", "A.", "Anna-Maria", "Dr. Anna", "", "ANNA"])
def test_another_spelling_of_a_first_name_keeps_row_and_block(blocked, make_therapist, first, external_id):
    next_week(blocked, anna(make_therapist, external_id, first=first), make_therapist(50))
    row, _ = blocked.therapists()
    assert (row["status"], row["source_seen_at"].day) == ("gesperrt", 9)


@pytest.mark.parametrize(
    "change",
    [
        {"first": "Falke", "last": "Anna"},
        {"first": "Anne"},
        {"zip": "52070", "street": "Neuweg"},
        {"zip": "52070", "street": "Neuweg", "email": ""},
    ],
)
def test_strong_evidence_without_a_match_is_held_and_asked_once(blocked, make_therapist, change):
    for week in (1, 2):
        next_week(blocked, anna(make_therapist, "praxis77", **change), make_therapist(50), week=week)
        assert counts(latest(blocked)) == {"held": 1, "unchanged": 1}
    (review,) = blocked.reviews()
    assert (review["kind"], review["detail"]["candidates"]) == ("possible_duplicate", [1])
    assert len(blocked.therapists()) == 2
    outcomes = blocked.rows("SELECT DISTINCT code, rule FROM therapist_service.import_outcomes WHERE outcome = 'held'")
    assert outcomes == [{"code": "possible_duplicate", "rule": "similar"}]
    with blocked.engine.begin() as connection:
        resolve_review(connection, review["id"], Resolution(choice="merge", actor="api:test"))
    next_week(blocked, anna(make_therapist, "praxis77", **change), make_therapist(50), week=3)
    assert counts(latest(blocked)) == {"unchanged": 2}
    assert blocked.therapists()[0]["status"] == "gesperrt"


def test_a_colleague_with_the_practice_s_address_is_somebody_else(blocked, make_therapist):
    colleague = anna(make_therapist, "praxis9", first="Bernd")
    next_week(blocked, anna(make_therapist), colleague, make_therapist(50))
    assert counts(latest(blocked)) == {"new": 1, "unchanged": 2}


def test_a_deletion_of_somebody_else_at_the_address_leaves_the_row_alone(blocked, make_therapist):
    gone = anna(make_therapist, "praxis9", last="Storch", status="deleted")
    next_week(blocked, gone, make_therapist(50))
    assert counts(latest(blocked)) == {"skipped": 1, "unchanged": 1}
    assert blocked.therapists()[0]["source_removed_at"] is None


@pytest.mark.parametrize("external_id", ["praxis1", "praxis9"])
def test_a_successor_does_not_take_the_row_of_whom_the_file_calls_gone(blocked, make_therapist, external_id):
    gone = anna(make_therapist, status="deleted")
    successor = anna(make_therapist, external_id, last="Storch", email="", phone="0241 777", status="new")
    next_week(blocked, successor, gone, make_therapist(50))
    falke, _, storch = blocked.therapists()
    assert (falke["nachname"], falke["status"], falke["source_removed_at"] is not None) == ("Falke", "gesperrt", True)
    assert (storch["nachname"], storch["status"], storch["sperrgrund"]) == ("Storch", "aktiv", None)


@pytest.mark.parametrize("zips", [("52062", "52064"), ("52064", "52062")])
@pytest.mark.parametrize("together", [True, False])
def test_a_successor_does_not_take_the_row_of_whom_another_file_of_the_day_lists(
    blocked, make_therapist, zips, together
):
    successor = anna(make_therapist, "praxis9", last="Storch", email="", phone="0241 777", status="new")
    files = {zips[0]: [anna(make_therapist), make_therapist(50)], zips[1]: [successor, make_therapist(51)]}
    for zip_code, records in files.items():
        blocked.scrape(records, day=WEEKS[1], zip_code=zip_code)
        if not together:
            blocked.run()
    blocked.run()
    rows = {row["nachname"]: row["status"] for row in blocked.therapists()}
    assert (rows["Falke"], rows["Storch"]) == ("gesperrt", "aktiv")


def test_a_marriage_keeps_row_and_block(blocked, make_therapist):
    next_week(blocked, anna(make_therapist, "praxis9", last="Storch"), make_therapist(50))
    assert (blocked.therapists()[0]["nachname"], blocked.therapists()[0]["status"]) == ("Storch", "gesperrt")


def changes_and_events(therapists):
    changes = therapists.rows("SELECT count(*) AS number FROM therapist_service.field_changes")[0]["number"]
    return changes, len(therapists.events())


def put_day(therapists, day, files, *, together=True):
    for zip_code, records in files.items():
        therapists.scrape(records, day=day, zip_code=zip_code)
        if not together:
            therapists.run()
    therapists.run()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("zips", [("52064", "52066"), ("52066", "52064")])
def test_two_practices_listed_in_two_files_of_a_day_are_two_rows(therapists, make_therapist, zips, together):
    one, other = anna(make_therapist), anna(make_therapist, street="Hof", number="9")
    therapists.scrape([one, make_therapist(50)], zip_code=zips[0])
    therapists.run()
    files = {zips[0]: [one, make_therapist(50)], zips[1]: [other]}
    put_day(therapists, WEEKS[1], files, together=together)
    before = changes_and_events(therapists)
    for week in (2, 3):
        put_day(therapists, WEEKS[week], files, together=together)
    assert sorted(row["strasse"] for row in therapists.therapists() if row["nachname"] == "Falke") == [
        "Hof 9",
        "Markt 3",
    ]
    assert changes_and_events(therapists) == before


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("other", ["52060", "52064"])
def test_the_file_of_the_practice_s_own_postal_code_has_the_word(therapists, make_therapist, other, together):
    """Whichever comes first; and the other one writes nothing, neither row nor event, week after week."""
    own, theirs = anna(make_therapist), anna(make_therapist, "praxis8", phone="0241 999")
    put_day(therapists, WEEKS[0], {other: [theirs], "52062": [own]}, together=together)
    before = changes_and_events(therapists)
    for week in (1, 2):
        put_day(therapists, WEEKS[week], {other: [theirs], "52062": [own]}, together=together)
    (row,) = therapists.therapists()
    assert (row["telefon"], row["external_id"]) == ("0241 12345", "praxis1")
    assert changes_and_events(therapists) == before
    assert counts(latest(therapists, other)) == {"skipped": 1}
    outcome = therapists.rows("SELECT code FROM therapist_service.import_outcomes ORDER BY id")[-1]
    assert outcome == {"code": "listed_elsewhere"}
    moved = {**own, "contact": {**own["contact"], "phone": "0241 555"}}
    put_day(therapists, WEEKS[3], {other: [theirs], "52062": [moved]}, together=together)
    assert therapists.therapists()[0]["telefon"] == "0241 555"


def test_one_file_may_have_the_word_about_some_and_not_about_others(therapists, make_therapist):
    put_day(therapists, WEEKS[0], {"52062": [anna(make_therapist)], "52066": [make_therapist(50)]})
    files = {
        "52062": [anna(make_therapist)],
        "52066": [anna(make_therapist, phone="0241 999"), make_therapist(50, contact={"phone": "0241 555"})],
    }
    put_day(therapists, WEEKS[1], files)
    assert counts(latest(therapists, "52066")) == {"skipped": 1, "updated": 1}
    assert [row["telefon"] for row in therapists.therapists()] == ["0241 12345", "0241 555"]


@pytest.mark.parametrize("together", [True, False])
def test_where_its_own_file_does_not_list_it_the_file_that_had_the_word_keeps_it(therapists, make_therapist, together):
    one, other = anna(make_therapist), anna(make_therapist, phone="0241 999")
    files = {"52060": [one], "52062": [make_therapist(50)], "52064": [other]}
    put_day(therapists, WEEKS[0], {"52064": files["52064"]})
    assert therapists.therapists()[0]["telefon"] == "0241 999"
    put_day(therapists, WEEKS[1], files, together=together)
    assert therapists.therapists()[0]["telefon"] == "0241 999"
    # It stops to list the practice: the other one has the word.
    put_day(therapists, WEEKS[2], files | {"52064": [make_therapist(51)]})
    assert therapists.therapists()[0]["telefon"] == "0241 12345"


def test_the_smallest_postal_code_has_the_word_where_nobody_had_it(therapists, make_therapist):
    files = {"52066": [anna(make_therapist, phone="0241 999")], "52064": [anna(make_therapist)]}
    # Written an hour earlier: the order of the scrape within the day does not matter.
    for zip_code, hour in (("52066", "01"), ("52064", "02")):
        metadata = {"scrape_date": f"2025-07-02T{hour}:00:00", "postcode_area": "52XXX"}
        document = {"metadata": metadata, "therapists": files[zip_code]}
        therapists.put(json.dumps(document).encode(), f"20250702/{zip_code}.json")
    therapists.run()
    assert therapists.therapists()[0]["telefon"] == "0241 12345"
    assert counts(latest(therapists, "52066")) == {"skipped": 1}


@pytest.fixture(params=[1, 640 * 1024], ids=["alone", "together"])
def in_batches(therapists, request):
    """The import that applies each file of a day by itself, or all of them together."""
    therapists.parts.source.batch_bytes = request.param
    return therapists


@pytest.mark.parametrize(
    ("week", "own", "telephone"),
    [
        (3, {"phone": "0241 12345"}, "0241 12345"),
        (3, {"phone": ""}, "0241 12345"),
        (1, None, "0241 999"),
        (1, "unreadable", "0241 12345"),
    ],
)
def test_whose_word_counts_does_not_depend_on_which_files_are_applied_together(
    in_batches, make_therapist, week, own, telephone
):
    """The neighbour's file comes first. That of the own postal code has been away, is silent about the telephone or
    about the practice, or cannot be read: then it is expected."""
    put_day(in_batches, WEEKS[0], {"52062": [anna(make_therapist), make_therapist(50)]})
    events = len(in_batches.events())
    listed = [anna(make_therapist, **own)] if isinstance(own, dict) else []
    in_batches.scrape([anna(make_therapist, phone="0241 999"), make_therapist(51)], WEEKS[week], "52060")
    in_batches.scrape([*listed, make_therapist(50)], WEEKS[week], "52062")
    if own == "unreadable":
        in_batches.put(b"{", f"{WEEKS[week].replace('-', '')}/52062.json")
    in_batches.run()
    assert in_batches.therapists()[0]["telefon"] == telephone
    assert len(in_batches.events()) - events == 1 + (telephone == "0241 999")


@pytest.mark.parametrize("together", [True, False])
def test_a_file_that_calls_a_practice_deleted_leaves_the_word_to_the_one_that_lists_it(
    therapists, make_therapist, together
):
    put_day(therapists, WEEKS[0], {"52062": [anna(make_therapist), make_therapist(50)]})
    files = {
        "52062": [anna(make_therapist, status="deleted"), make_therapist(50)],
        "52064": [anna(make_therapist, phone="0241 999"), make_therapist(51)],
    }
    put_day(therapists, WEEKS[1], files, together=together)
    row = therapists.therapists()[0]
    assert (row["status"], row["source_removed_at"], row["telefon"]) == ("aktiv", None, "0241 999")


def test_a_file_without_the_word_reactivates_all_the_same(therapists, make_therapist):
    own, theirs = anna(make_therapist), anna(make_therapist, phone="0241 999")
    put_day(therapists, WEEKS[0], {"52062": [own, make_therapist(50)]})
    put_day(therapists, WEEKS[1], {"52062": [anna(make_therapist, status="deleted"), make_therapist(50)]})
    assert therapists.therapists()[0]["status"] == "inaktiv"
    put_day(therapists, WEEKS[2], {"52060": [theirs], "52062": [make_therapist(50)]}, together=False)
    row = therapists.therapists()[0]
    assert (row["status"], row["source_removed_at"]) == ("aktiv", None)
    assert counts(latest(therapists, "52060")) == {"reactivated": 1}


def test_a_late_older_file_revives_nobody(therapists, make_therapist):
    put_day(therapists, WEEKS[0], {"52062": [anna(make_therapist), make_therapist(50)]})
    put_day(therapists, WEEKS[2], {"52062": [anna(make_therapist, status="deleted"), make_therapist(50)]})
    put_day(therapists, WEEKS[1], {"52064": [anna(make_therapist), make_therapist(51)]})
    row = therapists.therapists()[0]
    assert (row["status"], row["source_removed_at"] is not None) == ("inaktiv", True)
    assert counts(latest(therapists, "52064")) == {"skipped": 1, "new": 1}


def test_ids_by_position_cost_one_remark_a_week(therapists, make_therapist):
    people = [make_therapist(number) for number in range(1, 41)]
    put_day(therapists, WEEKS[0], {"52066": people})
    before = therapists.therapists()
    shifted = [{**record, "id": f"praxis{number}"} for number, record in enumerate(people, 2)]
    put_day(therapists, WEEKS[1], {"52066": shifted})
    assert counts(latest(therapists, "52066")) == {"unchanged": 40}
    found = therapists.rows(
        "SELECT pointer, code, record_index, records FROM therapist_service.import_findings WHERE import_id = 2"
        " AND code = 'id_reassigned'"
    )
    assert found == [{"pointer": "/therapists", "code": "id_reassigned", "record_index": None, "records": 39}]
    assert [row["external_id"] for row in therapists.therapists()] == [record["id"] for record in shifted]
    assert [row["updated_at"] for row in therapists.therapists()] == [row["updated_at"] for row in before]


def test_an_id_given_to_somebody_else_deletes_nobody_who_had_it(therapists, make_therapist):
    put_day(therapists, WEEKS[0], {"52066": [make_therapist(1), make_therapist(2), make_therapist(3)]})
    newcomer = make_therapist(9, id="praxis1")
    put_day(therapists, WEEKS[1], {"52066": [newcomer, make_therapist(2), make_therapist(3)]})
    assert [row["external_id"] for row in therapists.therapists()] == [None, "praxis2", "praxis3", "praxis1"]
    put_day(therapists, WEEKS[2], {"52066": [{"id": "praxis1", "status": "deleted"}, make_therapist(2)]})
    assert [row["status"] for row in therapists.therapists()] == ["aktiv", "aktiv", "aktiv", "inaktiv"]


def test_the_same_words_without_a_full_address_are_no_proof_under_another_id(therapists, make_therapist):
    nameless = {"basic_info": {"first_name": ""}, "contact": {"phone": "", "email": ""}}
    put_day(
        therapists, WEEKS[0], {"52066": [make_therapist(1, **nameless, location={"street": "", "house_number": ""})]}
    )
    again = make_therapist(1, id="praxis5", **nameless, location={"street": "", "house_number": ""})
    put_day(therapists, WEEKS[1], {"52066": [again]})
    assert counts(latest(therapists, "52066")) == {"new": 1}
