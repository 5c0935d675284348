"""A database of the platform becomes ours without losing a row, or stays exactly as it was."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from curavani.adoption.adopt import AdoptionRefused, NothingToAdopt, adopt, make_plan
from patient_service.app import create_app as create_patient_app
from shared.core.errors import DatabaseUnavailable, SchemaBusy
from shared.database.engine import create_engine
from shared.text.keys import email_key, name_key
from standins.local import wait_until
from standins.platform_database import CHILDREN, REVISIONS, fill, make_tables
from tests import processes
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow

PATIENTS, THERAPISTS = "patient_service.patienten", "therapist_service.therapeuten"
FALSE = ("vertraege_unterschrieben", "psychotherapeutische_sprechstunde", "offen_fuer_gruppentherapie")
FALSE += ("offen_fuer_diga", "potenziell_verfuegbar", "ueber_curavani_informiert", "bevorzugt_gruppentherapie")
OBJECTS = ("zeitliche_verfuegbarkeit", "raeumliche_verfuegbarkeit", "telefonische_erreichbarkeit", "arbeitszeiten")
LISTS = ("ausgeschlossene_therapeuten", "fremdsprachen", "bevorzugte_diagnosen")
EMPTY = {
    **dict.fromkeys(FALSE, False),
    **{name: {} for name in OBJECTS},
    **{name: [] for name in LISTS},
    "kassensitz": True,
    "bevorzugtes_therapeutengeschlecht": "Egal",
    "bevorzugtes_therapieverfahren": "egal",
}
ADDED = {"psychotherapeutische_sprechstunde": False, "diagnose": None}


OTHER_WORD = f"""
    ALTER TYPE patientenstatus RENAME VALUE 'auf_der_Suche' TO 'pausiert';
    UPDATE {PATIENTS} SET status = 'pausiert'
"""


@pytest.fixture
def new_platform(postgres):
    """Makes databases of the platform; returns the address."""
    made = []

    def make(state="13 July", *, patients=0, therapists=0, seed=1):
        name = f"platform_{len(made)}"
        made.append(name)
        postgres.drop_database(name)
        url = postgres.create_database(name)
        with psycopg.connect(url) as connection:
            make_tables(connection, state)
            fill(connection, state, patients=patients, therapists=therapists, seed=seed)
        return url

    yield make
    for name in made:
        postgres.drop_database(name)


def rows(url, table):
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        return {row["id"]: row for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")}


def everything(url):
    """All tables with all they hold and how they are made, and all sequences."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        ).fetchall()
        columns = connection.execute(
            "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
            " WHERE attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'i', 'S') AND relnamespace NOT IN"
            " ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace, 'information_schema'::regnamespace)) ORDER BY 1, 2"
        ).fetchall()
        held = {name: connection.execute(f"SELECT t::text FROM {name} t ORDER BY 1").fetchall() for (name,) in tables}
        return columns, held


def adopted(url):
    engine = create_engine(url, application_name="tests")
    try:
        return adopt(engine)
    finally:
        engine.dispose()


def planned(url):
    engine = create_engine(url, application_name="tests")
    try:
        return make_plan(engine)
    finally:
        engine.dispose()


def expected(before, moment):
    """A row afterwards, worked out without any of the program's rules."""
    after = {name: EMPTY[name] if value is None and name in EMPTY else value for name, value in before.items()}
    if "status" in before and before["status"] is None:
        after["status"] = "offen" if "krankenkasse" in before else "aktiv"
    made, changed = before["created_at"], before["updated_at"]
    after["created_at"] = midnight(made or changed) or moment
    after["updated_at"] = midnight(changed or made) or moment
    if isinstance(before.get("symptome"), list):
        after["symptome"] = ", ".join(before["symptome"]) or None
    if "psychotherapieverfahren" in before and not isinstance(before["psychotherapieverfahren"], list):
        method = before["psychotherapieverfahren"]
        after["psychotherapieverfahren"] = [] if method in (None, "egal") else [method]
    return after


def midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def assert_taken_over(before, after):
    assert list(before) == list(after)
    moments = {row["created_at"] for number, row in after.items() if before[number]["created_at"] is None
               and before[number]["updated_at"] is None}  # fmt: skip
    assert len(moments) <= 1
    moment = next(iter(moments), None)
    for number, row in before.items():
        wanted = expected(row, moment)
        assert {name: after[number][name] for name in wanted} == wanted


