"""By what a patient is found: columns that follow from others."""

from patient_service.patient import PATIENT
from shared.fields.declaration import Row
from shared.people.table import searched_key
from shared.text.keys import email_key, name_key


def following_keys(values: Row) -> dict[str, str | None]:
    """The columns by which registrations and a search find a patient with these values."""
    return {
        "name_key": name_key(values["vorname"], values["nachname"]),
        "email_key": email_key(values.get("email")),
        "search_key": searched_key(PATIENT, values),
    }
