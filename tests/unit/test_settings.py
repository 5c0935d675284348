import pytest

from shared.core.errors import SettingsError
from shared.core.settings import (
    ALL_GROUPS,
    AuthSettings,
    DatabaseSettings,
    KafkaSettings,
    MailSettings,
    PatientImportSettings,
    ServingSettings,
    SettingsGroup,
    TherapistImportSettings,
    read_settings,
)

TOKEN = "hunter2-hunter2-hunter22"
SECRET = "postgresql://user:hunter2@db/curavani"


def test_every_group_is_among_those_that_are_documented():
    kinds = {*SettingsGroup.__subclasses__(), *AuthSettings.__subclasses__()} - {AuthSettings}
    assert kinds == set(ALL_GROUPS)


def test_every_problem_of_every_group_is_named_in_one_message_without_values():
    environ = {
        "DATABASE_URL": "mysql://user:hunter2@db/x",
        "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "0",
        "SMTP_PORT": "hunter2",
    }
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, DatabaseSettings, PatientImportSettings, MailSettings, TherapistImportSettings)
    message = str(caught.value)
    for name in (
        "DATABASE_URL",
        "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS",
        "SMTP_PORT",
        "THERAPIST_IMPORT_FOLDER_PATH: is missing",
    ):
        assert name in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TRUSTED_PROXY_HOPS": "x"}, {"TRUSTED_PROXY_HOPS", "API_TOKENS"}),
        ({"API_TOKENS": "x", "API_ANONYMOUS_ROLE": "look"}, {"API_TOKENS", "API_ANONYMOUS_NETWORKS"}),
        (
            {"API_AUTH": "off", "API_ANONYMOUS_ROLE": "x", "API_ANONYMOUS_NETWORKS": "10.0.0.0/8"},
            {"API_ANONYMOUS_ROLE"},
        ),
        (
            {"KAFKA_SASL_PASSWORD": "x", "COMMUNICATION_EVENTS_TOPIC": "x", "KAFKA_SSL_CA_LOCATION": "/nowhere"},
            {"KAFKA_SASL_PASSWORD", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SSL_CA_LOCATION"},
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "x", "KAFKA_SASL_USERNAME": "x"},
            {"KAFKA_SASL_MECHANISM", "KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD"},
        ),
    ],
)
def test_what_does_not_go_together_is_named_beside_what_is_malformed(environ, named):
    group = KafkaSettings if any("KAFKA" in name for name in environ) else ServingSettings
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, group)
    assert {problem.partition(":")[0] for problem in caught.value.problems} == named


def test_a_secret_may_come_from_a_file(tmp_path):
    secret = tmp_path / "url"
    secret.write_text(SECRET + "\n")
    settings = read_settings({"DATABASE_URL_FILE": str(secret)}, DatabaseSettings)
    assert settings[DatabaseSettings].database_url.get_secret_value() == SECRET


def test_an_unreadable_secret_file_is_named():
    with pytest.raises(SettingsError, match="DATABASE_URL_FILE: the file cannot be read"):
        read_settings({"DATABASE_URL_FILE": "/nowhere"}, DatabaseSettings)


@pytest.mark.parametrize("rest", ["127.0.0.1:port/x", "@@[::/x"])
def test_an_address_that_cannot_be_read_is_named_without_its_password(rest):
    with pytest.raises(SettingsError, match="DATABASE_URL: is no address") as caught:
        read_settings({"DATABASE_URL": f"postgresql://user:hunter2@{rest}"}, DatabaseSettings)
    assert "hunter2" not in str(caught.value)


