"""What becomes of one scraped record."""

import copy

import pytest

from shared.core.errors import RejectedError
from therapist_service.imports.mapping import Claim, for_adults, map_record
from therapist_service.therapist import MAPPED_FIELDS

RECORD = {
    "id": "praxis67",
    "status": "modified",
    "last_modified": "2025-07-02T03:13:24.425333",
    "basic_info": {
        "salutation": "Herr",
        "title": "Dr.",
        "first_name": "Thomas",
        "last_name": "Zeevaert",
        "full_name": "Thomas Zeevaert",
        "classification": "Psychotherapie: Ärztliche Psychotherapie",
    },
    "location": {"street": "Salierallee", "house_number": "15", "postal_code": "52066", "city": "Aachen"},
    "contact": {
        "phone": "+49 241 12345",
        "email": "praxis@example.com",
        "fax": "0241 54321",
        "website": "https://example.com",
    },
    "telephone_hours": {"montag": ["10:00-12:00"]},
    "languages": ["Englisch"],
    "therapy_methods": ["Tiefenpsychologisch fundierte Psychotherapie für Erwachsene in Einzeltherapie"],
}


def changed(path, value):
    record = copy.deepcopy(RECORD)
    section = record
    *parents, key = path.split("/")
    for parent in parents:
        section = section[parent]
    section[key] = value
    return record


def without(path):
    record = changed(path, None)
    section = record
    *parents, key = path.split("/")
    for parent in parents:
        section = section[parent]
    del section[key]
    return record


def remarks(record):
    findings = map_record(record, 3).findings
    assert {finding.record_index for finding in findings} <= {3}
    return [(finding.pointer.removeprefix("/therapists/3"), finding.code) for finding in findings]


def faults(record):
    with pytest.raises(RejectedError) as refused:
        map_record(record, 3)
    assert refused.value.code == "validation_failed"
    assert {finding.record_index for finding in refused.value.findings} == {3}
    return [(finding.pointer.removeprefix("/therapists/3"), finding.code) for finding in refused.value.findings]


