"""What a registration file says, without any database."""

import hashlib
import hmac
import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_service.imports.duplicates import Person
from patient_service.imports.registration import Order, Upload, parse_registration, registration_by_hand
from patient_service.patient import PATIENT, SELF_REPORTED
from shared.core.clock import now
from shared.core.errors import RejectedError
from shared.fields.validation import InvalidInput
from shared.text.strict_json import escaped

NOT_FOR_THE_FORM = {field.name for field in PATIENT.announced} - SELF_REPORTED

COLLECTION = Path(__file__).parents[1] / "acceptance" / "registrations"
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(COLLECTION.glob("*.expected"))}
NAME = "Mustermann_Max_20250705_0b1ab67b.json"
PERSON = {"anrede": "Herr", "geschlecht": "männlich", "vorname": "Max", "nachname": "Mustermann"}
CONSENT = {"ip_address": "192.0.2.7", "user_agent": "Test", "timestamp_utc": "2025-07-05T14:33:55Z"}
DOCUMENT = {
    "patient_data": PERSON,
    "consent_metadata": CONSENT,
    "registration_timestamp": "2025-07-05 14:33:56",
    "registration_token": "0b1ab67b",
}
ABSENT = object()


def written(section, changes):
    return {name: value for name, value in {**section, **changes}.items() if value is not ABSENT}


def parse(name=NAME, **changes):
    return parse_registration(json.dumps(written(DOCUMENT, changes)).encode(), name, Upload(now()))


def parse_person(**answers):
    return parse(patient_data=written(PERSON, answers))


def parse_consent(**evidence):
    return parse(consent_metadata=written(CONSENT, evidence))


def places(findings):
    return [(finding.pointer, finding.code) for finding in findings]


def remarks(registration):
    return places(registration.findings)


def refusal(parse, **changes):
    with pytest.raises(RejectedError) as refused:
        parse(**changes)
    return refused.value.code, places(refused.value.findings)


def read(data, name):
    """The registration, None where it is refused; the code of the refusal; and the findings in either case."""
    try:
        registration = parse_registration(data, name, Upload(now()))
    except RejectedError as error:
        return None, error.code, error.findings
    return registration, None, registration.findings


# Of the others, the parser sees neither the size nor how the ledger shortens a pointer.
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"json_too_large", "field_unknown_with_a_long_name"}))
def test_the_collection_of_nasty_files_is_read_as_it_says(name):
    expected = CASES[name]
    registration, code, findings = read((COLLECTION / f"{name}.json").read_bytes(), expected["object"])
    assert code == expected["code"]
    assert sorted(f"{finding.pointer} {finding.code}" for finding in findings) == sorted(expected["findings"])
    for field, value in expected.get("consent", {}).items():
        assert registration.consent.document[field] == value


def test_an_ordinary_registration_is_read_without_a_remark():
    registration = parse()
    assert registration.findings == ()
    assert registration.given == {"anrede", "geschlecht", "vorname", "nachname"}
    assert {name: registration.patient[name] for name in PERSON} == PERSON
    assert registration.token == "0b1ab67b"
    assert registration.registered_at == datetime(2025, 7, 5, 14, 33, 56, tzinfo=UTC)
    assert registration.consent.given_at == datetime(2025, 7, 5, 14, 33, 55, tzinfo=UTC)
    assert (registration.consent.ip_address, registration.consent.user_agent) == ("192.0.2.7", "Test")
    assert registration.consent.document == CONSENT


@pytest.mark.parametrize(
    ("answers", "person"),
    [
        ({}, Person("max|mustermann", None, None)),
        ({"email": " Max@Example.com "}, Person("max|mustermann", "max@example.com", None)),
        ({"vorname": "Ann-Marie", "nachname": "Müller"}, Person("ann marie|mueller", None, None)),
        ({"geburtsdatum": "2000-01-31"}, Person("max|mustermann", None, date(2000, 1, 31))),
    ],
)
def test_a_registration_is_about_a_person(answers, person):
    assert parse_person(**answers).person == person


