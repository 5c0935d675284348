"""An erasure finds all that the product wrote or can read about the person, and no import brings the person back."""

import hashlib
import json
import os
import threading
import time
from dataclasses import replace

import pytest

from patient_service.app import create_app
from patient_service.certificates import DoubtAnswers, certificate_page
from patient_service.erasure import PersonBusy
from patient_service.imports.person_locks import lock_person
from patient_service.models import kernel
from shared.core.errors import NotFound, SettingsError
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput
from shared.imports import mend
from shared.mail.digest import gather
from shared.state.health import Expectations, import_health
from shared.state.reading import read_snapshot
from shared.text.keys import email_key, name_key
from standins.local import wait_until

pytestmark = pytest.mark.slow

NEEDLES = ("Mustermann", "max.mustermann@example.com", "0171 3920042", "0b1ab67b")


def everything(patients):
    """All rows of the schema, and all that lies in the folder of copies."""
    tables = patients.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'patient_service'")
    rows = [patients.rows(f'SELECT * FROM patient_service."{row["table_name"]}"') for row in tables]
    files = [path.read_bytes() for path in patients.copies.rglob("*") if path.is_file()]
    return str(rows) + str(files)


def erase(patients, patient_id=1, **decisions):
    return patients.parts.erasure.erase(patient_id, "api:olga", DoubtAnswers(**decisions))


BEARER = {"Authorization": "Bearer o-token-of-24-characters"}


@pytest.fixture
def service(process_environment, max_):
    app = create_app(
        {**process_environment, "API_TOKENS": "olga:operate:o-token-of-24-characters"}, start_workers=False
    )
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


@pytest.fixture
def max_(patients, make_registration):
    """A patient who registered."""
    patients.upload(make_registration())
    patients.run()
    return patients


def test_a_failed_file_of_the_same_person_under_another_token_goes_as_well(max_, make_registration):
    max_.upload(make_registration("cccccccc", anrede="Herrn"), "X_Y_20250801_cccccccc.json")
    max_.run()
    certificate = erase(max_)
    assert (certificate["files"], certificate["doubtful"]) == ([1, 2], [])
    assert certificate["completed_at"]
    max_.run()
    assert [needle for needle in NEEDLES if needle in everything(max_)] == []
    assert max_.in_bucket() == []


def test_a_registration_that_failed_does_not_bring_the_person_back_once_it_is_mended(max_, make_registration):
    max_.upload(make_registration("cccccccc", anrede="Herrn"), "a.json")
    max_.run()
    erase(max_)
    max_.upload(make_registration("cccccccc"), "b.json")
    max_.run()
    assert (max_.files()[-1]["error_code"], max_.patients()) == ("erased_registration", [])


def test_what_may_be_the_persons_is_listed_and_waits_for_a_decision(max_, make_registration):
    max_.upload(b'{"text": "Unterlagen von Max Mustermann', "nachgereicht.json")
    max_.upload(b"{", "Mustermann_Max_20250801_dddddddd.json")
    max_.upload(make_registration("eeeeeeee", anrede="Herrn", email="anderer@example.com"), "e.json")
    max_.upload(make_registration("ffffffff", anrede="Herrn", vorname="Eva", email="eva@example.com"), "f.json")
    max_.run()
    assert max_.parts.erasure.preview(1).doubtful == [2, 3, 4]
    certificate = erase(max_, also=[2])
    assert (certificate["doubtful"], certificate["completed_at"]) == ([3, 4], None)
    with pytest.raises(InvalidInput):
        erase(max_, keep=[5])
    with pytest.raises(InvalidInput):
        erase(max_, keep=[3], also=[3])
    certificate = erase(max_, also=[3], keep=[4])
    assert certificate["doubtful"] == []
    assert certificate["completed_at"]
    assert [(each["choice"], each["number"]) for each in certificate["decisions"]] == [
        ("also", 2), ("also", 3), ("keep", 4)
    ]  # fmt: skip
    assert max_.in_bucket() == ["e.json", "f.json"]
    with pytest.raises(NotFound):
        erase(max_)


def test_an_open_question_about_the_persons_other_row_goes_into_the_certificate(max_, make_registration):
    max_.upload(make_registration("bbbbbbbb", nachname="Musterfrau"), "b.json")
    max_.run()
    assert erase(max_)["possible_duplicates"] == [2]
    certificate = erase(max_, others=[2])
    assert (certificate["possible_duplicates"], bool(certificate["completed_at"])) == ([], True)


