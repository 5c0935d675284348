"""Many weeks of scrapes with staff at work in between, against an oracle that knows nothing of the importer.

The oracle knows persons by a number, which the town's name carries, and never by an id of the source. Of each it keeps
what the source said last, what the row has to show, and why its status is what it is. Two postal codes list them, in
turns and together; people marry, move, vanish, are pushed from one list into the other, and come back. A third file of
the day overlaps with theirs, a fourth one contradicts without having the word, late files tell of weeks ago, and
questions are answered in the same week or a later one.
"""

import random
from collections import Counter, defaultdict
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from shared.people.writer import Change
from shared.reviews.reviews import ResolutionRefused
from shared.reviews.values import Resolution
from therapist_service.reviews import resolve_review
from therapist_service.use_cases import lock_therapists, update_therapists

pytestmark = pytest.mark.slow

COUNTS = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
FIRST_NAMES = ("Anna", "Berta", "Clara", "Dora", "Emma", "Frieda", "Gerda", "Hanna", "Ida", "Jutta", "Karla", "Lena")
ZIPS = ("52062", "52064")
OVERLAPPING, WORDLESS, LATE = "52060", "52068", "52070"
FEW = 5
FULL_NAME_AND_ADDRESS = ("vorname", "nachname", "strasse")
PEOPLE = 24
WEEKS = 9
TABLES = ("therapeuten", "event_outbox", "field_changes", "reviews", "import_outcomes", "import_findings")


class Person:
    """Somebody who exists. `source` is what the website shows."""

    def __init__(self, number, chance):
        self.number = number
        self.town = f"Ort{number:03d}"
        letters = "".join(chr(97 + int(digit)) for digit in f"{number:03d}")
        self.source = {
            "vorname": FIRST_NAMES[number % 12] + letters,
            "nachname": "Person" + letters,
            "strasse": f"Gasse {number * 100}",
            "titel": "Dr.",
            "telefon": f"0241 {chance.randint(100000, 999999)}",
            "email": f"p{number}@example.com",
        }
        self.shown = dict(self.source)
        self.said = {}
        self.expected = {}
        self.staff = {}
        self.status = "aktiv"
        self.gone = self.deactivated_by_import = False
        self.listed_in = None
        self.listed_on = self.spoken_on = None

    def changes_at_the_source(self, chance):
        """One thing that identifies changes at a time, as in life; the rest at will."""
        self.shown = dict(self.source)
        number = chance.randint(1, 99)
        what = chance.choice(["marries", "joins names", "moves", "hides first name", "hides title", "phone", "email"])
        if what == "marries":
            self.source["nachname"] = (
                f"Neu{''.join(chr(97 + int(digit)) for digit in f'{self.number:03d}{number:02d}')}"
            )
        elif what == "joins names":
            self.source["nachname"] = self.source["nachname"].split("-")[0] + f"-Zusatz{chr(97 + number % 26)}"
        elif what == "moves":
            self.source["strasse"] = f"Gasse {self.number * 100 + number}"
        elif what == "phone":
            self.source["telefon"] = f"0241 {chance.randint(100000, 999999)}"
        elif what == "email":
            self.source["email"] = f"p{self.number}.{number}@example.com"
        hidden = {"hides first name": "vorname", "hides title": "titel"}.get(what)
        self.shown = self.source | ({hidden: ""} if hidden else {})

    def record(self, make_therapist, position, zip_code, chance, **more):
        street, house_number = self.shown["strasse"].split(" ")
        phone = self.shown["telefon"]
        notation = chance.choice([phone, "+49 241 " + phone[5:], phone.replace(" ", "/"), f" {phone}  "])
        basic = {"title": self.shown["titel"], "last_name": self.shown["nachname"]}
        return make_therapist(
            id=f"praxis{position}",
            status=more.get("status", "modified"),
            basic_info={**basic, "first_name": self.shown["vorname"], "salutation": chance.choice(["Frau", ""])},
            location={"street": street, "house_number": house_number, "postal_code": "52062", "city": self.town},
            contact={"phone": notation, "email": self.shown["email"]},
        )

    def is_listed(self, zip_code, day):
        """What the source says counts where staff did not write; returns the fields where both did."""
        conflicts = set()
        if not self.expected:
            self.expected, self.said = {**self.source, **self.shown}, {**self.source, **self.shown}
        for field, value in self.shown.items():
            if value and value != self.said[field]:
                if self.expected[field] == self.said[field] or not self.said[field]:
                    self.expected[field] = value
                elif self.expected[field] != value:
                    conflicts.add((self.number, field, value))
                self.said[field] = value
        if self.gone and self.deactivated_by_import and self.status == "inaktiv":
            self.status = "aktiv"
        self.gone = False
        self.listed_in, self.listed_on, self.spoken_on = zip_code, day, day
        return conflicts

    def is_recognised_when_deleted(self):
        """A deletion has to give the full name and the full address, as the row has them or the source had them."""
        return all(self.shown[name] in (self.expected[name], self.said[name]) for name in FULL_NAME_AND_ADDRESS)

    def is_gone(self, day):
        self.gone, self.spoken_on = True, day
        if self.status == "aktiv":
            self.status = "inaktiv"
            self.deactivated_by_import = True

    def says_nothing_new(self):
        return all(not value or value == self.said[field] for field, value in self.shown.items())

    def agrees(self, field):
        return self.expected[field] == self.said[field]

    def staff_write(self, chance):
        field = chance.choice(["telefon", "email", "nachname", "strasse", "potenziell_verfuegbar_notizen", "status"])
        if field == "status":
            status = chance.choice(["aktiv", "gesperrt", "inaktiv"])
            if status != self.status:
                self.status, self.deactivated_by_import = status, False
            return {"status": status}
        value = f"staff{chance.randint(1, 10**6)}" + ("@example.org" if field == "email" else "")
        (self.expected if field in self.expected else self.staff)[field] = value
        return {field: value}