@pytest.mark.parametrize("name", ["patient_data", "consent_metadata"])
@pytest.mark.parametrize("value", [ABSENT, None, [], "text", 5])
def test_a_section_that_is_missing_is_named(name, value):
    assert refusal(parse, **{name: value}) == ("missing_section", [(f"/{name}", "missing_section")])


def test_a_character_that_cannot_be_stored_is_named_wherever_it_stands():
    assert refusal(parse, extra={"a/b": ["x", "\x00"]}) == ("validation_failed", [("/extra/a~1b/1", "nul_character")])


@pytest.mark.parametrize(
    ("token", "name", "kept", "expected"),
    [
        ("0B1AB67B", NAME, "0B1AB67B", []),
        (" 0b1ab67b ", NAME, "0b1ab67b", []),
        (ABSENT, NAME, None, [("/registration_token", "missing_token")]),
        ("  ", NAME, None, [("/registration_token", "missing_token")]),
        ("0b1ab67b", "mail.json", "0b1ab67b", [("", "unparsable_name")]),
        (None, "mail.json", None, [("", "unparsable_name"), ("/registration_token", "missing_token")]),
    ],
)
def test_name_and_content_may_lack_the_token(token, name, kept, expected):
    registration = parse(name, registration_token=token)
    assert (registration.token, remarks(registration)) == (kept, expected)


def test_two_tokens_are_a_mix_up():
    expected = ("token_mismatch", [("/registration_token", "token_mismatch")])
    assert refusal(parse, registration_token="0b1ab67c") == expected


def test_a_token_that_is_no_text_is_refused():
    expected = ("validation_failed", [("/registration_token", "invalid_type")])
    assert refusal(parse, registration_token=12345678) == expected


@pytest.mark.parametrize("name", sorted(NOT_FOR_THE_FORM))
def test_what_belongs_to_staff_is_left_out_with_a_remark(name):
    registration = parse_person(**{name: "x"})
    assert remarks(registration) == [(f"/patient_data/{name}", "staff_field_ignored")]
    assert name not in registration.given
    assert registration.patient.get(name) != "x"


def test_self_reported_and_staff_fields_do_not_overlap():
    assert not SELF_REPORTED & NOT_FOR_THE_FORM
    assert {*PERSON, "email", "psychotherapeutische_sprechstunde"} <= SELF_REPORTED


@pytest.mark.parametrize(("name", "pointer"), [("groesse", "/patient_data/groesse"), ("a/b", "/patient_data/a~1b")])
def test_an_unknown_field_is_remarked_on(name, pointer):
    assert remarks(parse_person(**{name: 1})) == [(pointer, "unknown_field")]


@pytest.mark.parametrize("empty", [None, "", "  ", "\ufeff \u200b"])
def test_an_empty_answer_is_no_answer(empty):
    words = {"bevorzugtes_therapieverfahren": empty, "geburtsdatum": empty, "hat_ptv11": empty}
    registration = parse_person(email=empty, ort=empty, offen_fuer_diga=empty, **words)
    assert registration.given == set(PERSON)
    assert (registration.patient["email"], registration.patient["offen_fuer_diga"]) == (None, False)
    assert registration.findings == ()


def test_an_answer_is_read_as_its_field_says():
    registration = parse_person(geburtsdatum="2000-01-31", offen_fuer_diga=True, email="max@example.com")
    assert registration.given == {*PERSON, "geburtsdatum", "offen_fuer_diga", "email"}
    answers = registration.patient
    assert (answers["geburtsdatum"], answers["offen_fuer_diga"]) == (date(2000, 1, 31), True)
    assert answers["email"] == "max@example.com"


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        ({"hat_ptv11": True}, True),
        ({"psychotherapeutische_sprechstunde": True}, True),
        ({"hat_ptv11": False, "psychotherapeutische_sprechstunde": True}, True),
        ({"hat_ptv11": True, "psychotherapeutische_sprechstunde": " "}, True),
    ],
)
def test_the_consultation_has_two_names(answers, value):
    registration = parse_person(**answers)
    assert registration.patient["psychotherapeutische_sprechstunde"] is value
    assert "psychotherapeutische_sprechstunde" in registration.given
    assert registration.findings == ()