@pytest.mark.parametrize("state", REVISIONS)
def test_every_value_of_every_state_is_taken_over(new_platform, state):
    url = new_platform(state, patients=300, therapists=300)
    before = {table: rows(url, table) for table in (PATIENTS, THERAPISTS, *CHILDREN)}
    certificate = adopted(url).as_json()
    for table in (PATIENTS, THERAPISTS):
        assert_taken_over(before[table], rows(url, table))
        told = certificate["tables"][table]
        assert (told["rows_before"], told["rows_after"], told["ids"]["next"]) == (300, 300, 301)
    assert {table: rows(url, table) for table in CHILDREN} == {table: before[table] for table in CHILDREN}
    for row in rows(url, PATIENTS).values():
        assert row["name_key"] == name_key(row["vorname"], row["nachname"])
        assert row["email_key"] == email_key(row["email"])
    assert (
        certificate["tables"][PATIENTS]["columns"]["nachname"]["before"]
        == (certificate["tables"][PATIENTS]["columns"]["nachname"]["after"])
    )
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISIONS[state],)]


TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
DAYS = st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31))
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ä'\"\\x", max_size=5)
OBJECT = st.none() | st.just("null") | st.dictionaries(st.text("abä", max_size=3), SCALARS, max_size=3).map(json.dumps)
LIST = st.none() | st.just("null") | st.lists(SCALARS, max_size=3).map(json.dumps)
TEXT_LIST = st.none() | st.just("null") | st.lists(st.text("aä, ", min_size=1, max_size=5), max_size=3).map(json.dumps)
PATIENT = st.fixed_dictionaries(
    {
        "anrede": st.sampled_from(["Herr", "Frau"]),
        "geschlecht": st.sampled_from(["divers", "keine_Angabe"]),
        "vorname": TEXTS.map(lambda text: text or ""),
        "nachname": TEXTS.map(lambda text: text or ""),
        "email": TEXTS,
        "geburtsdatum": DAYS,
        "vertraege_unterschrieben": st.sampled_from([None, True, False]),
        "erfahrung_mit_psychotherapie": st.sampled_from([None, True, False]),
        "status": st.sampled_from([None, "offen", "in_Therapie"]),
        "empfehler_der_unterstuetzung": TEXTS,
        "zeitliche_verfuegbarkeit": OBJECT,
        "ausgeschlossene_therapeuten": LIST,
        "symptome": TEXT_LIST,
        "bevorzugtes_therapieverfahren": st.sampled_from([None, "egal", "Verhaltenstherapie"]),
        "zahlungsreferenz": TEXTS.map(lambda text: text and text[:8]),
        "created_at": DAYS,
        "updated_at": DAYS,
    }
)


