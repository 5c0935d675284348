"""What the source said last, for rows that were there before the first import of ours: the base of their merge.

From scrapes that another program has imported. A row gets its base from the latest scrape that lists it for certain;
nothing that people see of it changes, and nobody is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from shared.fields.declaration import Row, Values
from shared.imports import ledger
from shared.imports.source import Settlement
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome
from therapist_service.imports import import_tracker
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Rule, assign
from therapist_service.imports.known_rows import Candidates, has_base, listed
from therapist_service.imports.mapping import Claim, MappedRecord
from therapist_service.imports.scrape import BadRecord, Record, Scrape
from therapist_service.imports.scrape_files import ScrapeFile
from therapist_service.models import kernel
from therapist_service.use_cases import TherapistChange, update_therapists

_ACTOR = "cli:baseline"
"""Of changes of technical columns nobody keeps a history; the writer asks for a name all the same."""
_NO_IMPORT = 0
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
    envelope = scrape.envelope
    stated = envelope.scrape_moment if envelope.states_moment else None
    known_by = {"file_hash": scrape.sha256, "scrape_day": envelope.scrape_day, "scrape_date": stated}
    counts = {RecordOutcome.SKIPPED.value: scrape.total}
    settlement = Settlement(FileStatus.SKIPPED, Code.BEFORE_ADOPTION, counts, known_by)
    ledger.settle(connection, kernel, import_id, settlement)
    return True


def _listed(chunk: Sequence[Record]) -> list[MappedRecord]:
    return [record for record in chunk if not isinstance(record, BadRecord) and record.claim != Claim.DELETED]


def _give(connection: Connection, envelope: Envelope, records: Sequence[MappedRecord], found: Baseline) -> None:
    people = [listed(record, envelope.area) for record in records]
    candidates = Candidates(connection, _NO_IMPORT, envelope.area, people)
    matches = assign(people, [candidates.of(person) for person in people])
    rows = candidates.lock({match.row_id for match in matches if match.row_id is not None})
    if rows is None:
        # Staff changed somebody between the look and the lock: decide anew.
        _give(connection, envelope, records, found)
        return
    changes = []
    for record, match in zip(records, matches, strict=True):
        if match.ambiguous:
            found.ambiguous.append(record.index)
        elif match.row_id is None:
            found.without_row += match.rule is not Rule.DUPLICATE_IN_FILE
        elif _takes(rows[match.row_id], record, envelope):
            row = rows[match.row_id]
            changes.append(TherapistChange(row, {}, _base(record, envelope, _reduced(row))))
    update_therapists(connection, changes, _ACTOR)
    found.rows += len(changes)


def _takes(row: Row, record: MappedRecord, envelope: Envelope) -> bool:
    """Whether the row gets its base here: it has none, or one that a neighbour's file of the same day gave it, while
    this is the file of the practice's own postal code. A base of an import stays.
    """
    if not has_base(row):
        return True
    is_of_today = (
        row["source_word_at"] is not None and import_tracker.day_of(row["source_word_at"]) == envelope.scrape_day
    )
    is_neighbours = row["source_import_id"] is None and row["source_word_zip"] != envelope.zip
    return is_of_today and is_neighbours and record.fields["plz"] == envelope.zip


def _reduced(row: Row) -> Values:
    """The fields of which the row's own value counts as the source's word."""
    known = row["source_record"] or {}
    if not has_base(row):
        return known
    # A neighbour's file has been here already, and has left it so.
    return {_REDUCED: row[_REDUCED]} if known.get(_REDUCED) == row[_REDUCED] else {}


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
