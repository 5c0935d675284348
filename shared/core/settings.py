"""The one reader of the environment.

Settings come in small typed groups, each known only to those who need it. `read_settings` reads several groups at
once and names every missing or malformed variable of all of them in one `SettingsError`, never a value. A secret `X`
may come as `X_FILE`, the path of a file that holds it. An empty variable counts as unset: container tools write it so.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from shared.core.errors import SettingsError
from shared.core.networks import Network, parse_networks, parse_origins
from shared.core.setting_values import (
    mail_address,
    mail_addresses,
    off_or_time,
    postgresql_url,
    web_address,
    well_formed_tokens,
)
from shared.core.tokens import ApiToken, parse_tokens

G = TypeVar("G", bound="SettingsGroup")


def _read_by(parse: Callable[[str], object]) -> Callable[[object], object]:
    return lambda value: parse(value) if isinstance(value, str) else value


PositiveSeconds = Annotated[int, Field(ge=1, le=31 * 24 * 3600)]
"""Seconds between two looks; zero would spin."""


class SettingsGroup(BaseModel):
    """A group of settings. Field aliases are the environment's names; nothing else is read from anywhere."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    def misfits(self) -> Iterator[str]:
        """What does not go together, although each variable is well formed; each names its variables first."""
        yield from ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        found = "\n".join(self.misfits())
        if found:
            raise ValueError(found)
        return self


class DatabaseSettings(SettingsGroup):
    database_url: Annotated[SecretStr, AfterValidator(postgresql_url)] = Field(
        alias="DATABASE_URL", description="PostgreSQL 15 or newer, `postgresql://user:password@host:port/name`."
    )


class DigestSettings(SettingsGroup):
    digest_key: SecretStr | None = Field(
        None,
        alias="DIGEST_KEY",
        description="Secret of the digests of erased people and object names, outside the database. Never change it.",
    )

    @property
    def secret(self) -> bytes | None:
        return self.digest_key.get_secret_value().encode() if self.digest_key else None


class LogSettings(SettingsGroup):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="LOG_LEVEL", description="Least level logged."
    )
    format: Literal["json", "console"] = Field(
        "json", alias="LOG_FORMAT", description="`json` lines, or `console` for people."
    )


class AuthSettings(SettingsGroup):
    api_tokens: Annotated[SecretStr, AfterValidator(well_formed_tokens)] | None = Field(
        None,
        alias="API_TOKENS",
        description="`name:role:token`, comma separated; role `look`, `read`, `write` or `operate`, a name once, a"
        " token of 24 characters or more. Required by the services.",
    )
    api_auth: Literal["on", "off"] = Field(
        "on", alias="API_AUTH", description="`off` lets everybody in: development only."
    )

    @property
    def tokens(self) -> tuple[ApiToken, ...]:
        return parse_tokens(self.api_tokens.get_secret_value() if self.api_tokens else "")


class ServingSettings(AuthSettings):
    """What an HTTP service needs beyond its database: at least one token, or the word that it wants none."""

    console_base_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        None, alias="CONSOLE_BASE_URL", description="Public address, for links in mails."
    )
    other_console_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        None, alias="OTHER_CONSOLE_URL", description="Public address of the other service, for the link to its console."
    )
    communication_service_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        None,
        alias="COMMUNICATION_SERVICE_URL",
        description="Communication service, for the history of mails and calls.",
    )

    anonymous_role: Literal["look", "read", "write", "operate"] | None = Field(
        None,
        alias="API_ANONYMOUS_ROLE",
        description="Role of API calls without an `Authorization` header from `API_ANONYMOUS_NETWORKS`; never of the"
        " console. Both or neither.",
    )
    anonymous_networks: Annotated[tuple[Network, ...], BeforeValidator(_read_by(parse_networks))] = Field(
        (), alias="API_ANONYMOUS_NETWORKS", description="Networks (CIDR), comma separated, of the platform's services."
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_read_by(parse_origins))] = Field(
        (),
        alias="API_CORS_ORIGINS",
        description="Origins of front ends in a browser, comma separated, such as `https://staff.example`.",
    )
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        alias="TRUSTED_PROXY_HOPS",
        description="How many proxies in front are ours: whose `X-Forwarded-*` count, for limits, links and logs.",
    )

    def misfits(self) -> Iterator[str]:
        if self.anonymous_role and not self.anonymous_networks:
            yield "API_ANONYMOUS_NETWORKS: is missing, and needed by API_ANONYMOUS_ROLE"
        if self.anonymous_networks and not self.anonymous_role:
            yield "API_ANONYMOUS_ROLE: is missing, and needed by API_ANONYMOUS_NETWORKS"
        if self.api_auth == "on" and not self.tokens:
            yield "API_TOKENS: is missing (or set API_AUTH=off for development)"


