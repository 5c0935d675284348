"""How every dependency and each import is, in words: ok, or what to do about it. Asks what health asks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curavani import schema
from curavani.services import SERVICES, ServiceEntry
from curavani.sizes import connections_advice, memory_advice
from shared.core.dependencies import Dependency, Probes
from shared.core.errors import CuravaniError, DatabaseNotMigrated, SettingsError
from shared.core.memory import memory_limit
from shared.core.settings import (
    AuthSettings,
    DatabaseSettings,
    DigestSettings,
    KafkaSettings,
    MailSettings,
    PatientImportSettings,
    SettingsGroup,
    StorageSettings,
    TherapistImportSettings,
    read_settings,
)
from shared.database.engine import create_engine, transaction
from shared.database.pooler import require_own_sessions
from shared.database.room import read_room
from shared.events.outbox import topic_of
from shared.events.probe import broker_dependency, contacts_dependency
from shared.mail.smtp import mail_dependency
from shared.state.health import Expectations, import_health
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from shared.words.codes import Code, describe, explain

CheckState = Literal["ok", "not configured", "not running", "settings", "attention", "failing"]
"""`attention`: the import works, or would, but something of it waits for a person."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How one part is, and what to do if it is not well."""

    part: str
    state: CheckState
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


Group = TypeVar("Group", bound=SettingsGroup)

_PATIENCE_SECONDS = 10.0
"""Longer than any page waits: who asks the doctor wants to know more. A server that answers by the byte ends nobody."""


def examine(environ: Mapping[str, str]) -> list[Diagnosis]:
    """Every part, whatever the state of the others, in the order in which one depends on another. Changes nothing."""
    database = _examined(environ, "database", DatabaseSettings, _database)
    engine = _engine(environ) if database.state == "ok" else None
    try:
        found = [database]
        if engine is not None:
            found += _surviving("moving in", lambda: _moving_in(engine))
            found += _surviving("connections", lambda: _connections(engine, _workers(environ)))
        found += _surviving("memory", lambda: _memory(_workers(environ)))
        if engine is not None:
            for entry in SERVICES.values():
                found += _surviving(f"{entry.name} import", partial(_import, environ, entry, engine))
        found += [
            _examined(environ, "bucket", StorageSettings, _bucket),
            _examined(environ, "local copies", PatientImportSettings, lambda it: _copies(it, engine)),
            _examined(environ, "therapist folder", TherapistImportSettings, _folder),
            _examined(environ, "kafka", KafkaSettings, _kafka),
            _examined(environ, "communication events", KafkaSettings, contacts_dependency),
            _examined(environ, "mail", MailSettings, _mail),
            *_surviving("access", lambda: [_access(environ)]),
            _examined(environ, "digest key", DigestSettings, _digest_key),
        ]
    finally:
        if engine is not None:
            engine.dispose()
    return found


def _surviving(part: str, look: Callable[[], Iterable[Diagnosis]]) -> list[Diagnosis]:
    """What is found; a look that fails says so itself, and keeps no other from being had."""
    try:
        return list(look())
    except CuravaniError as error:
        return [Diagnosis(part, "failing", explain(error.code, error.detail).english)]
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other parts have to be told
        return [Diagnosis(part, "failing", f"{Code.INTERNAL_ERROR.english} ({type(error).__name__})")]


def _examined(
    environ: Mapping[str, str], part: str, group: type[Group], depend: Callable[[Group], Dependency]
) -> Diagnosis:
    try:
        dependency = depend(read_settings(environ, group)[group])
    except SettingsError as error:
        return Diagnosis(part, "settings", "; ".join(error.problems))
    except ModuleNotFoundError:
        # Each service's image has only what that service needs.
        return Diagnosis(part, "not configured", "Not part of this image.")
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other parts have to be told
        return Diagnosis(part, "failing", f"{Code.INTERNAL_ERROR.english} ({type(error).__name__})")
    (check,) = Probes([dependency], seconds=_PATIENCE_SECONDS).checks()
    if check.code == Code.NOT_CONFIGURED:
        return Diagnosis(part, "not configured", dependency.advice)
    if check.ok:
        return Diagnosis(part, "ok")
    return Diagnosis(part, "failing", explain(str(check.code), check.reason).english)


def _moving_in(engine: Engine) -> Iterator[Diagnosis]:
    """How far a database of the platform has come; nothing about a database that never was one."""
    with transaction(engine) as connection:
        stage = connection.execute(_STAGE).one()
    if not stage.was_the_platforms:
        return
    if stage.therapists and not stage.has_base:
        advice = f"Taken over; {stage.therapists} therapists lack what the source said last. {_BASELINE}"
        yield Diagnosis("moving in", "attention", advice)
    else:
        yield Diagnosis("moving in", "ok", "Taken over, and ready for the imports.")


_BASELINE = "Give it with `curavani baseline FOLDER` before the first import, or every difference will be asked about."
# The platform's types stay where they were: no migration of ours makes one there.
_STAGE = sa.text("""
    SELECT to_regtype('public.therapeutstatus') IS NOT NULL AS was_the_platforms,
      (SELECT count(*) FROM therapist_service.therapeuten) AS therapists,
      EXISTS (SELECT FROM therapist_service.therapeuten WHERE source_hash IS NOT NULL)
      OR EXISTS (SELECT FROM therapist_service.import_tracking WHERE status IN ('success', 'partial')) AS has_base
""")


