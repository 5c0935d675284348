"""Twelve weeks of files that overlap, with ids by position, against an oracle that knows nothing of the importer.

Every postal code's file lists its own people and many of its neighbours'. The files disagree on telephones and spell
first names in several ways; whoever is pushed out of the file of the own postal code may still stand in others. Some
share last name, address and telephone with somebody else. The oracle knows persons by their town's name, and whose file
has the word about each.
"""

import itertools
import random
from datetime import date, timedelta

import pytest

from shared.people.writer import Change
from shared.reviews.values import Resolution
from therapist_service.reviews import resolve_review
from therapist_service.use_cases import lock_therapists, update_therapists

pytestmark = pytest.mark.slow

ZIPS = ("52062", "52064", "52066", "52068")
PEOPLE = 24
WEEKS = 12
FIRST_NAMES = (("Anna Maria", ("Anna", "A.", "Anna-Maria")), ("Hans-Peter", ("H.-P.", "Peter", "Hans Peter")))
SHOWN = ("vorname", "nachname", "strasse", "plz", "telefon")


class Person:
    """Somebody who exists: two share each household."""

    def __init__(self, number):
        household, letter = number // 2, chr(97 + number // 2)
        self.town = f"Ort{number:03d}"
        self.number = number
        self.full, self.variants = FIRST_NAMES[number % 2]
        self.source = {
            "nachname": f"Person{letter}",
            "strasse": f"Gasse {household + 1}",
            "plz": ZIPS[household % len(ZIPS)],
            "telefon": f"0241 10{household:03d}",
        }
        self.row = self.said = self.holder = None
        self.staff = {}

    def versions(self, chance, zips):
        """What each of the files shows. What identifies changes one at a time, as in life; the rest at will."""
        settled = self.row["vorname"] if self.row else self.full
        happens = chance.choice(["marries", "moves", "moves away", *["nothing"] * 12]) if self.row else "nothing"
        if happens == "marries":
            self.source["nachname"] = f"Neu{chr(97 + self.number)}{chr(97 + chance.randrange(26))}"
        elif happens == "moves":
            self.source["strasse"] = f"Weg {self.number * 100 + chance.randrange(100)}"
        elif happens == "moves away":
            self.source["strasse"] = f"Allee {self.number * 100 + chance.randrange(100)}"
            self.source["plz"] = chance.choice([zip_code for zip_code in ZIPS if zip_code != self.source["plz"]])
        shown = {}
        for zip_code in zips:
            spelling = settled if happens != "nothing" else chance.choice([settled, settled, self.full, *self.variants])
            phone = chance.choice([self.source["telefon"]] * 3 + [f"0241 2{chance.randrange(10**4):04d}"])
            shown[zip_code] = {**self.source, "vorname": spelling, "telefon": phone}
        return shown, happens == "moves away"

    def is_listed(self, shown):
        """The file that has the word decides what the row holds, but for what staff have written.

        It keeps the word while the others say nothing else.
        """
        own = self.source["plz"]
        word = own if own in shown else self.holder if self.holder in shown else min(shown)
        if word == own or shown[word] != self.said:
            self.holder = word
        self.said = shown[word]
        self.row = {**(self.row or {}), **shown[word], **self.staff}