class RetentionSettings(SettingsGroup):
    """How long what is kept. Nobody is ever erased by a setting."""

    patient_days: int | None = Field(
        None,
        ge=1,
        le=36500,
        alias="PATIENT_RETENTION_DAYS",
        description="Days after which patients are listed as due to be erased, which only people do. Unset: never.",
    )
    copy_days: int | None = Field(
        None,
        ge=1,
        le=36500,
        alias="COPY_RETENTION_DAYS",
        description="Days after which the local copies of failed and discarded registrations are removed. Unset: kept.",
    )
    access_log_days: int = Field(
        365, ge=1, le=36500, alias="ACCESS_LOG_RETENTION_DAYS", description="Days that the record of accesses is kept."
    )


class StorageSettings(SettingsGroup):
    bucket: str = Field(
        "curavani-production-data-transfer", alias="GCS_IMPORT_BUCKET", description="Bucket of the registrations."
    )
    emulator_host: str | None = Field(
        None, alias="STORAGE_EMULATOR_HOST", description="Address of a storage emulator; development and tests only."
    )
    credentials_file: str | None = Field(
        None,
        alias="GOOGLE_APPLICATION_CREDENTIALS",
        description="Service account file, read by Google's client library.",
    )
    project: str | None = Field(
        None, alias="GOOGLE_CLOUD_PROJECT", description="Google Cloud project, if the account has none."
    )


class PatientImportSettings(SettingsGroup):
    enabled: bool = Field(True, alias="PATIENT_IMPORT_ENABLED", description="Import registrations in the background.")
    check_interval_seconds: PositiveSeconds = Field(
        3600, alias="PATIENT_IMPORT_CHECK_INTERVAL_SECONDS", description="Seconds between two passes."
    )
    local_path: Path = Field(
        Path("/var/lib/curavani/patient_imports"),
        alias="PATIENT_IMPORT_LOCAL_PATH",
        description="Folder of the local copies, on a volume that the host backs up.",
    )
    max_file_bytes: int = Field(
        5_242_880, ge=1, alias="PATIENT_IMPORT_MAX_FILE_BYTES", description="Larger registrations are rejected unread."
    )
    max_attempts: int = Field(
        8, ge=1, le=100, alias="PATIENT_IMPORT_MAX_ATTEMPTS", description="Attempts before `failed`."
    )
    retry_base_seconds: int = Field(
        600,
        ge=0,
        alias="PATIENT_IMPORT_RETRY_BASE_SECONDS",
        description="Delay after the first failed attempt; doubles each time.",
    )
    duplicate_policy: Literal["update", "skip"] = Field(
        "update", alias="PATIENT_DUPLICATE_POLICY", description="What a registration of a known patient does."
    )
    contracts_signed: bool = Field(
        True,
        alias="PATIENT_IMPORT_CONTRACTS_SIGNED",
        description="What a new registration's `vertraege_unterschrieben` is: the form carries the contracts.",
    )
    signature_key: SecretStr | None = Field(
        None,
        alias="REGISTRATION_SIGNATURE_KEY",
        description="Key of the form's signature (HMAC-SHA256); with it, other registrations are rejected.",
    )

    @property
    def signature_secret(self) -> bytes | None:
        return self.signature_key.get_secret_value().encode() if self.signature_key else None