def test_an_erasure_is_complete_once_the_other_row_is_erased_too(max_, make_registration):
    max_.upload(make_registration("bbbbbbbb", nachname="Musterfrau"), "b.json")
    max_.run()
    assert erase(max_)["completed_at"] is None
    erase(max_, 2)
    max_.run()
    rows = max_.rows("SELECT certificate FROM patient_service.erasures ORDER BY id")
    assert all(row["certificate"]["completed_at"] for row in rows)


def test_the_name_of_an_object_that_vanished_unread_goes_as_well(max_, make_registration):
    name = "Mustermann_Max_20250801_0b1ab67b.json"
    generation = max_.upload(make_registration(anrede="Herrn"), name)
    max_.storage.faults.add("download", 404)
    max_.run()
    assert (max_.files()[1]["error_code"], max_.files()[1]["file_name"]) == ("source_gone", name)
    max_.parts.erasure.bucket.delete(name, generation)
    assert erase(max_)["files"] == [1, 2]
    assert [needle for needle in NEEDLES if needle in everything(max_)] == []


def test_a_broken_registration_is_known_by_its_token_where_it_has_no_name(max_, make_registration):
    erase(max_)
    max_.upload(make_registration(vorname=""), "nachgereicht.json")
    max_.run()
    assert max_.files()[-1]["error_code"] == "erased_registration"
    max_.run()
    assert [needle for needle in NEEDLES if needle in everything(max_)] == []


def test_a_damaged_copy_and_the_one_beside_it_go_both(patients, make_registration):
    patients.upload(make_registration(anrede="Herrn"))
    patients.run()
    (copy,) = patients.copies.rglob("*.json")
    copy.write_bytes(b"damaged Mustermann")
    moved = copy.parent.with_name("07") / copy.name
    moved.parent.mkdir(exist_ok=True)
    moved.write_bytes(b"Mustermann, in the folder of another month")
    patients.rows("UPDATE patient_service.import_tracking SET status = 'pending' RETURNING id")
    patients.upload(make_registration("bbbbbbbb"), "b.json")
    patients.run()
    assert len(list(patients.copies.rglob("*.json"))) == 4
    erase(patients)
    assert "Mustermann" not in everything(patients)
    assert list(patients.copies.rglob("*.json")) == []


def test_a_copy_that_no_file_knows_is_told_and_goes_with_the_person(max_, make_registration):
    unknown = max_.copies / "2025" / "07" / f"1751720035000000_{'a' * 32}.json"
    unknown.parent.mkdir(parents=True)
    unknown.write_bytes(make_registration())
    yesterday = time.time() - 90_000
    os.utime(unknown, (yesterday, yesterday))
    max_.run()
    assert max_.rows("SELECT * FROM patient_service.alert_outbox") == [], "the folder is read once a day"
    max_.rows("UPDATE patient_service.import_passes SET finished_at = finished_at - interval '1 day' RETURNING id")
    max_.run()
    told = max_.rows("SELECT code, detail, resolved_at FROM patient_service.alert_outbox")
    assert [(row["code"], row["detail"]) for row in told] == [("copy_unknown", {"number": 1})]
    assert unknown_copies(max_) == (1, [1], 1)
    certificate = erase(max_)
    assert certificate["removed"]["unknown_copies"] == 1
    assert not unknown.exists()
    max_.run()
    assert max_.rows("SELECT resolved_at FROM patient_service.alert_outbox")[0]["resolved_at"]
    assert unknown_copies(max_) == (0, [], 0)


def test_a_copy_that_no_file_knows_and_that_may_be_the_persons_gets_a_number_and_waits(max_, make_registration):
    for number, vorname in enumerate(("Max", "Eva")):
        unknown = max_.copies / "2025" / "07" / f"175172003500000{number}_{'a' * 32}.json"
        unknown.parent.mkdir(parents=True, exist_ok=True)
        unknown.write_bytes(make_registration("cccccccc", vorname=vorname, email="anderer@example.com"))
    assert len(max_.parts.erasure.preview(1).doubtful_copies) == 1
    assert len(max_.files()) == 1, "nothing was touched"
    certificate = erase(max_)
    assert (certificate["doubtful"], certificate["completed_at"]) == ([2], None)
    (entry,) = max_.files()[1:]
    assert (entry["status"], entry["error_code"]) == ("discarded", "copy_unknown")
    max_.run()
    assert certificate_page(erase(max_, also=[2])).count("Datei P2: gehört zur Person, ebenfalls gelöscht") == 1
    assert [path.read_bytes() for path in max_.copies.rglob("*.json")] == [unknown.read_bytes()]
    assert str(max_.files()[1]).count("a" * 32) == 0