def test_an_ordinary_record_fills_every_column_without_a_finding():
    mapped = map_record(RECORD, 3)
    assert mapped.fields == {
        "anrede": "Herr",
        "geschlecht": "männlich",
        "titel": "Dr.",
        "vorname": "Thomas",
        "nachname": "Zeevaert",
        "strasse": "Salierallee 15",
        "plz": "52066",
        "ort": "Aachen",
        "telefon": "+49 241 12345",
        "fax": "0241 54321",
        "email": "praxis@example.com",
        "webseite": "https://example.com",
        "telefonische_erreichbarkeit": {"montag": ["10:00-12:00"]},
        "fremdsprachen": ["Englisch"],
        "psychotherapieverfahren": ["tiefenpsychologisch_fundierte_Psychotherapie"],
    }
    assert tuple(mapped.fields) == MAPPED_FIELDS
    assert (mapped.index, mapped.external_id, mapped.claim, mapped.findings) == (3, "praxis67", Claim.MODIFIED, ())
    assert mapped.raw is RECORD


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        ("basic_info/salutation", "Frau", "geschlecht", "weiblich"),
        ("basic_info/salutation", "Dr.", "anrede", None),
        ("basic_info/salutation", None, "geschlecht", "keine_Angabe"),
        ("basic_info/last_name", "Null", "nachname", "Null"),
        ("basic_info/last_name", "Tietz -Roder", "nachname", "Tietz-Roder"),
        ("basic_info/last_name", " von  der  Heide ", "nachname", "von der Heide"),
        ("basic_info/last_name", "Mu\u0308ller", "nachname", "Müller"),
        ("basic_info/last_name", "von  der Heide", "nachname", "von der Heide"),
        ("basic_info/last_name", " Zeevaert", "nachname", "Zeevaert"),
        ("basic_info/last_name", "Zeevaert ", "nachname", "Zeevaert"),
        ("basic_info/last_name", "Zee\tvaert", "nachname", "Zee vaert"),
        ("basic_info/first_name", "Anna - Maria", "vorname", "Anna-Maria"),
        ("basic_info/first_name", "", "vorname", None),
        ("basic_info/title", "  ", "titel", None),
        ("location/house_number", None, "strasse", "Salierallee"),
        ("location/house_number", "-", "strasse", "Salierallee"),
        ("location/street", "Salierallee 15", "strasse", "Salierallee 15"),
        ("location/street", "k.A.", "strasse", "15"),
        ("basic_info/salutation", "-", "geschlecht", "keine_Angabe"),
        ("basic_info/title", "keine", "titel", None),
        ("basic_info/first_name", "Null", "vorname", None),
        ("basic_info/last_name", "NULL", "nachname", "NULL"),
        ("basic_info/last_name", "null", "nachname", "null"),
        ("basic_info/last_name", "M&uuml;ller", "nachname", "Müller"),
        ("basic_info/first_name", "Dr. med. Thomas", "vorname", "Thomas"),
        ("basic_info/first_name", "Dr.", "vorname", None),
        ("basic_info/last_name", "Dipl.-Psych. Zeevaert", "nachname", "Zeevaert"),
        ("basic_info/last_name", "Dipl.-Soz.-Päd. (FH) Zeevaert", "nachname", "Zeevaert"),
        ("basic_info/last_name", "Dipl.-Soz.päd. Zeevaert", "nachname", "Zeevaert"),
        ("basic_info/last_name", "Mag. rer. nat. Zeevaert", "nachname", "Zeevaert"),
        ("basic_info/last_name", "Prof. h.c. Zeevaert", "nachname", "Zeevaert"),
        ("basic_info/first_name", "M.Sc. Psych. Eva", "vorname", "Eva"),
        ("basic_info/first_name", "Dr.in Eva", "vorname", "Eva"),
        ("basic_info/first_name", "Mag.a Eva", "vorname", "Eva"),
        ("basic_info/first_name", "Dr.Ina", "vorname", "Ina"),
        ("basic_info/first_name", "Dr. k.A.", "vorname", None),
        ("contact/phone", "auf Anfrage", "telefon", None),
        ("contact/fax", "n/a", "fax", None),
        ("contact/phone", "0241 12345 App. 12", "telefon", "0241 12345 App. 12"),
        ("contact/website", "http://", "webseite", None),
        ("contact/email", "keine", "email", None),
        ("languages", ["-", "Englisch", "k.A."], "fremdsprachen", ["Englisch"]),
        ("therapy_methods", ["unbekannt"], "psychotherapieverfahren", []),
        ("telephone_hours", {"montag": ["-"]}, "telefonische_erreichbarkeit", {}),
        ("contact/email", "kein-at-zeichen", "email", None),
        ("contact/email", "müller@praxis-köln.de", "email", "müller@praxis-köln.de"),
        ("contact", None, "telefon", None),
        ("telephone_hours", None, "telefonische_erreichbarkeit", {}),
        (
            "telephone_hours",
            {"Monday": ["9"], "Montag": ["9", "14"]},
            "telefonische_erreichbarkeit",
            {"montag": ["9", "14"]},
        ),
        (
            "telephone_hours",
            {"Monday": ["9"], "Montag": ["14"]},
            "telefonische_erreichbarkeit",
            {"montag": ["9", "14"]},
        ),
        ("telephone_hours", {"SATURDAY": "9-10", "sonntag": []}, "telefonische_erreichbarkeit", {"samstag": ["9-10"]}),
        ("telephone_hours", {"Feiertag": ["9"]}, "telefonische_erreichbarkeit", {"Feiertag": ["9"]}),
        ("languages", ["Englisch ", "Englisch", "", "Türkisch"], "fremdsprachen", ["Englisch", "Türkisch"]),
        (
            "therapy_methods",
            ["Verhaltenstherapie für Kinder", "Verhaltenstherapie für Erwachsene", "Systemische Therapie"],
            "psychotherapieverfahren",
            ["Verhaltenstherapie", "Systemische_Therapie"],
        ),
        (
            "therapy_methods",
            ["Systemische Therapie", "Verhaltenstherapie"],
            "psychotherapieverfahren",
            ["Verhaltenstherapie", "Systemische_Therapie"],
        ),
        (
            "therapy_methods",
            [f"Verhaltenstherapie {'für Erwachsene ' * 20}"],
            "psychotherapieverfahren",
            ["Verhaltenstherapie"],
        ),
        ("location/street", "x" * 252, "strasse", f"{'x' * 252} 15"),
        (
            "therapy_methods",
            ["Hypnose", "Tiefenpsychologisch fundierte und analytische Psychotherapie"],
            "psychotherapieverfahren",
            ["tiefenpsychologisch_fundierte_Psychotherapie", "analytische_Psychotherapie", "Hypnose"],
        ),
    ],
)
def test_value_becomes_column(path, value, field, expected):
    assert map_record(changed(path, value), 0).fields[field] == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("status", "renamed", ("/status", "unknown_status")),
        ("status", None, ("/status", "unknown_status")),
        ("basic_info/salutation", "Dr.", ("/basic_info/salutation", "unknown_salutation")),
        ("basic_info/salutation", None, ("/basic_info/salutation", "missing_salutation")),
        ("basic_info/last_name", "Tietz -Roder", ("/basic_info/last_name", "name_repaired")),
        ("basic_info/nickname", "Tom", ("/basic_info/nickname", "unknown_field")),
        ("a/b".replace("/", "~"), 1, ("/a~0b", "unknown_field")),
        ("contact/email", "kein-at-zeichen", ("/contact/email", "invalid_email_ignored")),
        ("contact/email", "praxis@kein.test", ("/contact/email", "invalid_email_ignored")),
        ("therapy_methods", ["Hypnose"], ("/therapy_methods/0", "unknown_method")),
        ("telephone_hours", {"Feiertag": ["9"]}, ("/telephone_hours/Feiertag", "unknown_weekday")),
        ("contact/phone", "k.A.", ("/contact/phone", "placeholder")),
        ("contact/phone", "auf Anfrage", ("/contact/phone", "placeholder")),
        ("contact/phone", "0000", ("/contact/phone", "placeholder")),
        ("contact/phone", "praxis1@example.com", ("/contact/phone", "misplaced_value")),
        ("contact/phone", "www.praxis1.de", ("/contact/phone", "misplaced_value")),
        ("contact/fax", "https://praxis1.de", ("/contact/fax", "misplaced_value")),
        ("contact/website", "praxis1@example.com", ("/contact/website", "misplaced_value")),
        ("contact/website", "+49 (0)241 / 123-4", ("/contact/website", "misplaced_value")),
        ("languages", ["Englisch", "-"], ("/languages/1", "placeholder")),
        ("telephone_hours", {"montag": ["9", "-"]}, ("/telephone_hours/montag/1", "placeholder")),
        ("location/city", "K&ouml;ln", ("/location/city", "html_entity")),
        ("basic_info/first_name", "Dr. Thomas", ("/basic_info/first_name", "title_in_name")),
        ("basic_info/last_name", "Dr. Zeevaert", ("/basic_info/last_name", "title_in_name")),
    ],
)
def test_oddity_is_reported_and_the_record_still_counts(path, value, expected):
    assert remarks(changed(path, value)) == [expected]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("basic_info/last_name", None, ("/basic_info/last_name", "missing")),
        ("basic_info/last_name", " - ", ("/basic_info/last_name", "missing")),
        ("location/postal_code", None, ("/location/postal_code", "missing")),
        ("location/postal_code", "5206", ("/location/postal_code", "invalid_zip")),
        ("location/postal_code", "520666", ("/location/postal_code", "invalid_zip")),
        ("location/postal_code", "٥٢٠٦٦", ("/location/postal_code", "invalid_zip")),
        ("location/postal_code", 52066, ("/location/postal_code", "invalid_type")),
        ("basic_info/last_name", "x" * 101, ("/basic_info/last_name", "too_long")),
        ("basic_info/first_name", "x" * 101, ("/basic_info/first_name", "too_long")),
        ("basic_info/title", "x" * 51, ("/basic_info/title", "too_long")),
        ("location/city", "x" * 101, ("/location/city", "too_long")),
        ("location/postal_code", "5" * 256, ("/location/postal_code", "too_long")),
        ("basic_info/salutation", 5, ("/basic_info/salutation", "invalid_type")),
        ("basic_info/salutation", "x" * 256, ("/basic_info/salutation", "too_long")),
        ("location/house_number", 15, ("/location/house_number", "invalid_type")),
        ("location/house_number", "1" * 256, ("/location/house_number", "too_long")),
        ("location/street", "x" * 253, ("/location/street", "too_long")),
        ("location/street", "x" * 255, ("/location/street", "too_long")),
        ("location/street", "x" * 256, ("/location/street", "too_long")),
        ("contact/phone", "1" * 51, ("/contact/phone", "too_long")),
        ("contact/fax", "1" * 51, ("/contact/fax", "too_long")),
        ("contact/email", "x" * 256, ("/contact/email", "too_long")),
        ("contact/website", "x" * 256, ("/contact/website", "too_long")),
        ("id", "x" * 256, ("/id", "too_long")),
        ("id", 67, ("/id", "invalid_type")),
        ("status", 5, ("/status", "invalid_type")),
        ("status", "x" * 256, ("/status", "too_long")),
        ("contact", ["0241"], ("/contact", "invalid_type")),
        ("languages", "Englisch", ("/languages", "invalid_type")),
        ("therapy_methods", "Hypnose", ("/therapy_methods", "invalid_type")),
        ("languages", ["Englisch", 5], ("/languages/1", "invalid_type")),
        ("telephone_hours", "mo", ("/telephone_hours", "invalid_type")),
        ("telephone_hours", {"montag": 9}, ("/telephone_hours/montag", "invalid_type")),
        ("basic_info/full_name", "a\0b", ("/basic_info/full_name", "invalid_character")),
        ("basic_info/last_name", "a\ud800b", ("/basic_info/last_name", "invalid_character")),
        ("basic_info/last_name", "M\ufffdller", ("/basic_info/last_name", "invalid_character")),
        ("basic_info/last_name", "MÃ¼ller", ("/basic_info/last_name", "invalid_character")),
        ("basic_info/last_name", "M&Atilde;&frac14;ller", ("/basic_info/last_name", "invalid_character")),
        ("location/city", "KÃ¶ln", ("/location/city", "invalid_character")),
        # "à": cleaning would turn its second character, a space that does not break, into a common one.
        ("languages", ["VoilÃ\xa0"], ("/languages/0", "invalid_character")),
        ("basic_info/last_name", "k.A.", ("/basic_info/last_name", "missing")),
        ("basic_info/last_name", "Dr.", ("/basic_info/last_name", "missing")),
        ("basic_info/last_name", "Dr. k.A.", ("/basic_info/last_name", "missing")),
        ("location/postal_code", "k.A.", ("/location/postal_code", "missing")),
        ("a\0b", "x", ("", "invalid_character")),
    ],
)
def test_fault_refuses_the_record_and_names_the_place(path, value, expected):
    assert expected in faults(changed(path, value))


