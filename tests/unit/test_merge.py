"""Three-way merge: nothing that staff changed is lost, nothing that only the source changed is missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist_service.imports.merge import Conflict, agrees, merge
from therapist_service.therapist import MAPPED_FIELDS

EMPTY = {
    **dict.fromkeys(MAPPED_FIELDS),
    "geschlecht": "keine_Angabe",
    "telefonische_erreichbarkeit": {},
    "fremdsprachen": [],
    "psychotherapieverfahren": [],
}


def filled(**values):
    return {**EMPTY, **values}


# `values` are what the source said last, what it says now, and what the row holds.
@pytest.mark.parametrize(
    ("field", "values", "changes", "conflicts", "kept"),
    [
        ("ort", ("Aachen", "Aachen", "Aachen"), {}, [], "Aachen"),
        ("ort", ("Aachen", "Köln", "Aachen"), {"ort": "Köln"}, [], "Köln"),
        ("ort", ("Aachen", "Aachen", "Bonn"), {}, [], "Aachen"),
        ("ort", ("Aachen", "Köln", "Köln"), {}, [], "Köln"),
        ("ort", ("Aachen", "Köln", "Bonn"), {}, [("Bonn", "Köln")], "Köln"),
        ("ort", ("Aachen", None, "Aachen"), {}, [], "Aachen"),
        ("ort", (None, "Köln", None), {"ort": "Köln"}, [], "Köln"),
        ("ort", (None, "Köln", "Bonn"), {}, [("Bonn", "Köln")], "Köln"),
        ("ort", ("Aachen", "Aachen", None), {}, [], "Aachen"),
        ("ort", ("Aachen", "Köln", None), {}, [(None, "Köln")], "Köln"),
        ("ort", ("Bad Aachen", "Bad  Aachen", "Bad Aachen"), {}, [], "Bad  Aachen"),
        ("telefon", ("0241 12345", "+49 241 12345", "0241 12345"), {}, [], "+49 241 12345"),
        ("telefon", ("0241 12345", "0241 99999", "0241/12345"), {"telefon": "0241 99999"}, [], "0241 99999"),
        ("telefon", ("0241 12345", "0241 12345", "0241 77777"), {}, [], "0241 12345"),
        ("telefon", ("auf Anfrage", "0241 12345", "auf Anfrage"), {"telefon": "0241 12345"}, [], "0241 12345"),
        ("ort", (None, "", None), {}, [], ""),
        ("ort", (None, "Köln", ""), {"ort": "Köln"}, [], "Köln"),
        ("ort", ("Bad Aachen", "BadAachen", "Bad Aachen"), {"ort": "BadAachen"}, [], "BadAachen"),
        (
            "telefon",
            ("0241 12345", "0241 12345 App. 7", "0241 12345"),
            {"telefon": "0241 12345 App. 7"},
            [],
            "0241 12345 App. 7",
        ),
        ("telefon", ("0241 12345 App. 7", "0241 12345 DW 7", "0241 12345 App. 7"), {}, [], "0241 12345 DW 7"),
        ("telefon", (None, "0241 12345", None), {"telefon": "0241 12345"}, [], "0241 12345"),
        ("telefon", (None, "None", None), {"telefon": "None"}, [], "None"),
        # Another notation of what it said last, and of what the row holds.
        ("telefon", ("0241 12345", "+49 241 12345", "0241 77777"), {}, [], "+49 241 12345"),
        ("telefon", ("0241 99999", "+49 241 12345", "0241 12345"), {}, [], "+49 241 12345"),
        ("fremdsprachen", (["A"], ["B"], ["A"]), {"fremdsprachen": ["B"]}, [], ["B"]),
        ("fremdsprachen", (["A", 1], [1, "A"], ["A", 1]), {}, [], [1, "A"]),
        ("fremdsprachen", (["A", "B"], ["B", "A"], ["A", "B"]), {}, [], ["B", "A"]),
        ("fremdsprachen", (["A", "B"], ["A"], ["B", "A"]), {"fremdsprachen": ["A"]}, [], ["A"]),
        ("fremdsprachen", (["A"], [], ["A"]), {}, [], ["A"]),
        (
            "telefonische_erreichbarkeit",
            ({"montag": ["9-10", "14-15"]}, {"montag": ["14 - 15", "9 - 10"]}, {"montag": ["9-10", "14-15"]}),
            {},
            [],
            {"montag": ["14 - 15", "9 - 10"]},
        ),
        (
            "telefonische_erreichbarkeit",
            ({"montag": ["9 - 10"]}, {"montag": ["9-10"]}, {"montag": ["9 - 10"]}),
            {},
            [],
            {"montag": ["9-10"]},
        ),
        (
            "telefonische_erreichbarkeit",
            ({"montag": ["9-10"]}, {"montag": ["9-11"]}, {"montag": ["9-10"]}),
            {"telefonische_erreichbarkeit": {"montag": ["9-11"]}},
            [],
            {"montag": ["9-11"]},
        ),
    ],
)
def test_one_field(field, values, changes, conflicts, kept):
    merged = merge(*(filled(**{field: value}) for value in values))
    assert merged.changes == changes
    assert merged.conflicts == tuple(Conflict(field, *pair) for pair in conflicts)
    assert merged.new_base[field] == kept


def test_a_missing_salutation_changes_neither_salutation_nor_gender():
    given_before = filled(anrede="Frau", geschlecht="weiblich")
    merged = merge(given_before, filled(), given_before)
    assert (merged.changes, merged.conflicts) == ({}, ())
    assert (merged.new_base["anrede"], merged.new_base["geschlecht"]) == ("Frau", "weiblich")


def test_a_salutation_given_later_fills_both():
    assert merge(filled(), filled(anrede="Frau", geschlecht="weiblich"), filled()).changes == {
        "anrede": "Frau",
        "geschlecht": "weiblich",
    }


def test_a_gender_without_a_salutation_is_no_statement():
    merged = merge(filled(), filled(geschlecht="weiblich"), filled())
    assert (merged.changes, merged.conflicts) == ({}, ())


@pytest.mark.parametrize("nothing", [None, "", "keine_Angabe"])
def test_a_salutation_without_a_gender_takes_none_away(nothing):
    woman = filled(anrede="Frau", geschlecht="weiblich")
    merged = merge(woman, filled(anrede="Frau", geschlecht=nothing), woman)
    assert (merged.changes, merged.conflicts, merged.new_base) == ({}, (), woman)


@pytest.mark.parametrize("nothing", [None, "", "keine_Angabe"])
def test_a_gender_is_filled_where_the_row_has_none(nothing):
    merged = merge(filled(), filled(anrede="Frau", geschlecht="weiblich"), filled(anrede="Frau", geschlecht=nothing))
    assert (merged.changes, merged.conflicts) == ({"geschlecht": "weiblich"}, ())


def test_a_gender_that_staff_set_stays():
    merged = merge(filled(), filled(anrede="Frau", geschlecht="weiblich"), filled(geschlecht="divers"))
    assert merged.changes == {"anrede": "Frau"}
    assert merged.conflicts == (Conflict("geschlecht", "divers", "weiblich"),)


def test_a_row_entered_by_hand_is_only_filled():
    merged = merge(None, filled(ort="Köln", titel="Dr.", plz="52066"), filled(ort="Bonn", plz="52066"))
    assert merged.changes == {"titel": "Dr."}
    assert merged.conflicts == (Conflict("ort", "Bonn", "Köln"),)
    assert merged.new_base == filled(ort="Köln", titel="Dr.", plz="52066")


def test_columns_of_staff_are_out_of_reach():
    theirs = {**filled(ort="Köln"), "status": "gesperrt", "kassensitz": True}
    merged = merge(filled(), theirs, {**filled(), "status": "aktiv", "kassensitz": False})
    assert merged.changes == {"ort": "Köln"}
    assert set(merged.new_base) == set(MAPPED_FIELDS)


texts = st.none() | st.sampled_from(["", "A", "B", "A  B", "A B", "0241 12345", "+49 241 12345", "0241 99999"])
lists = st.lists(st.sampled_from(["A", "B", "C "]), max_size=3)
STRATEGIES = {
    **dict.fromkeys(MAPPED_FIELDS, texts),
    "anrede": st.sampled_from([None, "Herr", "Frau"]),
    "geschlecht": st.sampled_from(["keine_Angabe", "männlich", "weiblich", "divers"]),
    "telefonische_erreichbarkeit": st.dictionaries(st.sampled_from(["montag", "freitag"]), lists, max_size=2),
    "fremdsprachen": lists,
    "psychotherapieverfahren": lists,
}
contents = st.fixed_dictionaries(STRATEGIES)


@given(source=contents, staff=contents)
def test_what_only_staff_changed_survives(source, staff):
    assert merge(source, source, staff).changes == {}
    assert merge(source, source, staff).conflicts == ()


@given(base=contents, theirs=contents)
def test_what_only_the_source_changed_is_taken_or_was_empty(base, theirs):
    merged = merge(base, theirs, base)
    assert merged.conflicts == ()
    assert all(merged.changes[field] == theirs[field] for field in merged.changes)


@given(base=st.none() | contents, theirs=contents, ours=contents)
def test_merging_the_same_record_again_changes_and_asks_nothing(base, theirs, ours):
    first = merge(base, theirs, ours)
    again = merge(first.new_base, theirs, {**ours, **first.changes})
    assert (again.changes, again.conflicts, again.new_base) == ({}, (), first.new_base)


@given(base=st.none() | contents, theirs=contents, ours=contents)
def test_no_value_is_ever_erased(base, theirs, ours):
    assert not [field for field, value in merge(base, theirs, ours).changes.items() if value in (None, "", [], {})]


@pytest.mark.slow
@given(weeks=st.lists(st.tuples(contents, st.dictionaries(st.sampled_from(MAPPED_FIELDS), st.just("staff")))))
def test_no_history_of_scrapes_takes_what_staff_wrote(weeks):
    base, row, written = None, dict(EMPTY), {}
    for theirs, edits in weeks:
        merged = merge(base, theirs, row)
        row = {**row, **merged.changes, **edits}
        written |= edits
        base = merged.new_base
        assert {field: row[field] for field in written} == written


@pytest.mark.parametrize(
    ("field", "one", "other", "expected"),
    [
        ("telefon", "0241 12345", "+49 241 12345", True),
        ("telefon", "0241 12345", "0241 12346", False),
        ("ort", "0241 12345", "+49 241 12345", False),
        ("ort", None, None, True),
        ("ort", "Aachen", None, False),
        ("fremdsprachen", ["Englisch", "Polnisch"], ["Polnisch", "Englisch"], True),
    ],
)
def test_values_agree_that_differ_in_notation_only(field, one, other, expected):
    assert agrees(field, one, other) is expected
