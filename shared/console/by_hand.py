"""Entering by hand the person of a file that failed: a form with all that can still be read, the file beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.engine import RowMapping

from shared.console import forms, words
from shared.console.corrections import Correcting, given_reason, overtaken, said_with_it
from shared.console.language import meaning
from shared.console.resume import is_shown_again, keeps_typed
from shared.console.waiting import kept_of, waiting_in
from shared.core.errors import CopyGone, Finding, NotAllowedError, RejectedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.auth import actor, needs
from shared.http.service import current_service
from shared.imports import ledger
from shared.words.statuses import FileStatus

_ONE = "/<int:import_id>"


def add_entering(routes: Blueprint, correcting: Correcting) -> None:
    """The form below the file's page, and the file itself to download."""
    pages = _Pages(correcting)
    routes.get(f"{_ONE}/by-hand", endpoint="ask_enter")(needs(Role.WRITE)(pages.ask))
    routes.post(f"{_ONE}/by-hand", endpoint="enter")(needs(Role.WRITE)(pages.enter))
    routes.get(f"{_ONE}/content", endpoint="content")(needs(Role.READ)(pages.content))


@dataclass(frozen=True, slots=True)
class _Pages:
    correcting: Correcting

    def ask(self, import_id: int) -> str:
        row = self._file(import_id)
        try:
            remains = self.correcting.read_remains(self.correcting.content_of(import_id))
        except CopyGone:
            remains = {}
        texts = forms.texts_of(self.correcting.fields, self.correcting.person_in(remains))
        return self._form(row, texts)

    @keeps_typed
    def enter(self, import_id: int) -> ResponseReturnValue:
        """Takes the person in; shows the form again, as it was filled in, where something is still wrong."""
        fields = self.correcting.fields
        try:
            row = self._file(import_id)
        except NotAllowedError:
            return overtaken(import_id, fields), 409
        texts = {field.name: request.form.get(field.name, "") for field in fields}
        if is_shown_again():
            return self._form(row, texts)
        values = forms.values_of(fields, texts, {})
        findings, reason = self.correcting.check_entry(values, row), given_reason()
        if findings or reason is None:
            return self._form(row, texts, findings), 400
        try:
            self.correcting.enter(import_id, values, reason, actor())
        except RejectedError as error:
            return self._form(row, texts, error.findings or (Finding("", error.code),)), 400
        except NotAllowedError:
            return overtaken(import_id, fields), 409
        flash(gettext("The person of file %(number)s is entered.", number=words.number(import_id)), "done")
        return redirect(url_for("console.imports.show", import_id=import_id))

    def content(self, import_id: int) -> Response:
        """The file as it came, under its number: its name may be a person's."""
        headers = {"Content-Disposition": f'attachment; filename="{words.number(import_id)}.json"'}
        return Response(self.correcting.content_of(import_id), mimetype="application/octet-stream", headers=headers)

    def _file(self, import_id: int) -> RowMapping:
        service = current_service()
        with transaction(service.engine) as connection:
            row = ledger.find(connection, service.kernel, import_id)
        if row["status"] != FileStatus.FAILED or not self.correcting.is_enterable(row):
            raise NotAllowedError(f"File {words.number(import_id)} is {row['status']} and cannot be entered")
        return row

    def _form(self, row: RowMapping, texts: Mapping[str, str], findings: Sequence[Finding] = ()) -> str:
        of_fields, others = forms.problems_of(self.correcting.fields, findings, "", texts)
        made = forms.inputs(self.correcting.fields, texts, of_fields)
        with transaction(current_service().engine) as connection:
            waiting = waiting_in(connection, self.correcting, row)
        return render_template(
            "console/by_hand.html",
            file=row,
            waiting=waiting,
            kept=kept_of(self.correcting, row),
            groups=[(group.heading, [made[name] for name in group.fields]) for group in self.correcting.groups],
            wrong=bool(of_fields),
            others=[*others] if others else [],
            meaning_of_file=meaning(row["error_code"]) if row["error_code"] else "",
            **said_with_it(),
        )
