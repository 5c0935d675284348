"""Which trouble of PostgreSQL and Kafka is which: tables over states, texts and the client library's names."""

import pytest

from shared.core.errors import DatabaseUnavailable, TryAgain
from shared.database.troubles import failure_of, is_out_of_connections
from shared.events.troubles import BROKER_TROUBLES, broker_trouble, more_telling
from shared.words.codes import Code, explain

AT = 'connection failed: connection to server at "192.0.2.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        ("Connection refused", "database_unavailable", "server_unreachable"),
        ('could not translate host name "db"', "database_unavailable", "server_unreachable"),
        ('FATAL:  password authentication failed for user "x"', "database_forbidden", "login_refused"),
        ('FATAL:  no pg_hba.conf entry for host "192.0.2.2"', "database_forbidden", "login_refused"),
        ('FATAL:  role "x" does not exist', "database_forbidden", "login_refused"),
        ('FATAL:  role "x" is not permitted to log in', "database_forbidden", "login_refused"),
        ('FATAL:  permission denied for database "x"', "database_forbidden", "right_missing"),
        ("FATAL:  sorry, too many clients already", "database_unavailable", "too_many_connections"),
        ('FATAL:  too many connections for role "x"', "database_unavailable", "too_many_connections"),
        ("FATAL:  remaining connection slots are reserved for", "database_unavailable", "too_many_connections"),
        ("ERROR:  no more connections allowed (max_client_conn)", "database_unavailable", "too_many_connections"),
        ("FATAL:  the database system is shutting down", "database_unavailable", "server_shuts_down"),
        ("FATAL:  the database system is starting up", "database_unavailable", "server_shuts_down"),
        ('FATAL:  database "x" does not exist', "database_unavailable", "database_unknown"),
    ],
)
def test_a_login_that_fails_is_told_by_the_servers_words(text, code, detail):
    failure = failure_of("", AT + text, is_unanswered=True, is_lost=False)
    assert (failure.code, failure.detail) == (code, detail)
    assert isinstance(failure, DatabaseUnavailable)
    assert is_out_of_connections(AT + text) == (detail == "too_many_connections")


@pytest.mark.parametrize(
    ("state", "code", "detail"),
    [
        ("53300", "database_unavailable", "too_many_connections"),
        ("57P01", "database_unavailable", "server_shuts_down"),
        ("57P03", "database_unavailable", "server_shuts_down"),
        ("53200", "database_unavailable", None),
        ("53100", "database_full", None),
        ("08006", "database_unavailable", None),
        ("25006", "database_read_only", None),
        ("28P01", "database_forbidden", "login_refused"),
        ("42501", "database_forbidden", "right_missing"),
        ("42P01", "database_not_migrated", None),
    ],
)
def test_a_state_decides(state, code, detail):
    failure = failure_of(state, "", is_unanswered=False, is_lost=False)
    assert (failure.code, failure.detail) == (code, detail)
    # A right that one statement lacks is not the whole database's.
    assert isinstance(failure, DatabaseUnavailable) == (state not in ("42501", "42P01"))


def test_a_transaction_that_may_be_tried_again_is_no_outage_of_another_kind():
    assert isinstance(failure_of("40001", "", is_unanswered=False, is_lost=False), TryAgain)


def test_a_pooler_that_takes_no_transactions_is_told_as_that():
    text = "transaction blocks not allowed in statement pooling mode"
    assert failure_of("08P01", text, is_unanswered=False, is_lost=True).code == "pooler_in_transaction_mode"
    assert failure_of("08P01", "broken", is_unanswered=False, is_lost=True).code == "database_unavailable"


@pytest.mark.parametrize("state", ["23505", "57014", "54000", ""])
def test_whatever_is_the_statements_own_is_a_bug_unless_the_connection_is_gone(state):
    assert failure_of(state, "", is_unanswered=False, is_lost=False) is None
    assert failure_of(state, "", is_unanswered=False, is_lost=True).code == "database_unavailable"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("_RESOLVE", "broker_address_unknown"),
        ("_TRANSPORT", "broker_unavailable"),
        ("_TIMED_OUT", "broker_unavailable"),
        (None, "broker_unavailable"),
        ("_SSL", "broker_tls_failed"),
        ("_AUTHENTICATION", "broker_login_refused"),
        ("SASL_AUTHENTICATION_FAILED", "broker_login_refused"),
        ("CLUSTER_AUTHORIZATION_FAILED", "broker_forbidden"),
        ("GROUP_AUTHORIZATION_FAILED", "broker_forbidden"),
    ],
)
def test_the_clients_name_of_an_error_says_which_trouble_of_the_brokers_it_is(reason, code):
    assert broker_trouble(reason) == code
    assert code in BROKER_TROUBLES


@pytest.mark.parametrize(
    ("names", "telling"),
    [
        (["_AUTHENTICATION", "_TRANSPORT", "_ALL_BROKERS_DOWN"], "_AUTHENTICATION"),
        (["_TRANSPORT", "_SSL"], "_SSL"),
        (["_TRANSPORT", "_ALL_BROKERS_DOWN"], "_TRANSPORT"),
        (["_ALL_BROKERS_DOWN"], None),
    ],
)
def test_no_error_that_says_less_hides_one_that_says_more(names, telling):
    known = None
    for name in names:
        known = more_telling(known, name)
    assert known == telling


def test_what_more_is_known_of_a_trouble_is_said_with_it():
    plain = explain(Code.DATABASE_UNAVAILABLE)
    known = explain(Code.DATABASE_UNAVAILABLE, "too_many_connections")
    assert known.english == f"{Code.TOO_MANY_CONNECTIONS.english} {plain.english}"
    assert known.german == f"{Code.TOO_MANY_CONNECTIONS.german} {plain.german}"
    assert explain(Code.BROKER_TLS_FAILED, "_SSL").german.endswith("Gemeldet: _SSL.")
