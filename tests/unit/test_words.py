"""Every technical word is known wherever people meet it, and a word that is unknown stops nothing."""

import re
from datetime import UTC, datetime
from enum import EnumType, StrEnum
from pathlib import Path
from typing import get_args

import pytest
from flask import Flask
from flask_babel import force_locale
from typer.testing import CliRunner

from curavani.__main__ import app as command_line
from curavani.pages.words import SECTIONS
from patient_service.imports import duplicates
from shared.console import review_words, words
from shared.console.language import install_languages, meaning
from shared.console.overview import CHECKS
from shared.console.review_list import ORDERS
from shared.core.settings import MailSettings
from shared.http.imports_api import ImportEntry
from shared.mail.digest_text import digest_text
from shared.mail.messages import Alert, body, compose, subject
from shared.reviews.values import CHOICES, UNDOABLE
from shared.state.health import LEADERS
from shared.words import statuses
from shared.words.codes import Code, describe
from shared.words.statuses import AlertKind, FileStatus, RecordOutcome, ReviewChoice, ReviewKind
from therapist_service.imports import identity

ROOT = Path(__file__).parents[2]
SHOWN = {
    statuses.FileStatus: words.FILE_STATES,
    statuses.AttemptStatus: words.ATTEMPTS,
    statuses.RecordOutcome: words.OUTCOMES,
    statuses.ReviewKind: words.REVIEW_KINDS,
    statuses.ReviewState: words.REVIEW_STATES,
    statuses.ReviewChoice: words.CHOICES,
    statuses.Action: words.ACTIONS,
    statuses.AlertKind: words.ALERTS,
    statuses.Work: words.WORKERS,
    statuses.WorkerState: words.WORKER_STATES,
    statuses.Access: words.ACCESSES,
}
WORDS = [
    pytest.param(words_of, word, id=f"{kind.__name__}-{word}") for kind, words_of in SHOWN.items() for word in kind
]
RULES = sorted({*get_args(duplicates.Rule), *identity.Rule})
DIGEST = {"files": 0, "files_failed": 0, "records": {}, "failed": 0, "reviews": {}, "parked": 0, "trouble": []}
MOMENT = datetime(2026, 7, 5, tzinfo=UTC)


@pytest.fixture(params=["de_DE", "en_GB"])
def language(request):
    app = Flask(__name__)
    install_languages(app)
    with app.app_context(), force_locale(request.param):
        yield request.param


# A pass's beginning is no page's business; the patients' own page words its two marks, and decisions their orders.
UNSHOWN = {statuses.PassTrigger, statuses.Restriction, statuses.ReviewOrder}


def said(shown):
    return str(getattr(shown, "word", shown))


@pytest.mark.parametrize(("known", "word"), [*WORDS, *[pytest.param(words.RULES, rule, id=rule) for rule in RULES]])
def test_the_console_knows_the_word_in_both_languages(language, known, word):
    assert said(known[word])


def test_no_kind_of_words_is_forgotten():
    kinds = {each for each in vars(statuses).values() if isinstance(each, EnumType) and each is not StrEnum}
    assert kinds == SHOWN.keys() | UNSHOWN


def test_every_order_of_decisions_is_offered():
    assert ORDERS.keys() == set(statuses.ReviewOrder)


@pytest.mark.parametrize("outcome", RecordOutcome)
def test_the_api_counts_every_outcome(outcome):
    assert ImportEntry.model_fields[f"{outcome}_count"].is_required()


@pytest.mark.parametrize("known", [*SHOWN.values(), words.RULES])
def test_the_documents_list_the_words_that_the_console_knows(known):
    assert any(listed is known for listed in SECTIONS.values())


@pytest.mark.parametrize("code", Code)
def test_console_mail_command_line_and_documents_know_the_code(language, code):
    assert meaning(code) == (code.german if language == "de_DE" else code.english)
    assert code.german in body("patient", [Alert("problem", code, 12)], None)
    assert describe(code).english.endswith(".")
    assert f"| `{code}` |" in (ROOT / "docs/codes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_of_mail_has_a_subject_and_a_body_of_its_own(kind):
    texts = set()
    for each in AlertKind:
        alerts = [Alert(each, Code.LOCK_LOST, 12, DIGEST)]
        texts.add((subject("patient", alerts), body("patient", alerts, None)))
        assert not re.search(rf"\b{kind}\b", body("patient", alerts, None))
    assert len(texts) == len(AlertKind)


@pytest.mark.parametrize("outcome", RecordOutcome)
def test_the_digest_says_every_outcome_in_german(outcome):
    assert f"3 {outcome}" not in digest_text({**DIGEST, "records": {outcome: 3}})


@pytest.mark.parametrize("kind", ReviewKind)
def test_every_kind_of_review_can_be_mailed_explained_and_resolved(language, kind):
    assert kind not in digest_text({**DIGEST, "reviews": {kind: 1}})
    assert any(str(text) for (explained, _service), text in review_words.EXPLANATIONS.items() if explained == kind)
    assert len(CHOICES[kind]) == 2


def test_the_command_line_takes_every_status_and_names_every_choice():
    listing = CliRunner().invoke(command_line, ["imports", "list", "--help"]).stdout
    assert set(FileStatus) <= set(re.findall(r"\w+", listing))
    shown = CliRunner().invoke(command_line, ["reviews", "resolve", "--help"]).stdout
    possible = {choice for choices in CHOICES.values() for choice in choices}
    assert possible <= set(re.findall(r"\w+", shown))
    assert possible | {ReviewChoice.ERASED, ReviewChoice.SETTLED} == set(ReviewChoice)
    assert possible > UNDOABLE


def test_the_overview_names_every_check_of_health():
    said = set(re.findall(r'Check\("(\w+)"', (ROOT / "shared/state/health.py").read_text()))
    assert said | {name for name, _ in LEADERS.values()} <= set(CHECKS)


def test_an_unknown_word_says_itself_on_a_page(language):
    for badge in (words.file_state, words.outcome, words.review_state):
        assert badge("brand_new").word == "brand_new"
    for sentence in (words.review_kind, words.choice, words.action, words.rule):
        assert sentence("brand_new") == "brand_new"
    assert words.severity("brand_new").tone == "bad"


@pytest.mark.parametrize("sender", ["imports@curavani.example", "Curavani <imports@curavani.example>"])
def test_a_mail_is_numbered_under_the_senders_domain(sender):
    mail = compose(MailSettings(sender=sender), "patient", [Alert("problem", "invalid_json", 12)], None, MOMENT)
    assert (mail["From"], mail["Message-ID"].partition("@")[2]) == (sender, "curavani.example>")


def test_an_unknown_word_says_itself_in_a_mail():
    alerts = [Alert("brand_new", "never_heard_of", 12), Alert("brand_new", "never_heard_of", None)]
    text = body("patient", alerts, None)
    assert (text.count("never_heard_of (brand_new)"), "Programmfehler" in text) == (2, True)
    assert compose(MailSettings(), "patient", alerts, None, MOMENT)["Subject"]
    digest = {**DIGEST, "records": {"brand_new": 3}, "reviews": {"other_new": 2}, "trouble": ["never_heard_of"]}
    assert all(word in digest_text(digest) for word in ("3 brand_new", "2 other_new", "never_heard_of"))
