"""What the people who decide get to see: the review's subject as it stands now, and one person's whole history."""

import sqlalchemy as sa

from patient_service.models import kernel as patient_kernel
from patient_service.review_subjects import subject_of as subject_among_patients
from patient_service.use_cases import update_patients
from shared.people.timeline import history_of
from shared.reviews.stored import read_review
from shared.reviews.subjects import ConflictingField
from shared.reviews.values import Resolution
from therapist_service.models import kernel as therapist_kernel
from therapist_service.review_subjects import subject_of
from therapist_service.reviews import resolve_review
from therapist_service.undo import undo_review


def the_subject(therapists):
    (review,) = therapists.reviews()
    with therapists.engine.begin() as connection:
        return subject_of(connection, read_review(review))


def the_history(imported, kernel, entity_id):
    with imported.engine.begin() as connection:
        return history_of(connection, kernel, entity_id)


def test_two_patients_of_one_mailbox_stand_side_by_side(patients, make_registration):
    patients.upload(make_registration(), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    patients.upload(make_registration("aaaaaaaa", vorname="Erika"), "Mustermann_Erika_20250706_aaaaaaaa.json")
    patients.run()
    (review,) = patients.rows("SELECT * FROM patient_service.reviews")
    with patients.engine.begin() as connection:
        subject = subject_among_patients(connection, read_review(review))
    assert [side.values["vorname"] for side in subject.sides] == ["Erika", "Max"]
    assert subject.candidates == (1,)
    differing = {compared.field for compared in subject.fields if compared.differs}
    assert "vorname" in differing
    assert not differing & {"nachname", "email", "geburtsdatum"}


def test_a_record_that_may_mean_two_rows_stands_beside_both(therapists, make_therapist):
    same = {"last_name": "Zeevaert", "first_name": "Thomas"}
    therapists.scrape([make_therapist(1, basic_info=same), make_therapist(2, basic_info=same)])
    therapists.run()
    asked = make_therapist(50, basic_info=same, location={"street": "Anderswo"})
    therapists.scrape([asked, make_therapist(3)], day="2025-07-09")
    therapists.run()
    subject = the_subject(therapists)
    assert [side.entity_id for side in subject.sides] == [None, 1, 2]
    (street,) = [compared for compared in subject.fields if compared.field == "strasse"]
    assert (street.values, street.differs) == (("Anderswo 50", "Salierallee 1", "Salierallee 2"), True)


def test_a_conflict_tells_what_each_side_said_and_what_holds_now(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    _sql(therapists, "UPDATE therapist_service.therapeuten SET telefon = '0241 777'")
    therapists.scrape([make_therapist(1, contact={"phone": "+49 241 99999"})], day="2025-07-09")
    therapists.run()
    _sql(therapists, "UPDATE therapist_service.therapeuten SET telefon = '0241 888'")
    subject = the_subject(therapists)
    assert subject.fields == (ConflictingField("telefon", "+49 241 12345", "0241 777", "+49 241 99999", "0241 888"),)
    _sql(therapists, "DELETE FROM therapist_service.therapeuten")
    assert the_subject(therapists).row is None


def test_held_deletions_come_with_names_and_who_is_back_is_marked(held_deletions, make_therapist):
    therapists = held_deletions
    therapists.scrape([make_therapist(2)], day="2025-07-16", zip_code="52064")
    therapists.run()
    _sql(therapists, "DELETE FROM therapist_service.therapeuten WHERE id = 1")
    subject = the_subject(therapists)
    gone, back, listed = subject.deletions[:3]
    assert (gone.row, back.reappeared, listed.reappeared) == (None, True, False)
    assert listed.row["nachname"].startswith("Zeevaert")
    assert (len(subject.deletions), subject.active_before) == (8, 20)


def test_a_therapists_history_tells_of_files_people_reviews_and_events(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    _sql(therapists, "UPDATE therapist_service.therapeuten SET telefon = '0241 777'")
    therapists.scrape([make_therapist(1, contact={"phone": "+49 241 99999"})], day="2025-07-09")
    therapists.run()
    with therapists.engine.begin() as connection:
        resolve_review(connection, 1, Resolution("source", "api:anna"))
    with therapists.engine.begin() as connection:
        undo_review(connection, 1, "api:bert", "vertan")
    told = [(entry.kind, entry.word, entry.actor) for entry in the_history(therapists, therapist_kernel, 1)]
    assert sorted(told[6:], key=str) == [
        ("event", "therapist.created", None),
        ("import", "held", "import:2"),
        ("import", "new", "import:1"),
        ("review", "conflict", "import:2"),
    ]
    assert told[:6] == [
        ("event", "therapist.updated", None),
        ("action", "undo", "api:bert"),
        ("change", None, "api:bert"),
        ("event", "therapist.updated", None),
        ("action", "resolve", "api:anna"),
        ("change", None, "api:anna"),
    ]


def test_a_patients_history_keeps_the_changes_of_one_moment_together(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    with patients.engine.begin() as connection:
        update_patients(connection, {1: {"ort": "Aachen", "plz": "52066"}}, "api:anna")
    change = next(entry for entry in the_history(patients, patient_kernel, 1) if entry.kind == "change")
    assert change.actor == "api:anna"
    assert {(changed.field, changed.old, changed.new) for changed in change.changes} == {
        ("ort", None, "Aachen"),
        ("plz", None, "52066"),
    }
    assert the_history(patients, patient_kernel, 2) == []


def _sql(therapists, statement):
    with therapists.engine.begin() as connection:
        connection.execute(sa.text(statement))
