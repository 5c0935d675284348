"""Certificates of erasures that are not what they are today."""

from datetime import UTC, datetime

from patient_service.certificates import certificate_page, complete, is_open

ERASED = {"patient_id": 7, "erased_by": "api:olga", "erased_at": datetime(2026, 7, 1, 12, tzinfo=UTC)}


def test_a_certificate_that_a_restored_database_lost_is_neither_open_nor_complete():
    certificate = complete({**ERASED, "certificate": {"restored_from_list": True, "not_reached": []}})
    assert not is_open(certificate)
    page = certificate_page(certificate)
    assert "01.07.2026, 14:00 Uhr" in page
    assert "<td>Abgeschlossen am</td><td>nicht bekannt</td>" in page
