"""The German catalogue says everything that the console says, and nothing else."""

import re

import pytest

from curavani import messages

_PLACEHOLDER = re.compile(r"%\(\w+\)s")


def texts(message):
    return message.string if isinstance(message.string, tuple) else (message.string,)


def identifier(message):
    return message.id[0] if isinstance(message.id, tuple) else message.id


CATALOGUE = {identifier(message): message for message in messages.read() if message.id}


def test_the_catalogue_has_exactly_the_messages_that_are_used():
    used = {identifier(message) for message in messages.extracted() if message.id}
    assert CATALOGUE.keys() == used, "run: make messages"
    assert not messages.read().obsolete


@pytest.mark.parametrize("message", CATALOGUE.values(), ids=list(CATALOGUE))
def test_a_message_is_translated_with_all_its_values(message):
    assert all(texts(message))
    assert not message.fuzzy
    wanted = set(_PLACEHOLDER.findall(message.id[-1] if isinstance(message.id, tuple) else message.id))
    assert set(_PLACEHOLDER.findall(texts(message)[-1])) == wanted