class World:
    """The persons, and the scrapes, edits and decisions of one week after the other."""

    def __init__(self, therapists, make_therapist, seed):
        self.therapists = therapists
        self.make_therapist = make_therapist
        self.chance = random.Random(seed)
        self.people = [Person(number, self.chance) for number in range(1, PEOPLE + 1)]
        self.asked = set()
        self.active, self.missed = Counter(), defaultdict(set)

    def known(self):
        return [person for person in self.people if person.expected]

    def week(self, day):
        chance = self.chance
        lists, deleted = self.divide()
        for person in self.people:
            person.shown = dict(person.source)
        # Whoever is not listed cannot be seen to change: married and moved at once, nobody would be recognised.
        seen = [person for listed in lists.values() for person in listed if person.expected]
        for person in seen:
            if chance.random() < 0.4:
                person.changes_at_the_source(chance)
        self.active, self.missed = self.active_by_zip(), defaultdict(set)
        self.scrape_overlapping(day, [person for person in seen if person.says_nothing_new()])
        for zip_code in ZIPS:
            self.scrape(zip_code, day, lists[zip_code], deleted[zip_code])
        if chance.random() < 0.5:
            self.scrape_wordless(day, [person for listed in lists.values() for person in listed])
        if chance.random() < 0.5:
            self.scrape_late(day - timedelta(days=7), [person for person in self.known() if person.spoken_on == day])
        self.decide()
        for person in self.known():
            if chance.random() < 0.25:
                self.staff_writes(person, person.staff_write(chance))

    def divide(self):
        """Who is listed where, and who is said to be gone from which list; some lists lose a great many."""
        chance = self.chance
        lists = {zip_code: [] for zip_code in ZIPS}
        deleted = {zip_code: [] for zip_code in ZIPS}
        vanishing = chance.choice([0.05, 0.05, 0.5])
        for person in chance.sample(self.people, PEOPLE):
            at_home = ZIPS[person.number % 2]
            if person.expected and chance.random() < vanishing:
                deleted[at_home].append(person)
                if chance.random() < 0.3:
                    lists[ZIPS[1 - person.number % 2]].append(person)
            elif chance.random() < 0.85:
                lists[at_home].append(person)
        return lists, deleted

    def active_by_zip(self):
        """As they were before the day, whatever its files change."""
        return Counter(person.listed_in for person in self.people if person.status == "aktiv")

    def scrape_overlapping(self, day, people):
        """Lists some of the others' people under ids of its own, with nothing new about them."""
        if len(people) >= FEW:
            self.scrape(OVERLAPPING, day, self.chance.sample(people, FEW), [])

    def scrape_wordless(self, day, people):
        """Gives other phones of people whom the file of their own postal code lists on this day, or that of a smaller
        one than this file's: so it has not the word about any of them, and writes no more than that it lists them."""
        before = contents(self.therapists, "event_outbox", "field_changes", "reviews")
        records = []
        for number, person in enumerate(self.chance.sample(people, FEW), 1):
            person.shown = {**person.shown, "telefon": f"0241 {self.chance.randint(100000, 999999)}"}
            records.append(person.record(self.make_therapist, number, WORDLESS, self.chance))
            person.listed_in = WORDLESS
        self.therapists.scrape(records, day=day.isoformat(), zip_code=WORDLESS)
        self.therapists.run()
        file = self.file_of(WORDLESS)
        outcomes = self.therapists.rows(
            "SELECT outcome, code FROM therapist_service.import_outcomes WHERE import_id = :id", id=file["id"]
        )
        assert outcomes == [{"outcome": "skipped", "code": "listed_elsewhere"}] * FEW
        assert contents(self.therapists, "event_outbox", "field_changes", "reviews") == before
        self.assert_rows_are_right()

    def scrape_late(self, day, people):
        """Tells of an earlier day what nobody believes any more: other phones, and that some are gone."""
        make = self.make_therapist
        records = []
        for number, person in enumerate(self.chance.sample(people, FEW), 1):
            person.shown = {**person.shown, "telefon": f"0241 {self.chance.randint(100000, 999999)}"}
            status = self.chance.choice(["modified", "deleted"])
            records.append(person.record(make, number, LATE, self.chance, status=status))
        before = contents(self.therapists, "therapeuten", "event_outbox", "field_changes")
        self.therapists.scrape(records, day=day.isoformat(), zip_code=LATE)
        self.therapists.run()
        file = self.file_of(LATE)
        # Who is gone already stays so.
        assert (file["status"], file["skipped_count"] + file["unchanged_count"]) == ("success", FEW)
        assert contents(self.therapists, "therapeuten", "event_outbox", "field_changes") == before

    def scrape(self, zip_code, day, listed, deleted):
        conflicts = set()
        for person in listed:
            conflicts |= person.is_listed(zip_code, day)
        really_gone = [
            person
            for person in deleted
            if not person.gone and person.is_recognised_when_deleted() and person.listed_on < day
        ]
        waiting = self.guarded(really_gone, day)
        make = self.make_therapist
        records = [person.record(make, n, zip_code, self.chance) for n, person in enumerate(listed, 1)]
        records += [
            person.record(make, n, zip_code, self.chance, status="deleted") for n, person in enumerate(deleted, 900)
        ]
        events_before = len(self.therapists.events())
        self.therapists.scrape(records, day=day.isoformat(), zip_code=zip_code)
        self.therapists.run()
        file = self.file_of(zip_code)
        self.assert_books_balance(file, len(records), events_before)
        assert file["deleted_count"] == len(really_gone) - len(waiting)
        for person in really_gone:
            if person not in waiting:
                person.is_gone(day)
        if waiting:
            assert file["held_count"] >= len(waiting)
            self.decide_deletions(file, waiting, day)
        self.asked |= {(number, field) for number, field, _ in conflicts}
        self.assert_rows_are_right()

    def guarded(self, really_gone, day):
        """Those of a postal code's people, by where they were last seen, of whom too many are missed in one day."""
        for person in really_gone:
            self.missed[person.listed_in].add(person)
        missed = {code: sum(one.listed_on < day for one in gone) for code, gone in self.missed.items()}
        many = {code for code, number in missed.items() if number > 5 and number * 5 > self.active[code]}
        return [person for person in really_gone if person.listed_in in many]

    def file_of(self, zip_code):
        return [file for file in self.therapists.files() if file["zip"] == zip_code][-1]

    def assert_books_balance(self, file, records, events_before):
        assert file["error_code"] is None
        assert file["therapist_count"] == records == sum(file[f"{name}_count"] for name in COUNTS)
        changed = self.therapists.rows(
            "SELECT count(DISTINCT entity_id) AS number FROM therapist_service.field_changes WHERE changed_by = :actor",
            actor=f"import:{file['id']}",
        )
        assert len(self.therapists.events()) - events_before == file["new_count"] + changed[0]["number"]

    def decide_deletions(self, file, waiting, day):
        reviews = [review for review in self.open_reviews("held_deletions") if review["import_id"] == file["id"]]
        assert sum(len(review["detail"]["deletions"]) for review in reviews) == len(waiting)
        by_town = {person.town: person for person in waiting}
        rows = {row["id"]: by_town.get(row["ort"]) for row in self.therapists.therapists()}
        for review in reviews:
            choice = self.chance.choice(["apply", "reject"])
            self.resolve(review, choice)
            for deletion in review["detail"]["deletions"] if choice == "apply" else ():
                rows[deletion["entity_id"]].is_gone(day)

    def decide(self):
        """What the importer asks about has to be what both sides changed and still differs; a person answers this way
        or that, or in a later week."""
        persons = {person.number: person for person in self.people}
        self.asked = {(number, field) for number, field in self.asked if not persons[number].agrees(field)}
        by_town = {person.town: person for person in self.people}
        rows = {row["id"]: by_town[row["ort"]] for row in self.therapists.therapists()}
        found = {
            review["id"]: (rows[review["entity_id"]], [found["field"] for found in review["detail"]["fields"]])
            for review in self.open_reviews("conflict")
        }
        assert len({person.number for person, _ in found.values()}) == len(found)
        asked = {(person.number, field) for person, fields in found.values() for field in fields}
        assert self.asked == {(number, field) for number, field in asked if not persons[number].agrees(field)}
        for review_id, (person, fields) in found.items():
            assert not all(person.agrees(field) for field in fields)
            if self.chance.random() < 0.5:
                self.answer(review_id, person, fields)

    def answer(self, review_id, person, fields):
        choice = self.chance.choice(["source", "staff"])
        try:
            self.resolve({"id": review_id}, choice)
        except ResolutionRefused:
            # Somebody here has written another value since the question.
            self.resolve({"id": review_id}, "staff")
        else:
            if choice == "source":
                person.expected |= {field: person.said[field] for field in fields}
        self.asked -= {(person.number, field) for field in fields}

    def open_reviews(self, kind):
        return [review for review in self.therapists.reviews() if (review["kind"], review["state"]) == (kind, "open")]

    def resolve(self, review, choice):
        with self.therapists.engine.begin() as connection:
            resolve_review(connection, review["id"], Resolution(choice=choice, actor="api:test"))

    def staff_writes(self, person, values):
        (row_id,) = [row["id"] for row in self.therapists.therapists() if row["ort"] == person.town]
        with self.therapists.engine.begin() as connection:
            row = vars(lock_therapists(connection, [row_id])[row_id])
            update_therapists(connection, [Change(row, values)], "api:test")

    def assert_rows_are_right(self):
        rows = {row["ort"]: row for row in self.therapists.therapists()}
        assert sorted(row["ort"] for row in self.therapists.therapists()) == sorted(p.town for p in self.known())
        for person in self.known():
            row = rows[person.town]
            found = {field: plain(row[field]) for field in (*person.expected, *person.staff)}
            assert found == {**person.expected, **person.staff}, person.number
            assert (row["status"], row["source_removed_at"] is not None) == (person.status, person.gone), person.number


