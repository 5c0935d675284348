"""What is computed of a text costs time in line with its length, and its length is limited before."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_service.schemas import PatientCreate
from shared.core.clock import now
from shared.fields.validation import InvalidInput, validate
from shared.text.keys import clean_text, composed, email_key, name_key, name_key_part, search_key, search_words

PERSON = {"anrede": "Herr", "geschlecht": "männlich", "vorname": "Max", "nachname": "Mustermann"}
MARKS = ["\u0300\u0316", "\u0f73", "\u0344\u0316", "e\u0316\u0300", "\u0300"]


def fault(**answers):
    with pytest.raises(InvalidInput) as refused:
        validate(PatientCreate, {**PERSON, **answers})
    return [(finding.pointer, finding.code) for finding in refused.value.findings]


@pytest.mark.parametrize("compute", [composed, clean_text, name_key_part, email_key, search_key, search_words])
@pytest.mark.parametrize("marks", MARKS, ids=ascii)
def test_a_run_of_combining_marks_is_no_burden(compute, marks):
    started = time.process_time()
    compute("a" + marks * 50_000)
    # By insertion it takes minutes.
    assert time.process_time() - started < 5


@given(st.text(alphabet=st.sampled_from("aä\u0300\u0316\u0344\u0f71\u0f73\u0f72\u0323ſẛ가\u1100\u1161"), max_size=300))
def test_a_long_run_is_composed_as_unicode_says(text):
    assert composed(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("field", ["ort", "nachname", "symptome", "email"])
def test_a_text_is_measured_before_it_is_read(field):
    started = time.process_time()
    assert fault(**{field: "a" + "\u0300\u0316" * 500_000}) == [(f"/{field}", "too_long")]
    assert time.process_time() - started < 0.5


def test_a_letter_may_be_written_as_two_characters():
    assert validate(PatientCreate, {**PERSON, "ort": "a\u0308" * 100}).ort == "ä" * 100
    assert fault(ort="a\u0308" * 101) == [("/ort", "too_long")]


@pytest.mark.parametrize("value", [{"montag": ["x" * 20_000]}, {str(number): [] for number in range(5000)}])
def test_json_has_a_longest_size(value):
    assert fault(zeitliche_verfuegbarkeit=value) == [("/zeitliche_verfuegbarkeit", "too_long")]


@pytest.mark.parametrize(
    "said", ["ma\u0308nnlich", "  männlich\t", "männlich\u00a0", "män\u00adnlich", "\ufeffmännlich"]
)
def test_a_word_is_known_in_any_notation(said):
    assert validate(PatientCreate, {**PERSON, "geschlecht": said}).geschlecht == "männlich"


@pytest.mark.parametrize("said", ["Männlich", "männ lich", "mannlich", "m" * 1_000_000])
def test_another_word_is_none(said):
    assert fault(geschlecht=said) == [("/geschlecht", "invalid_value")]


@pytest.mark.parametrize("invisible", ["\u00ad", "\u200b", "\u2060", "\ufeff", "\u200e", "\u202e", "\U000e0041"])
def test_invisible_characters_are_no_part_of_a_text(invisible):
    written = validate(
        PatientCreate, {**PERSON, "nachname": f"{invisible}Mus{invisible}ter", "symptome": f"a{invisible}\nb"}
    )
    assert (written.nachname, written.symptome) == ("Muster", "a\nb")
    assert fault(vorname=invisible) == [("/vorname", "missing")]
    assert name_key(f"Chris{invisible}tine", "M") == name_key("Christine", "M")


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_joiners_stay_within_a_word_only(joiner):
    assert clean_text(f"{joiner}نامه{joiner}ای {joiner} b{joiner}") == f"نامه{joiner}ای b"
    assert fault(vorname=joiner) == [("/vorname", "missing")]


def test_a_name_that_folds_to_many_letters_has_a_key_that_an_index_takes():
    names = ["".join(chr(0xFB50 + (seed * 31 + n * 7) % 600) for n in range(100)) for seed in range(2)]
    keys = {name_key(name, name) for name in names}
    assert len(keys) == 2
    assert all(len(key.encode()) < 1300 for key in keys)


def test_the_time_of_a_registration_with_hostile_texts_is_short():
    started = now()
    document = dict.fromkeys(("ort", "strasse", "krankenkasse", "symptome"), "a" + "̖̀" * 400000)
    assert {code for _, code in fault(**document)} == {"too_long"}
    assert (now() - started).total_seconds() < 2
