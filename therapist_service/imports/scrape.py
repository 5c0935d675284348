"""A scrape as values: its envelope and its records, mapped one by one, small files at once and large ones in pieces."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import BinaryIO

from shared.core.clock import now
from shared.core.errors import Finding, RejectedError
from shared.text.json_stream import TOO_LONG, JsonStream
from shared.text.strict_json import escaped, parse_document
from shared.words.codes import Code
from therapist_service.imports.drift import Fill
from therapist_service.imports.envelope import Envelope, count_findings, read_envelope
from therapist_service.imports.mapping import Claim, MappedRecord, map_record
from therapist_service.imports.scrape_files import ScrapeFile, ScrapeFolder
from therapist_service.imports.traits import Traits

CHUNK_RECORDS = 1000
"""Records that are looked up and written together."""
WHOLE_BYTES = 256 * 1024
"""A larger file is read in pieces: at once it could take a hundred times its size of memory."""
_KNOWN_KEYS = ("metadata", "therapists")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be imported, and why."""

    index: int
    findings: tuple[Finding, ...]


Record = MappedRecord | BadRecord
Name = tuple[str | None, str | None, str | None]
"""A last name, a first name and a postal code, as keys."""


@dataclass(slots=True)
class Scrape:
    """A readable scrape. `chunks` gives its records anew each time it is called; `claims` counts them by claim."""

    envelope: Envelope
    findings: list[Finding]
    sha256: str
    chunks: Callable[[], Iterator[list[Record]]]
    valid: int = 0
    invalid: int = 0
    claims: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    """In how many of the listed records, those that are not claimed deleted, each mapped column is filled."""
    is_small: bool = True
    """Whether its records are in memory; those of a large one are read anew each time."""
    dismissed: set[Name] = field(default_factory=set)
    """The names of those that are claimed deleted."""

    @property
    def total(self) -> int:
        return self.valid + self.invalid

    @property
    def fill(self) -> Fill:
        """How full the listed records are."""
        return Fill(self.valid - self.claims[Claim.DELETED], self.filled)

    def total_findings(self) -> list[Finding]:
        """The totals that the file states of itself and that its records contradict."""
        totals = {f"{claim}_therapists": number for claim, number in self.claims.items()}
        return count_findings(self.envelope, {"total_therapists": self.total, **totals})


def read_scrape(folder: ScrapeFolder, file: ScrapeFile, max_bytes: int) -> Scrape:
    """The scrape in the file.

    Raises `RejectedError` (`file_too_large`, `empty_file`, `invalid_json`, `missing_section`), `FileUnreadable` or
    `FileChanging`.
    """
    if file.size > max_bytes:
        raise RejectedError(Code.FILE_TOO_LARGE)
    return _read_whole(folder, file) if file.size <= WHOLE_BYTES else _read_in_pieces(folder, file)


def name_of(traits: Traits) -> Name:
    """By what a person is told from others of a scrape day."""
    return traits.last, traits.first, traits.zip


def faults_of(scrape: Scrape, most: int = 1000) -> list[Finding]:
    """Where and why records of the scrape are invalid, the first of them."""
    bad = (record for chunk in scrape.chunks() for record in chunk if isinstance(record, BadRecord))
    return list(islice((finding for record in bad for finding in record.findings), most))


def _read_whole(folder: ScrapeFolder, file: ScrapeFile) -> Scrape:
    data, sha256 = folder.read(file)
    with _known_by(sha256):
        document = parse_document(data)
        records = [_record(raw, index) for index, raw in enumerate(_therapists(document))]
        return _scrape(file, document, sha256, lambda: _chunked(iter(records)))


def _read_in_pieces(folder: ScrapeFolder, file: ScrapeFile) -> Scrape:
    """Reads the file once to its end, keeping nothing, before anybody acts on its first record."""
    digest = hashlib.sha256()
    fault: RejectedError | None = None
    with folder.opened(file) as opened:
        stream = JsonStream(opened, "therapists", watch=digest.update)
        try:
            for _ in stream.elements():
                pass
        except RejectedError as error:
            # Told once it is known what the whole file is, and that nobody is writing it.
            fault = error
            while piece := opened.read(WHOLE_BYTES):
                digest.update(piece)
    with _known_by(digest.hexdigest()):
        if fault:
            raise fault
        if not stream.found_list:
            raise RejectedError(Code.MISSING_SECTION, [Finding("/therapists", Code.MISSING_SECTION)])
        scrape = _scrape(file, stream.others, digest.hexdigest(), lambda: _chunks_of(folder.opened(file)))
    return replace(scrape, is_small=False)


@contextmanager
def _known_by(sha256: str) -> Iterator[None]:
    """A file that is refused is known by its content all the same."""
    try:
        yield
    except RejectedError as error:
        error.noted = {"file_hash": sha256}
        raise


def _scrape(
    file: ScrapeFile, document: dict[str, object], sha256: str, chunks: Callable[[], Iterator[list[Record]]]
) -> Scrape:
    envelope, findings = read_envelope(document.get("metadata"), file.zip, file.dating(now()))
    odd = [Finding(f"/{escaped(key)}", Code.UNKNOWN_FIELD) for key in document if key not in _KNOWN_KEYS]
    odd += [Finding("", Code.ZIP_PADDED)] if file.is_padded else []
    scrape = Scrape(envelope, [*odd, *findings], sha256, chunks)
    for chunk in chunks():
        for record in chunk:
            if isinstance(record, BadRecord):
                scrape.invalid += 1
            else:
                scrape.valid += 1
                scrape.claims[record.claim] += 1
                if record.claim is Claim.DELETED:
                    scrape.dismissed.add(name_of(record.traits))
                else:
                    scrape.filled.update([name for name, value in record.fields.items() if value])
    return scrape


def _chunks_of(opened: AbstractContextManager[BinaryIO]) -> Iterator[list[Record]]:
    with opened as file:
        elements = JsonStream(file, "therapists").elements()
        yield from _chunked(_record(raw, index) for index, raw in enumerate(elements))


def _chunked(records: Iterator[Record]) -> Iterator[list[Record]]:
    while chunk := list(islice(records, CHUNK_RECORDS)):
        yield chunk


def _therapists(document: dict[str, object]) -> list[object]:
    found = document.get("therapists")
    if not isinstance(found, list):
        raise RejectedError(Code.MISSING_SECTION, [Finding("/therapists", Code.MISSING_SECTION)])
    return found


def _record(raw: object, index: int) -> Record:
    if raw is TOO_LONG:
        return BadRecord(index, (Finding(f"/therapists/{index}", Code.RECORD_TOO_LARGE, index),))
    try:
        return map_record(raw, index)
    except RejectedError as error:
        return BadRecord(index, error.findings)