def test_no_answer_about_the_consultation_gives_none():
    assert "psychotherapeutische_sprechstunde" not in parse_person(hat_ptv11="").given


def test_a_fault_is_named_as_in_the_form():
    assert refusal(parse_person, hat_ptv11="perhaps", vorname=ABSENT, ort="x" * 101) == (
        "validation_failed",
        [
            ("/patient_data/vorname", "missing"),
            ("/patient_data/ort", "too_long"),
            ("/patient_data/hat_ptv11", "invalid_boolean"),
        ],
    )


@pytest.mark.parametrize(
    ("stated", "moment"),
    [
        ("2025-07-05T14:33:55Z", datetime(2025, 7, 5, 14, 33, 55, tzinfo=UTC)),
        (" 2025-07-05 14:33:55 ", datetime(2025, 7, 5, 14, 33, 55, tzinfo=UTC)),
        ("2025-07-05T01:30:00+02:00", datetime(2025, 7, 4, 23, 30, tzinfo=UTC)),
        ("2025-07-05t14:33:55.123456789z", datetime(2025, 7, 5, 14, 33, 55, 123456, tzinfo=UTC)),
        ("2025-06-30T23:59:60Z", datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_consent_was_given_at_a_moment_in_utc(stated, moment):
    given_at = parse_consent(timestamp_utc=stated).consent.given_at
    assert (given_at, given_at.tzinfo) == (moment, UTC)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_the_machines_own_zone_moves_no_consent(monkeypatch, zone):
    with monkeypatch.context() as environment:
        environment.setenv("TZ", zone)
        time.tzset()
        moments = [parse_consent(timestamp_utc=f"2025-07-05T12:00:00{end}").consent.given_at for end in ("", "Z")]
    time.tzset()
    assert moments == [datetime(2025, 7, 5, 12, tzinfo=UTC)] * 2
    assert {moment.tzinfo for moment in moments} == {UTC}


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        (ABSENT, "missing"),
        (None, "missing"),
        (" ", "missing"),
        ("yesterday", "invalid_timestamp"),
        ("2025-02-30T00:00:00Z", "invalid_timestamp"),
        ("2025-07-05", "invalid_timestamp"),
        ("2025-W27-6", "invalid_timestamp"),
        ("2025-W27-6T12:00:00Z", "invalid_timestamp"),
        ("20250705T143355Z", "invalid_timestamp"),
        ("2025-07-05T14:33", "invalid_timestamp"),
        ("2025-07-05T14:33:55+25:00", "invalid_timestamp"),
        ("2025-07-05T14:60:00Z", "invalid_timestamp"),
        ("2025-07-05T14:33:55+00:60", "invalid_timestamp"),
        ("٢٠٢٥-07-05T14:33:55Z", "invalid_timestamp"),
        ("0001-01-01T00:00:00+14:00", "invalid_timestamp"),
        (5, "invalid_type"),
    ],
)
def test_a_consent_without_a_moment_proves_nothing(stated, code):
    expected = ("validation_failed", [("/consent_metadata/timestamp_utc", code)])
    assert refusal(parse_consent, timestamp_utc=stated) == expected


@pytest.mark.parametrize("name", ["ip_address", "user_agent"])
def test_the_evidence_is_text_or_absent(name):
    assert getattr(parse_consent(**{name: ABSENT}).consent, name) is None
    assert getattr(parse_consent(**{name: " x "}).consent, name) == "x"
    expected = ("validation_failed", [(f"/consent_metadata/{name}", "invalid_type")])
    assert refusal(parse_consent, **{name: ["x"]}) == expected


@pytest.mark.parametrize("name", ["ip_address", "user_agent", "timestamp_utc"])
def test_the_evidence_is_measured_before_it_is_read(name):
    too_long = ("validation_failed", [(f"/consent_metadata/{name}", "too_long")])
    assert refusal(parse_consent, **{name: "\u0300" * 100_001}) == too_long


@pytest.mark.parametrize(
    ("stated", "moment", "expected"),
    [
        ("2025-07-05 14:33:56+02:00", datetime(2025, 7, 5, 12, 33, 56, tzinfo=UTC), []),
        (" 2025-07-05 14:33:56\n", datetime(2025, 7, 5, 14, 33, 56, tzinfo=UTC), []),
        (ABSENT, None, []),
        ("", None, []),
        ("yesterday", None, [("/registration_timestamp", "invalid_timestamp")]),
        (5, None, [("/registration_timestamp", "invalid_timestamp")]),
    ],
)
def test_the_forms_own_moment_is_only_remarked_on(stated, moment, expected):
    registration = parse(registration_timestamp=stated)
    assert (registration.registered_at, remarks(registration)) == (moment, expected)


def test_remarks_stand_in_the_order_of_the_document():
    registration = parse(
        "mail.json", registration_token="", registration_timestamp="x", patient_data={**PERSON, "id": 5, "x": 5}
    )
    assert [code for _, code in remarks(registration)] == [
        "unparsable_name",
        "missing_token",
        "staff_field_ignored",
        "unknown_field",
        "invalid_timestamp",
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
forms = st.dictionaries(st.sampled_from(sorted(SELF_REPORTED | NOT_FOR_THE_FORM)) | st.text(), values, max_size=4)


@given(forms)
def test_whatever_the_form_writes_is_mapped_remarked_on_or_refused(answers):
    document = {**DOCUMENT, "patient_data": {**PERSON, **answers}}
    registration, _, findings = read(json.dumps(document).encode(), NAME)
    named = {finding.pointer for finding in findings}
    answered = [name for name, value in answers.items() if value is not None and str(value).strip() != ""]
    unnamed = [name for name in answered if f"/patient_data/{escaped(name)}" not in named]
    if registration is None:
        assert named
    else:
        assert set(PERSON) <= registration.given <= SELF_REPORTED
        assert registration.given.issuperset(unnamed)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    with pytest.raises(RejectedError):
        parse_registration(data, NAME, Upload(now()))


UPLOADED = Upload(datetime(2025, 7, 6, 12, tzinfo=UTC))


def parse_document_at(document, upload=UPLOADED, name=NAME, key=None):
    return parse_registration(json.dumps(document).encode(), name, upload, key)


@pytest.mark.parametrize(
    ("field", "day", "is_odd"),
    [
        ("geburtsdatum", "0085-03-04", True),
        ("geburtsdatum", "1899-12-31", True),
        ("geburtsdatum", "1900-01-01", False),
        ("geburtsdatum", "2025-07-07", False),
        ("geburtsdatum", "2025-07-08", True),
        ("letzte_sitzung_vorherige_psychotherapie", "2099-01-01", True),
        ("letzte_sitzung_vorherige_psychotherapie", "2024-01-01", False),
    ],
)
def test_a_day_that_can_hardly_be_right_is_imported_and_remarked_on(field, day, is_odd):
    registration = parse_document_at({**DOCUMENT, "patient_data": {**PERSON, field: day}})
    assert registration.patient[field] == date.fromisoformat(day)
    assert remarks(registration) == ([(f"/patient_data/{field}", "implausible_date")] if is_odd else [])


@pytest.mark.parametrize(
    ("stated", "is_odd"),
    [
        ("2025-07-07T12:00:00Z", False),
        ("2025-07-07T12:00:01Z", True),
        ("2099-01-01T00:00:00Z", True),
        ("2000-01-01T00:00:00Z", False),
        ("1999-12-31T23:59:59Z", True),
    ],
)
def test_a_consent_after_the_upload_is_kept_and_remarked_on(stated, is_odd):
    consent = {**CONSENT, "timestamp_utc": stated}
    registration = parse_document_at({**DOCUMENT, "consent_metadata": consent})
    assert registration.consent.document == consent
    assert remarks(registration) == ([("/consent_metadata/timestamp_utc", "implausible_date")] if is_odd else [])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["Angst", "  Schlafprobleme "], "Angst, Schlafprobleme"),
        (["", "Angst", " ", "\u200b"], "Angst"),
        ([" \u200b Angst \u200b", "Schlaf"], "Angst, Schlaf"),
        ([], None),
        ([""], None),
        ("Angst", "Angst"),
    ],
)
def test_symptoms_may_be_a_list(said, kept):
    assert parse_person(symptome=said).patient["symptome"] == kept


