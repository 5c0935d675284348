"""Many weeks of scrapes with staff at work in between, against an oracle that knows nothing of the importer.

The oracle keeps, per person and field, what the source said last and whether staff wrote over it, and says what the
row has to show. Persons are known to it by their own number, not by any id of the source.
"""

import random

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.slow

COUNTS = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")
STAFF_FIELDS = ("potenziell_verfuegbar_notizen", "sperrgrund", "zusatzqualifikationen")


class Person:
    """Somebody who exists; `source` is what the website shows, `expected` what the row has to hold."""

    def __init__(self, number, chance):
        self.number = number
        self.last_name = "Person" + "".join(chr(97 + int(digit)) for digit in f"{number:03d}")
        self.source = {"telefon": self.phone(chance), "email": f"p{number}@example.com", "titel": "Dr."}
        self.expected = dict(self.source)
        self.said = dict(self.source)
        self.staff = {}

    @staticmethod
    def phone(chance):
        return f"0241 {chance.randint(100000, 999999)}"

    def scraped(self, make_therapist, position):
        contact = {"phone": self.source["telefon"], "email": self.source["email"]}
        return make_therapist(
            self.number,
            id=f"praxis{position}",
            status="modified",
            basic_info={"last_name": self.last_name, "title": self.source["titel"]},
            contact=contact,
        )

    def is_listed_first(self):
        self.said = dict(self.source)
        self.expected = dict(self.source)

    def is_listed(self):
        """The source speaks: it decides where staff did not, and an empty value says nothing."""
        for field, value in self.source.items():
            if value and value != self.said[field]:
                if self.expected[field] == self.said[field]:
                    self.expected[field] = value
                self.said[field] = value

    def source_changes(self, chance):
        field = chance.choice(["telefon", "email", "titel"])
        values = {
            "telefon": self.phone(chance),
            "email": f"p{self.number}.{chance.randint(1, 999)}@example.com",
            "titel": chance.choice(["", "Dr.", "Prof. Dr."]),
        }
        self.source[field] = values[field]

    def staff_changes(self, chance):
        field = chance.choice(["telefon", "email", *STAFF_FIELDS])
        value = f"staff{chance.randint(1, 10**6)}" + ("@example.org" if field == "email" else "")
        (self.expected if field in self.expected else self.staff)[field] = value
        return field, value


def staff_writes(engine, person, field, value):
    with engine.begin() as connection:
        connection.execute(
            sa.text(f"UPDATE therapist_service.therapeuten SET {field} = :value WHERE nachname = :name"),
            {"value": value, "name": person.last_name},
        )


@pytest.mark.parametrize("seed", range(6))
def test_no_staff_edit_is_lost_and_every_row_is_right_over_many_weeks(therapists, make_therapist, seed):
    chance = random.Random(seed)
    people = [Person(number, chance) for number in range(1, 25)]
    for week in range(10):
        known = {row["nachname"] for row in therapists.therapists()}
        listed = chance.sample(people, chance.randint(18, 24))
        for person in listed:
            if chance.random() < 0.3:
                person.source_changes(chance)
            if person.last_name in known:
                person.is_listed()
            else:
                person.is_listed_first()
        records = [person.scraped(make_therapist, position) for position, person in enumerate(listed, 1)]
        events_before = len(therapists.events())
        therapists.scrape(records, day=f"2025-{week // 4 + 1:02d}-{week % 4 * 7 + 1:02d}")
        therapists.run()
        assert_books_balance(therapists, len(records), events_before)
        known = {row["nachname"] for row in therapists.therapists()}
        for person in people:
            if person.last_name in known and chance.random() < 0.2:
                staff_writes(therapists.engine, person, *person.staff_changes(chance))
    assert_rows_are_right(therapists, people)


def assert_books_balance(therapists, records, events_before):
    file = therapists.last_file()
    assert file["error_code"] is None
    assert file["therapist_count"] == records == sum(file[f"{name}_count"] for name in COUNTS)
    changed = therapists.rows(
        "SELECT count(DISTINCT entity_id) AS number FROM therapist_service.field_changes WHERE changed_by = :actor",
        actor=f"import:{file['id']}",
    )
    assert len(therapists.events()) - events_before == file["new_count"] + changed[0]["number"]


def assert_rows_are_right(therapists, people):
    rows = {row["nachname"]: row for row in therapists.therapists()}
    assert len(rows) == len(therapists.therapists())
    for person in people:
        row = rows.get(person.last_name)
        if row is None:
            continue
        for field, value in {**person.expected, **person.staff}.items():
            assert (row[field] or "") == value, (person.number, field)
