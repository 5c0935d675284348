"""Therapists who object: every copy goes, and no import brings them back, until somebody allows it."""

import json

import pytest
import sqlalchemy as sa

from shared.core.errors import NotFound, SettingsError
from shared.people.writer import Change
from shared.reviews.reviews import ResolutionRefused
from shared.reviews.values import Resolution
from therapist_service.app import create_app
from therapist_service.erasure import ImportBusy, erase
from therapist_service.reviews import resolve_review
from therapist_service.suppressions import allow, list_suppressions, read_digests
from therapist_service.use_cases import create_therapists, lock_therapists, update_therapists

pytestmark = pytest.mark.slow

ALICE = {"first_name": "Alice", "last_name": "Canaryvogel"}
CONTACT = {"email": "alice@canary.example", "phone": "0241 7777777"}
PLACE = {"street": "Kanarienweg", "house_number": "7", "postal_code": "52066", "city": "Aachen"}
SECRETS = ("Canaryvogel", "canary", "7777777", "Kanarienweg", "geheim")


def alice(make_therapist, **sections):
    parts = {"basic_info": ALICE, "contact": CONTACT, "location": PLACE}
    for name, part in sections.items():
        parts[name] = {**parts[name], **part} if name in parts else part
    return make_therapist(1, **parts)


@pytest.fixture
def erased(therapists, make_therapist):
    """Somebody with history and open questions, and a colleague at the same practice; then she objects."""
    therapists.scrape([alice(make_therapist), make_therapist(2, contact=CONTACT, location=PLACE)])
    therapists.run()
    with therapists.engine.begin() as connection:
        row = vars(lock_therapists(connection, [1])[1])
        staff = {"potenziell_verfuegbar_notizen": "geheim", "telefon": "0241 888", "status": "gesperrt"}
        update_therapists(connection, [Change(row, staff)], "api:anna")
    changed = alice(make_therapist, contact={"phone": "0241 7777778"})
    therapists.scrape([changed, make_therapist(2, contact=CONTACT, location=PLACE)], "2025-07-09")
    therapists.run()
    assert [review["kind"] for review in therapists.reviews()] == ["conflict"]
    therapists.certificate = erase(therapists.engine, 1, "api:olga")
    return therapists


def dump(therapists):
    tables = therapists.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'therapist_service'")
    everything = ""
    for table in tables:
        rows = therapists.rows(f"SELECT CAST(t AS text) AS row FROM therapist_service.{table['tablename']} AS t")
        everything += "\n".join(row["row"] for row in rows)
    return everything


def outcome(therapists):
    return therapists.rows(
        "SELECT outcome, code FROM therapist_service.import_outcomes"
        " WHERE import_id = (SELECT max(id) FROM therapist_service.import_tracking)"
    )


def names(therapists):
    return [(row["vorname"], row["nachname"]) for row in therapists.therapists()]


def test_nothing_of_the_person_is_left_in_the_database(erased):
    # The colleague shares house, phone and mail.
    with erased.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM therapist_service.therapeuten"))
        connection.execute(sa.text("DELETE FROM therapist_service.event_outbox WHERE key = '2'"))
    left = dump(erased)
    assert [secret for secret in SECRETS if secret in left] == []
    assert erased.certificate["removed"]["field_changes"] >= 3
    assert erased.events() == ["therapist.deleted"]
    actions = erased.rows("SELECT action, actor, entity_id FROM therapist_service.operator_actions")
    assert actions[-1] == {"action": "delete", "actor": "api:olga", "entity_id": 1}


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"contact": {"phone": "0241 1", "email": "other@example.com"}},
        {"location": {"street": "Anderswo", "postal_code": "52070"}, "contact": {"phone": ""}},
        {"location": {"street": "Anderswo", "postal_code": "52070"}, "contact": {"email": "", "phone": "0241 7777778"}},
        {"status": "deleted"},
    ],
)
def test_an_import_leaves_the_person_out_until_somebody_allows_it(erased, make_therapist, again):
    for day in ("2025-07-16", "2025-07-23"):
        erased.scrape([alice(make_therapist, **again)], day)
        erased.run()
        assert outcome(erased) == [{"outcome": "skipped", "code": "erased_therapist"}]
    assert len(names(erased)) == 1
    with erased.engine.begin() as connection:
        allow(connection, erased.certificate["suppression_id"], "api:olga")
        assert list_suppressions(connection) == []
    erased.scrape([alice(make_therapist)], "2025-07-30")
    erased.run()
    assert names(erased)[-1] == ("Alice", "Canaryvogel")


