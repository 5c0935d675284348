"""Words for reviews: what is asked, what can be chosen, and what each choice does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flask_babel import LazyString, gettext, lazy_gettext

from shared.console import words
from shared.reviews.subjects import ConflictSubject, DuplicateSubject, HeldDeletionsSubject, Side, Subject
from shared.reviews.values import DuplicateDetail, HeldRecordDetail, Review
from shared.words.statuses import ReviewChoice, ReviewKind

EXPLANATIONS: Mapping[tuple[ReviewKind, str], LazyString] = {
    (ReviewKind.POSSIBLE_DUPLICATE, "patient"): lazy_gettext(
        "A registration came in for somebody who resembles a patient we know, but not in name and e-mail both. It was "
        "taken in as a new patient. Is it the same person?"
    ),
    (ReviewKind.POSSIBLE_DUPLICATE, "therapist"): lazy_gettext(
        "A record of the source may mean more than one therapist we know. Nothing was written. Who is it?"
    ),
    (ReviewKind.CONFLICT, "therapist"): lazy_gettext(
        "We changed a field by hand, and the source now says something else again. Our value stands for now. Which one "
        "is right?"
    ),
    (ReviewKind.HELD_DELETIONS, "therapist"): lazy_gettext(
        "A file calls so many therapists gone at once that the import asks first. Nothing was changed. Are they gone?"
    ),
}

_RESEMBLES_ERASED = lazy_gettext(
    "A record of the source resembles somebody who objected and was erased. Nothing was written. Is it that person?"
)

Shape = Literal["duplicate", "conflict", "deletions", ""]
"""How a subject is shown; empty for one that nobody sees."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: its value in the form, its word, what it does, and whether it is final."""

    value: str
    word: str
    effect: str
    is_final: bool = False


_WHY: Mapping[str | None, LazyString] = {
    "same_email": lazy_gettext("has the same e-mail address as %(others)s, but another name"),
    "same_name_and_birth_date": lazy_gettext(
        "has the same name and birth date as %(others)s, but another e-mail address or none"
    ),
    "same_token": lazy_gettext("carries the same mark as one of %(others)s, but says it is somebody else"),
    "several_matches": lazy_gettext("fits more than one entry by name and e-mail address: %(others)s"),
}


def explanation(review: Review, service_name: str, subject: Subject | None) -> str:
    """What is asked, and why, for somebody who sees the first review of its kind."""
    if isinstance(review.detail, HeldRecordDetail) and not review.detail.candidates:
        return str(_RESEMBLES_ERASED)
    if isinstance(subject, DuplicateSubject) and len(subject.sides) > 1:
        others = ", ".join(_name(side, service_name) for side in subject.sides[1:])
        if isinstance(review.detail, DuplicateDetail) and review.detail.rule in _WHY:
            why = str(_WHY[review.detail.rule]) % {"others": others}
            return str(gettext("The registration of %(who)s %(why)s. Is it the same person?",
                               who=_name(subject.sides[0], service_name), why=why))  # fmt: skip
        if isinstance(review.detail, HeldRecordDetail):
            same = ", ".join(words.field(each.field) for each in subject.fields if not each.differs)
            return str(gettext("The doctors' search lists %(who)s. That may be %(others)s: the same are %(same)s. "
                               "Nothing was written. Who is it?",
                               who=_name(subject.sides[0], service_name), others=others, same=same or "–"))  # fmt: skip
    return str(EXPLANATIONS.get((review.kind, service_name), ""))


def _name(side: Side, service_name: str) -> str:
    name = " ".join(str(side.values[part]) for part in ("vorname", "nachname") if side.values.get(part))
    return name if side.entity_id is None else f"{name} ({words.person_title(service_name)} {side.entity_id})"


def shape(subject: Subject | None) -> Shape:
    """How the subject is shown."""
    match subject:
        case DuplicateSubject():
            return "duplicate"
        case ConflictSubject():
            return "conflict"
        case HeldDeletionsSubject():
            return "deletions"
        case None:
            return ""


def options(service_name: str, subject: Subject | None) -> list[Option]:
    """The answers to a review; none where nothing can be seen of it."""
    match subject:
        case DuplicateSubject():
            return [*_merges(subject, service_name), _separate(service_name)]
        case ConflictSubject():
            return _of_conflict()
        case HeldDeletionsSubject():
            return _of_deletions()
        case None:
            return []


def _merges(subject: DuplicateSubject, service_name: str) -> list[Option]:
    effect = (
        gettext(
            "What the newer entry says of the person is written into that entry, even where we had corrected it. What "
            "only we fill in, such as status or diagnosis, stays as it is there; the newer entry's is taken where "
            "there is none. The consents move there, and the newer entry goes."
        )
        if service_name == "patient"
        else gettext("What the source says is taken into that entry; what we changed by hand stays.")
    )
    if not subject.candidates:
        word, effect = gettext("The person who objected"), gettext("The record is left out from now on.")
        return [Option(ReviewChoice.MERGE, word, effect, True)]
    return [
        Option(
            f"{ReviewChoice.MERGE}:{candidate}",
            gettext("The same person as number %(number)s", number=candidate),
            effect,
            True,
        )
        for candidate in subject.candidates
    ]


def _separate(service_name: str) -> Option:
    effect = (
        gettext("Both entries stay as they are.")
        if service_name == "patient"
        else gettext("The record becomes a therapist of its own.")
    )
    return Option(ReviewChoice.SEPARATE, gettext("Somebody else"), effect)


def _of_conflict() -> list[Option]:
    return [
        Option(ReviewChoice.STAFF, gettext("Our value stays"), gettext("Nothing is changed.")),
        Option(ReviewChoice.SOURCE, gettext("The source is right"), gettext("The source's value is taken over.")),
    ]


def _of_deletions() -> list[Option]:
    return [
        Option(
            ReviewChoice.APPLY, gettext("Those ticked are gone"), gettext("They become inactive; nobody is deleted.")
        ),
        Option(ReviewChoice.REJECT, gettext("Leave all as they are"), gettext("Nothing is changed.")),
    ]
