"""Erasing somebody who objects to being listed, the certificate of it, and whom imports leave out from then on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.engine import Connection

from shared.console import person_words
from shared.core.errors import NotFound
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.requests import paging
from shared.http.service import current_service

_ONE = "/<int:entity_id>/erase"
_LEFT_OUT = "/left-out"
_CERTIFICATE = f"{_LEFT_OUT}/<int:number>"


class LeftOut(Protocol):
    """Somebody whom imports leave out. `certificate` says what was removed, in numbers."""

    @property
    def id(self) -> int: ...

    @property
    def erased_by(self) -> str: ...

    @property
    def erased_at(self) -> datetime: ...

    @property
    def certificate(self) -> Mapping[str, object] | None: ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure would remove: whose data, how many rows of each kind, and other entries that may be the same
    person's."""

    name: str
    removed: Mapping[str, int]
    doubtful: Sequence[int]


@dataclass(frozen=True, slots=True)
class Objecting:
    """How a service erases somebody who objects: `erase` takes the number, the actor and a reason, and returns the
    number of the certificate; `allow` lets imports bring them back."""

    preview: Callable[[Connection, int], Preview]
    erase: Callable[[int, str, str | None], int]
    left_out: Callable[[Connection], Sequence[LeftOut]]
    allow: Callable[[Connection, int, str], None]


def add_objecting(routes: Blueprint, objecting: Objecting) -> None:
    """The pages, for people who may erase."""
    pages = _Pages(objecting)
    operated = needs(Role.OPERATE)
    routes.get(_ONE, endpoint="ask_erase")(operated(pages.ask))
    routes.post(_ONE, endpoint="erase")(operated(pages.erase))
    routes.get(_LEFT_OUT, endpoint="left_out")(operated(pages.index))
    routes.get(_CERTIFICATE, endpoint="objection")(operated(pages.show))
    routes.get(f"{_CERTIFICATE}/certificate", endpoint="objection_certificate")(operated(pages.download))
    routes.post(f"{_CERTIFICATE}/allow", endpoint="allow")(operated(pages.allow))


class _Pages:
    def __init__(self, objecting: Objecting) -> None:
        self._objecting = objecting

    def ask(self, entity_id: int) -> str:
        return self._ask(entity_id)

    def _ask(self, entity_id: int, problem: str | None = None) -> str:
        with transaction(current_service().engine) as connection:
            preview = self._objecting.preview(connection, entity_id)
        return render_template(
            "console/object.html", entity_id=entity_id, preview=preview, problem=problem, person_words=person_words,
            longest=LONGEST_REMARK, reason=request.form.get("reason", ""),
        )  # fmt: skip

    def erase(self, entity_id: int) -> ResponseReturnValue:
        """Erases, if the number was typed; leads to the certificate."""
        if request.form.get("number", "").strip() != str(entity_id):
            return self._ask(entity_id, gettext("That is not the number. Nothing was erased.")), 400
        reason = request.form.get("reason", "").replace("\x00", "").strip()[:LONGEST_REMARK] or None
        number = self._objecting.erase(entity_id, actor(), reason)
        flash(gettext("The person's data is erased. Keep the certificate."), "done")
        return redirect(url_for("console.people.objection", number=number))

    def index(self) -> str:
        with transaction(current_service().engine) as connection:
            everybody = self._objecting.left_out(connection)
        page, total = paging(), len(everybody)
        rows = everybody[page.offset : page.offset + page.limit]
        pages = page.pages(total)
        return render_template("console/left_out.html", rows=rows, total=total, page=page.page, pages=pages)

    def show(self, number: int) -> str:
        return render_template("console/objection.html", row=self._found(number), person_words=person_words)

    def download(self, number: int) -> Response:
        """The certificate itself: after a restored backup it is what knows the person again."""
        text = json.dumps(self._found(number).certificate, ensure_ascii=False, indent=2)
        headers = {"Content-Disposition": f'attachment; filename="curavani-objection-{number}.json"'}
        return Response(text, mimetype="application/json", headers=headers)

    def allow(self, number: int) -> ResponseReturnValue:
        with transaction(current_service().engine) as connection:
            self._objecting.allow(connection, number, actor())
        flash(gettext("The next scrape that lists the person brings them back."), "done")
        return redirect(url_for("console.people.left_out"))

    def _found(self, number: int) -> LeftOut:
        with transaction(current_service().engine) as connection:
            for row in self._objecting.left_out(connection):
                if row.id == number:
                    return row
        raise NotFound("Certificate not found")
