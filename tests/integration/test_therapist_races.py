"""Staff at work in the very rows that a scrape is being imported into: whoever comes first, nobody's work is lost."""

import threading
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from shared.people.writer import Change
from standins.local import wait_until
from therapist_service.use_cases import delete_therapist, lock_therapists, update_therapists

WAITS_FOR_A_ROW = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def import_meanwhile(therapists):
    """A block of staff's work in a transaction; an import starts inside it, waits for its rows, and ends after it."""

    @contextmanager
    def block():
        worker = threading.Thread(target=therapists.run)
        with therapists.engine.begin() as connection:
            yield connection
            worker.start()
            assert wait_until(lambda: therapists.rows(WAITS_FOR_A_ROW)[0]["count"] == 1, 60)
        worker.join(60)
        assert not worker.is_alive()

    return block


def staff_sets(connection, row_id, **values):
    row = lock_therapists(connection, [row_id])[row_id]
    update_therapists(connection, [Change(vars(row), values)], "api:test")


def outcomes(therapists):
    file = therapists.last_file()
    return {name: file[f"{name}_count"] for name in ("new", "updated", "unchanged", "skipped", "held", "deleted")}


def test_an_edit_made_while_the_import_waits_is_kept_and_asked_about(therapists, make_therapist, import_meanwhile):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    therapists.scrape([make_therapist(1, contact={"phone": "0241 99"}), make_therapist(2)], day="2025-07-09")
    with import_meanwhile() as connection:
        staff_sets(connection, 1, telefon="0241 77", potenziell_verfuegbar_notizen="ruft zurück")
    row = therapists.therapists()[0]
    assert (row["telefon"], row["potenziell_verfuegbar_notizen"]) == ("0241 77", "ruft zurück")
    (review,) = therapists.reviews()
    asked = {"field": "telefon", "base": "+49 241 12345", "staff": "0241 77", "source": "0241 99"}
    assert review["detail"]["fields"] == [asked]


def test_an_edit_of_another_field_leaves_both_changes_in_place(therapists, make_therapist, import_meanwhile):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    therapists.scrape([make_therapist(1, contact={"phone": "0241 99"})], day="2025-07-09")
    with import_meanwhile() as connection:
        staff_sets(connection, 1, email="staff@example.org")
    row = therapists.therapists()[0]
    assert (row["telefon"], row["email"]) == ("0241 99", "staff@example.org")


def test_an_edit_of_an_unchanged_row_stays(therapists, make_therapist, import_meanwhile):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    therapists.scrape([make_therapist(1)], day="2025-07-09")
    with import_meanwhile() as connection:
        staff_sets(connection, 1, telefon="0241 77", status="gesperrt")
    row = therapists.therapists()[0]
    assert (row["telefon"], row["status"], row["source_import_id"]) == ("0241 77", "gesperrt", 2)


def test_a_row_that_became_somebody_else_meanwhile_is_not_merged_into(therapists, make_therapist, import_meanwhile):
    """Entered by hand as the scraped person; corrected, before the import has it, to be another."""
    therapists.scrape([make_therapist(1)])
    therapists.run()
    forget = "UPDATE therapist_service.therapeuten SET external_id = NULL, source_area = NULL, source_record = NULL"
    with therapists.engine.begin() as connection:
        connection.execute(sa.text(f"{forget}, source_hash = NULL, source_plz = NULL"))
    therapists.scrape([make_therapist(1, contact={"website": "https://example.com"})], day="2025-07-09")
    with import_meanwhile() as connection:
        staff_sets(connection, 1, vorname="Renate", nachname="Vogel", strasse="Hof 3", webseite=None)
    by_hand, scraped = therapists.therapists()
    assert (by_hand["nachname"], by_hand["webseite"], by_hand["external_id"]) == ("Vogel", None, None)
    assert (scraped["external_id"], scraped["webseite"]) == ("praxis1", "https://example.com")


@pytest.mark.parametrize("phone", ["+49 241 12345", "0241 99"])
def test_whoever_was_deleted_meanwhile_is_created_anew(therapists, make_therapist, import_meanwhile, phone):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    therapists.scrape([make_therapist(1, contact={"phone": phone})], day="2025-07-09")
    with import_meanwhile() as connection:
        delete_therapist(connection, 1, "api:test")
    assert [row["id"] for row in therapists.therapists()] == [2]
    assert outcomes(therapists)["new"] == 1
    assert therapists.events() == ["therapist.created", "therapist.deleted", "therapist.created"]


def test_a_deletion_of_somebody_deleted_meanwhile_is_meant_for_nobody(therapists, make_therapist, import_meanwhile):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(2)], day="2025-07-09")
    with import_meanwhile() as connection:
        delete_therapist(connection, 1, "api:test")
    assert outcomes(therapists) | {"skipped": 1, "unchanged": 1} == outcomes(therapists)
    assert [row["status"] for row in therapists.therapists()] == ["aktiv"]


def test_a_deletion_of_somebody_just_blocked_leaves_them_blocked(therapists, make_therapist, import_meanwhile):
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(2)], day="2025-07-09")
    with import_meanwhile() as connection:
        staff_sets(connection, 1, status="gesperrt", sperrgrund="bittet darum")
    row = therapists.therapists()[0]
    assert (row["status"], row["sperrgrund"], outcomes(therapists)["deleted"]) == ("gesperrt", "bittet darum", 1)