def test_a_copy_in_doubt_keeps_its_number_for_the_next_person(max_, make_registration):
    unknown = max_.copies / "2025" / "07" / f"1751720035000000_{'a' * 32}.json"
    unknown.parent.mkdir(parents=True, exist_ok=True)
    unknown.write_bytes(make_registration("cccccccc", email="anderer@example.com"))
    max_.upload(make_registration("bbbbbbbb", email="max@example.com"), "b.json")
    max_.run()
    assert erase(max_, keep=[], others=[])["doubtful"] == [3]
    assert erase(max_, keep=[3], others=[2])["completed_at"]
    assert erase(max_, 2)["doubtful"] == [3]


def unknown_copies(patients):
    """How many the snapshot counts, health's details (which the doctor says as well) name, and the digest tells."""
    expected = Expectations(enabled=True, interval_seconds=3600)
    with transaction(patients.engine) as connection:
        snapshot = read_snapshot(connection, kernel)
    named = [check.number for check in import_health(snapshot, expected) if check.code == "copy_unknown"]
    return snapshot.unknown_copies, named, gather(snapshot, expected)["unknown_copies"]


def test_a_registration_that_was_sent_before_the_erasure_brings_nobody_back(max_, make_registration):
    max_.upload(make_registration("bbbbbbbb"), "b.json")
    erase(max_)
    max_.run()
    assert max_.patients() == []
    assert max_.files()[1]["error_code"] == "erased_registration"


def test_who_registers_after_the_erasure_is_a_patient_again(max_, make_registration):
    erase(max_)
    max_.upload(make_registration("bbbbbbbb"), "b.json")
    max_.run()
    assert len(max_.patients()) == 1


def test_an_erasure_waits_for_an_import_that_has_the_person_in_hand(max_, make_registration):
    keys = name_key("Max", "Mustermann"), email_key("max.mustermann@example.com")
    certificates = []
    with transaction(max_.engine) as importing:
        lock_person(importing, *keys, [])
        eraser = threading.Thread(target=lambda: certificates.append(erase(max_)))
        eraser.start()
        wait_until(lambda: waiting_for_a_lock(max_), 20)
        assert len(max_.patients()) == 1
    eraser.join()
    assert certificates[0]["completed_at"]
    assert max_.patients() == []


def waiting_for_a_lock(patients):
    return patients.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")


def test_an_erasure_gives_up_waiting_and_has_done_nothing(max_):
    impatient = replace(max_.parts.erasure, patience_seconds=1)
    with transaction(max_.engine) as importing:
        lock_person(importing, "", None, ["0b1ab67b"])
        with pytest.raises(PersonBusy):
            impatient.erase(1, "api:olga")
    assert len(max_.patients()) == 1
    assert max_.rows("SELECT * FROM patient_service.erasures") == []


def test_no_digest_that_can_be_guessed_is_left(max_):
    erase(max_)
    name = "Mustermann_Max_20250705_0b1ab67b.json"
    plain = {hashlib.sha256(text.encode()).hexdigest() for text in (name, "0b1ab67b")}
    assert not any(digest in everything(max_) for digest in plain)


def test_digests_of_before_the_secret_are_still_known(max_, new_patients, make_registration):
    erase(max_)
    max_.upload(make_registration("eeeeeeee", anrede="Herrn", vorname="Eva", email="e@example.com"), "waiting.json")
    max_.run()
    later = new_patients(DIGEST_KEY="a secret")
    later.upload(make_registration())
    report = later.run()
    assert report.ignored["waits_for_a_person"] == 1
    assert [row["error_code"] for row in later.files()] == [
        "erased_registration", "validation_failed", "erased_registration"
    ]  # fmt: skip
    assert later.patients() == []
    again = new_patients(DIGEST_KEY="a secret").run()
    assert again.ignored["waits_for_a_person"] == 2


