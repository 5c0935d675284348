"""The log: one JSON object per line whatever is logged, and nobody's data in it."""

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.core.logs import ALLOWED_FIELDS, configure_logging, get_logger
from shared.core.settings import LogSettings


@pytest.fixture(scope="module", autouse=True)
def _restored():
    """Other tests have the logging that pytest gives them."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _nothing_bound():
    """Requests of other tests bind their ids to the thread."""
    structlog.contextvars.clear_contextvars()


class Log:
    def __init__(self, **settings):
        self.stream = io.StringIO()
        configure_logging(LogSettings(**settings), stream=self.stream, service="test-service")

    def lines(self):
        return self.stream.getvalue().split("\n")[:-1]

    def objects(self):
        return [json.loads(line) for line in self.lines()]


EVIL = [
    'x\n{"event": "forged"}',
    "x\r\nforged",
    "x\x0bforged",
    "x\x1b[2Jforged",
    "x\x85forged",
    "x\u2028forged",
    "x\u2029forged",
    "x\u202eforged",
    "x\x00forged",
    "x\ud800forged",
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("evil", EVIL)
def test_no_value_begins_a_line_or_steers_a_terminal(form, evil):
    log = Log(format=form)
    get_logger("test").info(evil, code=evil, counts={evil: [evil, {evil: evil}]}, number=evil)
    (line,) = log.stream.getvalue().splitlines()
    assert evil[1:2] not in line.replace("\x1b[", "")


@given(st.text(), st.sampled_from(sorted(ALLOWED_FIELDS - {"event", "level", "logger", "timestamp"})))
def test_whatever_is_logged_is_one_line_of_json(text, name):
    log = Log()
    get_logger("test").info("event", **{name: text})
    (line,) = log.stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "event"
    log.stream.getvalue().encode("utf-8")


def test_a_line_has_time_level_service_and_its_fields():
    log = Log()
    get_logger("here").warning("file_postponed", import_id=7)
    (line,) = log.objects()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "file_postponed",
        "import_id": 7,
        "level": "warning",
        "logger": "here",
        "service": "test-service",
    }


def test_fields_that_are_not_listed_are_dropped_and_long_values_cut():
    log = Log()
    get_logger("test").info("event", nachname="Mustermann", file_name="Mustermann.json", reason="x" * 10_000)
    assert "Mustermann" not in log.stream.getvalue()
    assert len(log.objects()[0]["reason"]) == 200


def _fail():
    try:
        int("Mustermann")
    except ValueError as error:
        raise RuntimeError("max@example.com") from error


def test_exceptions_are_told_by_type_and_place_only():
    log = Log()
    try:
        _fail()
    except RuntimeError:
        get_logger("test").exception("crashed")
    (line,) = log.objects()
    assert line["error"] == ["RuntimeError", "ValueError"]
    assert line["frames"][0].startswith("unit/test_logs.py:")
    assert "Mustermann" not in str(line)
    assert "example.com" not in str(line)


def test_records_of_libraries_keep_their_place_and_lose_their_text():
    log = Log()
    logging.getLogger("urllib3").warning("GET /b/Mustermann_Max.json %s", "Mustermann")
    (line,) = log.objects()
    assert (line["event"], line["logger"], line["level"]) == ("library_message", "urllib3", "warning")
    assert line["place"].startswith("test_logs:")
    assert "Mustermann" not in str(line)


@pytest.mark.parametrize(("level", "number"), [("DEBUG", 2), ("INFO", 1)])
def test_records_of_libraries_without_a_warning_are_for_debugging(level, number):
    log = Log(level=level)
    logging.getLogger("urllib3").info("Mustermann")
    get_logger("test").info("event")
    assert len(log.lines()) == number
    assert "Mustermann" not in log.stream.getvalue()


def test_an_exception_in_code_without_a_file_is_told_too():
    log = Log()
    try:
        exec(compile("1 / 0", "<made up>", "exec"))
    except ZeroDivisionError:
        get_logger("test").exception("crashed")
    assert log.objects()[0]["frames"][-1] == "<made up>:1 <module>"


def test_levels_below_the_set_one_are_left_out():
    log = Log(level="WARNING")
    get_logger("test").info("event")
    assert log.lines() == []
