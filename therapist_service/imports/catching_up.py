"""What a version of the program that knew less has written gets what it lacks: the scrape day, and the keys.

Such a version works on beside a migration until it is replaced, and again where the programs are rolled back.
"""

from sqlalchemy.engine import Connection

from shared.database.json_text import json_text
from shared.database.statements import Statement
from therapist_service.imports.traits import Keys, look_up_keys


def catch_up(connection: Connection) -> None:
    """To be done before a pass, while nobody else imports."""
    if _WITHOUT_DAY.one(connection)[0]:
        _KNOW_DAYS(connection)
    rows = [{"id": row["id"], **look_up_keys(row, row["source_record"])} for row in _WITHOUT_KEYS(connection)]
    if rows:
        _KNOW_KEYS(connection, rows=json_text(rows))


# Asked first: the statement that writes waits for whoever keeps others from writing, also where it has nothing to do.
_WITHOUT_DAY = Statement("""
    SELECT EXISTS (SELECT FROM therapist_service.import_tracking WHERE scrape_day IS NULL AND scrape_date IS NOT NULL)
""")

# A dated folder's day counts before the time that the scrape states. Who was called gone bears no number of the file.
_KNOW_DAYS = Statement("""
    WITH caught_up AS (
      UPDATE therapist_service.import_tracking SET scrape_day = CASE
        WHEN file_name ~ '^[0-9]{8}/' THEN to_date(left(file_name, 8), 'YYYYMMDD')
        ELSE CAST(scrape_date AT TIME ZONE 'UTC' AS date) END
      WHERE scrape_day IS NULL AND scrape_date IS NOT NULL
      RETURNING id, scrape_day
    ), spoken AS (
      SELECT therapist.id, scrape_day FROM caught_up
        JOIN therapist_service.therapeuten AS therapist ON therapist.source_import_id = caught_up.id
      UNION ALL
      SELECT entity_id, scrape_day FROM caught_up
        JOIN therapist_service.import_outcomes AS outcome ON outcome.import_id = caught_up.id
      WHERE outcome.outcome = 'deleted'
    )
    UPDATE therapist_service.therapeuten AS present SET source_day = greatest(present.source_day, latest.day)
    FROM (SELECT id, max(scrape_day) AS day FROM spoken GROUP BY id) AS latest WHERE present.id = latest.id
""")

# The newest of the keys: a version that knew no others wrote none.
_WITHOUT_KEYS = Statement(
    """
    SELECT id, vorname, nachname, plz, email, telefon, source_record FROM therapist_service.therapeuten
    WHERE mail_key IS NULL ORDER BY id FOR UPDATE
    """,
    as_dicts=True,
)
_KNOW_KEYS = Statement(f"""
    UPDATE therapist_service.therapeuten AS present
    SET {", ".join(f"{key} = given.{key}" for key in Keys.__annotations__)}
    FROM jsonb_populate_recordset(NULL::therapist_service.therapeuten, CAST(:rows AS jsonb)) AS given
    WHERE present.id = given.id
""")
