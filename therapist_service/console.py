"""What the console needs to know of therapists."""

from collections.abc import Mapping, Sequence

from flask_babel import LazyString, lazy_gettext
from sqlalchemy.engine import Connection, Engine

from shared.console.objections import Objecting, Preview
from shared.console.people import People, full_name, people_section
from shared.console.person_form import Editing, FieldGroup, Move
from shared.console.reviews import ServiceReviews, reviews_section
from shared.console.sections import Section
from shared.fields.declaration import Row
from shared.fields.validation import validate
from shared.words.vocabulary import Therapeutstatus
from therapist_service import erasure
from therapist_service.imports.outlook import Outlook, outlook
from therapist_service.models import therapeuten
from therapist_service.review_subjects import subject_of
from therapist_service.reviews import resolve_review
from therapist_service.schemas import TherapistCreate, TherapistUpdate
from therapist_service.suppressions import allow, list_suppressions
from therapist_service.therapist import THERAPIST, Group
from therapist_service.undo import undo_review
from therapist_service.use_cases import (
    create_therapists,
    get_therapist,
    lock_therapists,
    update_therapist,
)

_HEADINGS: dict[Group, LazyString] = {
    Group.PERSON: lazy_gettext("Person"),
    Group.CONTACT: lazy_gettext("Contact"),
    Group.PRACTICE: lazy_gettext("Practice"),
    Group.OUR_CONTACT: lazy_gettext("Our contact"),
    Group.WISHES: lazy_gettext("Wishes"),
    Group.STATE: lazy_gettext("State"),
    Group.SOURCE: lazy_gettext("At the source"),
}


_BLOCK = Move(lazy_gettext("Block"), {"status": Therapeutstatus.GESPERRT.value}, dated="sperrdatum", asked="sperrgrund")
_ACTIVATE = Move(lazy_gettext("Activate"), {"status": Therapeutstatus.AKTIV.value})
_UNBLOCK = Move(
    lazy_gettext("Unblock"), {"status": Therapeutstatus.AKTIV.value, "sperrgrund": None, "sperrdatum": None}
)
_MOVES = {
    Therapeutstatus.AKTIV.value: (_BLOCK,),
    Therapeutstatus.GESPERRT.value: (_UNBLOCK,),
    Therapeutstatus.INAKTIV.value: (_ACTIVATE, _BLOCK),
}


def console_sections(engine: Engine) -> list[Section]:
    """Reviews and therapists; an erasure has transactions of its own."""

    def erase(therapist_id: int, actor: str, reason: str | None) -> int:
        return erasure.erase(engine, therapist_id, actor, reason)["suppression_id"]

    people = People(
        label=lazy_gettext("Therapists"),
        table=therapeuten,
        groups=[FieldGroup(heading, THERAPIST.in_group(group)) for group, heading in _HEADINGS.items()],
        get=get_therapist,
        editing=Editing(_create, _update, lambda connection, number: lock_therapists(connection, [number])[number]),
        objecting=Objecting(_preview, erase, list_suppressions, allow),
        moves=_MOVES,
        outlook=_outlook,
    )
    return [reviews_section(ServiceReviews(people, subject_of, resolve_review, undo_review)), people_section(people)]


def _preview(connection: Connection, therapist_id: int) -> Preview:
    name = full_name(get_therapist(connection, therapist_id))
    return Preview(name, *erasure.preview(connection, therapist_id))


def _outlook(row: Row) -> Sequence[Outlook]:
    return outlook(row["source_record"], row)


def _create(connection: Connection, values: Mapping[str, object], actor: str) -> int:
    (number,) = create_therapists(connection, [validate(TherapistCreate, values).model_dump()], actor)
    return number


def _update(connection: Connection, therapist_id: int, values: Mapping[str, object], actor: str) -> object:
    changes = validate(TherapistUpdate, values).model_dump(exclude_unset=True)
    return update_therapist(connection, therapist_id, changes, actor)