class World:
    def __init__(self, therapists, make_therapist, seed):
        self.therapists, self.make_therapist = therapists, make_therapist
        self.chance = random.Random(seed)
        self.fresh_ids = itertools.count(1000)
        self.people = [Person(number) for number in range(PEOPLE)]

    def week(self, day):
        files = {zip_code: [] for zip_code in ZIPS}
        moved = []
        for person in self.people:
            zips = [z for z in ZIPS if self.chance.random() < (0.85 if z == person.source["plz"] else 0.5)]
            if not zips:
                continue
            shown, moves_away = person.versions(self.chance, zips)
            for zip_code, version in shown.items():
                files[zip_code].append((person, version))
            if moves_away:
                moved.append((person, shown))
            else:
                person.is_listed(shown)
        self.scrape(day, files)
        self.merge(moved)
        self.assert_rows_are_right()
        return files

    def scrape(self, day, files):
        for zip_code, listed in files.items():
            people = self.chance.sample(listed, len(listed))
            records = [self.record(person, shown, position) for position, (person, shown) in enumerate(people, 1)]
            self.therapists.scrape(records, day=day.isoformat(), zip_code=zip_code)
        self.therapists.run()

    def record(self, person, shown, position):
        street, number = shown["strasse"].split(" ")
        # By chance the same id would prove that it is the same person, also in another postal code.
        moved = person.row is not None and person.row["plz"] != shown["plz"]
        return self.make_therapist(
            id=f"praxis{next(self.fresh_ids) if moved else position}",
            status="modified",
            basic_info={"first_name": shown["vorname"], "last_name": shown["nachname"]},
            location={"street": street, "house_number": number, "postal_code": shown["plz"], "city": person.town},
            contact={"phone": shown["telefon"], "email": f"{person.town}@example.com"},
        )

    def merge(self, moved):
        """Who came to another postal code under another id is asked about, once a person, and found by a person."""
        questions = {}
        for review in self.therapists.reviews():
            if (review["kind"], review["state"]) == ("possible_duplicate", "open"):
                questions.setdefault(review["detail"]["record"]["ort"], []).append(review)
        assert set(questions) == {person.town for person, _ in moved}
        for person, _ in moved:
            # The file whose record it was has the word from then on.
            for review in questions[person.town]:
                self.resolve(review, "merge")
                record, person.holder = review["detail"]["record"], review["detail"]["zip"]
                person.said = {name: record[name] for name in SHOWN}
                person.row = person.said | person.staff

    def resolve(self, review, choice):
        with self.therapists.engine.begin() as connection:
            resolve_review(connection, review["id"], Resolution(choice=choice, actor="api:test"))

    def staff_at_work(self):
        """Blocks, notes and, now and then, a telephone number that staff know better for good."""
        for person in self.people:
            if person.row is None or self.chance.random() > 0.15:
                continue
            values = self.chance.choice(
                [{"status": "gesperrt"}, {"potenziell_verfuegbar_notizen": "nett"}, {"telefon": "0241 99 staff"}]
            )
            person.staff |= values
            person.row |= values
            (row_id,) = [row["id"] for row in self.therapists.therapists() if row["ort"] == person.town]
            with self.therapists.engine.begin() as connection:
                before = vars(lock_therapists(connection, [row_id])[row_id])
                update_therapists(connection, [Change(before, values)], "api:test")

    def assert_rows_are_right(self):
        rows = {row["ort"]: row for row in self.therapists.therapists()}
        known = [person for person in self.people if person.row]
        assert sorted(row["ort"] for row in self.therapists.therapists()) == sorted(person.town for person in known)
        for person in known:
            assert {name: rows[person.town][name] for name in person.row} == person.row, person.town


def books(therapists):
    """How many outcomes the files count, and how many events there have to be: one for each row that something made or
    changed, and who did it."""
    outcomes = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
    files = therapists.files()
    counted = sum(file[f"{name}_count"] for file in files for name in outcomes)
    (changes,) = therapists.rows(
        "SELECT count(DISTINCT (entity_id, changed_by, changed_at)) AS number FROM therapist_service.field_changes"
    )
    return counted, changes["number"] + sum(file["new_count"] for file in files)


@pytest.mark.parametrize(("seed", "is_together"), [(0, True), (1, True), (2, True), (3, False), (4, False)])
def test_nobody_is_split_or_merged_and_the_word_stays_put_over_twelve_weeks(
    therapists, make_therapist, seed, is_together
):
    """Whether the files of a day are applied together, or each by itself as where there are many."""
    if not is_together:
        therapists.parts.source.batch_bytes = 1
    world = World(therapists, make_therapist, seed)
    for week in range(WEEKS):
        day = date(2025, 1, 1) + timedelta(days=7 * week)
        files = world.week(day)
        records = sum(file["therapist_count"] for file in therapists.files())
        assert books(therapists) == (records, len(therapists.events()))
        assert {file["failed_count"] for file in therapists.files()} == {0}
        world.staff_at_work()
    # The same again under other ids: nothing to tell, however the files disagree.
    before = len(therapists.events()), len(therapists.reviews())
    world.scrape(day + timedelta(days=7), files)
    assert (len(therapists.events()), len(therapists.reviews())) == before
    world.assert_rows_are_right()
