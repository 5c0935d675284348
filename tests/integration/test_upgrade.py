"""An upgrade of a database in use: the programs of before work on through it and after it, what they knew is known
after, and what was asked can be answered."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from curavani import schema
from shared.database.engine import create_engine
from shared.reviews.values import Resolution
from standins.local import wait_until
from therapist_service.reviews import resolve_review

pytestmark = pytest.mark.slow

RECORD = """{"nachname": "Berg", "vorname": "Anna", "strasse": %s, "plz": "52066", "ort": "Aachen",
  "telefon": "0241 999", "geschlecht": "weiblich", "fremdsprachen": [], "psychotherapieverfahren": [],
  "telefonische_erreichbarkeit": {}}"""
HELD = """{"candidates": [4], "record": %s, "external_id": "praxis7", "area": "52XXX", "zip": "52066", "hash": "h",
  "seen_at": "2025-07-09T03:13:24+00:00"}"""
OF_REVISION_0007 = [
    # One run that crosses midnight: the folder's day is the scrape's.
    """INSERT INTO therapist_service.import_tracking (source_key, file_name, zip, scrape_date, status) VALUES
      ('a', '20250702/52066.json', '52066', '2025-07-03T00:30Z', 'success'),
      ('b', '52066.json', '52066', '2025-07-09T23:59+02', 'partial'),
      ('c', '20250716/52070.json', '52070', NULL, 'failed')""",
    """INSERT INTO therapist_service.therapeuten
      (nachname, vorname, strasse, plz, telefon, geschlecht, status, source_zip, source_seen_at, source_removed_at,
       source_import_id, source_record, search_key) VALUES
      ('Asked', 'A', 'Weg 1', '52066', '0241 888', 'weiblich', 'aktiv', '52066', '2025-07-03T00:30Z', NULL, 1,
       '{"telefon": "0241 777"}', ''),
      ('Gone', 'B', 'Weg 2', '52066', NULL, 'weiblich', 'aktiv', '52066', '2025-07-03T00:30Z', NULL, 1, '{}', ''),
      ('Back', 'C', 'Weg 3', '52066', NULL, 'weiblich', 'aktiv', '52066', '2025-07-16T03:00Z', NULL, NULL, '{}', ''),
      ('Berg', 'Anna', 'Hof 1', '52066', NULL, 'weiblich', 'inaktiv', '52066', '2025-07-03T00:30Z',
       '2025-07-05T03:00Z', 1, '{}', ''),
      ('Ours', 'D', 'Weg 5', '52066', NULL, 'weiblich', 'aktiv', NULL, NULL, NULL, NULL, NULL, '')""",
    (
        """INSERT INTO therapist_service.reviews (kind, state, import_id, record_index, entity_id, detail) VALUES
      ('conflict', 'open', 1, 0, 1,
       '{"fields": [{"field": "telefon", "staff": "0241 888", "source": "0241 777", "base": "0241 666"}]}'),
      ('held_deletions', 'open', 2, 1, NULL, '{"deletions": [{"entity_id": 2, "record_index": 1}, {"entity_id": 3,
       "record_index": 2}], "active_before": 4, "seen_at": "2025-07-09T21:59:00+00:00"}'),"""
        f"""
      ('possible_duplicate', 'open', 2, 3, NULL, '{HELD % (RECORD % '"Markt 9"')}'),
      ('possible_duplicate', 'open', 2, 4, NULL, '{HELD % (RECORD % "null")}')"""
    ),
]


@pytest.fixture
def upgraded(postgres):
    """A database of the release before the scrape days, with open questions of every kind, under today's program."""
    engine = create_engine(postgres.create_database("upgraded"), application_name="tests")
    with engine.begin() as connection:
        schema.migrate(connection, "0007")
        for statement in OF_REVISION_0007:
            # The colons are the data's own.
            connection.exec_driver_sql(statement)
    assert schema.upgrade(engine).up_to_date
    yield engine
    engine.dispose()
    postgres.drop_database("upgraded")


def test_what_was_known_and_asked_before_the_upgrade_holds_after_it(upgraded):
    with upgraded.begin() as connection:
        files = connection.execute(sa.text("SELECT scrape_day FROM therapist_service.import_tracking ORDER BY id"))
        assert list(files.scalars()) == [date(2025, 7, 2), date(2025, 7, 9), None]
        rows = connection.execute(sa.text("SELECT source_day FROM therapist_service.therapeuten ORDER BY id"))
        days = [date(2025, 7, day) if day else None for day in (2, 2, 16, 5, None)]
        assert list(rows.scalars()) == days
        for review_id, choice in enumerate(("source", "apply", "separate", "merge"), 1):
            resolve_review(connection, review_id, Resolution(choice, "api:test"))
        found = connection.execute(
            sa.text("SELECT nachname, status, telefon, strasse FROM therapist_service.therapeuten ORDER BY id")
        )
        assert [tuple(row) for row in found] == [
            ("Asked", "aktiv", "0241 777", "Weg 1"),
            ("Gone", "inaktiv", None, "Weg 2"),
            # A later scrape has listed them.
            ("Back", "aktiv", None, "Weg 3"),
            ("Berg", "inaktiv", "0241 999", "Hof 1"),
            ("Ours", "aktiv", None, "Weg 5"),
            ("Berg", "aktiv", "0241 999", "Markt 9"),
        ]


