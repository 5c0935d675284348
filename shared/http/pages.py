"""Pages of a list, as every list answers them."""

from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify

from shared.http.requests import FIRST_PAGE, Paging


def page_of(data: Sequence[Any], page: Paging, total: int) -> Response:
    """The page, and how many entries there are in all."""
    return jsonify(data=data, page=page.page, limit=page.limit, total=total)


def nothing_matches() -> Response:
    """The answer to a filter by a word that does not exist: an empty first page, whichever page was asked for."""
    return page_of([], FIRST_PAGE, 0)
