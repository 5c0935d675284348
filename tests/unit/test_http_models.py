"""What queries are read as, and what answers show to whom."""

import pytest
from flask import Flask

from shared.core.tokens import Role
from shared.http.answers import Answer, ForRole, Page, Personal, visible
from shared.http.requests import PageQuery, Word, YesOrNo, read_query


class Query(PageQuery):
    word: Word = "anything"
    answer: YesOrNo = None


def read(query):
    with Flask("test").test_request_context(query_string=query):
        return read_query(Query)


@pytest.mark.parametrize(
    ("query", "page", "limit"),
    [
        ("", 1, 20),
        ("page=3&limit=7", 3, 7),
        ("page=0&limit=0", 1, 1),
        ("page=-5&limit=-5", 1, 1),
        ("limit=1000", 1, 1000),
        ("limit=1001", 1, 1000),
        ("page=x&limit=", 1, 20),
        ("page=1.5&limit=1e3", 1, 20),
        ("page=2&page=3", 2, 20),
    ],
)
def test_paging_is_forgiving(query, page, limit):
    found = read(query)
    assert (found.page, found.limit) == (page, limit)
    assert found.offset == (page - 1) * limit


def test_no_page_lies_beyond_what_the_database_counts():
    found = read(f"page={10**30}&limit=1000")
    assert found.offset + found.limit < 2**31


@pytest.mark.parametrize(
    ("query", "word"),
    [("", "anything"), ("word=", None), ("word=+a+b+", "a b"), ("word=%00", None), ("word=a%00", "a")],
)
def test_an_empty_word_counts_as_not_given(query, word):
    assert read(query).word == word


@pytest.mark.parametrize(
    ("query", "answer"), [("true", True), ("TRUE", True), ("1", True), ("false", False), ("0", False), ("yes", None)]
)
def test_a_yes_or_no_is_true_or_false_or_not_given(query, answer):
    assert read(f"answer={query}").answer is answer


class Inner(Answer):
    place: Personal[str] = ""
    code: str


class Outer(Answer):
    name: Personal[str | None] = None
    entries: list[Inner]
    left_out: str = ""


FULL = {"name": "N", "entries": [{"place": "/p", "code": "c"}]}


@pytest.mark.parametrize(
    ("role", "shown"), [(Role.LOOK, {"entries": [{"code": "c"}]}), (Role.READ, FULL), (Role.OPERATE, FULL)]
)
def test_what_is_personal_is_left_out_for_smaller_roles_however_deep(role, shown):
    assert visible(Outer.model_validate(FULL), role) == shown
    page = Page[Outer].of([FULL], PageQuery(), 1)
    assert visible(page, role) == {"data": [shown], "page": 1, "limit": 20, "total": 1}


def test_a_field_for_a_role_is_never_required():
    """Or an answer to a smaller role would not be as documented."""
    models, seen = [Answer], set()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        for name, field in model.model_fields.items():
            if any(isinstance(mark, ForRole) for mark in field.metadata):
                seen.add(name)
                assert not field.is_required(), (model, name)
    assert {"place", "name"} <= seen
