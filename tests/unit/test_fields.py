"""Every field is declared once, and all that is made of the declaration agrees with it."""

import json
import re
from dataclasses import make_dataclass

import pytest
from jsonschema import Draft202012Validator

from curavani.pages.inventory import PATIENTS, THERAPISTS
from patient_service import models as patient_models
from patient_service import schemas as patient_schemas
from patient_service.console import _HEADINGS as PATIENT_HEADINGS
from patient_service.events import PatientEvent
from patient_service.imports.registration import Upload, parse_registration
from patient_service.patient import PATIENT, SELF_REPORTED, Patient
from patient_service.patient import Group as PatientGroup
from patient_service.use_cases import PATIENTS as PATIENT_TABLE
from shared.core.clock import now
from shared.core.errors import RejectedError
from shared.fields.declaration import Data, Flag, JsonList, JsonObject, Owner, Text, field, fields_of
from shared.fields.validation import InvalidInput, validate
from shared.people.announcements import _payload
from therapist_service import models as therapist_models
from therapist_service import schemas as therapist_schemas
from therapist_service.console import _HEADINGS as THERAPIST_HEADINGS
from therapist_service.events import TherapistEvent
from therapist_service.therapist import MAPPED_FIELDS, THERAPIST, Therapist
from therapist_service.therapist import Group as TherapistGroup
from therapist_service.use_cases import THERAPISTS as THERAPIST_TABLE

