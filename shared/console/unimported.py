"""The people whose registration is not imported yet, as far as the kept copies of their files can be read.

Nothing of them is written anywhere else: a copy is read when somebody who may see persons looks for one. So an erasure
and the end of a copy's time have no further place to look after.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.console.corrections import Correcting
from shared.console.waiting import age_of
from shared.core.errors import RejectedError, TransientError
from shared.database.tables import KernelTables
from shared.http.service import current_service
from shared.text.json_faults import text_of
from shared.text.search import Sought, read_search
from shared.words.statuses import FileStatus

_NOT_IMPORTED = (FileStatus.FAILED, FileStatus.RETRYING, FileStatus.PENDING)
_LONGEST_VALUE = 300
_READ_OF_UNREADABLE = 20_000
"""Bytes of a file that is no JSON: its beginning has the name, or nothing has."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration that is not imported: its file, since when it waits, and who it is, as far as the copy says.

    `text` is all that a search looks through.
    """

    import_id: int
    status: str
    error_code: str | None
    since: datetime
    name: str
    phone: str | None
    email: str | None
    born: date | None
    text: str

    @property
    def is_told(self) -> bool:
        """Whether the copy says anything of the person."""
        return bool(self.name or self.phone or self.born)

    @property
    def age(self) -> int | None:
        """In years, where the file tells."""
        return age_of(self.born) if self.born else None


def waiting_rows(
    connection: Connection, kernel: KernelTables, statuses: Sequence[FileStatus], *, most: int | None = None
) -> Sequence[RowMapping]:
    """The files of these states, longest waiting first; at most so many."""
    columns = kernel.import_tracking.c
    # A registration waits since it was uploaded, however late the import found it.
    since = sa.func.coalesce(columns.get("uploaded_at", sa.null()), columns.first_seen_at).label("since")
    names = ("id", "status", "error_code", "file_name", *(["local_path"] if "local_path" in columns else []))
    waiting = sa.select(*(columns[name] for name in names), since).where(columns.status.in_(statuses))
    return connection.execute(waiting.order_by(since, columns.id).limit(most)).mappings().all()


def looked_for(
    connection: Connection, kernel: KernelTables, correcting: Correcting, sought: Sought
) -> list[Registration]:
    """Those that the search means, longest waiting first."""
    rows = waiting_rows(connection, kernel, _NOT_IMPORTED)
    return [
        found
        for found in (registration_of(correcting, row) for row in rows)
        if sought.fits(found.text, found.phone, found.born)
    ]


def registration_of(correcting: Correcting, row: RowMapping) -> Registration:
    """Who it is whose file this row of `waiting_rows` is about."""
    content = _copy(correcting, row)
    said: dict[str, str] = {}
    text = ""
    if content is not None:
        try:
            person = correcting.person_in(correcting.read(content))
        except RejectedError:
            text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text_of(content[:_READ_OF_UNREADABLE]))
        else:
            names = {*current_service().fields.searched, "geburtsdatum"}
            said = {
                name: value[:_LONGEST_VALUE].strip() for name in names if isinstance(value := person.get(name), str)
            }
    return Registration(
        import_id=row["id"],
        status=row["status"],
        error_code=row["error_code"],
        since=row["since"],
        name=" ".join(filter(None, (said.get("vorname"), said.get("nachname")))),
        phone=said.get("telefon"),
        email=said.get("email"),
        born=_day(said.get("geburtsdatum", "")),
        text=" ".join([*said.values(), text, (row["file_name"] or "")[:_LONGEST_VALUE].replace("_", " ")]),
    )


def _copy(correcting: Correcting, row: RowMapping) -> bytes | None:
    """A disk that does not answer must not keep the people from being found whose copies are elsewhere."""
    try:
        return correcting.copy_of(row)
    except TransientError:
        return None


def _day(text: str) -> date | None:
    """The day in whatever notation; that it came in a wrong one may be why the registration failed."""
    return next(iter(read_search(text).days), None)
