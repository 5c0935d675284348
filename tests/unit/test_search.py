"""What somebody types to find a person, a file or a decision."""

from datetime import date, timedelta

import pytest

from shared.core.clock import today
from shared.text.search import Numbered, Reference, is_too_long, read_search

BORN = date(1990, 2, 3)
TEXT = "Hans-Peter Müller-Lüdenscheidt hp.mueller@example.com 52066 Aachen"
PERSON, FILE, REVIEW = Numbered.PERSON, Numbered.FILE, Numbered.REVIEW


@pytest.mark.parametrize(
    "search",
    [
        *("Müller", "mueller", "muller", "MÜLLER Hans", "Hans Müller", "müller, hans-peter", "Lüdenscheidt Müller"),
        *("Müller-Lüdenscheidt", "Frau Müller", "hp.mueller@example.com", "52066", "aachen 52066 müller"),
        *("0241 12345", "024112345", "+49 241 12345", "0049 241 12345", "(0241) 123-45", "+49 (0)241/12345"),
        *("12345", "Müller 0241 12345", "0241 12 34 5", "241/12345"),
        *("3.2.1990", "03.02.1990", "03.02.90", "1990-02-03", "3. Februar 1990", "Müller geb. 3.2.1990"),
    ],
)
def test_a_person_is_found_however_somebody_says_it(search):
    for phone in ("+49 241 12345", "0241/12345", "+49 (0)241 12345"):
        assert read_search(search).fits(TEXT, phone, BORN), phone


@pytest.mark.parametrize(
    "search",
    [
        *("Meier", "Müller Meier", "0241 99999", "4.2.1990", "Müller geb. 4.2.1990", "Müllerin", "52067"),
        *("0241 12346", "Müller 0241 12346"),
    ],
)
def test_somebody_else_is_not_found(search):
    assert not read_search(search).fits(TEXT, "+49 241 12345", BORN)


def test_nobody_without_a_birthday_is_found_by_one():
    assert not read_search("3.2.1990").fits(TEXT, None, None)


def test_two_digits_of_a_year_may_mean_either_century_but_no_day_to_come():
    assert read_search("1.1.05").days == (date(1905, 1, 1), date(2005, 1, 1))
    tomorrow = today() + timedelta(days=1)
    assert read_search(f"{tomorrow:%d.%m.%Y}").days == ()
    assert read_search(f"{today():%d.%m.%Y}").days == (today(),)


def test_a_day_that_there_is_not_is_looked_for_as_it_stands():
    sought = read_search("31.02.1990")
    assert sought.days == ()
    assert sought.fits("Wanda 31.02.1990", None, None)


@pytest.mark.parametrize(
    ("search", "reference"),
    [
        ("P18", Reference(18, frozenset({FILE}), "P")),
        ("t 7", Reference(7, frozenset({FILE}), "T")),
        ("Datei P18", Reference(18, frozenset({FILE}), "P")),
        ("Datei 18", Reference(18, frozenset({FILE}), None)),
        ("PE3", Reference(3, frozenset({REVIEW}), "P")),
        ("te 3", Reference(3, frozenset({REVIEW}), "T")),
        ("Entscheidung 3", Reference(3, frozenset({REVIEW}), None)),
        ("Patient 15", Reference(15, frozenset({PERSON}), "P")),
        ("Patientin 15", Reference(15, frozenset({PERSON}), "P")),
        ("Therapeut 15", Reference(15, frozenset({PERSON}), "T")),
        ("15", Reference(15, frozenset(Numbered), None)),
        ("Nr. 15", Reference(15, frozenset(Numbered), None)),
        ("#15", Reference(15, frozenset(Numbered), None)),
        ("Peter", None),
        ("P18 Müller", None),
        ("12345678901", None),
    ],
)
def test_a_number_says_what_it_is_the_number_of(search, reference):
    assert read_search(search).reference == reference


def test_what_is_too_long_is_known_before_anything_is_made_of_it():
    assert not is_too_long("a " * 20)
    assert is_too_long("a " * 21)
    assert is_too_long("a" * 1001)
