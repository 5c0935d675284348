"""What the console needs to know of patients."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from flask_babel import LazyString, lazy_gettext
from sqlalchemy.engine import Connection

from patient_service.certificates import Certificate, DoubtAnswers, certificate_page, complete, is_open
from patient_service.erasure import Erasure
from patient_service.export import Exporter
from patient_service.export_page import export_page
from patient_service.imports.corrections import Corrections, can_be_entered, is_correctable, read_document
from patient_service.imports.mix_ups import mix_up_of
from patient_service.imports.registration import FORM_NAMES
from patient_service.imports.remains import person_in
from patient_service.models import erasures, patienten
from patient_service.patient import PATIENT, SELF_REPORTED, Group
from patient_service.restrictions import is_restricted, lift, restrict, restrictions_of
from patient_service.retention import due_patients
from patient_service.review_subjects import subject_of
from patient_service.reviews import resolve_review
from patient_service.schemas import PatientCreate, PatientUpdate
from patient_service.undo import undo_review
from patient_service.use_cases import (
    create_patient,
    get_patient,
    list_consents,
    lock_patients,
    update_patients,
)
from shared.console import words
from shared.console.corrections import Correcting
from shared.console.erasures import Erasing
from shared.console.people import Answering, People, Restricting, people_section
from shared.console.person_form import Editing, FieldGroup, Move
from shared.console.reviews import ServiceReviews, reviews_section
from shared.console.sections import Section
from shared.fields.validation import validate
from shared.words.statuses import Restriction
from shared.words.vocabulary import Patientenstatus

_HEADINGS: dict[Group, LazyString] = {
    Group.PERSON: lazy_gettext("Person"),
    Group.CONTACT: lazy_gettext("Contact"),
    Group.INSURANCE: lazy_gettext("Insurance"),
    Group.NEED: lazy_gettext("Need"),
    Group.WISHES: lazy_gettext("Wishes"),
    Group.SEARCH: lazy_gettext("Search for a place"),
}


def _to(status: Patientenstatus, label: LazyString) -> Move:
    return Move(label, {"status": status.value})


_SEARCHES = _to(Patientenstatus.AUF_DER_SUCHE, lazy_gettext("Search begins"))
_GIVES_UP = _to(Patientenstatus.SUCHE_ABGEBROCHEN, lazy_gettext("Search given up"))
_MOVES = {
    Patientenstatus.OFFEN.value: (_SEARCHES, _GIVES_UP),
    Patientenstatus.AUF_DER_SUCHE.value: (
        _to(Patientenstatus.IN_THERAPIE, lazy_gettext("Therapy has begun")),
        _GIVES_UP,
    ),
    Patientenstatus.IN_THERAPIE.value: (
        _to(Patientenstatus.THERAPIE_ABGESCHLOSSEN, lazy_gettext("Therapy is finished")),
        _to(Patientenstatus.THERAPIE_ABGEBROCHEN, lazy_gettext("Therapy broken off")),
    ),
    Patientenstatus.SUCHE_ABGEBROCHEN.value: (_SEARCHES,),
    Patientenstatus.THERAPIE_ABGEBROCHEN.value: (_SEARCHES,),
}
"""Where a patient's way usually goes on from each status; the form knows all others."""


def console_correcting(corrections: Corrections) -> Correcting:
    """What people put right in a registration: all that the person says of themselves."""
    return Correcting(
        groups=[
            FieldGroup(heading, tuple(name for name in PATIENT.in_group(group) if name in SELF_REPORTED))
            for group, heading in _HEADINGS.items()
        ],
        section="/patient_data",
        aliases=FORM_NAMES,
        is_possible=is_correctable,
        copy_of=corrections.copy_of,
        content_of=corrections.content_of,
        read=read_document,
        check=corrections.check,
        correct=corrections.correct,
        is_enterable=can_be_entered,
        read_remains=person_in,
        check_entry=corrections.check_entry,
        enter=corrections.enter,
        mix_up=mix_up_of,
    )


def _answering(exporter: Exporter) -> Answering:
    return Answering(
        page=lambda connection, patient_id: export_page(exporter.collect(connection, patient_id)),
        data=lambda connection, patient_id: exporter.collect(connection, patient_id).as_json(),
    )


_RESTRICTING = Restricting(
    kinds=words.RESTRICTIONS,
    marks=restrictions_of,
    restrict=lambda connection, patient_id, kind, reason, actor: restrict(
        connection, patient_id, Restriction(kind), reason, actor
    ),
    lift=lambda connection, patient_id, kind, reason, actor: lift(
        connection, patient_id, Restriction(kind), reason, actor
    ),
)


def console_sections(erasure: Erasure, exporter: Exporter, retention_days: int | None) -> list[Section]:
    """Reviews and patients."""

    def erase(patient_id: int, actor: str, chosen: Mapping[str, Sequence[int]]) -> Certificate:
        return erasure.erase(patient_id, actor, DoubtAnswers(**chosen))

    people = People(
        label=lazy_gettext("Patients"),
        table=patienten,
        groups=[FieldGroup(heading, PATIENT.in_group(group)) for group, heading in _HEADINGS.items()],
        get=get_patient,
        editing=Editing(_create, _update, lambda connection, number: lock_patients(connection, [number])[number]),
        consents=list_consents,
        erasing=Erasing(erasure.preview, erase, erasures, complete, is_open, certificate_page),
        answering=_answering(exporter),
        restricting=_RESTRICTING,
        handed_out=sa.not_(is_restricted),
        due=lambda connection, offset, limit: due_patients(connection, retention_days, offset=offset, limit=limit),
        moves=_MOVES,
    )
    return [reviews_section(ServiceReviews(people, subject_of, resolve_review, undo_review)), people_section(people)]


def _create(connection: Connection, values: Mapping[str, object], actor: str) -> int:
    return create_patient(connection, validate(PatientCreate, values).model_dump(), actor)


def _update(connection: Connection, patient_id: int, values: Mapping[str, object], actor: str) -> object:
    changes = validate(PatientUpdate, values).model_dump(exclude_unset=True)
    return update_patients(connection, {patient_id: changes}, actor)
