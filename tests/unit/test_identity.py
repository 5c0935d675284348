"""Who a scraped record is."""

import pytest

from therapist_service.imports.identity import Known, Listed, Match, assign, decide, decide_by_id_alone, traits_of

ANNA = {
    "vorname": "Anna",
    "nachname": "Müller",
    "titel": "Dr.",
    "strasse": "Hauptstr. 15",
    "plz": "52066",
    "email": "anna@example.com",
}


def person(**changes):
    return traits_of({**ANNA, **changes})


def listed(external_id="praxis1", area="52XXX", **changes):
    return Listed(area, external_id, person(**changes))


def row(row_id=1, external_id="praxis1", area="52XXX", source=None, **changes):
    return Known(row_id, area, external_id, person(**changes), person(**source) if source is not None else None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, "exact"),
        ({"nachname": "Mueller", "strasse": "Hauptstraße 15"}, "exact"),
        # (a) same id
        ({"strasse": "Neustr. 1", "plz": "52070"}, "id"),
        ({"vorname": None, "plz": "52070"}, "id"),
        ({"nachname": "Schmidt"}, "id"),
        ({"nachname": "Schmidt", "plz": "52070"}, "none"),
        ({"vorname": "Bernd"}, "none"),
        ({"nachname": "Schmidt", "vorname": None}, "none"),
    ],
)
def test_same_id_counts_if_the_person_fits(change, rule):
    match = decide(listed(**change), [row()], set())
    assert (match.rule, match.row_id) == (rule, None if rule == "none" else 1)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        # (b)
        ({"strasse": "Neustr. 1"}, "name"),
        ({"strasse": None, "titel": None, "email": None}, "name"),
        ({"plz": "52070"}, "none"),
        # (c)
        ({"vorname": None}, "compound"),
        ({"vorname": None, "strasse": None}, "none"),
        ({"vorname": None, "strasse": "Hauptstr. 16"}, "none"),
        ({"nachname": "Müller-Schmidt"}, "compound"),
        ({"nachname": "Müller-Schmidt", "strasse": "Neustr. 1"}, "none"),
        ({"nachname": "Müller-Schmidt", "vorname": "Bernd"}, "none"),
        # (d)
        ({"nachname": "Schmidt"}, "renamed"),
        ({"nachname": "Schmidt", "email": None}, "renamed"),
        ({"nachname": "Schmidt", "email": "other@example.com"}, "none"),
        ({"nachname": "Schmidt", "titel": None}, "none"),
        ({"nachname": "Schmidt", "vorname": None}, "none"),
        ({"nachname": "Müllermann"}, "renamed"),
        ({"nachname": "Müllermann", "titel": "Prof."}, "none"),
    ],
)
def test_without_the_id_the_person_decides(change, rule):
    match = decide(listed("praxis9", **change), [row()], set())
    assert (match.rule, match.row_id) == (rule, None if rule == "none" else 1)


def test_two_empty_titles_agree():
    record = listed("praxis9", nachname="Schmidt", titel=None)
    assert decide(record, [row(titel=None)], set()).rule == "renamed"


@pytest.mark.parametrize(
    "empty",
    [
        {"vorname": None, "strasse": None, "email": None},
        {"vorname": None, "strasse": "Hauptstraße", "email": None},
        {"plz": None, "strasse": None, "vorname": None},
    ],
)
def test_empty_never_equals_empty(empty):
    assert decide(listed("praxis9", **empty), [row(**empty)], set()).rule == "none"


def test_a_differently_hyphenated_name_is_the_same():
    record = listed("praxis9", nachname="MüllerSchmidt")
    assert decide(record, [row(nachname="Müller - Schmidt")], set()).rule == "compound"


def test_an_id_of_another_area_proposes_nobody():
    assert decide(listed(area="10XXX", strasse="Neustr. 1", plz="10115"), [row()], set()).rule == "none"


@pytest.mark.parametrize(
    ("staff", "record", "rule"),
    [
        ({"nachname": "Mueller-Lang"}, {}, "exact"),
        ({"nachname": "Lang", "plz": "50667"}, {"strasse": "Neustr. 1"}, "name"),
        ({"strasse": "Nebenstr. 2", "nachname": "Lang"}, {"vorname": None}, "compound"),
        ({"titel": "Prof.", "email": "new@example.com"}, {"nachname": "Schmidt"}, "renamed"),
    ],
)
def test_what_the_source_said_last_counts_as_well_as_the_row(staff, record, rule):
    known = row(source={}, **staff)
    assert decide(listed("praxis9", **record), [known], set()) == Match(1, rule)


