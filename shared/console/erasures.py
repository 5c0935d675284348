"""Erasing a person: before it, what would go and what is in doubt; after it, the certificate and what is left open."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import person_words
from shared.core.errors import NotFound
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput
from shared.http.accesses import note_people
from shared.http.auth import actor, needs
from shared.http.requests import paging
from shared.http.service import current_service

_ONE = "/<int:entity_id>/erase"
_ERASURE = "/erasures/<int:erasure_id>"
_CHOICES = ("also", "keep", "others")

C = TypeVar("C", bound=Mapping[str, Any])
"""A certificate, as the service has it: with `removed`, `doubtful`, `possible_duplicates`, `not_reached` and
`out_of_reach`."""


Names = Callable[[Connection, Collection[int]], Mapping[int, str]]
"""The names of those of the numbers who are there."""


class Found(Protocol):
    """What an erasure would find: numbers of the person's `files`, how many `copies` without an entry, the numbers of
    `doubtful` files, how many `doubtful_copies` without an entry, and the numbers of patients who may be the same
    person."""

    @property
    def files(self) -> Sequence[int]: ...

    @property
    def copies(self) -> Sequence[str]: ...

    @property
    def doubtful(self) -> Sequence[int]: ...

    @property
    def doubtful_copies(self) -> Sequence[str]: ...

    @property
    def duplicates(self) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Erasing(Generic[C]):
    """Erasing a person, where a service does that.

    `find` tells what would be found, touching nothing. `erase` takes the number, the actor, and of doubtful files those
    that go `also` and those to `keep`, and of patients the `others`. `certificates` is the table of what was erased,
    with `id`, `patient_id`, `erased_by`, `erased_at` and `certificate`; `read` gives a row's certificate, `is_open`
    whether anything of it is left to do, `page` what the person is handed.
    """

    find: Callable[[int], Found]
    erase: Callable[[int, str, Mapping[str, Sequence[int]]], object]
    certificates: sa.Table
    read: Callable[[RowMapping], C]
    is_open: Callable[[C], bool]
    page: Callable[[C], str]


def add_erasing(routes: Blueprint, names: Names, erasing: Erasing[Any]) -> None:
    """Adds the pages to those of the service's people."""
    pages, operated = _Pages(names, erasing), needs(Role.OPERATE)
    routes.get(_ONE, endpoint="ask_erase")(operated(pages.ask))
    routes.post(_ONE, endpoint="erase")(operated(pages.erase))
    routes.get("/erasures", endpoint="erasures")(operated(pages.index))
    routes.get(_ERASURE, endpoint="erasure")(operated(pages.show))
    routes.post(_ERASURE, endpoint="decide_erasure")(operated(pages.decide))
    routes.get(f"{_ERASURE}/certificate", endpoint="certificate")(operated(pages.download))
    routes.get(f"{_ERASURE}/certificate.html", endpoint="certificate_page")(operated(pages.printed))


