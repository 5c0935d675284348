"""Many weeks of scrapes with staff at work in between, against an oracle that knows nothing of the importer.

The oracle knows persons by a number, which the town's name carries, and never by an id of the source. Of each it keeps
what the source said last, what the row has to show, and why its status is what it is. Two postal codes list them, in
turns and together; people marry, move, vanish, are pushed from one list into the other, and come back.
"""

import random
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from shared.reviews.values import Resolution
from therapist_service.reviews import resolve_review
from therapist_service.use_cases import TherapistChange, lock_therapists, update_therapists

pytestmark = pytest.mark.slow

COUNTS = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
FIRST_NAMES = ("Anna", "Berta", "Clara", "Dora", "Emma", "Frieda", "Gerda", "Hanna", "Ida", "Jutta", "Karla", "Lena")
ZIPS = ("52062", "52064")
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
        self.listed_on = None

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
        self.listed_in, self.listed_on = zip_code, day
        return conflicts

    def is_recognised_when_deleted(self):
        """A deletion has to give the full name and the full address, as the row has them or the source had them."""
        return all(self.shown[name] in (self.expected[name], self.said[name]) for name in FULL_NAME_AND_ADDRESS)

    def is_gone(self, *, by_import):
        self.gone = True
        if self.status == "aktiv":
            self.status = "inaktiv"
            self.deactivated_by_import = by_import

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
        self.conflicts = set()

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
        for hour, zip_code in enumerate(ZIPS):
            self.scrape(zip_code, day, hour, lists[zip_code], deleted[zip_code])
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

    def scrape(self, zip_code, day, hour, listed, deleted):
        active = sum(person.status == "aktiv" and person.listed_in == zip_code for person in self.people)
        conflicts = set()
        for person in listed:
            conflicts |= person.is_listed(zip_code, day)
        really_gone = [
            person
            for person in deleted
            if not person.gone
            and person.is_recognised_when_deleted()
            and (person.listed_in == zip_code or person.listed_on < day)
        ]
        waits = len(really_gone) > 5 and len(really_gone) * 5 > active
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
        if waits:
            assert file["held_count"] >= len(really_gone)
            self.decide_deletions(file, really_gone)
        else:
            assert file["deleted_count"] == len(really_gone)
            for person in really_gone:
                person.is_gone(by_import=True)
        self.conflicts |= conflicts
        self.assert_rows_are_right()

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

    def decide_deletions(self, file, really_gone):
        reviews = self.open_reviews("held_deletions")
        (review,) = [review for review in reviews if review["import_id"] == file["id"]]
        choice = self.chance.choice(["apply", "reject"])
        self.resolve(review, choice)
        if choice == "apply":
            for person in really_gone:
                person.is_gone(by_import=True)

    def decide(self):
        """What the importer asks about has to be what both sides changed; a person answers this way or that."""
        asked = set()
        persons = {person.town: person for person in self.people}
        rows = {row["id"]: persons[row["ort"]] for row in self.therapists.therapists()}
        for review in self.open_reviews("conflict"):
            person = rows[review["entity_id"]]
            choice = self.chance.choice(["source", "staff"])
            for field in review["detail"]["fields"]:
                asked.add((person.number, field["field"], plain(field["source"])))
                if choice == "source":
                    person.expected[field["field"]] = plain(field["source"])
            self.resolve(review, choice)
        assert asked == self.conflicts
        self.conflicts = set()

    def open_reviews(self, kind):
        return [review for review in self.therapists.reviews() if (review["kind"], review["state"]) == (kind, "open")]

    def resolve(self, review, choice):
        with self.therapists.engine.begin() as connection:
            resolve_review(connection, review["id"], Resolution(choice=choice, actor="api:test"))

    def staff_writes(self, person, values):
        (row_id,) = [row["id"] for row in self.therapists.therapists() if row["ort"] == person.town]
        with self.therapists.engine.begin() as connection:
            row = vars(lock_therapists(connection, [row_id])[row_id])
            update_therapists(connection, [TherapistChange(row, values)], "api:test")

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


def contents(therapists):
    """Everything that an import could have changed, apart from its own ledger."""
    with therapists.engine.begin() as connection:
        return {
            name: connection.execute(sa.text(f"SELECT * FROM therapist_service.{name} ORDER BY id")).all()
            for name in TABLES
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
    assert (ignored["known"], repeated["skipped"], contents(therapists)) == (WEEKS * 2, WEEKS * 2, before)