class FirstEdition:
    """The programs of revision 0004, as far as the database sees them: their statements, in their transactions."""

    transactions = (
        (Path(__file__).parents[1] / "data/first_edition.sql").read_text(encoding="utf-8").split("\n----")[1:]
    )

    def __init__(self, url):
        text = (Path(__file__).parents[1] / "data/first_edition.sql").read_text(encoding="utf-8")
        self.transactions = text.split("\n----")
        self.url = url
        self.days = 0

    def day(self, number):
        with psycopg.connect(self.url) as connection:
            for transaction in self.transactions:
                _, _, statements = transaction.partition("\n")
                for statement in filter(None, map(str.strip, statements.split(";\n"))):
                    connection.execute(statement, {"n": str(number), "week": number})
                connection.commit()
        self.days += 1

    @contextmanager
    def at_work(self, first):
        """Lives one day after the other as long as the block lasts; raises what went wrong."""
        ended, faults = threading.Event(), []

        def work():
            number = first
            while not ended.is_set() and not faults:
                try:
                    self.day(number)
                except psycopg.Error as error:
                    faults.append(error)
                number += 1

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        assert not faults


@pytest.fixture
def database_url(postgres):
    """A database of the first edition, with a therapist who stays and one who goes."""
    url = postgres.create_database("first_edition")
    engine = create_engine(url, application_name="tests")
    with engine.begin() as connection:
        schema.migrate(connection, "0004")
        connection.exec_driver_sql("CREATE TABLE alembic_version AS SELECT * FROM curavani_version")
        connection.exec_driver_sql("DROP TABLE curavani_version")
        connection.exec_driver_sql(
            "INSERT INTO therapist_service.therapeuten (nachname, plz, geschlecht, status, search_key, last_key) VALUES"
            " ('Stets', '52066', 'weiblich', 'aktiv', '', '52066|stets'),"
            " ('Gone', '52066', 'weiblich', 'aktiv', '', '52066|gone')"
        )
    engine.dispose()
    yield url
    postgres.drop_database("first_edition")


def test_the_programs_of_before_work_on_through_an_upgrade_and_after_it(database_url, engine):
    programs = FirstEdition(database_url)
    programs.day(1)
    with programs.at_work(first=2):
        assert schema.upgrade(engine).up_to_date
    days = programs.days
    programs.day(days + 1)
    with engine.begin() as connection:
        found = connection.execute(
            sa.text("SELECT count(*) FROM patient_service.import_tracking WHERE status = 'success'")
        )
        assert found.scalar() == days + 1


def test_who_works_on_a_table_that_an_upgrade_waits_for_comes_to_the_others_too(database_url, engine):
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
    with psycopg.connect(database_url) as busy, ThreadPoolExecutor(1) as pool:
        busy.execute("DELETE FROM patient_service.patient_consents WHERE false")
        upgrade = pool.submit(schema.upgrade, engine)
        assert wait_until(lambda: busy.execute(waiting).fetchone()[0], 30)
        busy.execute("UPDATE patient_service.import_tracking SET attempts = attempts")
        busy.commit()
        assert upgrade.result().up_to_date


def test_what_they_wrote_after_the_upgrade_is_caught_up_with(database_url, engine, therapists, make_therapist):
    schema.upgrade(engine)
    for week in (1, 2):
        FirstEdition(database_url).day(week)
    therapists.scrape([make_therapist(5)], day="2025-07-10")
    therapists.run()
    assert therapists.last_file()["error_code"] == "superseded"
    days = {row["nachname"]: row["source_day"] for row in therapists.therapists()}
    first, second = date(2025, 7, 9), date(2025, 7, 16)
    assert days == {"Stets": second, "Gone": second, "Neu1": first, "Neu2": second}
    keys = [(row["last_key"], row["mail_key"], row["line_key"]) for row in therapists.therapists()]
    assert keys == [
        ("52066|stets", "", ""),
        ("52066|gone", "", ""),
        ("52066|neu1", "neu1|tea1@example.com", "neu1|02411"),
        ("52066|neu2", "neu2|tea2@example.com", "neu2|02411"),
    ]