@pytest.mark.parametrize(
    "like",
    [
        {"basic_info": {"first_name": "A."}},
        {"basic_info": {"first_name": ""}},
        {"location": {"street": "Anderswo"}, "contact": {"email": "", "phone": "0241 1"}},
        {"basic_info": {"first_name": "Canaryvogel", "last_name": "Alice"}},
    ],
)
@pytest.mark.parametrize(("choice", "created"), [("separate", True), ("merge", False)])
def test_who_only_resembles_is_held_and_asked_about(erased, make_therapist, like, choice, created):
    erased.scrape([alice(make_therapist, **like)], "2025-07-16")
    erased.run()
    assert outcome(erased) == [{"outcome": "held", "code": "resembles_erased"}]
    (review,) = [review for review in erased.reviews() if review["state"] == "open"]
    with erased.engine.begin() as connection:
        resolve_review(connection, review["id"], Resolution(choice, "api:olga"))
    assert len(names(erased)) == (2 if created else 1)
    # What a person has said to be the same somebody's goes with theirs.
    assert ("Canaryvogel" in dump(erased)) is created
    erased.scrape([alice(make_therapist, **like), make_therapist(40)], "2025-07-23")
    erased.run()
    assert len(names(erased)) == (3 if created else 2)
    assert [review for review in erased.reviews() if review["state"] == "open"] == [] or not created


@pytest.mark.parametrize("last_name", ["Canary-Vogel", "Canary Vogel", "Amsel"])
def test_another_spelling_of_the_name_and_a_new_one_bring_nobody_back_unasked(erased, make_therapist, last_name):
    erased.scrape([alice(make_therapist, basic_info={"last_name": last_name})], "2025-07-16")
    erased.run()
    assert outcome(erased) == [{"outcome": "held", "code": "resembles_erased"}]


def test_whom_nobody_resembles_any_more_is_no_question(erased, make_therapist):
    erased.scrape([alice(make_therapist, basic_info={"first_name": ""})], "2025-07-16")
    erased.run()
    with erased.engine.begin() as connection:
        allow(connection, erased.certificate["suppression_id"], "api:olga")
    with pytest.raises(ResolutionRefused), erased.engine.begin() as connection:
        resolve_review(connection, 2, Resolution("merge", "api:olga"))
    erased.run()
    assert erased.reviews()[1]["choice"] == "settled"


def test_a_record_that_waits_goes_with_the_person_who_was_entered_by_hand(therapists, make_therapist):
    therapists.scrape([make_therapist(1, basic_info={"last_name": "Canaryvogel"}, contact=CONTACT)])
    therapists.run()
    therapists.scrape([alice(make_therapist)], "2025-07-09")
    therapists.run()
    (review,) = therapists.reviews()
    with therapists.engine.begin() as connection:
        create_therapists(connection, [{**review["detail"]["record"], "status": "aktiv"}], "api:anna")
    erase(therapists.engine, 2, "api:olga")
    (review,) = therapists.reviews()
    assert (review["detail"], review["fingerprint"], review["choice"]) == ({}, None, "erased")


def test_a_colleague_of_the_same_house_phone_and_mail_is_somebody_else(erased, make_therapist):
    relative = alice(make_therapist, basic_info={"first_name": "Berta"})
    erased.scrape([make_therapist(2, contact=CONTACT, location=PLACE), {**relative, "id": "praxis9"}], "2025-07-16")
    erased.run()
    assert names(erased) == [("Thomas", "Zeevaertca"), ("Berta", "Canaryvogel")]


@pytest.mark.parametrize("spelled", [{}, {"last_name": "Cánaryvogel"}, {"last_name": "CANARYVOGEL"}])
def test_another_practice_under_the_same_name_is_doubtful(therapists, make_therapist, spelled):
    place = {"street": "Anderswo", "postal_code": "52070"}
    elsewhere = alice(make_therapist, location=place, contact={"phone": "0241 1"}, basic_info=spelled)
    therapists.scrape([alice(make_therapist), {**elsewhere, "id": "praxis9"}])
    therapists.run()
    assert erase(therapists.engine, 1, "cli:olga")["doubtful"] == [2]


def test_of_a_question_about_many_only_the_person_is_taken_out(held_deletions):
    erase(held_deletions.engine, 3, "cli:olga")
    (review,) = held_deletions.reviews()
    assert [one["entity_id"] for one in review["detail"]["deletions"]] == [1, 2, 4, 5, 6, 7, 8]
    assert review["state"] == "open"