@pytest.mark.parametrize(("said", "code"), [([5], "invalid_type"), (["x" * 50_000], "too_long"), ({}, "invalid_type")])
def test_symptoms_of_another_kind_are_refused(said, code):
    assert refusal(parse_person, symptome=said) == ("validation_failed", [("/patient_data/symptome", code)])


@pytest.mark.parametrize(
    ("in_name", "inside", "found"),
    [
        ("0b1ab67b", "0B1AB67Bffff", []),
        ("0B1AB67Bf", "0b1ab67bffff", []),
        ("0b1ab67", "0b1ab67bffff", [("", "short_token")]),
        ("abc", "abc", []),
    ],
)
def test_the_beginning_of_a_token_stands_for_it_in_a_name(in_name, inside, found):
    registration = parse(name=f"Mustermann_Max_20250705_{in_name}.json", registration_token=inside)
    assert remarks(registration) == found


@pytest.mark.parametrize("inside", ["0b1ab67", "ffff0b1ab67b", "0b1ab67affff"])
def test_another_token_in_the_name_is_a_mix_up(inside):
    assert refusal(parse, registration_token=inside)[0] == "token_mismatch"


def test_a_token_has_at_most_255_characters_as_it_stands():
    assert parse(name="a.json", registration_token="x" * 255).token == "x" * 255
    expected = ("validation_failed", [("/registration_token", "too_long")])
    assert refusal(parse, registration_token="x" * 256) == expected
    assert refusal(parse, registration_token=" " * 250 + "x" * 8) == expected