def _connections(engine: Engine, workers: int) -> Iterator[Diagnosis]:
    """Whether PostgreSQL takes the connections that the processes of both services may open."""
    with transaction(engine) as connection:
        advice = connections_advice(read_room(connection), len(SERVICES) * workers)
    yield Diagnosis("connections", "attention" if advice else "ok", advice or "")


def _memory(workers: int) -> Iterator[Diagnosis]:
    """Whether the container leaves the workers the memory that they need; nothing where there is no limit."""
    limit = memory_limit()
    if limit is not None:
        advice = memory_advice(limit, workers)
        yield Diagnosis("memory", "attention" if advice else "ok", advice or "")


def _workers(environ: Mapping[str, str]) -> int:
    """Worker processes of a service, by the variable that `curavani serve` reads."""
    given = environ.get("WEB_CONCURRENCY", "")
    return int(given) if given.isdecimal() and int(given) > 0 else 1


def _access(environ: Mapping[str, str]) -> Diagnosis:
    """Who is let in, by the settings that the services have as well."""
    try:
        settings = read_settings(environ, AuthSettings)[AuthSettings]
    except SettingsError as error:
        return Diagnosis("access", "settings", "; ".join(error.problems))
    if settings.api_auth == "off":
        return Diagnosis("access", "attention", Code.API_AUTH_OFF.english)
    if not settings.tokens:
        return Diagnosis("access", "not configured", "Set API_TOKENS, which the services need.")
    return Diagnosis("access", "ok")


def _import(environ: Mapping[str, str], entry: ServiceEntry, engine: Engine) -> Iterator[Diagnosis]:
    """One line on a service's import; none where its settings, named above, are not complete or not in this image."""
    try:
        expected = entry.bootstrap.expectations(read_settings(environ, *entry.bootstrap.IMPORT_GROUPS))
        with transaction(engine) as connection:
            snapshot = read_snapshot(connection, entry.kernel)
    except (SettingsError, ModuleNotFoundError):
        return
    yield import_diagnosis(entry.name, snapshot, expected)


def import_diagnosis(service: str, snapshot: Snapshot, expected: Expectations) -> Diagnosis:
    """How the import of `patient` or `therapist` is."""
    part = f"{service} import"
    ignored = _NO_TROUBLE if snapshot.is_started else (*_NO_TROUBLE, *_ONLY_NOT_RUNNING)
    codes = [check.code for check in import_health(snapshot, expected) if check.code and check.code not in ignored]
    if codes:
        codes.sort(key=lambda code: describe(code).severity)
        return Diagnosis(part, "attention", " · ".join(f"{code}: {describe(code).english}" for code in codes))
    if not snapshot.is_started:
        return Diagnosis(part, "not running", f"Start it with: curavani serve {service}")
    return Diagnosis(part, "ok")


_NO_TROUBLE = (Code.NOT_CONFIGURED, Code.NO_PASS_YET, Code.DISABLED)
_ONLY_NOT_RUNNING = (Code.NO_LEADER, Code.NO_RELAY, Code.NO_MAILER, Code.NO_CONTACT_READER, Code.NO_PASS)
"""What follows from nobody having started the service."""


def _engine(environ: Mapping[str, str]) -> Engine:
    url = read_settings(environ, DatabaseSettings)[DatabaseSettings].database_url.get_secret_value()
    return create_engine(url, application_name="curavani doctor", pool_size=1)


def _database(settings: DatabaseSettings) -> Dependency:
    def probe() -> None:
        engine = create_engine(settings.database_url.get_secret_value(), application_name="curavani doctor")
        try:
            require_own_sessions(engine)
            with transaction(engine) as connection:
                if not schema.state(connection).up_to_date:
                    raise DatabaseNotMigrated
        finally:
            engine.dispose()

    return Dependency("database", probe)


def _digest_key(settings: DigestSettings) -> Dependency:
    """Without it the key of the digests lies in the same dump as they do."""
    advice = "Set DIGEST_KEY; until then the key of the digests lies in the database beside them."
    return Dependency("digest_key", None if settings.secret is None else lambda: None, advice=advice)


def _bucket(settings: StorageSettings) -> Dependency:
    from patient_service.imports.bucket import GcsBucket  # noqa: PLC0415 - not in the other image

    def probe() -> None:
        bucket = GcsBucket(settings)
        try:
            bucket.ping()
        finally:
            bucket.close()

    return Dependency("bucket", probe)


def _copies(settings: PatientImportSettings, engine: Engine | None) -> Dependency:
    from patient_service.bootstrap import copies_dependency  # noqa: PLC0415 - not in the other image

    return copies_dependency(settings, engine)


def _folder(settings: TherapistImportSettings) -> Dependency:
    from therapist_service.bootstrap import folder_dependency  # noqa: PLC0415 - not in the other image

    return folder_dependency(settings)


def _kafka(settings: KafkaSettings) -> Dependency:
    """The brokers with both services' topics."""
    first, *others = [broker_dependency(settings, topic_of(entry.kernel)) for entry in SERVICES.values()]

    def probe() -> None:
        for dependency in (first, *others):
            if dependency.probe is not None:
                dependency.probe()

    return first if first.probe is None else replace(first, probe=probe)


def _mail(settings: MailSettings) -> Dependency:
    return mail_dependency(settings, login=True)
