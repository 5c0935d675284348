"""What becomes of a column of the platform, and what a plan tells, without a database."""

import pytest

from curavani.adoption.plan import Plan
from curavani.adoption.rules import Found, is_wider_text, rule_for
from patient_service.patient import PATIENT
from shared.fields.declaration import RowNumber
from therapist_service.therapist import THERAPIST

FIELDS = {**{field.name: field for field in PATIENT}, **{field.name: field for field in THERAPIST}}


def rule(name, kind, *, is_enum=False, **others):
    columns = {other: Found(other, it, nullable=True, has_default=False) for other, it in others.items()}
    found = Found(name, kind, nullable=True, has_default=False, is_enum=is_enum)
    return rule_for(FIELDS[name], found, "some_service", {name: found, **columns})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nachname", "integer"),
        ("nachname", "character(100)"),
        ("status", "boolean"),
        ("fremdsprachen", "text"),
        ("geburtsdatum", "timestamp without time zone"),
        ("geburtsdatum", "text"),
        ("vertraege_unterschrieben", "integer"),
        ("alter_min", "numeric"),
        ("id", "bigint"),
        ("created_at", "text"),
        ("search_key", "bytea"),
    ],
)
def test_a_type_that_cannot_become_ours_has_no_rule(name, kind):
    assert rule(name, kind) is None


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("vertraege_unterschrieben", "boolean", "coalesce(vertraege_unterschrieben, False)"),
        ("kassensitz", "boolean", "coalesce(kassensitz, True)"),
        ("erfahrung_mit_psychotherapie", "boolean", "erfahrung_mit_psychotherapie"),
        ("bevorzugtes_therapieverfahren", "text", "coalesce(bevorzugtes_therapieverfahren::text, 'egal')"),
        ("geburtsdatum", "date", "geburtsdatum"),
    ],
)
def test_what_is_missing_becomes_the_default_where_there_is_one(name, kind, value):
    assert rule(name, kind).value == value


def test_a_time_stands_in_for_the_other_one_where_that_is_one():
    assert rule("created_at", "date", updated_at="date").value == (
        "coalesce((created_at::timestamp AT TIME ZONE 'UTC'), (updated_at::timestamp AT TIME ZONE 'UTC'), now())"
    )
    assert rule("updated_at", "timestamp with time zone", created_at="text").value == "coalesce(updated_at, now())"


def test_a_word_that_must_not_be_empty_fits_only_where_it_is_there():
    assert "geschlecht IS NULL OR" in rule("geschlecht", "geschlecht", is_enum=True).misfit
    assert "IS NULL" not in rule("bevorzugtes_therapeutengeschlecht", "text").misfit


def test_a_text_keeps_a_wider_type_and_is_brought_to_ours_from_a_narrower_one():
    assert (rule("ort", "text").type, rule("ort", "text").rewritten) == ("text", False)
    assert rule("ort", "character varying(20)").type == "character varying(100)"
    assert rule("symptome", "character varying(20)").type == "text"


@pytest.mark.parametrize(
    ("found", "wanted", "wider"),
    [
        ("text", "text", True),
        ("text", "character varying(5)", True),
        ("character varying", "character varying(5)", True),
        ("character varying(5)", "character varying(5)", True),
        ("character varying(4)", "character varying(5)", False),
        ("character varying(4)", "text", False),
        ("integer", "text", False),
    ],
)
def test_wider_takes_all_that_the_other_takes(found, wanted, wider):
    assert is_wider_text(found, wanted) is wider


def test_only_a_list_that_was_one_word_is_known_as_reduced():
    assert rule("psychotherapieverfahren", "therapieverfahren", is_enum=True).reduced
    assert not rule("psychotherapieverfahren", "jsonb").reduced


def test_every_field_that_the_platform_may_have_has_a_rule_for_its_own_type():
    own = {
        "Flag": "boolean",
        "Day": "date",
        "Moment": "date",
        "JsonObject": "jsonb",
        "JsonList": "jsonb",
        "Age": "integer",
    }
    for field in (*PATIENT.announced, *THERAPIST.announced):
        kind = "integer" if isinstance(field.kind, RowNumber) else own.get(type(field.kind).__name__, "text")
        assert rule(field.name, kind) is not None, field.name


@pytest.mark.parametrize(("measured", "told"), [(0.004, 0.1), (0.1, 0.1), (1.21, 1.3), (None, None)])
def test_a_plan_never_tells_less_time_than_was_measured(measured, told):
    assert Plan(None, seconds=measured).as_json()["seconds_locked"] == told