def test_an_empty_variable_counts_as_unset():
    settings = read_settings({"KAFKA_BOOTSTRAP_SERVERS": "", "SMTP_PORT": " "}, KafkaSettings, MailSettings)
    assert settings[KafkaSettings].bootstrap_servers is None
    assert settings[MailSettings].port == 587


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD: missing"),
        ({"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_USERNAME": ""}, "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME: missing"),
        ({"KAFKA_SASL_MECHANISM": "hunter2"}, "KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SSL_CA_LOCATION": "/nowhere/hunter2.pem"}, "KAFKA_SSL_CA_LOCATION: no such file"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SECURITY_PROTOCOL is none with SASL"),
        ({"KAFKA_SECURITY_PROTOCOL": ""}, "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: given, but"),
    ],
)
def test_what_the_kafka_client_could_not_use_is_named_at_the_start(changes, named):
    environ = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "curavani",
        "KAFKA_SASL_PASSWORD": "hunter2",
    }
    assert read_settings(environ, KafkaSettings)[KafkaSettings].sasl_username == "curavani"
    with pytest.raises(SettingsError) as caught:
        read_settings(environ | changes, KafkaSettings)
    assert named in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["CONSOLE_BASE_URL", "OTHER_CONSOLE_URL", "COMMUNICATION_SERVICE_URL"])
@pytest.mark.parametrize(
    "text", ["curavani.example", "https://", "ftp://a.example", "https://a b.example", "http://[", "x"]
)
def test_an_address_of_the_web_that_cannot_be_one_is_named_at_the_start(name, text):
    with pytest.raises(SettingsError, match=f"{name}: .*is no address"):
        read_settings({"API_AUTH": "off", name: text}, ServingSettings)


@pytest.mark.parametrize("name", ["EMAIL_SENDER", "SYSTEM_NOTIFICATION_EMAIL"])
@pytest.mark.parametrize("text", ["curavani.example", "a@b\nBcc: c@d", "Curavani <a@b", "<a@b>x", "a@b,", "a@@b"])
def test_an_address_of_mail_that_cannot_be_one_is_named_at_the_start(name, text):
    with pytest.raises(SettingsError, match=f"{name}: is no address"):
        read_settings({name: text}, MailSettings)


def test_alerts_may_go_to_several():
    several = {"SYSTEM_NOTIFICATION_EMAIL": "Anna Storch <a@b.example>, c@d.example", "EMAIL_SENDER": "C <c@d.example>"}
    assert read_settings(several, MailSettings)[MailSettings].recipient == several["SYSTEM_NOTIFICATION_EMAIL"]
    with pytest.raises(SettingsError, match="EMAIL_SENDER"):
        read_settings({"EMAIL_SENDER": "a@b.example, c@d.example"}, MailSettings)


def test_an_address_of_the_web_may_have_a_port_and_a_path():
    address = "http://127.0.0.1:8080/service"
    settings = read_settings({"API_AUTH": "off", "CONSOLE_BASE_URL": address}, ServingSettings)
    assert settings[ServingSettings].console_base_url == address


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "alice:read",
        f"alice:king:{TOKEN}",
        f"a:read:{TOKEN},b:read:{TOKEN}",
        f"alice:read:{TOKEN},alice:write:{TOKEN}2",
        f"alice:read:{TOKEN[:23]}",
        f":read:{TOKEN}",
    ],
)
def test_malformed_tokens_are_named_without_their_text(text):
    with pytest.raises(SettingsError) as caught:
        read_settings({"API_TOKENS": text}, ServingSettings)
    assert "API_TOKENS" in str(caught.value)
    assert "alice" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_service_without_tokens_does_not_start_unless_told():
    with pytest.raises(SettingsError, match="API_TOKENS"):
        read_settings({}, ServingSettings)
    assert read_settings({"API_AUTH": "off"}, ServingSettings)[ServingSettings].tokens == ()


def test_secrets_do_not_show_in_a_printed_group():
    settings = read_settings(
        {"DATABASE_URL": SECRET, "API_TOKENS": f"a:read:{TOKEN}"}, DatabaseSettings, ServingSettings
    )
    shown = repr(settings[DatabaseSettings]) + repr(settings[ServingSettings]) + repr(settings[ServingSettings].tokens)
    assert "hunter2" not in shown
