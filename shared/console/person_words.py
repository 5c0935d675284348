"""Words for a person's history and for the certificate of an erasure."""

from collections.abc import Mapping
from datetime import datetime

from flask_babel import LazyString, gettext, lazy_gettext

from shared.console import words
from shared.people.timeline import Happening, HappeningKind
from shared.words.statuses import Action, RecordOutcome

_REMOVED: Mapping[str, LazyString] = {
    "patient": lazy_gettext("Entry of the patient"),
    "therapist": lazy_gettext("Entry of the therapist"),
    "consents": lazy_gettext("Consents"),
    "field_changes": lazy_gettext("History of changes"),
    "reviews": lazy_gettext("Reviews"),
    "outcomes": lazy_gettext("Records in files"),
    "proposed_deletions": lazy_gettext("Reports in files that the practice is gone"),
    "corrections": lazy_gettext("Corrections of files"),
    "findings": lazy_gettext("Findings in files"),
    "events": lazy_gettext("Events kept here"),
    "reasons": lazy_gettext("Reasons that people wrote"),
    "local_copies": lazy_gettext("Local copies"),
    "unknown_copies": lazy_gettext("Copies without an entry"),
    "cloud_objects": lazy_gettext("Files in the bucket"),
}

_OUT_OF_REACH: Mapping[str, LazyString] = {
    "kafka_retention": lazy_gettext(
        "Earlier events stay with Kafka until their retention ends; the other services were told to delete."
    ),
    "scraped_files": lazy_gettext("The files of the scraper still list the practice; imports leave it out."),
    "storage_soft_delete": lazy_gettext(
        "The bucket's owner can restore a deleted file for up to 7 days (soft delete)."
    ),
    "database_backups": lazy_gettext(
        "Backups made before hold the data until they expire; after a restore the erasure has to be run again."
    ),
    "restored_from_list": lazy_gettext(
        "The database was restored from a backup after this erasure; its details are not known any more."
    ),
    "local_copies": lazy_gettext("Local copies could not be removed; it is tried again by itself."),
    "cloud_objects": lazy_gettext("The bucket could not be reached; it is tried again by itself."),
    "tombstones": lazy_gettext("The list beside the local copies could not be written; it is tried again by itself."),
}

_IMPORTED: Mapping[str, LazyString] = {
    RecordOutcome.NEW: lazy_gettext("Created by file %(file)s"),
    RecordOutcome.UPDATED: lazy_gettext("File %(file)s brought something new"),
    RecordOutcome.UNCHANGED: lazy_gettext("File %(file)s brought nothing new"),
    RecordOutcome.DELETED: lazy_gettext("Gone according to file %(file)s"),
    RecordOutcome.REACTIVATED: lazy_gettext("Listed again in file %(file)s"),
    RecordOutcome.SKIPPED: lazy_gettext("Left out in file %(file)s"),
    RecordOutcome.HELD: lazy_gettext("Held back in file %(file)s"),
    RecordOutcome.FAILED: lazy_gettext("Failed in file %(file)s"),
}
_NAMED = lazy_gettext("Named in file %(file)s")


_HAPPENED: Mapping[tuple[HappeningKind, bool], LazyString | str] = {
    ("change", True): lazy_gettext("Changed by file %(file)s:"),
    ("change", False): lazy_gettext("changed:"),
    ("review", True): lazy_gettext("To be decided because of file %(file)s: %(kind)s %(review)s"),
    ("review", False): lazy_gettext("To be decided: %(kind)s %(review)s"),
    ("event", True): lazy_gettext("Told to the other services (%(word)s)"),
    ("event", False): lazy_gettext("Not yet told to the other services (%(word)s)"),
    ("action", True): lazy_gettext("decided %(review)s"),
    ("action", False): "%(action)s %(review)s",
}
"""Each kind in its two forms: by a file or not, sent or not, a decision or not."""


def what(happening: Happening) -> str:
    """What happened, after who did it where that is a person. The page fills in what it names: the file and the review
    as links, the review's kind, the action in words, and the word as the database has it."""
    word = happening.word or ""
    if happening.kind == "import":
        return str(_IMPORTED.get(word, _NAMED))
    by_file = happening.import_id is not None
    is_first = {"event": happening.rule == "sent", "action": word == Action.RESOLVE}.get(happening.kind, by_file)
    return str(_HAPPENED[happening.kind, is_first])


def said_with_it(happening: Happening) -> str:
    """What a person decided or undid, or wrote about the person's file; empty for anything else."""
    if happening.kind != "action" or happening.rule is None:
        return ""
    if happening.word in (Action.RESOLVE, Action.UNDO):
        return words.choice(happening.rule)
    return happening.rule if happening.word in (Action.NOTE, Action.CORRECT, Action.ENTER) else ""


def fate(if_same: str, if_new: str) -> str:
    """What becomes of a field that we changed: `kept`, `taken` or `asked`, in either case."""
    if if_same == "taken":
        return str(gettext("Our value is overwritten."))
    if if_new == "asked":
        return str(gettext("Our value stays. Only if the source says something new, we are asked."))
    if if_new == "taken":
        return str(gettext("Our value stays, until the source says something new."))
    return str(gettext("Our value stays."))


def tone(happening: Happening) -> words.Tone:
    """The colour of an entry's dot; its words say the same."""
    if happening.kind == "import":
        return words.outcome(happening.word or RecordOutcome.UNCHANGED).tone
    tones: Mapping[str, words.Tone] = {"change": "busy", "review": "warn", "action": "good"}
    return tones.get(happening.kind, "calm")


def removed(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The lines of a certificate, the person's entry first."""
    known = [name for name in _REMOVED if name in counts]
    others = sorted(counts.keys() - _REMOVED.keys())
    return [(str(_REMOVED.get(name, name)), counts[name]) for name in (*known, *others)]


def out_of_reach(sentence: str) -> str:
    """What an erasure could not reach; the certificate itself keeps the English sentence."""
    return str(_OUT_OF_REACH.get(sentence.partition(":")[0], sentence))


def answered(answer: Mapping[str, object]) -> str:
    """What was answered to something in doubt."""
    sentences = {
        "also": gettext("File P%(number)s is the person's and was erased as well", number=answer["number"]),
        "keep": gettext("File P%(number)s is somebody else's and was kept", number=answer["number"]),
        "others": gettext("Entry %(number)s is another person and was kept", number=answer["number"]),
    }
    return str(sentences[str(answer["choice"])])


def moment_of(answer: Mapping[str, object]) -> datetime:
    """When it was decided."""
    return datetime.fromisoformat(str(answer["at"]))
