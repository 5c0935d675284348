"""Numbers of rows in addresses."""

from flask import Flask
from werkzeug.routing import IntegerConverter

_LARGEST = 2**31 - 1
_NO_ROW = 0


class RowNumber(IntegerConverter):
    """`<int:…>`, where a number that no row can have is read as 0, which no row has.

    So it is told as not found in the view's own words, to those who may ask. With a limit in the route the router would
    answer for the address instead, and say 405 to every method but the first.
    """

    # Longer ones are no numbers: Python converts only so many digits.
    regex = r"\d{1,100}"

    def to_python(self, value: str) -> int:
        number = int(value)
        return number if number <= _LARGEST else _NO_ROW


def read_row_numbers(app: Flask) -> None:
    """Has every `<int:…>` of the application's addresses read this way."""
    app.url_map.converters["int"] = RowNumber