def test_while_the_import_has_a_file_in_hand_nothing_is_erased(therapists, make_therapist):
    therapists.scrape([alice(make_therapist)])
    therapists.run()
    with therapists.engine.begin() as importing:
        importing.execute(
            sa.text("SELECT pg_advisory_xact_lock_shared(hashtextextended('curavani:therapist-erasure', 0))")
        )
        with pytest.raises(ImportBusy):
            erase(therapists.engine, 1, "cli:olga", patience_seconds=1)
    assert len(names(therapists)) == 1
    with therapists.engine.begin() as connection:
        assert list_suppressions(connection) == []


def test_nobody_is_erased_who_is_not_there(therapists):
    with pytest.raises(NotFound):
        erase(therapists.engine, 1, "cli:olga")


SECRET = {"DIGEST_KEY": "a secret"}


def imports_again(erased, therapists, make_therapist, day):
    """What becomes of the person in another scrape, by an import with other settings."""
    erased.scrape([alice(make_therapist)], day)
    therapists.run()
    return outcome(therapists)


def test_digests_of_before_the_secret_are_still_known(erased, new_therapists, make_therapist):
    before = erased.rows("SELECT known_by FROM therapist_service.suppressions")
    known = [{"outcome": "skipped", "code": "erased_therapist"}]
    for day in ("2025-07-16", "2025-07-23"):
        assert imports_again(erased, new_therapists(**SECRET), make_therapist, day) == known
    assert erased.rows("SELECT known_by FROM therapist_service.suppressions") != before


def test_another_secret_is_refused(therapists, new_therapists, curavani, process_environment):
    new_therapists(**SECRET).run()
    for environment in ({}, {"DIGEST_KEY": "another"}):
        with pytest.raises(SettingsError):
            new_therapists(**environment).run()
        with pytest.raises(SettingsError):
            create_app({**process_environment, **environment}, start_workers=False)
    for command in (["serve", "therapist"], ["therapists", "erase", "1", "--yes"]):
        ran = curavani(*command, DIGEST_KEY="another")
        assert (ran.returncode, "DIGEST_KEY" in ran.stderr) == (2, True)


def test_after_a_restored_backup_the_certificate_knows_who_was_erased(
    erased, make_therapist, new_therapists, curavani, tmp_path
):
    # The backup has forgotten her erasure, and the next scrape lists her.
    erased.rows("DELETE FROM therapist_service.suppressions RETURNING id")
    restored = new_therapists(**SECRET)
    imports_again(erased, restored, make_therapist, "2025-07-16")
    assert names(restored)[-1] == ("Alice", "Canaryvogel")
    certificate = tmp_path / "certificate.json"
    certificate.write_text(json.dumps(erased.certificate))
    refused = curavani("therapists", "re-erase", str(certificate), before="exec </dev/null", **SECRET)
    assert (refused.returncode, len(names(restored))) == (1, 2)
    ran = curavani("therapists", "re-erase", "--yes", str(certificate), **SECRET)
    assert [each["removed"]["therapist"] for each in json.loads(ran.stdout)] == [1]
    assert imports_again(erased, restored, make_therapist, "2025-07-23") == [
        {"outcome": "skipped", "code": "erased_therapist"}
    ]


@pytest.mark.parametrize("document", [None, [], {}, {"digests": {"known_by": ["x"], "resembles": []}}])
def test_what_is_no_certificate_is_refused(document):
    with pytest.raises(ValueError, match="no certificate"):
        read_digests(document)


def test_the_command_line_erases_lists_and_allows(therapists, make_therapist, curavani):
    therapists.scrape([alice(make_therapist)])
    therapists.run()
    refused = curavani("therapists", "erase", "1", before="exec </dev/null")
    assert (refused.returncode, len(names(therapists))) == (2, 1)
    certificate = json.loads(curavani("therapists", "erase", "1", "--yes").stdout)
    number = str(certificate["suppression_id"])
    (listed,) = json.loads(curavani("therapists", "list-erased", "--json").stdout)
    assert str(listed["id"]) == number
    assert number in curavani("therapists", "list-erased").stdout
    assert curavani("therapists", "allow", number).returncode == 0
    assert curavani("therapists", "allow", number).returncode == 2
    assert json.loads(curavani("therapists", "list-erased", "--json").stdout) == []
    assert curavani("therapists", "erase", "1", "--yes").returncode == 2