class _Pages(Generic[C]):
    """The views."""

    def __init__(self, names: Names, erasing: Erasing[C]) -> None:
        self._names = names
        self._erasing = erasing

    def ask(self, entity_id: int) -> str:
        return self._ask(entity_id)

    def _ask(self, entity_id: int, problem: str | None = None) -> str:
        found = self._erasing.find(entity_id)
        with transaction(current_service().engine) as connection:
            name = self._names(connection, [entity_id])[entity_id]
        return render_template(
            "console/erase.html", entity_id=entity_id, name=name, found=found,
            doubts=self._doubts(found.doubtful, found.duplicates),
            chosen=request.form, problem=problem,
        )  # fmt: skip

    def erase(self, entity_id: int) -> ResponseReturnValue:
        """Erases, if the number was typed; leads to the certificate."""
        if request.form.get("number", "").strip() != str(entity_id):
            return self._ask(entity_id, gettext("That is not the number. Nothing was erased.")), 400
        try:
            self._erasing.erase(entity_id, actor(), _chosen())
        except InvalidInput:
            changed = gettext("What is in doubt has changed in the meantime. Nothing was erased: please look again.")
            return self._ask(entity_id, changed), 409
        table = self._erasing.certificates
        latest = sa.select(sa.func.max(table.c.id)).where(table.c.patient_id == entity_id)
        with transaction(current_service().engine) as connection:
            erasure_id = connection.execute(latest).scalar_one()
        flash(gettext("The person's data is erased. Keep the certificate."), "done")
        return redirect(url_for("console.people.erasure", erasure_id=erasure_id))

    def index(self) -> str:
        table, page = self._erasing.certificates, paging()
        statement = sa.select(table).order_by(table.c.id.desc()).offset(page.offset).limit(page.limit)
        with transaction(current_service().engine) as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            rows = connection.execute(statement).mappings().all()
        opened = {row["id"] for row in rows if self._erasing.is_open(self._erasing.read(row))}
        pages = page.pages(total)
        return render_template(
            "console/erasures.html", rows=rows, opened=opened, total=total, page=page.page, pages=pages
        )

    def show(self, erasure_id: int) -> str:
        row, certificate = self._certificate(erasure_id)
        doubts = self._doubts(certificate["doubtful"], certificate["possible_duplicates"])
        return render_template(
            "console/erasure.html", row=row, certificate=certificate, doubts=doubts, chosen={},
            person_words=person_words,
        )  # fmt: skip

    def decide(self, erasure_id: int) -> ResponseReturnValue:
        """Takes what was chosen of the doubts; leads back to the certificate."""
        row, _ = self._certificate(erasure_id)
        try:
            self._erasing.erase(row["patient_id"], actor(), _chosen())
        except (InvalidInput, NotFound):
            flash(gettext("What is in doubt has changed in the meantime. Please look again."), "warn")
        return redirect(url_for("console.people.erasure", erasure_id=erasure_id))

    def download(self, erasure_id: int) -> Response:
        row, certificate = self._certificate(erasure_id)
        text = json.dumps(certificate, ensure_ascii=False, indent=2)
        name = f"curavani-erasure-{row['patient_id']}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, mimetype="application/json", headers=headers)

    def printed(self, erasure_id: int) -> Response:
        """The certificate as it is handed to the person."""
        page = self._erasing.page(self._certificate(erasure_id)[1])
        return Response(page, mimetype="text/html", headers={"Content-Security-Policy": _policy(page)})

    def _certificate(self, erasure_id: int) -> tuple[RowMapping, C]:
        table = self._erasing.certificates
        with transaction(current_service().engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == erasure_id)).mappings().one_or_none()
        if row is None:
            raise NotFound("Certificate not found")
        note_people([row["patient_id"]])
        return row, self._erasing.read(row)

    def _doubts(self, files: Sequence[int], patients: Sequence[int]) -> dict[str, Sequence[object]]:
        """What there is to know of doubtful files, and of patients who may be the same person."""
        service = current_service()
        table = service.kernel.import_tracking
        wanted = sa.select(table).where(table.c.id.in_(files)).order_by(table.c.id)
        with transaction(service.engine) as connection:
            rows = connection.execute(wanted).mappings().all()
            # Who was erased since is in no doubt any more.
            named = sorted(self._names(connection, patients).items())
        note_people(patients)
        return {"files": rows, "patients": named}


def _chosen() -> dict[str, list[int]]:
    """What the form decides, by number. What is not decided stays in doubt."""
    chosen: dict[str, list[int]] = {choice: [] for choice in _CHOICES}
    for name, choice in request.form.items():
        number = name.partition("-")[2]
        if choice in chosen and number.isascii() and number.isdigit():
            chosen[choice].append(int(number))
    return chosen


def _policy(page: str) -> str:
    """Lets the page's own style in, and nothing else."""
    digests = [
        b64encode(sha256(style.encode()).digest()).decode() for style in re.findall("<style>([^<]*)</style>", page)
    ]
    styles = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; style-src {styles}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"


def _digest(style: str) -> str:
    return b64encode(sha256(style.encode()).digest()).decode()
