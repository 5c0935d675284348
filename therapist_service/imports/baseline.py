"""What the source said last, for rows that were there before the first import of ours: the base of their merge.

From scrapes that another program has imported. A row gets its base from the latest scrape that lists it for certain;
nothing that people see of it changes, and nobody is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from shared.fields.declaration import Values
from shared.imports import ledger
from shared.imports.source import Settlement
from shared.people.writer import Change
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome
from therapist_service.imports import import_tracker
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Listed, Rule, assign
from therapist_service.imports.mapping import Claim, MappedRecord
from therapist_service.imports.register import Register, has_base, known
from therapist_service.imports.scrape import BadRecord, Record, Scrape
from therapist_service.imports.scrape_files import ScrapeFile
from therapist_service.models import kernel
from therapist_service.therapist import Therapist
from therapist_service.use_cases import update_therapists

_ACTOR = "cli:baseline"
"""Of changes of technical columns nobody keeps a history; the writer asks for a name all the same."""
_REDUCED = "psychotherapieverfahren"
"""What the platform had reduced to one word."""


@dataclass(slots=True)
class Baseline:
    """What one scrape gave: rows with a base from it, listed people without a row, and whom several rows may be."""

    rows: int = 0
    without_row: int = 0
    ambiguous: list[int] = field(default_factory=list)


def give_base(connection: Connection, scrape: Scrape) -> Baseline:
    """Gives the rows that the scrape lists their base, where they have none, in the caller's transaction."""
    found = Baseline()
    for chunk in scrape.chunks():
        _give(connection, scrape.envelope, _listed(chunk), found)
    return found


def note_as_imported(connection: Connection, file: ScrapeFile, scrape: Scrape) -> bool:
    """Lets the import leave the file alone; False where it knows the file already."""
    found = import_tracker.found(file)
    if ledger.known_files(connection, kernel, [found.key]):
        return False
    import_id = ledger.register(connection, kernel, [found])[found.key].id
    known_by = import_tracker.known_by(scrape.sha256, scrape.envelope)
    counts = {RecordOutcome.SKIPPED.value: scrape.total}
    settlement = Settlement(FileStatus.SKIPPED, Code.BEFORE_ADOPTION, counts, known_by)
    ledger.settle(connection, kernel, import_id, settlement)
    return True


def _listed(chunk: Sequence[Record]) -> list[MappedRecord]:
    return [record for record in chunk if not isinstance(record, BadRecord) and record.claim != Claim.DELETED]


def _give(connection: Connection, envelope: Envelope, records: Sequence[MappedRecord], found: Baseline) -> None:
    register = Register(connection)
    people = [Listed(envelope.area, record.external_id, record.traits) for record in records]
    register.look_for(people)
    candidates = [register.of(person) for person in people]
    rows = {entry.id: entry.whole for entries in candidates for entry in entries}
    matches = assign(people, [[known(entry) for entry in entries] for entries in candidates])
    changes = []
    for record, match in zip(records, matches, strict=True):
        if match.ambiguous:
            found.ambiguous.append(record.index)
        elif match.row_id is None:
            found.without_row += match.rule is not Rule.DUPLICATE_IN_FILE
        elif _takes(rows[match.row_id], record, envelope):
            row = rows[match.row_id]
            before = {name: value for name, value in vars(row).items() if name != "source_raw"}
            changes.append(Change(before, {}, _base(record, envelope, _reduced(row))))
    update_therapists(connection, changes, _ACTOR)
    found.rows += len(changes)


def _takes(row: Therapist, record: MappedRecord, envelope: Envelope) -> bool:
    """Whether the row gets its base here: it has none, or one that a neighbour's file of the same day gave it, while
    this is the file of the practice's own postal code. A base of an import stays.
    """
    if not has_base(row.source_record):
        return True
    is_of_today = row.source_word_at is not None and import_tracker.day_of(row.source_word_at) == envelope.scrape_day
    is_neighbours = row.source_import_id is None and row.source_word_zip != envelope.zip
    return is_of_today and is_neighbours and record.fields["plz"] == envelope.zip


def _reduced(row: Therapist) -> Values:
    """The fields of which the row's own value counts as the source's word."""
    said = row.source_record or {}
    if not has_base(said):
        return said
    # A neighbour's file has been here already, and has left it so.
    own = getattr(row, _REDUCED)
    return {_REDUCED: own} if said.get(_REDUCED) == own else {}


def _base(record: MappedRecord, envelope: Envelope, reduced: Values) -> dict[str, object]:
    """What is known of the source. Of fields that the platform had `reduced`, the row's own value counts as its word:
    nobody chose that, so whatever the source says next is taken.
    """
    return {
        "external_id": record.external_id,
        "source_area": envelope.area,
        "source_zip": envelope.zip,
        "source_record": {**record.fields, **reduced},
        "source_raw": record.raw,
        "source_hash": record.hash,
        "source_seen_at": envelope.scrape_moment,
        "source_day": envelope.scrape_day,
        "source_named_at": envelope.day_began,
        "source_plz": record.fields["plz"],
        "source_word_zip": envelope.zip,
        "source_word_at": envelope.day_began,
    }