def test_more_findings_than_anybody_reads_are_summed_up():
    found = remarks(parse_person(**{f"f{number}": 1 for number in range(1000)}))
    assert len(found) == 101
    assert found[-1] == ("", "more_findings")


def signed(document, key=b"secret", **changes):
    raw = json.dumps(document, indent=1, ensure_ascii=False)
    signature = hmac.new(key, raw.encode(), hashlib.sha256).hexdigest()
    parts = {"signature": json.dumps(signature), "timestamp": "1", "data": raw, **changes}
    return ("{ " + " , ".join(f'"{name}" : {value}' for name, value in parts.items() if value) + " }").encode()


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("key", [None, b"secret"])
def test_a_signed_registration_is_unwrapped(layers, key):
    data = {**DOCUMENT, "patient_data": {**PERSON, "ort": 'Köln}"', "x": 1}}
    for _ in range(layers):
        data = {"meta": [], "data": data}
    registration = parse_registration(signed(data), NAME, UPLOADED, key)
    assert registration.patient["ort"] == 'Köln}"'
    assert remarks(registration) == [("/data" * (layers + 1) + "/patient_data/x", "unknown_field")]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(DOCUMENT).encode(),
        signed(DOCUMENT, b"other"),
        signed(DOCUMENT, signature='"ä"'),
        signed(DOCUMENT, signature="5"),
        signed(DOCUMENT, signature=None),
        signed(DOCUMENT, data=None),
        signed(DOCUMENT, data=json.dumps(DOCUMENT)),
        signed(DOCUMENT, **{name: json.dumps(value) for name, value in DOCUMENT.items()}),
    ],
)
def test_with_a_key_only_what_it_signed_is_taken(data):
    with pytest.raises(RejectedError) as refused:
        parse_registration(data, NAME, UPLOADED, b"secret")
    assert refused.value.code == "signature_invalid"


