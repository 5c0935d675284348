"""What a batch of files is to leave in the database, collected and written together."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.database.copy import copy_rows
from shared.imports.records import Outcome, write_all_findings, write_all_outcomes
from shared.reviews.values import NewReview
from therapist_service.imports.drift import Fill
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.fill_rates import keep_fills
from therapist_service.imports.proposals import Proposal
from therapist_service.imports.register import Register
from therapist_service.imports.review_upkeep import ask
from therapist_service.models import kernel, proposed_deletions

_PROPOSED = ("import_id", "record_index", "entity_id", "scrape_day", "zip", "said_at", "rule")


@dataclass(slots=True)
class Journal:
    """Outcomes, findings and reviews by the file's number, proposed deletions, how full the scrapes were; and the
    register, whose rows are written before anything that speaks of them."""

    connection: Connection
    register: Register
    fills: list[tuple[Envelope, Fill]] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    _outcomes: dict[int, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    _findings: dict[int, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    _reviews: dict[int, list[NewReview]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, import_id: int, outcome: Outcome) -> None:
        self._outcomes[import_id].append(outcome)

    def remark(self, import_id: int, findings: Iterable[Finding]) -> None:
        self._findings[import_id] += findings

    def ask(self, review: NewReview, import_id: int) -> None:
        self._reviews[import_id].append(review)

    def write(self) -> None:
        """Writes all of it. What a file asks is asked after what the files before it have asked."""
        self.register.flush()
        write_all_outcomes(self.connection, kernel, self._outcomes)
        write_all_findings(self.connection, kernel, self._findings)
        keep_fills(self.connection, self.fills)
        copy_rows(self.connection, proposed_deletions, _PROPOSED, self.proposals)
        for reviews in self._reviews.values():
            ask(self.connection, reviews)
        self.fills, self.proposals = [], []
        for written in (self._outcomes, self._findings, self._reviews):
            written.clear()
