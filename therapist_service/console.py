"""What the console needs to know of therapists."""

from flask_babel import lazy_gettext

from shared.console.people import Group, People, people_section
from shared.console.reviews import ServiceReviews, reviews_section
from shared.console.sections import Section
from therapist_service.models import therapeuten
from therapist_service.review_subjects import subject_of
from therapist_service.reviews import resolve_review
from therapist_service.undo import undo_review
from therapist_service.use_cases import get_therapist, list_therapists

_GROUPS = (
    Group(lazy_gettext("Person"), ("anrede", "geschlecht", "titel", "vorname", "nachname")),
    Group(lazy_gettext("Contact"), ("strasse", "plz", "ort", "telefon", "fax", "email", "webseite")),
    Group(
        lazy_gettext("Practice"),
        (
            "kassensitz",
            "telefonische_erreichbarkeit",
            "fremdsprachen",
            "psychotherapieverfahren",
            "zusatzqualifikationen",
            "besondere_leistungsangebote",
        ),
    ),
    Group(
        lazy_gettext("Our contact"),
        (
            "letzter_kontakt_email",
            "letzter_kontakt_telefon",
            "letztes_persoenliches_gespraech",
            "naechster_kontakt_moeglich",
            "ueber_curavani_informiert",
            "potenziell_verfuegbar",
            "potenziell_verfuegbar_notizen",
        ),
    ),
    Group(
        lazy_gettext("Wishes"),
        (
            "bevorzugte_diagnosen",
            "alter_min",
            "alter_max",
            "geschlechtspraeferenz",
            "arbeitszeiten",
            "bevorzugt_gruppentherapie",
        ),
    ),
    Group(lazy_gettext("State"), ("status", "sperrgrund", "sperrdatum")),
    Group(lazy_gettext("At the source"), ("external_id", "source_zip", "source_seen_at", "source_removed_at")),
)


def console_sections() -> list[Section]:
    """Reviews and therapists."""
    people = People(
        label=lazy_gettext("Therapists"),
        table=therapeuten,
        groups=_GROUPS,
        find=list_therapists,
        get=get_therapist,
    )
    return [reviews_section(ServiceReviews(people, subject_of, resolve_review, undo_review)), people_section(people)]
