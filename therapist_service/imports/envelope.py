"""What a scrape file says about itself: where and when it was scraped, and whether its size is believable."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median

from shared.core.errors import Finding, RejectedError
from shared.text.strict_json import escaped, is_storable
from shared.words.codes import Code

TOTALS = ("total_therapists", "new_therapists", "modified_therapists", "unchanged_therapists", "deleted_therapists")
"""The totals a file may state, and the names under which `count_findings` expects what was counted."""

_KNOWN_KEYS = frozenset({"scrape_id", "scrape_date", "postcode_area", *TOTALS})
_AREA = re.compile(r"[0-9]{1,5}X{0,4}")
_USUAL_FILES = 3
_KNOWN_RECORDS = 20
_TOLERATED_NEW = 10
_KEY_LENGTH = 60  # of a foreign key's name in a pointer
_CLOCK_TOLERANCE = timedelta(days=1)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScrapeDate:
    """When a scrape was made: its day, the moment in UTC, and whether the scrape itself has said the latter.

    One run of the scraper is one day even where it crosses midnight, so the moment may lie on the next one.
    """

    day: date
    moment: datetime
    is_stated: bool


@dataclass(frozen=True, slots=True)
class Dating:
    """What dates a scrape besides its own word: its folder's date, its file's time, the present; times are aware."""

    folder: date | None
    file: datetime
    present: datetime

    def of(self, stated: object) -> ScrapeDate:
        """The day is the folder's, else that of the moment. The moment is what the scrape says, one without a zone as
        UTC, else the folder's midnight, the time of the file, the present: the first that can be believed."""
        own = _moment(stated)
        folder = datetime.combine(self.folder, time(), UTC) if self.folder else None
        present = self.present.astimezone(UTC)
        believed = [
            moment if moment is not None and self._believes(moment) else None
            for moment in (own, folder, self.file.astimezone(UTC))
        ]
        moment = next((moment for moment in believed if moment is not None), present)
        return ScrapeDate((believed[1] or moment).date(), moment, is_stated=believed[0] is not None)

    def _believes(self, moment: datetime) -> bool:
        # A date in the far future would make every later scrape of its postal code look outdated.
        return _EARLIEST <= moment <= self.present + _CLOCK_TOLERANCE


@dataclass(frozen=True, slots=True)
class Envelope:
    """One scrape of one postal code. Ids are only comparable within `area`; `scrape_moment` is in UTC.

    "The same scrape" means the same `scrape_day`. `totals` are those that the file states, None if it states none.
    """

    zip: str
    area: str
    scrape_day: date
    scrape_moment: datetime
    totals: dict[str, int] | None
    states_moment: bool = True
    """Whether the scrape itself says its moment: only then is one of two files of a day the later one."""

    @property
    def day_began(self) -> datetime:
        """The first moment of the scrape day."""
        return datetime.combine(self.scrape_day, time(), UTC)


def read_envelope(
    document_metadata: object,
    zip: str,  # noqa: A002 - what the postal code is called everywhere here
    dating: Dating,
) -> tuple[Envelope, list[Finding]]:
    """The envelope of the file named after `zip`, with what is odd about it.

    Raises `RejectedError("missing_section")` if there is no metadata object.
    """
    if not isinstance(document_metadata, dict):
        raise RejectedError(Code.MISSING_SECTION, [Finding("/metadata", Code.MISSING_SECTION)])
    unknown = [key for key in document_metadata if key not in _KNOWN_KEYS and is_storable(key)]
    findings = [Finding(f"/metadata/{escaped(key[:_KEY_LENGTH])}", Code.UNKNOWN_FIELD) for key in unknown]
    scraped = dating.of(document_metadata.get("scrape_date"))
    if not scraped.is_stated:
        findings.append(Finding("/metadata/scrape_date", Code.SCRAPE_DATE_ASSUMED))
    area, area_findings = _area(document_metadata.get("postcode_area"), zip)
    totals, total_findings = _totals(document_metadata)
    envelope = Envelope(zip, area, scraped.day, scraped.moment, totals, scraped.is_stated)
    return envelope, [*findings, *area_findings, *total_findings]


def count_findings(envelope: Envelope, totals: Mapping[str, int]) -> list[Finding]:
    """One finding for each stated total that differs from what was counted, by the names in `TOTALS`.

    `total_therapists` may include the deleted ones or leave them out: scrapers do either.
    """
    findings: list[Finding] = []
    for name, stated in (envelope.totals or {}).items():
        allowed = {totals.get(name, 0)}
        if name == "total_therapists":
            allowed.add(totals.get(name, 0) - totals.get("deleted_therapists", 0))
        if stated not in allowed:
            findings.append(Finding(f"/metadata/{name}", Code.WRONG_TOTAL))
    return findings


def is_implausible_change(new: int, total: int, last_count: int) -> bool:
    """Whether so many of a file's records are of new people that the source must have renamed everybody.

    `last_count` is how many records the file of this postal code had that was applied last.
    """
    return last_count >= _KNOWN_RECORDS and new > _TOLERATED_NEW and new * 2 > total


def plausibility(valid: int, invalid: int, usual_counts: Sequence[int]) -> Code | None:
    """The code that keeps the whole file from being applied, None if nothing speaks against it.

    `usual_counts` are the record counts of the files of this postal code that were applied last, the latest first;
    below three of them nothing is usual yet. More than half invalid means that the scraper or its source has changed,
    less than half of the usual number that the scrape broke off.
    """
    if invalid > valid:
        return Code.TOO_MANY_INVALID
    recent = usual_counts[:_USUAL_FILES]
    if len(recent) == _USUAL_FILES and (valid + invalid) * 2 < median(recent):
        return Code.IMPLAUSIBLE_COUNT
    return None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _area(value: object, zip_code: str) -> tuple[str, list[Finding]]:
    """The area in capitals; without one that of the postal code, which is a finding only if something was there."""
    own = f"{zip_code[:2]}XXX"
    if value is None or value == "":
        return own, []
    area = value.strip().upper() if isinstance(value, str) else ""
    if not _AREA.fullmatch(area):
        return own, [Finding("/metadata/postcode_area", Code.POSTCODE_AREA_IGNORED)]
    # The ids belong to the area that was searched, so it counts even where the file's name says otherwise.
    matches = zip_code.startswith(area.rstrip("X"))
    return area, [] if matches else [Finding("/metadata/postcode_area", Code.POSTCODE_AREA_MISMATCH)]


def _totals(metadata: Mapping[str, object]) -> tuple[dict[str, int] | None, list[Finding]]:
    totals: dict[str, int] = {}
    findings: list[Finding] = []
    for name in TOTALS:
        value = metadata.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            totals[name] = value
        elif value is not None:
            findings.append(Finding(f"/metadata/{name}", Code.WRONG_TOTAL))
    return totals or None, findings