def test_the_same_address_comes_first():
    rows = [row(1, "a"), row(2, "b", strasse="Neustr. 1")]
    assert decide(listed("praxis9", strasse="Neustr. 1"), rows, set()).row_id == 2


def test_two_practices_of_one_person_do_not_swap_rows_with_their_ids():
    rows = [row(1, "praxis1"), row(2, "praxis2", strasse="Neustr. 1")]
    records = [listed("praxis2"), listed("praxis1", strasse="Neustr. 1")]
    assert [match.row_id for match in assign(records, [rows, rows])] == [1, 2]


def test_two_rows_left_are_held_with_both_ids():
    rows = [row(2, "a", strasse="Neustr. 1"), row(1, "b", strasse="Altstr. 1")]
    assert decide(listed("praxis9"), rows, set()) == Match(None, "ambiguous", (1, 2))


def test_the_id_settles_a_tie():
    assert decide(listed("b"), [row(1, "a"), row(2, "b")], set()) == Match(2, "exact")


def test_a_claimed_row_is_not_free():
    rows = [row(1, "a", strasse="Neustr. 1"), row(2, "b", strasse="Altstr. 1")]
    assert decide(listed("praxis9"), rows, {1}).row_id == 2


def test_the_same_person_again_is_a_duplicate():
    assert decide(listed(), [row()], {1}) == Match(None, "duplicate_in_file")


def test_a_second_practice_is_no_duplicate():
    assert decide(listed("praxis9", strasse="Neustr. 1"), [row()], {1}) == Match(None, "none")


@pytest.mark.parametrize(
    ("record", "rows", "reassigned"),
    [
        (listed(vorname="Bernd", nachname="Lang"), [row()], True),
        (listed(), [row(1, vorname="Bernd", nachname="Lang"), row(2, "praxis2")], True),
        (listed(), [row()], False),
        (listed(), [row(1), row(2, nachname="Lang", vorname="Bernd")], False),
        (listed(None), [row(1, None)], False),
    ],
)
def test_an_id_that_was_somebody_elses_is_reassigned(record, rows, reassigned):
    assert decide(record, rows, set()).reassigned is reassigned


def test_a_vague_resemblance_takes_no_row_from_somebody_further_down():
    newcomer, known = listed("praxis7", nachname="Groß", email=None), listed("praxis8")
    rows = [row()]
    assert [match.row_id for match in assign([newcomer, known], [rows, rows])] == [None, 1]


def test_the_same_person_twice_is_found_before_any_row_exists():
    records = [listed("a"), listed("b"), listed("c", strasse="Neustr. 1"), listed("d", vorname="Bernd")]
    rules = [match.rule for match in assign(records, [[], [], [], []])]
    assert rules == ["none", "duplicate_in_file", "none", "none"]


def test_ambiguity_dissolves_when_others_of_the_file_take_their_rows():
    rows = [row(1, "a", strasse="Neustr. 1"), row(2, "b", strasse="Altstr. 1")]
    records = [listed("x", strasse="Umzug 3"), listed("y", strasse="Neustr. 1")]
    assert [match.row_id for match in assign(records, [rows, rows])] == [2, 1]


@pytest.mark.parametrize(
    ("rows", "claimed", "expected"),
    [
        ([row()], set(), Match(1, "id")),
        ([row()], {1}, Match(None, "none")),
        ([row(area="10XXX")], set(), Match(None, "none")),
        ([row(1), row(2)], set(), Match(None, "none")),
    ],
)
def test_an_id_alone_must_match_one_row(rows, claimed, expected):
    assert decide_by_id_alone("52XXX", "praxis1", rows, claimed) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Haupt-Str. 15 a", "Hauptstraße 15a", True),
        ("Hauptstr.15", "Hauptstrasse 15", True),
        ("Hauptstr. 1-5", "Hauptstr. 15", False),
        ("Hauptstr. 1 - 5", "Hauptstr. 1-5", True),
        ("Hauptstr. 15", "Hauptstr. 16", False),
        ("Straßburger Allee 1", "Strassburger Allee 1", True),
    ],
)
def test_streets_are_compared_by_meaning(one, other, same):
    assert (person(strasse=one).street == person(strasse=other).street) is same
