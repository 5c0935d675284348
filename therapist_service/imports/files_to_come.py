"""The files of a scrape day that come later in the pass: what they say of a person, where somebody asks.

A day has more files than are applied together, and neighbours need not stand in the same batch. Most files are never
asked about: only those are read in which the person's postal code stands, and as many as fit into memory only once.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from itertools import chain

from shared.core.errors import CuravaniError
from therapist_service.imports.mapping import Claim, MappedRecord
from therapist_service.imports.scrape import WHOLE_BYTES, Scrape, read_scrape
from therapist_service.imports.scrape_files import ScrapeFile, ScrapeFolder
from therapist_service.imports.traits import Traits

_KEPT_BYTES = 4 * 1024 * 1024
"""So much of what was read is kept until its turn, in the size of the files."""
_POSTAL_CODE = re.compile(rb'"postal_code"\s*:\s*"([0-9]{5})"')

Named = dict[tuple[str | None, str | None], list[tuple[str, Traits]]]
"""Whom files list, by last name and postal code, each with the postal code of the file."""


def named(scrapes: Iterable[Scrape]) -> Named:
    """Whom these scrapes list."""
    found: Named = defaultdict(list)
    for zip_code, record in listed(scrapes):
        found[record.traits.last, record.traits.zip].append((zip_code, record.traits))
    return found


def listed(scrapes: Iterable[Scrape]) -> Iterator[tuple[str, MappedRecord]]:
    """The records of all whom these scrapes list, each with the postal code of the file."""
    for scrape in scrapes:
        for record in chain.from_iterable(scrape.chunks()):
            if isinstance(record, MappedRecord) and record.claim is not Claim.DELETED:
                yield scrape.envelope.zip, record


class FilesToCome:
    """The files of `day`, until each of them `arrives`. Of a large one nothing is known before its turn."""

    def __init__(self, folder: ScrapeFolder, day: date, files: Iterable[ScrapeFile], max_bytes: int) -> None:
        self._folder = folder
        self.day = day
        self._files: dict[str, list[ScrapeFile]] = defaultdict(list)
        for file in files:
            if file.size <= min(WHOLE_BYTES, max_bytes):
                self._files[file.zip].append(file)
        self._mentioning: dict[str, set[str]] | None = None
        """By postal code, those of the files in which it stands."""
        self._looked_into: dict[str, Named | None] = {}
        self._kept: dict[ScrapeFile, Scrape] = {}
        self._room = _KEPT_BYTES

    def arrive(self, file: ScrapeFile) -> Scrape | None:
        """This one speaks for itself from now on. Returns what was read of it, if that was kept."""
        left = [one for one in self._files.pop(file.zip, ()) if one != file]
        self._looked_into.pop(file.zip, None)
        if left:
            self._files[file.zip] = left
        kept = self._kept.pop(file, None)
        self._room += file.size if kept else 0
        return kept

    def listing(self, zip_code: str | None) -> Iterator[Named]:
        """Whom the files list in which this postal code stands."""
        if not self._files or zip_code is None:
            return
        if self._mentioning is None:
            self._mentioning = self._read_postal_codes()
        for mentioning in sorted(self._mentioning.get(zip_code, ())):
            yield self.of(mentioning) or {}

    def of(self, zip_code: str) -> Named | None:
        """Whom the file of this postal code lists; None where none is to come, or it cannot be read."""
        if zip_code not in self._files:
            return None
        if zip_code not in self._looked_into:
            self._looked_into[zip_code] = self._look_into(self._files[zip_code])
        return self._looked_into[zip_code]

    def _look_into(self, files: Iterable[ScrapeFile]) -> Named | None:
        scrapes: list[Scrape] = []
        for file in files:
            # What is wrong with it is told in its turn.
            with suppress(CuravaniError):
                scrapes.append(self._read(file))
        of_day = [scrape for scrape in scrapes if scrape.envelope.scrape_day == self.day]
        return named(of_day) if of_day else None

    def _read(self, file: ScrapeFile) -> Scrape:
        scrape = read_scrape(self._folder, file, WHOLE_BYTES)
        if file.size <= self._room:
            self._room -= file.size
            self._kept[file] = scrape
        return scrape

    def _read_postal_codes(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for file in chain.from_iterable(self._files.values()):
            with suppress(CuravaniError):
                data, _ = self._folder.read(file)
                for zip_code in set(_POSTAL_CODE.findall(data)):
                    found[zip_code.decode()].add(file.zip)
        return found