# Many rows in few databases: each of those takes seconds.
@given(people=st.lists(PATIENT, min_size=20, max_size=40))
@settings(
    max_examples=4,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_a_row_holds_is_taken_over(new_platform, people):
    url = new_platform("November")
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        columns = ", ".join(people[0])
        cursor.executemany(
            f"INSERT INTO {PATIENTS} ({columns}) VALUES ({', '.join(['%s'] * len(people[0]))})",
            [[person[name] for name in people[0]] for person in people],
        )
    before = rows(url, PATIENTS)
    adopted(url)
    assert_taken_over(before, rows(url, PATIENTS))


def test_numbers_go_on_beyond_what_was_given_out_even_to_people_who_are_gone(new_platform):
    url = new_platform(patients=5, therapists=5)
    with psycopg.connect(url) as connection:
        connection.execute(f"DELETE FROM {PATIENTS} WHERE id > 2")
        connection.execute("SELECT setval('therapist_service.therapeuten_id_seq', 1)")
    adopted(url)
    with psycopg.connect(url) as connection:
        insert = (
            "INSERT INTO {} (anrede, geschlecht, vorname, nachname) VALUES ('Frau', 'divers', 'A', 'B') RETURNING id"
        )
        # As the platform's own service would write it, which knows none of our columns.
        assert connection.execute(insert.format(PATIENTS)).fetchone() == (6,)
        assert connection.execute(insert.format(THERAPISTS)).fetchone() == (6,)


def test_who_is_deleted_takes_the_other_services_rows_along_as_before(new_platform):
    url = new_platform(patients=9, therapists=9)
    adopted(url)
    with psycopg.connect(url) as connection:
        connection.execute(f"DELETE FROM {PATIENTS} WHERE id = 3")
        connection.execute(f"DELETE FROM {THERAPISTS} WHERE id = 6")
    for child, columns in CHILDREN.items():
        left = rows(url, child).values()
        for column, gone in (("patient_id", 3), ("therapist_id", 6)):
            assert column not in columns or gone not in {row[column] for row in left}


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"UPDATE {THERAPISTS} SET alter_max = 121 WHERE id < 4", f"{THERAPISTS}.alter_max: 3 rows"),
        (f"UPDATE {THERAPISTS} SET alter_min = -1 WHERE id = 1", f"{THERAPISTS}.alter_min: 1 rows"),
        (f"UPDATE {PATIENTS} SET zeitliche_verfuegbarkeit = '[1]'", f"{PATIENTS}.zeitliche_verfuegbarkeit: 9 rows"),
        (f"UPDATE {PATIENTS} SET ausgeschlossene_therapeuten = '7'", f"{PATIENTS}.ausgeschlossene_therapeuten: 9 rows"),
        (f"UPDATE {PATIENTS} SET geburtsdatum = 'infinity'", f"{PATIENTS}.geburtsdatum: 9 rows"),
        (f"UPDATE {PATIENTS} SET created_at = '-infinity'", f"{PATIENTS}.created_at: 9 rows"),
        (f"UPDATE {PATIENTS} SET startdatum = '0044-03-15 BC'", f"{PATIENTS}.startdatum: 9 rows"),
        (f"UPDATE {PATIENTS} SET updated_at = '10000-01-01'", f"{PATIENTS}.updated_at: 9 rows"),
        (f"ALTER TABLE {PATIENTS} ALTER symptome TYPE jsonb USING '[1]'", f"{PATIENTS}.symptome: 9 rows"),
        (f"ALTER TABLE {PATIENTS} ALTER symptome TYPE jsonb USING '\"a\"'", f"{PATIENTS}.symptome: 9 rows"),
        (f"ALTER TABLE {PATIENTS} ALTER plz TYPE integer USING 1", f"{PATIENTS}.plz: 9 rows"),
        (f"ALTER TABLE {PATIENTS} ADD COLUMN search_key integer", f"{PATIENTS}.search_key: 9 rows"),
        (f"ALTER TABLE {PATIENTS} DROP COLUMN nachname", f"{PATIENTS}.nachname: 9 rows"),
        (
            f"ALTER TABLE {PATIENTS} ADD neu text DEFAULT 'x' NOT NULL; ALTER TABLE {PATIENTS} ALTER neu DROP DEFAULT",
            f"{PATIENTS}.neu",
        ),
        (f"ALTER TABLE {PATIENTS} ADD UNIQUE (email, id)", "patienten_email_id_key"),
        (f"CREATE VIEW public.alle AS SELECT status FROM {PATIENTS}", "the view alle"),
        ("DROP TABLE therapist_service.therapeuten CASCADE", f"{THERAPISTS}: there is no such table"),
        ("CREATE TABLE patient_service.import_tracking (id int)", "patient_service.import_tracking"),
        ("CREATE TYPE therapist_service.anrede AS ENUM ('Frau')", "therapist_service.anrede"),
        ("CREATE TABLE curavani_version AS SELECT '0005'::text AS version_num", "public.curavani_version"),
        (OTHER_WORD, f"{PATIENTS}.status: 9 rows"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(new_platform, statement, named):
    url = new_platform(patients=9, therapists=9)
    with psycopg.connect(url) as connection:
        connection.execute(statement)
    before = everything(url)
    with pytest.raises(AdoptionRefused) as refused:
        adopted(url)
    assert any(named in obstacle for obstacle in refused.value.plan.obstacles)
    assert everything(url) == before


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {PATIENTS} ALTER empfehler_der_unterstuetzung TYPE varchar(12000)",
        f"ALTER TABLE {PATIENTS} ALTER ort TYPE text; UPDATE {PATIENTS} SET ort = repeat('x', 300)",
        f"ALTER TABLE {PATIENTS} ALTER created_at TYPE timestamp, ALTER updated_at TYPE timestamptz",
        f"ALTER TABLE {PATIENTS} ALTER raeumliche_verfuegbarkeit TYPE json",
        f"ALTER TABLE {PATIENTS} ALTER status DROP DEFAULT, ALTER status TYPE text",
        f"ALTER TABLE {THERAPISTS} DROP COLUMN sperrdatum, ADD COLUMN farbe text DEFAULT 'rot'",
        f"ALTER TABLE {THERAPISTS} ALTER id DROP DEFAULT, ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 50)",
    ],
)
def test_another_state_is_taken_over_where_its_columns_fit(new_platform, statement, curavani):
    url = new_platform(patients=9, therapists=9)
    with psycopg.connect(url) as connection:
        connection.execute(statement)
    before = {table: rows(url, table) for table in (PATIENTS, THERAPISTS)}
    adopted(url)
    for table, held in before.items():
        after = rows(url, table)
        for number, row in held.items():
            given = {name: value for name, value in row.items() if value is not None and not isinstance(value, date)}
            assert {name: after[number][name] for name in given if name != "psychotherapieverfahren"} == {
                name: value for name, value in given.items() if name != "psychotherapieverfahren"
            }
    assert curavani("db", "check", DATABASE_URL=url).returncode == 0