@pytest.mark.parametrize("environment", [{}, {"DIGEST_KEY": "another"}])
def test_another_secret_is_refused(max_, new_patients, curavani, process_environment, environment):
    new_patients(DIGEST_KEY="a secret").run()
    with pytest.raises(SettingsError):
        new_patients(**environment).run()
    ran = curavani("imports", "run", "patient", **environment)
    assert ran.returncode == 2
    assert "DIGEST_KEY" in ran.stderr
    served = {**environment, "API_TOKENS": "olga:operate:o-token-of-24-characters"}
    ran = curavani("serve", "patient", **served)
    assert ran.returncode == 2
    assert "DIGEST_KEY" in ran.stderr
    with pytest.raises(SettingsError):
        create_app({**process_environment, **served}, start_workers=False)


def test_the_command_line_names_doubts_takes_decisions_and_writes_the_page(max_, curavani, tmp_path):
    max_.upload(b"{", "Mustermann_Max_20250801_dddddddd.json")
    max_.run()
    page = tmp_path / "certificate.html"
    ran = curavani("patients", "erase", "1", "--yes", "--page", str(page))
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["doubtful"] == ["P2"]
    assert "P2" in ran.stderr
    assert "Datei P2 gehört vielleicht zur Person" in page.read_text()
    assert curavani("patients", "erase", "1", "--yes", "--keep", "T2").returncode == 2
    ran = curavani("patients", "erase", "1", "--yes", "--also", "P2", "--page", str(page))
    assert (ran.returncode, json.loads(ran.stdout)["doubtful"]) == (0, [])
    assert "gehört zur Person, ebenfalls gelöscht" in page.read_text()
    assert max_.in_bucket() == []


def test_a_certificates_page_names_nobody(max_):
    page = certificate_page(erase(max_))
    assert not any(needle in page for needle in NEEDLES)
    assert "Kopien der Anmeldungen: 1" in page


def test_doubts_are_decided_by_the_api(max_, service):
    max_.upload(b"{", "Mustermann_Max_20250801_dddddddd.json")
    max_.upload(b"{{", "Mustermann_Max_20250802_eeeeeeee.json")
    max_.run()
    deleted = service.delete("/api/patients/1?also=2", headers=BEARER)
    assert deleted.json["message"] == "Patient deleted successfully"
    assert deleted.json["certificate"]["doubtful"] == [3]
    assert service.delete("/api/patients/1?keep=x", headers=BEARER).status_code == 400
    assert service.delete("/api/patients/1?keep=2", headers=BEARER).status_code == 400
    decided = service.delete("/api/patients/1?keep=3", headers=BEARER)
    assert decided.json["certificate"]["completed_at"]
    assert service.delete("/api/patients/1?keep=3", headers=BEARER).status_code == 404
    assert max_.in_bucket() == ["Mustermann_Max_20250802_eeeeeeee.json"]


@pytest.mark.parametrize("wrong", [{"anrede": "Herrn"}, {"anrede": "Herrn", "email": None}])
def test_a_broken_registration_that_was_sent_before_the_erasure_leaves_nothing(max_, make_registration, wrong):
    max_.upload(make_registration(**wrong), "b.json")
    max_.upload(b"{ Mustermann", "Mustermann_Max_20250801_0b1ab67b.json")
    erase(max_)
    max_.run()
    max_.run()
    assert [row["error_code"] for row in max_.files()[1:]] == ["erased_registration"] * 2
    assert list(max_.copies.rglob("*.json")) == []
    with transaction(max_.engine) as connection:
        for number in (2, 3):
            mend.discard(connection, kernel, number, "api:olga", "erased", delete_source=True)
    max_.run()
    assert [needle for needle in NEEDLES if needle in everything(max_)] == []
    assert max_.in_bucket() == []


def test_the_beginning_of_an_erased_token_is_known_in_a_name(patients, make_registration):
    token = "0b1ab67b" * 4
    patients.upload(make_registration(token), "a.json")
    patients.run()
    patients.upload(b"{", f"X_Y_20250801_{token[:12].upper()}.json")
    erase(patients)
    patients.run()
    assert patients.files()[-1]["error_code"] == "erased_registration"