@pytest.mark.parametrize("raw", [None, [], "text", 5])
def test_what_is_no_object_is_no_record(raw):
    assert faults(raw) == [("", "invalid_type")]


def test_a_place_that_cannot_be_stored_itself_is_the_record():
    assert faults(changed("a\0b", "x\0")) == [("", "invalid_character")] * 2


def test_every_fault_of_a_record_is_named():
    assert faults({"status": "new"}) == [("/location/postal_code", "missing"), ("/basic_info/last_name", "missing")]


def test_a_text_that_only_looks_like_an_escaped_nul_is_a_text():
    assert map_record(changed("location/city", "\\u0000"), 0).fields["ort"] == "\\u0000"


def test_a_number_too_large_for_the_encoder_harms_nobody():
    assert remarks(changed("views", 10**30)) == [("/views", "unknown_field")]


def test_a_deleted_record_needs_nothing_but_its_id():
    mapped = map_record({"id": "praxis1", "status": "deleted"}, 0)
    assert (mapped.claim, mapped.external_id, mapped.findings) == (Claim.DELETED, "praxis1", ())
    assert mapped.fields["nachname"] is None


def test_a_deleted_record_without_id_needs_name_and_postal_code():
    assert faults({"status": "deleted"}) == [("/location/postal_code", "missing"), ("/basic_info/last_name", "missing")]
    assert map_record(changed("status", "deleted") | {"id": None}, 0).claim is Claim.DELETED


