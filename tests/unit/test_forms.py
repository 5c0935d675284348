"""What the inputs of people's data show, and what is read from them."""

import re
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patient_service.patient import PATIENT
from shared.console.forms import texts_of, values_of

FIELDS = [field for field in PATIENT if field.settable]


@pytest.mark.parametrize(
    ("name", "typed", "meant"),
    [
        ("vorname", "  Erika ", "Erika"),
        ("vorname", "  ", None),
        ("geburtsdatum", "3.2.1990", "1990-02-03"),
        ("geburtsdatum", "03. 02. 1990", "1990-02-03"),
        ("geburtsdatum", "1990-02-03", "1990-02-03"),
        ("geburtsdatum", "31.02.1990", "1990-02-31"),
        ("geburtsdatum", "im Mai", "im Mai"),
        ("erfahrung_mit_psychotherapie", "true", True),
        ("erfahrung_mit_psychotherapie", "false", False),
        ("erfahrung_mit_psychotherapie", "vielleicht", "vielleicht"),
        ("symptome", "müde\r\nschlaflos", "müde\nschlaflos"),
        ("ausgeschlossene_therapeuten", "12\r\n\r\n34", [12, 34]),
        ("zeitliche_verfuegbarkeit", "Montag: 9:00-12:00", {"Montag": ["9:00-12:00"]}),
        ("zeitliche_verfuegbarkeit", "montag: 9:00-12:00, 14:00-16:00\nnotiz: a, b", {
            "montag": ["9:00-12:00", "14:00-16:00"], "notiz": ["a", "b"],
        }),
        ("raeumliche_verfuegbarkeit", "max_km: 25", {"max_km": 25}),
        ("raeumliche_verfuegbarkeit", "25 km", {"max_km": 25}),
        ("raeumliche_verfuegbarkeit", "höchstens 25km", {"max_km": 25}),
        ("raeumliche_verfuegbarkeit", "weit weg", "weit weg"),
    ],
)  # fmt: skip
def test_what_is_typed_is_sent_as_a_caller_of_the_api_would(name, typed, meant):
    assert values_of(FIELDS, {name: typed}, {name: object()}) == {name: meant}


def test_a_value_is_shown_as_it_is_typed():
    values = {
        "geburtsdatum": date(1990, 2, 3),
        "letzte_sitzung_vorherige_psychotherapie": "2020-12-01",
        "erster_therapieplatz_am": "2020-13-01",
        "offen_fuer_diga": False,
        "zeitliche_verfuegbarkeit": {"montag": ["9-12", "14-16"], "notiz": "x"},
        "raeumliche_verfuegbarkeit": {"max_km": 25},
        "ausgeschlossene_therapeuten": [12, "Dr. Ü"],
    }
    shown = texts_of(FIELDS, values)
    assert {name: shown[name] for name in values} == {
        "geburtsdatum": "03.02.1990",
        "letzte_sitzung_vorherige_psychotherapie": "01.12.2020",
        "erster_therapieplatz_am": "2020-13-01",
        "offen_fuer_diga": "false",
        "zeitliche_verfuegbarkeit": "montag: 9-12, 14-16\nnotiz: x",
        "raeumliche_verfuegbarkeit": "25 km",
        "ausgeschlossene_therapeuten": "12\nDr. Ü",
    }
    assert shown["vorname"] == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([field.name for field in FIELDS]), json_values, max_size=5))
@example({"anrede": "0\r\n0", "geschlecht": "0\r0"})
def test_what_nobody_touched_is_no_change_whatever_it_was(values):
    typed = {name: re.sub(r"\r\n|\r|\n", "\r\n", text) for name, text in texts_of(FIELDS, values).items()}
    assert values_of(FIELDS, typed, values) == {}
