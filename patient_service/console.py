"""What the console needs to know of patients."""

from flask_babel import lazy_gettext

from patient_service.erasure import Erasure
from patient_service.models import erasures, patienten
from patient_service.review_subjects import subject_of
from patient_service.reviews import resolve_review
from patient_service.undo import undo_review
from patient_service.use_cases import get_patient, list_consents, list_patients
from shared.console.people import Erasing, Group, People, people_section
from shared.console.reviews import ServiceReviews, reviews_section
from shared.console.sections import Section

_GROUPS = (
    Group(lazy_gettext("Person"), ("anrede", "geschlecht", "vorname", "nachname", "geburtsdatum")),
    Group(lazy_gettext("Contact"), ("strasse", "plz", "ort", "telefon", "email")),
    Group(lazy_gettext("Insurance"), ("krankenkasse", "krankenversicherungsnummer", "hausarzt")),
    Group(
        lazy_gettext("Need"),
        (
            "diagnose",
            "symptome",
            "erfahrung_mit_psychotherapie",
            "letzte_sitzung_vorherige_psychotherapie",
            "psychotherapeutische_sprechstunde",
        ),
    ),
    Group(
        lazy_gettext("Wishes"),
        (
            "zeitliche_verfuegbarkeit",
            "raeumliche_verfuegbarkeit",
            "verkehrsmittel",
            "offen_fuer_gruppentherapie",
            "offen_fuer_diga",
            "bevorzugtes_therapeutengeschlecht",
            "bevorzugtes_therapieverfahren",
            "ausgeschlossene_therapeuten",
            "empfehler_der_unterstuetzung",
        ),
    ),
    Group(
        lazy_gettext("Search for a place"),
        (
            "status",
            "vertraege_unterschrieben",
            "startdatum",
            "letzter_kontakt",
            "erster_therapieplatz_am",
            "funktionierender_therapieplatz_am",
        ),
    ),
)


def console_sections(erasure: Erasure) -> list[Section]:
    """Reviews and patients."""
    people = People(
        label=lazy_gettext("Patients"),
        table=patienten,
        groups=_GROUPS,
        find=list_patients,
        get=get_patient,
        consents=list_consents,
        erasing=Erasing(erasure.erase, erasures),
    )
    return [reviews_section(ServiceReviews(people, subject_of, resolve_review, undo_review)), people_section(people)]
