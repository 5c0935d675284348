"""The floor of importing scrapes: what reading, parsing and writing the same rows costs where nobody looks at them.

Per file one transaction: the rows by COPY into a temporary table, from there by upsert into one table, with an outbox
row and an outcome row for each that changed. No validation, no identity, no merge, no ledger, no index but the keys.
"""

import hashlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import psycopg

from benchmarks.contenders import Week, flat, run_contender

if TYPE_CHECKING:
    # Not at run time: what it imports would count in the memory that is measured.
    from curavani.demo.samples.practices import Record

_COLUMNS = (
    "key, hash, anrede, geschlecht, titel, vorname, nachname, strasse, plz, ort, telefon, fax, email, webseite,"
    " telefonische_erreichbarkeit, fremdsprachen, psychotherapieverfahren, raw"
)
_TABLES = """
CREATE TABLE people (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE, hash text NOT NULL, anrede text,
  geschlecht text, titel text, vorname text, nachname text, strasse text, plz text, ort text, telefon text, fax text,
  email text, webseite text, telefonische_erreichbarkeit jsonb, fremdsprachen jsonb, psychotherapieverfahren jsonb,
  raw jsonb, created_at timestamptz DEFAULT now()
);
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid DEFAULT gen_random_uuid(), key text, payload jsonb
);
CREATE TABLE outcomes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, file uuid, entity_id integer, outcome text);
"""
_INCOMING = f"CREATE TEMPORARY TABLE incoming AS SELECT {_COLUMNS} FROM people WITH NO DATA"
_COPY = f"COPY incoming ({_COLUMNS}) FROM STDIN"
_SET = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[1:])
_APPLY = f"""
WITH written AS (
  INSERT INTO people ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming
  ON CONFLICT (key) DO UPDATE SET {_SET} WHERE people.hash <> excluded.hash RETURNING *
), told AS (
  INSERT INTO outbox (key, payload) SELECT id, to_jsonb(written) - 'raw' FROM written
)
INSERT INTO outcomes (file, entity_id, outcome) SELECT %s, id, 'written' FROM written
"""


def prepare(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(_TABLES)


def import_weeks(url: str, weeks: list[Week]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(_INCOMING)
        connection.commit()
        for week in weeks:
            with week.measured():
                for path in week.files:
                    _import_file(connection, path)


def _import_file(connection: psycopg.Connection, path: Path) -> None:
    data = path.read_bytes()
    hashlib.sha256(data).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE incoming")
        with cursor.copy(_COPY) as copy:
            for raw in orjson.loads(data)["therapists"]:
                if raw["status"] != "deleted":
                    copy.write_row(_row(raw))
        cursor.execute(_APPLY, (uuid.uuid4(),))
    connection.commit()


def _row(raw: "Record") -> tuple[str | None, ...]:
    fields = flat(raw)
    digest = hashlib.sha256(orjson.dumps(fields)).hexdigest()
    return f"{raw['location']['postal_code'][:2]}/{raw['id']}", digest, *fields.values(), orjson.dumps(raw).decode()


if __name__ == "__main__":
    run_contender(prepare, import_weeks)