@pytest.mark.parametrize("length", [50, 100])
def test_lengths_are_counted_after_cleaning(length):
    field, path = {50: ("titel", "basic_info/title"), 100: ("ort", "location/city")}[length]
    assert map_record(changed(path, f"  {'x' * length}\n"), 0).fields[field] == "x" * length


@pytest.mark.parametrize(
    ("record", "same"),
    [
        (changed("last_modified", "2025-07-09T03:00:00"), True),
        (changed("status", "unchanged"), True),
        (changed("basic_info/last_name", " Zeevaert "), True),
        (changed("languages", ["Englisch", "Englisch"]), True),
        (changed("contact/phone", "0241 99"), False),
        (without("contact/fax"), False),
    ],
)
def test_hash_changes_with_the_mapped_columns_only(record, same):
    assert (map_record(record, 9).hash == map_record(RECORD, 0).hash) is same


@pytest.mark.parametrize(
    ("path", "one", "other", "same"),
    [
        ("languages", ["A", "B"], ["B", "A"], True),
        ("languages", ["A", "B"], ["A", "C"], False),
        ("telephone_hours", {"montag": ["9", "14"]}, {"montag": ["14", "9"]}, True),
        ("telephone_hours", {"montag": ["9"], "freitag": ["8"]}, {"freitag": ["8"], "montag": ["9"]}, True),
        ("telephone_hours", {"montag": ["9"]}, {"montag": ["10"]}, False),
        ("telephone_hours", {"montag": ["9"]}, {"freitag": ["9"]}, False),
        ("telephone_hours", {"montag": ["9"]}, {}, False),
    ],
)
def test_hash_ignores_the_order_of_lists_and_nothing_else(path, one, other, same):
    assert (map_record(changed(path, one), 0).hash == map_record(changed(path, other), 0).hash) is same


