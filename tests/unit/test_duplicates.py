"""Who a registration is, by the keys of the people known."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_service.imports.duplicates import Candidate, Match, Person, decide

BORN = date(2000, 1, 1)
MAX = Person("max|mustermann", "max@example.com", BORN)
SAME_NAME = Person(MAX.name_key, "other@example.com", date(1999, 1, 1))
SAME_EMAIL = Person("erika|mustermann", MAX.email_key, date(1999, 1, 1))
NAMESAKE = Person(MAX.name_key, "other@example.com", BORN)
STRANGER = Person("erika|muster", "other@example.com", BORN)


def known(*people, owners=()):
    """The candidates with these identities, numbered from 1; `owners` own the registration's token."""
    return [Candidate(number, person, number in owners) for number, person in enumerate(people, start=1)]


@pytest.mark.parametrize(
    ("candidates", "decision"),
    [
        ([], Match("new")),
        # Name and e-mail both agree with one patient.
        (known(MAX), Match("email_and_name", 1)),
        (known(Person(MAX.name_key, MAX.email_key, None)), Match("email_and_name", 1)),
        (known(Person(MAX.name_key, MAX.email_key, date(1950, 5, 5))), Match("email_and_name", 1)),
        (known(STRANGER, MAX, SAME_EMAIL, NAMESAKE), Match("email_and_name", 2)),
        (known(MAX, MAX), Match("several_matches", similar=(1, 2))),
        (known(MAX, NAMESAKE, MAX, STRANGER), Match("several_matches", similar=(1, 2, 3))),
        # Less than that is another patient, and a question.
        (known(SAME_EMAIL), Match("same_email", similar=(1,))),
        (known(NAMESAKE), Match("same_name_and_birth_date", similar=(1,))),
        (known(NAMESAKE, SAME_EMAIL), Match("same_email", similar=(1, 2))),
        (known(STRANGER, NAMESAKE, STRANGER), Match("same_name_and_birth_date", similar=(2,))),
        # A name alone, or a birth date alone, is no resemblance.
        (known(SAME_NAME), Match("new")),
        (known(STRANGER), Match("new")),
        # The token is that of one patient, of whom something else agrees.
        (known(SAME_NAME, owners=[1]), Match("token", 1)),
        (known(SAME_EMAIL, owners=[1]), Match("token", 1)),
        (known(MAX, SAME_NAME, owners=[2]), Match("token", 2)),
        (known(STRANGER, SAME_NAME, owners=[1, 2]), Match("token", 2)),
        # The token alone may be a mix-up.
        (known(STRANGER, owners=[1]), Match("same_token", similar=(1,))),
        (known(STRANGER, MAX, owners=[1]), Match("email_and_name", 2)),
        (known(STRANGER, SAME_NAME, owners=[1]), Match("same_token", similar=(1,))),
        (known(STRANGER, SAME_EMAIL, owners=[1]), Match("same_email", similar=(1, 2))),
        (known(STRANGER, NAMESAKE, owners=[1]), Match("same_name_and_birth_date", similar=(1, 2))),
        # Two patients own it: the rest decides between them.
        (known(SAME_NAME, SAME_EMAIL, owners=[1, 2]), Match("same_email", similar=(1, 2))),
        (known(SAME_NAME, MAX, owners=[1, 2]), Match("email_and_name", 2)),
        (known(SAME_NAME, SAME_NAME, owners=[1, 2]), Match("same_token", similar=(1, 2))),
    ],
)
def test_the_keys_decide(candidates, decision):
    assert decide(MAX, candidates) == decision


@pytest.mark.parametrize(
    ("person", "other", "decision"),
    [
        (Person("a", None, None), Person("a", None, None), Match("new")),
        (Person("a", None, BORN), Person("a", None, None), Match("new")),
        (Person("a", None, None), Person("a", None, BORN), Match("new")),
        (Person("a", None, None), Person("b", None, None), Match("new")),
        (Person("a", "x", None), Person("a", None, None), Match("new")),
        (Person("a", None, BORN), Person("a", None, BORN), Match("same_name_and_birth_date", similar=(1,))),
    ],
)
def test_two_absent_values_are_not_the_same(person, other, decision):
    assert decide(person, known(other)) == decision


people = st.builds(
    Person,
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, "x", "y"]),
    st.sampled_from([None, BORN, date(1999, 1, 1)]),
)
candidates_ = st.lists(st.tuples(people, st.booleans()), max_size=5).map(
    lambda found: [Candidate(number, *each) for number, each in enumerate(found, start=1)]
)


@given(people, candidates_, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(person, candidates, random):
    shuffled = random.sample(candidates, len(candidates))
    assert decide(person, shuffled) == decide(person, candidates)


@given(people, candidates_)
def test_nobodys_record_is_written_on_less_than_two_agreements(person, candidates):
    decision = decide(person, candidates)
    if decision.patient_id is None:
        return
    (chosen,) = [candidate for candidate in candidates if candidate.patient_id == decision.patient_id]
    agreements = [
        chosen.owns_token,
        person.name_key == chosen.person.name_key,
        person.email_key is not None and person.email_key == chosen.person.email_key,
    ]
    assert sum(agreements) >= 2
    assert decision.similar == ()


@given(people, candidates_)
def test_whoever_resembles_is_asked_about_unless_one_is_certain(person, candidates):
    decision = decide(person, candidates)
    if decision.patient_id is None:
        resembling = [
            candidate.patient_id
            for candidate in candidates
            if candidate.owns_token
            or (person.email_key is not None and person.email_key == candidate.person.email_key)
            or (
                person.name_key == candidate.person.name_key
                and person.geburtsdatum is not None
                and person.geburtsdatum == candidate.person.geburtsdatum
            )
        ]
        assert decision.similar == tuple(resembling)
        assert (decision.rule == "new") == (not resembling)


@given(people, candidates_, people)
def test_a_stranger_among_the_candidates_changes_nothing(person, candidates, stranger):
    stranger = Person("c", "z", stranger.geburtsdatum)
    assert decide(person, [Candidate(99, stranger), *candidates]) == decide(person, candidates)
