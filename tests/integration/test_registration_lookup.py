"""Whom a registration may be about is looked up: what one import costs does not grow with the patients there are."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.imports.file_processor import RegistrationFile
from patient_service.imports.patient_importer import Policy, import_registration
from patient_service.imports.registration import Upload, parse_registration
from patient_service.models import kernel
from shared.core.clock import now
from shared.database.engine import transaction
from shared.imports import ledger
from shared.imports.source import Found

PATIENTS = sa.text("""
    INSERT INTO patient_service.patienten (anrede, geschlecht, vorname, nachname, name_key, email_key, search_key)
    SELECT 'Frau', 'weiblich', 'V', 'N', 'name ' || number, 'mail' || number || '@example.com', ''
    FROM generate_series(1, 20000) AS number
    """)
ROWS_READ = sa.text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'patienten'")


def rows_read_in_turn(connection: Connection) -> int:
    return connection.execute(ROWS_READ).scalar_one()


def test_an_import_reads_no_patient_in_turn(patients, make_registration):
    data = make_registration()
    registration = parse_registration(data, "a.json", Upload(now()))
    file = RegistrationFile(data, "0" * 64, "2025/07/1_0.json")
    with transaction(patients.engine) as connection:
        connection.execute(PATIENTS)
        file_row = ledger.register(connection, kernel, [Found("a key", None, {})])["a key"]
        before = rows_read_in_turn(connection)
        import_registration(connection, file_row.id, file, registration, Policy(update_known=True))
        assert rows_read_in_turn(connection) == before
    assert patients.events() == ["patient.created"]


def test_files_that_are_known_use_up_no_numbers(patients, make_registration):
    for number in range(6):
        patients.upload(b"{", f"{number}.json")
    for _ in range(3):
        patients.run()
    patients.upload(make_registration())
    patients.run()
    assert [file["id"] for file in patients.files()] == [1, 2, 3, 4, 5, 6, 7]
