"""Words for questions and decisions: what can be chosen, what each choice does, and what was decided."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import LazyString, gettext, lazy_gettext

from shared.reviews.comparison import Duplicate, Subject

CHOSEN: Mapping[str, LazyString] = {
    "merge": lazy_gettext("the same person, joined"),
    "separate": lazy_gettext("two different people"),
    "source": lazy_gettext("the source is right"),
    "staff": lazy_gettext("our value stays"),
    "apply": lazy_gettext("marked as gone"),
    "reject": lazy_gettext("left as they are"),
    "erased": lazy_gettext("settled by an erasure"),
}

EXPLANATIONS: Mapping[tuple[str, str], LazyString] = {
    ("possible_duplicate", "patient"): lazy_gettext(
        "A registration came in for somebody who resembles a patient we know, but not in name and e-mail both. It was "
        "taken in as a new patient. Is it the same person?"
    ),
    ("possible_duplicate", "therapist"): lazy_gettext(
        "A record of the source may mean more than one therapist we know. Nothing was written. Who is it?"
    ),
    ("conflict", "therapist"): lazy_gettext(
        "We changed a field by hand, and the source now says something else again. Our value stands for now. Which one "
        "is right?"
    ),
    ("held_deletions", "therapist"): lazy_gettext(
        "A file calls so many therapists gone at once that the import asks first. Nothing was changed. Are they gone?"
    ),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: its value in the form, its word, what it does, and whether it is final."""

    value: str
    word: str
    effect: str
    is_final: bool = False


def chosen(choice: str) -> str:
    """What was decided, in words."""
    return str(CHOSEN.get(choice, choice))


def explanation(kind: str, service_name: str) -> str:
    """What the question is, for somebody who sees the first of its kind."""
    return str(EXPLANATIONS.get((kind, service_name), ""))


def options(kind: str, service_name: str, subject: Subject | None) -> list[Option]:
    """The answers to a question; none where nothing can be seen of it."""
    if subject is None:
        return []
    if isinstance(subject, Duplicate):
        return [*_merges(subject, service_name), _separate(service_name)]
    return _of_conflict() if kind == "conflict" else _of_deletions()


def _merges(subject: Duplicate, service_name: str) -> list[Option]:
    effect = (
        gettext(
            "What the newer entry says of the person is written into that entry, even where we had corrected it. What "
            "only we fill in, such as status or diagnosis, stays as it is there; the newer entry's is taken where "
            "there is none. The consents move there, and the newer entry goes."
        )
        if service_name == "patient"
        else gettext("What the source says is taken into that entry; what we changed by hand stays.")
    )
    return [
        Option(f"merge:{candidate}", gettext("The same person as number %(number)s", number=candidate), effect, True)
        for candidate in subject.candidates
    ]


def _separate(service_name: str) -> Option:
    effect = (
        gettext("Both entries stay as they are.")
        if service_name == "patient"
        else gettext("The record becomes a therapist of its own.")
    )
    return Option("separate", gettext("Somebody else"), effect)


def _of_conflict() -> list[Option]:
    return [
        Option("staff", gettext("Our value stays"), gettext("Nothing is changed.")),
        Option("source", gettext("The source is right"), gettext("The source's value is taken over.")),
    ]


def _of_deletions() -> list[Option]:
    return [
        Option("apply", gettext("Those ticked are gone"), gettext("They become inactive; nobody is deleted.")),
        Option("reject", gettext("Leave all as they are"), gettext("Nothing is changed.")),
    ]
