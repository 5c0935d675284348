"""The file behind the one in hand is read early, once, and only if it is small."""

from threading import Event, get_ident

import pytest

from therapist_service.imports.read_ahead import in_turn
from therapist_service.imports.scrape import WHOLE_BYTES
from therapist_service.imports.scrape_files import FileUnreadable, ScrapeFile


def due(*sizes):
    return [({"id": number}, ScrapeFile(f"{number}.json", "52066", None, size, 0)) for number, size in enumerate(sizes)]


class Reading:
    """Reads files as their names, and remembers which, and in which thread."""

    def __init__(self):
        self.done = []
        self.finished = Event()

    def __call__(self, file):
        self.done.append((file.path, get_ident()))
        self.finished.set()
        return file.path

    @property
    def names(self):
        return [name for name, _ in self.done]


def test_each_file_is_read_once_and_the_one_behind_meanwhile():
    read = Reading()
    with in_turn(due(1, 1, 1), read) as turns:
        first = next(turns)
        assert (first.read(), read.names) == ("0.json", ["0.json"])
        read.finished.clear()
        first.read_ahead()
        assert read.finished.wait(60)
        assert [turn.read() for turn in turns] == ["1.json", "2.json"]
    assert read.names == ["0.json", "1.json", "2.json"]
    assert [thread == get_ident() for _, thread in read.done] == [True, False, True]


def test_a_large_file_waits_for_its_turn():
    read = Reading()
    with in_turn(due(1, WHOLE_BYTES + 1), read) as turns:
        next(turns).read_ahead()
    assert read.names == []


def test_what_cannot_be_read_is_told_when_it_is_its_turn():
    def fail(_file):
        raise FileUnreadable

    with in_turn(due(1, 1), fail) as turns:
        next(turns).read_ahead()
        with pytest.raises(FileUnreadable):
            next(turns).read()


@pytest.mark.parametrize("sizes", [(), (1,)])
def test_nothing_is_behind_the_last_file(sizes):
    read = Reading()
    with in_turn(due(*sizes), read) as turns:
        for turn in turns:
            turn.read_ahead()
    assert read.names == []