def plain(value):
    """A telephone number in the oracle's notation; anything else as it is."""
    return (value or "").replace("+49 241 ", "0241 ").replace("0241/", "0241 ")


def contents(therapists, *tables):
    """Everything that an import could have changed, apart from its own ledger; or these tables alone."""
    with therapists.engine.begin() as connection:
        return {
            name: connection.execute(sa.text(f"SELECT * FROM therapist_service.{name} ORDER BY id")).all()
            for name in tables or TABLES
        }


@pytest.mark.parametrize("seed", range(4))
def test_no_staff_edit_is_lost_and_every_row_is_right_over_many_weeks(therapists, make_therapist, seed):
    world = World(therapists, make_therapist, seed)
    for week in range(WEEKS):
        world.week(date(2025, 1, 1) + timedelta(days=7 * week))
        world.assert_rows_are_right()
    happened = {name for name in COUNTS for file in therapists.files() if file[f"{name}_count"]}
    assert happened == set(COUNTS) - {"failed"}
    before = contents(therapists)
    ignored = therapists.run().ignored
    for path in sorted((therapists.folder).rglob("*.json")):
        path.touch()
    repeated = therapists.run().counts
    files = len(therapists.files()) // 2
    assert (ignored["known"], repeated["skipped"], contents(therapists)) == (files, files, before)


