"""What the console needs to know of therapists."""

from flask_babel import LazyString, lazy_gettext

from shared.console.people import FieldGroup, People, people_section
from shared.console.reviews import ServiceReviews, reviews_section
from shared.console.sections import Section
from therapist_service.models import therapeuten
from therapist_service.review_subjects import subject_of
from therapist_service.reviews import resolve_review
from therapist_service.therapist import THERAPIST, Group
from therapist_service.undo import undo_review
from therapist_service.use_cases import get_therapist, list_therapists

_HEADINGS: dict[Group, LazyString] = {
    Group.PERSON: lazy_gettext("Person"),
    Group.CONTACT: lazy_gettext("Contact"),
    Group.PRACTICE: lazy_gettext("Practice"),
    Group.OUR_CONTACT: lazy_gettext("Our contact"),
    Group.WISHES: lazy_gettext("Wishes"),
    Group.STATE: lazy_gettext("State"),
    Group.SOURCE: lazy_gettext("At the source"),
}


def console_sections() -> list[Section]:
    """Reviews and therapists."""
    people = People(
        label=lazy_gettext("Therapists"),
        table=therapeuten,
        groups=[FieldGroup(heading, THERAPIST.in_group(group)) for group, heading in _HEADINGS.items()],
        find=list_therapists,
        get=get_therapist,
    )
    return [reviews_section(ServiceReviews(people, subject_of, resolve_review, undo_review)), people_section(people)]