class TherapistImportSettings(SettingsGroup):
    enabled: bool = Field(
        True, alias="THERAPIST_IMPORT_ENABLED", description="Import scraped therapists in the background."
    )
    folder_path: Path = Field(alias="THERAPIST_IMPORT_FOLDER_PATH", description="Folder that the scraper writes to.")
    check_interval_seconds: PositiveSeconds = Field(
        3600, alias="THERAPIST_IMPORT_CHECK_INTERVAL_SECONDS", description="Seconds between two passes."
    )
    settle_seconds: int = Field(
        60,
        ge=0,
        alias="THERAPIST_IMPORT_SETTLE_SECONDS",
        description="A younger file is still being written and waits.",
    )
    max_file_bytes: int = Field(
        1_073_741_824, ge=1, alias="THERAPIST_IMPORT_MAX_FILE_BYTES", description="Larger files are rejected unread."
    )
    audience: Literal["all", "adults"] = Field(
        "all", alias="THERAPIST_IMPORT_AUDIENCE", description="`adults` skips practices without any method for adults."
    )


class KafkaSettings(SettingsGroup):
    bootstrap_servers: str | None = Field(
        None, alias="KAFKA_BOOTSTRAP_SERVERS", description="Brokers, `host:port,…`. Unset: events wait in the database."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", alias="KAFKA_SECURITY_PROTOCOL", description="How to talk to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, alias="KAFKA_SASL_MECHANISM", description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    sasl_username: str | None = Field(None, alias="KAFKA_SASL_USERNAME", description="User at the brokers.")
    sasl_password: SecretStr | None = Field(None, alias="KAFKA_SASL_PASSWORD", description="Password at the brokers.")
    ssl_ca_location: str | None = Field(
        None, alias="KAFKA_SSL_CA_LOCATION", description="CA file for the brokers' certificates."
    )

    communication_topic: str | None = Field(
        None,
        alias="COMMUNICATION_EVENTS_TOPIC",
        description="Topic of the communication service, from which the patient service keeps the last contact.",
    )

    def misfits(self) -> Iterator[str]:
        """With what the client would only refuse when it is made, in the middle of the background work."""
        if self.communication_topic is not None and self.bootstrap_servers is None:
            yield "KAFKA_BOOTSTRAP_SERVERS: is missing, and needed by COMMUNICATION_EVENTS_TOPIC"
        wanted = {
            "KAFKA_SASL_MECHANISM": self.sasl_mechanism,
            "KAFKA_SASL_USERNAME": self.sasl_username,
            "KAFKA_SASL_PASSWORD": self.sasl_password,
        }
        missing = [name for name, value in wanted.items() if value is None]
        if self.security_protocol.startswith("SASL") and missing:
            yield f"{', '.join(missing)}: missing, and needed by KAFKA_SECURITY_PROTOCOL"
        given = [name for name, value in wanted.items() if value is not None]
        if given and not self.security_protocol.startswith("SASL"):
            # The client would leave them aside, and log in nowhere.
            yield f"{', '.join(given)}: given, but KAFKA_SECURITY_PROTOCOL is none with SASL"
        if self.ssl_ca_location is not None and not Path(self.ssl_ca_location).is_file():
            yield "KAFKA_SSL_CA_LOCATION: no such file"


class MailSettings(SettingsGroup):
    host: str | None = Field(None, alias="SMTP_HOST", description="Mail server. Unset: alerts wait in the database.")
    port: int = Field(587, ge=1, le=65535, alias="SMTP_PORT", description="Port of the mail server.")
    username: str | None = Field(None, alias="SMTP_USERNAME", description="User at the mail server.")
    password: SecretStr | None = Field(None, alias="SMTP_PASSWORD", description="Password at the mail server.")
    use_tls: bool = Field(
        True, alias="SMTP_USE_TLS", description="STARTTLS before anything is sent (implicit TLS on port 465)."
    )
    sender: Annotated[str, AfterValidator(mail_address)] = Field(
        "imports@curavani.com", alias="EMAIL_SENDER", description="Sender of the alerts."
    )
    recipient: Annotated[str, AfterValidator(mail_addresses)] = Field(
        "info@curavani.com", alias="SYSTEM_NOTIFICATION_EMAIL", description="Receiver of the alerts."
    )
    daily_digest: Annotated[str, AfterValidator(off_or_time)] = Field(
        "off",
        alias="DAILY_DIGEST",
        description="`HH:MM` in Germany: one mail a day on whether all is well. `off`: none.",
    )

    @property
    def digest_at(self) -> time | None:
        """The time of day of the digest, None where none is wanted."""
        return None if self.daily_digest == "off" else time.fromisoformat(self.daily_digest)


ALL_GROUPS: tuple[type[SettingsGroup], ...] = (
    DatabaseSettings,
    DigestSettings,
    ServingSettings,
    RetentionSettings,
    StorageSettings,
    PatientImportSettings,
    TherapistImportSettings,
    KafkaSettings,
    MailSettings,
    LogSettings,
)
"""Every group, for documentation and its drift test."""


class Settings:
    """Several groups, read together: `settings[KafkaSettings].bootstrap_servers`."""

    def __init__(self, groups: Mapping[type[SettingsGroup], SettingsGroup]) -> None:
        self._groups = groups

    def __getitem__(self, group: type[G]) -> G:
        return cast("G", self._groups[group])


def read_settings(environ: Mapping[str, str], *groups: type[SettingsGroup]) -> Settings:
    """The given groups, from `environ`.

    Raises `SettingsError` that names every problem of all the groups together.
    """
    problems: list[str] = []
    values: dict[type[SettingsGroup], SettingsGroup] = {}
    for group in groups:
        given = _given(environ, group, problems)
        try:
            values[group] = group.model_validate(given)
        except ValidationError as error:
            problems += _problems(group, given, error)
    if problems:
        raise SettingsError(sorted(set(problems)))
    return Settings(values)


def is_secret(group: type[SettingsGroup], field: str) -> bool:
    """Whether the field holds a secret, and may therefore come from a file."""
    return "SecretStr" in str(group.model_fields[field].annotation)


def _given(environ: Mapping[str, str], group: type[SettingsGroup], problems: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for field, info in group.model_fields.items():
        name = str(info.alias)
        value = environ.get(name, "").strip()
        if not value and is_secret(group, field):
            value = _from_file(environ.get(f"{name}_FILE", ""), f"{name}_FILE", problems)
        if value:
            given[name] = value
    return given


def _from_file(path: str, name: str, problems: list[str]) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        problems.append(f"{name}: the file cannot be read")
        return ""


def _problems(group: type[SettingsGroup], given: Mapping[str, str], error: ValidationError) -> list[str]:
    """Everything that is wrong with the group. What does not go together is only looked at without what is malformed,
    and says nothing new where it is about no other variable.
    """
    malformed = {str(fault["loc"][0]) for fault in error.errors(include_input=False) if fault["loc"]}
    further: list[str] = []
    try:
        group.model_validate({name: value for name, value in given.items() if name not in malformed})
    except ValidationError as others:
        further = [line for line in _lines(others) if _is_about_others(line, malformed)]
    return [*_lines(error), *further]


def _is_about_others(line: str, malformed: set[str]) -> bool:
    names, _, reason = line.partition(":")
    return not set(names.split(", ")) <= malformed and not any(name in reason for name in malformed)


def _lines(error: ValidationError) -> list[str]:
    return [line for fault in error.errors(include_input=False, include_url=False) for line in _said(fault)]


def _said(fault: Any) -> list[str]:
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return [f"{name}: is missing"]
    message = str(fault["msg"]).removeprefix("Value error, ")
    return [f"{name}: {message}"] if name else message.splitlines()