def test_a_character_that_cannot_be_stored_is_named_in_the_wrapper_too():
    with pytest.raises(RejectedError) as refused:
        parse_registration(signed(DOCUMENT, timestamp='"\\u0000"'), NAME, UPLOADED)
    assert places(refused.value.findings) == [("/timestamp", "nul_character")]


def test_what_is_wrong_in_a_wrapper_is_told_from_the_files_root():
    data = signed({"data": {**DOCUMENT, "patient_data": {**PERSON, "anrede": "Herrn"}}})
    with pytest.raises(RejectedError) as refused:
        parse_registration(data, NAME, UPLOADED)
    assert places(refused.value.findings) == [("/data/data/patient_data/anrede", "invalid_value")]


SENT_AT = datetime(2025, 7, 6, 8, 0, tzinfo=UTC)
MADE = datetime(2025, 7, 5, 14, 33, 56, tzinfo=UTC)
AGREED = datetime(2025, 7, 5, 14, 33, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "consent", "moment", "doubted"),
    [
        ("2025-07-05 14:33:56", CONSENT, MADE, []),
        ("2099-01-01 00:00:00", CONSENT, AGREED, ["/registration_timestamp"]),
        (None, CONSENT, AGREED, []),
        (
            "2099-01-01 00:00:00",
            {**CONSENT, "timestamp_utc": "2099-01-01T00:00:00Z"},
            SENT_AT,
            ["/registration_timestamp", "/consent_metadata/timestamp_utc"],
        ),
    ],
)
def test_the_order_is_that_of_the_first_time_that_can_be_true_then_of_the_upload(timestamp, consent, moment, doubted):
    upload = Upload(SENT_AT, 7)
    document = {**DOCUMENT, "registration_timestamp": timestamp, "consent_metadata": consent}
    found = parse_registration(json.dumps(document).encode(), NAME, upload)
    assert found.order == Order(moment, upload)
    assert [pointer for pointer, code in remarks(found) if code == "implausible_date"] == doubted
    assert registration_by_hand(PERSON, document, upload).order == Order(moment, upload)


def test_what_a_person_entered_comes_with_the_evidence_of_the_file():
    found = registration_by_hand({**PERSON, "ort": "Aachen"}, DOCUMENT, Upload(SENT_AT, 7))
    assert {name: found.patient[name] for name in (*PERSON, "ort")} == {**PERSON, "ort": "Aachen"}
    assert found.given == {*PERSON, "ort"}
    assert found.person == Person("max|mustermann", None, None)
    assert (found.token, found.registered_at) == ("0b1ab67b", MADE)
    assert (found.consent.given_at, found.consent.ip_address, found.consent.document) == (AGREED, "192.0.2.7", CONSENT)
    assert found.findings == ()


@pytest.mark.parametrize(
    ("document", "token", "registered_at"),
    [
        (None, None, None),
        ({"registration_token": "0b1ab67b"}, "0b1ab67b", None),
        ({**DOCUMENT, "consent_metadata": []}, "0b1ab67b", MADE),
        ({**DOCUMENT, "consent_metadata": {}, "registration_token": 7}, None, MADE),
        ({**DOCUMENT, "patient_data": {"ort": "\x00"}}, None, None),
    ],
)
def test_of_a_file_that_cannot_be_read_whole_each_piece_of_evidence_counts_for_itself(document, token, registered_at):
    found = registration_by_hand(PERSON, document, Upload(SENT_AT, 7))
    assert (found.token, found.registered_at, found.consent) == (token, registered_at, None)
    assert remarks(found) == [("/consent_metadata", "consent_unreadable")]


def test_what_a_person_entered_is_checked_as_the_api_checks_it():
    with pytest.raises(InvalidInput):
        registration_by_hand({**PERSON, "anrede": "Hallo"}, DOCUMENT, Upload(SENT_AT, 7))