def test_the_plan_touches_nothing_and_says_what_changes(new_platform, curavani):
    url = new_platform("November", patients=30, therapists=30)
    before = everything(url)
    shown = curavani("db", "adopt", "--plan", "--json", DATABASE_URL=url)
    assert (shown.returncode, everything(url)) == (0, before)
    told = json.loads(shown.stdout)
    columns = {column["column"]: column for column in told["tables"][PATIENTS]["columns"]}
    empty = sum(row["vertraege_unterschrieben"] is None for row in rows(url, PATIENTS).values())
    assert columns["vertraege_unterschrieben"]["changed"] == empty
    assert columns["zahlungsreferenz"]["action"] == "left alone"
    assert told["seconds_locked"] > 0
    with psycopg.connect(url) as connection:
        connection.execute(f"UPDATE {THERAPISTS} SET alter_min = 200")
    refused = curavani("db", "adopt", "--plan", DATABASE_URL=url)
    assert (refused.returncode, "alter_min" in refused.stdout) == (1, True)


def test_on_a_database_of_ours_or_an_empty_one_there_is_nothing_to_do(curavani, postgres):
    empty = postgres.create_database("without_tables")
    assert curavani("db", "adopt", DATABASE_URL=empty).returncode == 0
    postgres.drop_database("without_tables")
    again = curavani("db", "adopt")
    assert (again.returncode, again.stdout, "Nothing to do" in again.stderr) == (0, "", True)


def test_a_table_in_use_is_given_up_after_a_short_wait(new_platform, curavani):
    url = new_platform(patients=9, therapists=9)
    before = everything(url)
    with psycopg.connect(url) as busy:
        busy.execute(f"SELECT 1 FROM {PATIENTS} WHERE id = 1 FOR UPDATE")
        ended = curavani("db", "adopt", DATABASE_URL=url)
    assert (ended.returncode, "schema_busy" in ended.stderr) == (3, True)
    with psycopg.connect(url) as writing:
        writing.execute("INSERT INTO communication_service.emails (betreff) VALUES ('x')")
        with pytest.raises(SchemaBusy):
            adopted(url)
        writing.rollback()
    assert everything(url) == before


def test_a_role_that_may_not_is_refused_with_what_it_lacks(new_platform):
    url = new_platform(patients=3, therapists=3)
    with psycopg.connect(url) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        connection.execute("GRANT USAGE ON SCHEMA patient_service, therapist_service TO guest")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA patient_service, therapist_service, public TO guest")
    guest = psycopg.conninfo.conninfo_to_dict(url)
    as_guest = f"postgresql://guest:guest@{guest['host']}:{guest['port']}/{guest['dbname']}"
    with pytest.raises(AdoptionRefused) as refused:
        adopted(as_guest)
    assert "may not" in refused.value.plan.obstacles[0]
    with psycopg.connect(url) as connection:
        connection.execute("DROP OWNED BY guest; DROP ROLE guest")


def test_a_connection_cut_in_the_middle_leaves_all_as_it_was(new_platform):
    url = new_platform("November", patients=3000, therapists=3000)
    before = everything(url)
    cut = threading.Event()

    def cut_it():
        with psycopg.connect(url, autocommit=True) as connection:
            locked = (
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
                f" AND relation = '{PATIENTS}'::regclass"
            )
            wait_until(lambda: connection.execute(locked).fetchone(), 60)
            cut.set()

    cutter = threading.Thread(target=cut_it)
    cutter.start()
    with pytest.raises(DatabaseUnavailable):
        adopted(url)
    cutter.join()
    assert cut.is_set()
    assert everything(url) == before
    adopted(url)


def test_a_kill_in_the_middle_leaves_all_as_it_was(new_platform):
    url = new_platform("November", patients=3000, therapists=3000)
    before = everything(url)
    command = [sys.executable, "-m", "curavani", "db", "adopt"]
    process = processes.Popen(command, env={**os.environ, "DATABASE_URL": url}, stdout=subprocess.DEVNULL)
    with psycopg.connect(url, autocommit=True) as connection:
        locked = (
            "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
            f" AND relation = '{PATIENTS}'::regclass"
        )
        assert wait_until(lambda: connection.execute(locked).fetchone(), 120)
        process.kill()
        process.wait()
        assert wait_until(lambda: not connection.execute(locked).fetchone(), 120)
    assert everything(url) == before


