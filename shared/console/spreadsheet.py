"""Lists as files for a spreadsheet, as Excel in Germany opens them: semicolons, and UTF-8 with its mark."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from flask import Response

from shared.core.clock import GERMANY

_MARK = "\ufeff"
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_READ_AS_A_NUMBER = re.compile(r"[-+/()., 0-9]*[0-9][-+/()., 0-9]*|[0-9]+[eE][0-9]+")
"""Texts that a spreadsheet would count with: 01067 becomes 1067, a long phone number 4,9E+12, 2-3 a day in March, and
+49 241 5 a sum. All of them, so that a column of postal codes sorts as one."""


def spreadsheet(name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The rows as a download of this name. No cell of it is a formula but `="01067"`, by which a text of digits
    stays one, and which holds nothing but such a text."""
    text = io.StringIO()
    lines = csv.writer(text, delimiter=";", lineterminator="\r\n")
    lines.writerows([cell(value) for value in row] for row in (heading, *rows))
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(_MARK + text.getvalue(), mimetype="text/csv", headers=headers)


def cell(value: object) -> str:
    """The value as Excel in Germany reads it. What it would take for a formula begins with an apostrophe."""
    if isinstance(value, datetime):
        # Babel's formats cost a hundred times as much, and a list has tens of thousands of these.
        return f"{value.astimezone(GERMANY):%d.%m.%Y %H:%M}"
    text = "" if value is None else str(value)
    if isinstance(value, str) and _READ_AS_A_NUMBER.fullmatch(text):
        # Excel opens a list with one click and asks nothing; this is the one way to tell it that digits are a text
        # and to leave the text as it is. LibreOffice, which asks, takes it likewise if told to evaluate formulas.
        return f'="{text}"'
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_A_FORMULA) else text