@pytest.mark.parametrize(("title", "titel"), [("", "Prof. Dr."), ("-", "Prof. Dr."), ("Dr. med.", "Dr. med.")])
def test_a_title_in_a_name_is_taken_where_there_is_none(title, titel):
    record = changed("basic_info/first_name", "Prof. Dr. Thomas")
    record["basic_info"]["title"] = title
    fields = map_record(record, 0).fields
    assert (fields["titel"], fields["vorname"]) == (titel, "Thomas")


def test_titles_that_are_too_long_for_their_column_are_left_out():
    record = changed("basic_info/first_name", "Dr. " * 20 + "Thomas")
    record["basic_info"]["title"] = ""
    fields = map_record(record, 0).fields
    assert (fields["titel"], fields["vorname"]) == (None, "Thomas")


@pytest.mark.parametrize(
    ("methods", "adults"),
    [
        (["Verhaltenstherapie für Erwachsene in Gruppentherapie"], True),
        (["Verhaltenstherapie für Kinder", "Systemische Therapie für ERWACHSENE"], True),
        (["Verhaltenstherapie f&uuml;r Er\u00adwach&shy;sene"], True),
        (["Verhaltenstherapie für Kinder und Jugendliche"], False),
        ([], False),
        (None, False),
    ],
)
def test_audience_is_read_from_the_methods(methods, adults):
    assert for_adults(map_record(changed("therapy_methods", methods), 0)) is adults


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        ("contact/phone", "praxis1@example.com", "telefon", None),
        ("contact/phone", "000", "telefon", None),
        ("contact/phone", "110", "telefon", "110"),
        ("contact/website", "praxis1@example.com", "webseite", None),
        ("contact/website", "https://example.com/@praxis1", "webseite", "https://example.com/@praxis1"),
        ("contact/website", "www.1000.de", "webseite", "www.1000.de"),
    ],
)
def test_no_column_takes_what_belongs_into_another(path, value, field, expected):
    assert map_record(changed(path, value), 0).fields[field] == expected