@pytest.fixture
def environment(bucket, storage_server, tmp_path):
    (tmp_path / "scrapes").mkdir()
    return {
        "API_TOKENS": "olga:operate:o-token-of-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path / "scrapes"),
        "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
    }


def test_both_services_work_on_the_adopted_tables(new_platform, environment):
    url = new_platform("November", patients=60, therapists=60)
    adopted(url)
    for create_app, people in ((create_patient_app, "patients"), (create_therapist_app, "therapists")):
        app = create_app({**environment, "DATABASE_URL": url}, start_workers=False)
        with app.test_client() as client:
            headers = {"Authorization": "Bearer o-token-of-24-characters"}
            assert client.get("/readyz").status_code == 200
            listed = client.get(f"/api/{people}?limit=1000", headers=headers)
            assert (listed.status_code, listed.json["total"]) == (200, 60)
            for one in listed.json["data"]:
                changed = client.put(f"/api/{people}/{one['id']}", headers=headers, json={"ort": "Bonn"})
                assert (changed.status_code, changed.json["ort"]) == (200, "Bonn")
            created = client.post(
                f"/api/{people}",
                headers=headers,
                json={"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Eva", "nachname": "Neu"},
            )
            assert (created.status_code, created.json["id"]) == (201, 61)
            assert client.delete(f"/api/{people}/3", headers=headers).status_code == 200
        app.extensions["curavani"].close()


@pytest.fixture
def new_files(storage_server, make_registration, make_therapist, environment):
    """A registration and a scrape of somebody nobody knows."""
    name = "Mustermann_Max_20250705_0b1ab67b.json"
    storage_server.put(environment["GCS_IMPORT_BUCKET"], name, make_registration())
    scrape = {"metadata": {"scrape_date": "2025-07-02T03:13:24"}, "therapists": [make_therapist(1)]}
    Path(environment["THERAPIST_IMPORT_FOLDER_PATH"], "52066.json").write_text(json.dumps(scrape))


def test_both_imports_work_on_the_adopted_tables(new_platform, environment, curavani, new_files):
    url = new_platform("8 July", patients=20, therapists=20)
    adopted(url)
    for service in ("patient", "therapist"):
        assert curavani("imports", "run", service, DATABASE_URL=url, **environment).returncode == 0
    assert len(rows(url, PATIENTS)) == 21
    assert len(rows(url, THERAPISTS)) == 21


def test_a_row_that_the_platform_writes_meanwhile_gets_its_keys_before_the_next_registration(
    new_platform, environment, curavani, new_files
):
    url = new_platform(patients=1, therapists=1)
    adopted(url)
    with psycopg.connect(url) as connection:
        connection.execute(
            f"INSERT INTO {PATIENTS} (anrede, geschlecht, vorname, nachname, email)"
            " VALUES ('Herr', 'männlich', 'Max', 'Mustermann', 'max.mustermann@example.com')"
        )
    assert curavani("imports", "run", "patient", DATABASE_URL=url, **environment).returncode == 0
    # The registration is known to be of the same person.
    assert [row["nachname"] for row in rows(url, PATIENTS).values()][1:] == ["Mustermann"]
    assert rows(url, PATIENTS)[2]["name_key"] == name_key("Max", "Mustermann")


def moving_in(curavani, url, environment):
    told = json.loads(curavani("doctor", "--json", DATABASE_URL=url, **environment).stdout)
    return next(((line["state"], line["advice"]) for line in told if line["part"] == "moving in"), None)


def test_the_doctor_knows_how_far_moving_in_has_come(new_platform, environment, curavani, database_url):
    url = new_platform(patients=1, therapists=3)
    assert moving_in(curavani, url, environment) is None
    adopted(url)
    state, advice = moving_in(curavani, url, environment)
    assert (state, "3 therapists" in advice, "curavani baseline" in advice) == ("attention", True, True)
    with psycopg.connect(url) as connection:
        connection.execute(f"UPDATE {THERAPISTS} SET source_hash = repeat('0', 64) WHERE id = 1")
    assert moving_in(curavani, url, environment)[0] == "ok"
    # A database that never was the platform's; one of ours may still have `alembic_version`.
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE public.alembic_version AS SELECT '0005'::text AS version_num")
    assert moving_in(curavani, database_url, environment) is None


def test_what_is_ours_is_no_longer_planned(new_platform):
    url = new_platform(patients=1, therapists=1)
    assert planned(url).obstacles == []
    adopted(url)
    with pytest.raises(NothingToAdopt):
        planned(url)