def in_every(*path, change):
    """A scraper that does this to one text of every record."""

    def changed(record):
        section = record[path[0]]
        return {**record, path[0]: {**section, path[1]: change(section[path[1]])}}

    return changed


def swapped(section, one, other):
    """A scraper that mixes up two columns."""

    def changed(record):
        values = record[section]
        return {**record, section: {**values, one: values[other], other: values[one]}}

    return changed


def other_ids(record):
    return {**record, "id": f"list{999 - int(record['id'].removeprefix('praxis'))}"}


def everything_in_the_last_name(record):
    names = record["basic_info"]
    whole = f"{names['first_name']} {names['last_name']}"
    return other_ids({**record, "basic_info": {**names, "first_name": "", "last_name": whole}})


MASS_CHANGES = {
    "ids": other_ids,
    "titles in first names": in_every("basic_info", "first_name", change=lambda name: name and f"Dr. {name}"),
    "titles behind last names": in_every("basic_info", "last_name", change=lambda name: f"{name}, Dipl.-Psych."),
    "placeholders": in_every("contact", "phone", change=lambda _phone: "k. A."),
    "zeros": in_every("contact", "phone", change=lambda _phone: "0000"),
    "phone and mail swapped": swapped("contact", "phone", "email"),
    "names swapped": swapped("basic_info", "first_name", "last_name"),
    "everything in the last name": everything_in_the_last_name,
    "misread": in_every("location", "city", change=lambda _city: "KÃ¶ln"),
}
"""What a scraper does to everybody at once, and what nobody has really changed for."""


def test_a_scraper_that_changes_everybody_at_once_changes_nobody(therapists, make_therapist):
    world = World(therapists, make_therapist, 0)
    day = date(2025, 1, 1)
    for _ in range(2):
        world.week(day)
        day += timedelta(days=7)
    first = day
    listed = [person for person in world.known() if not person.gone]
    for person in listed:
        person.shown = dict(person.said)
    records = [person.record(make_therapist, n, ZIPS[0], world.chance) for n, person in enumerate(listed, 1)]
    # A salutation may still come with the first of them.
    for change in (dict, *MASS_CHANGES.values(), dict):
        before = contents(therapists, "event_outbox", "field_changes")
        therapists.scrape([change(record) for record in records], day=day.isoformat(), zip_code=ZIPS[0])
        therapists.run()
        if day > first:
            assert contents(therapists, "event_outbox", "field_changes") == before, change
        world.assert_rows_are_right()
        day += timedelta(days=7)
    assert world.open_reviews("possible_duplicate") == []