SERVICES = {
    "patient": (PATIENT, patient_models.patienten, patient_schemas, PATIENTS, PATIENT_TABLE),
    "therapist": (THERAPIST, therapist_models.therapeuten, therapist_schemas, THERAPISTS, THERAPIST_TABLE),
}
SCHEMAS = [
    (name, getattr(schemas, f"{name.capitalize()}{use}"))
    for name, (_, _, schemas, *_) in SERVICES.items()
    for use in ("Create", "Update")
]
CREATE = {
    "patient": {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"},
    "therapist": {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"},
}


def names(fields):
    return [each.name for each in fields]


@pytest.mark.parametrize("left_out", ["owner", "data"])
def test_a_field_without_owner_or_without_saying_whose_data_it_is_cannot_be_declared(left_out):
    said = {"owner": Owner.STAFF, "data": Data.PERSON}
    field(Text(10), **said)
    with pytest.raises(TypeError, match=left_out):
        field(Text(10), **{name: value for name, value in said.items() if name != left_out})


@pytest.mark.parametrize("service", SERVICES)
def test_tables_schemas_events_and_inventory_agree_with_the_declaration(service):
    declared, table, schemas, inventory, people = SERVICES[service]
    title = service.capitalize()
    assert names(declared) == list(table.columns.keys())
    assert {each.name: each.nullable for each in declared} == {name: c.nullable for name, c in table.columns.items()}
    assert list(getattr(schemas, f"{title}Out").model_fields) == names(declared.announced)
    for use in ("Create", "Update"):
        assert list(getattr(schemas, f"{title}{use}").model_fields) == names(declared.settable)
    classified = inventory[table.name].columns
    assert {each.name: each.data for each in declared} == {
        name: data for data, columns in classified.items() for name in columns
    }
    payload = _payload(people.kernel, people.fields)
    assert re.findall(r"'(\w+)', (?:present|to_char)", payload) == [f"{service}_id", *names(declared.announced)]


@pytest.mark.parametrize(
    ("event", "declared"), [(PatientEvent, PATIENT), (TherapistEvent, THERAPIST)], ids=["patient", "therapist"]
)
def test_an_event_documents_what_is_announced(event, declared):
    (data,) = [each.annotation for name, each in event.model_fields.items() if name.endswith("_data")]
    assert list(data.model_fields) == names(declared.announced)


@pytest.mark.parametrize(
    ("declared", "groups", "headings"),
    [(PATIENT, PatientGroup, PATIENT_HEADINGS), (THERAPIST, TherapistGroup, THERAPIST_HEADINGS)],
    ids=["patient", "therapist"],
)
def test_whatever_describes_a_person_has_a_name_and_a_heading_on_the_page(declared, groups, headings):
    assert list(headings) == list(groups)
    for each in declared:
        assert each.name not in declared.content or each.group is not None, each.name
        assert each.group is None or each.label, each.name


@pytest.mark.parametrize("service", SERVICES)
def test_technical_fields_are_nobodys_to_write_and_only_number_and_times_are_announced(service):
    declared = SERVICES[service][0]
    technical = {each.name for each in declared if each.owner is Owner.TECHNICAL}
    assert technical.isdisjoint(names(declared.settable))
    assert technical & set(names(declared.announced)) == {"id", "created_at", "updated_at"}


def test_what_rules_set_is_not_for_callers_to_set():
    assert set(names(PATIENT.announced)) - set(names(PATIENT.settable)) == {
        "id",
        "startdatum",
        "letzter_kontakt",
        "created_at",
        "updated_at",
    }


def test_owners_are_those_of_the_specification():
    assert {each.owner for each in PATIENT} == {Owner.SELF_REPORTED, Owner.STAFF, Owner.TECHNICAL}
    assert {each.owner for each in THERAPIST} == {Owner.SOURCE, Owner.STAFF, Owner.TECHNICAL}
    assert set(PATIENT.owned_by(Owner.STAFF)) == {
        "status",
        "diagnose",
        "vertraege_unterschrieben",
        "startdatum",
        "erster_therapieplatz_am",
        "funktionierender_therapieplatz_am",
        "letzter_kontakt",
        "ausgeschlossene_therapeuten",
    }
    assert (
        *("anrede", "geschlecht", "titel", "vorname", "nachname", "strasse", "plz", "ort", "telefon", "fax", "email"),
        *("webseite", "telefonische_erreichbarkeit", "fremdsprachen", "psychotherapieverfahren"),
    ) == MAPPED_FIELDS


def registration(**answers):
    document = {
        "patient_data": {**CREATE["patient"], **answers},
        "consent_metadata": {"timestamp_utc": "2025-07-05T14:33:55Z"},
        "registration_token": "0b1ab67b",
    }
    return parse_registration(json.dumps(document).encode(), "Mueller_Erika_20250705_0b1ab67b.json", Upload(now()))


@pytest.mark.parametrize("name", [each.name for each in PATIENT if each.owner is not Owner.SELF_REPORTED])
@pytest.mark.parametrize("value", ["x", True, 1, "2025-07-05", ["x"], {"a": "b"}, "in_Therapie"], ids=repr)
def test_the_form_writes_no_field_that_is_not_its_own(name, value):
    usual, sent = registration(), registration(**{name: value})
    assert sent.patient == usual.patient
    assert name not in sent.given
    (finding,) = [each for each in sent.findings if each.pointer == f"/patient_data/{name}"]
    announced = name in names(PATIENT.announced)
    assert finding.code == ("staff_field_ignored" if announced else "unknown_field")


def test_the_form_writes_every_field_of_its_own():
    values = {Text: "x", Flag: True, JsonObject: {"a": ["b"]}}
    for each in PATIENT:
        value = values.get(type(each.kind))
        if each.owner is Owner.SELF_REPORTED and value is not None:
            sent = registration(**{each.name: value})
            assert (sent.patient[each.name], each.name in sent.given) == (value, True)
    assert registration(hat_ptv11=True).patient["psychotherapeutische_sprechstunde"] is True
    assert registration().given <= SELF_REPORTED


@pytest.mark.parametrize(("service", "schema"), SCHEMAS, ids=[schema.__name__ for _, schema in SCHEMAS])
def test_every_default_that_a_schema_documents_is_one_that_it_takes(service, schema):
    document = schema.model_json_schema()
    for described in document["properties"].values():
        if "default" in described:
            Draft202012Validator(described).validate(described["default"])
    if schema.__name__.endswith("Update"):
        assert not any("default" in described for described in document["properties"].values())
        assert "required" not in document
    else:
        assert document["required"] == names(each for each in SERVICES[service][0] if each.required)


NULLS = [(schema, each) for service, schema in SCHEMAS for each in SERVICES[service][0].settable]


@pytest.mark.parametrize(("schema", "each"), NULLS, ids=[f"{schema.__name__}-{each.name}" for schema, each in NULLS])
def test_null_is_taken_where_the_document_says_so_and_blanks_or_resets(schema, each):
    service = schema.__name__.removesuffix("Create").removesuffix("Update").lower()
    needed = CREATE[service] if schema.__name__.endswith("Create") else {}
    described = schema.model_json_schema()["properties"][each.name]
    takes_null = Draft202012Validator(described).is_valid(None)
    if not takes_null:
        with pytest.raises(InvalidInput) as refused:
            validate(schema, {**needed, each.name: None})
        assert [(found.pointer, found.code) for found in refused.value.findings] == [(f"/{each.name}", "missing")]
        return
    taken = validate(schema, {**needed, each.name: None}).model_dump()[each.name]
    assert taken == each.default
    assert (taken is None) == each.nullable


def test_who_is_created_as_a_therapist_has_a_salutation_that_may_be_blanked_later():
    new = {**CREATE["therapist"], "anrede": None}
    with pytest.raises(InvalidInput) as refused:
        validate(therapist_schemas.TherapistCreate, new)
    assert refused.value.message == "Missing required field: anrede"
    changed = validate(therapist_schemas.TherapistUpdate, {"anrede": None, "vorname": ""})
    assert changed.model_dump(exclude_unset=True) == {"anrede": None, "vorname": None}


@pytest.mark.parametrize("kind", [JsonObject(), JsonList()])
def test_two_new_people_do_not_share_what_they_were_not_given(kind):
    line = field(kind, owner=Owner.STAFF, data=Data.PERSON)
    (note,) = fields_of(make_dataclass("Somebody", [("note", dict[str, object], line)]))
    assert note.default == note.default
    assert note.default is not note.default


@pytest.mark.parametrize("declaration", [Patient, Therapist])
def test_nobody_is_made_without_all_of_their_fields(declaration):
    with pytest.raises(TypeError, match="missing"):
        declaration(id=1)


def test_a_rejected_registration_names_the_field_and_no_value():
    with pytest.raises(RejectedError) as refused:
        registration(plz="x" * 11)
    assert [(found.pointer, found.code) for found in refused.value.findings] == [("/patient_data/plz", "too_long")]
