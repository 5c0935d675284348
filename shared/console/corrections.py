"""Correcting a failed file on its page: what the file says, what is wrong in it, and the form that puts it right."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import forms, words
from shared.console.excerpts import excerpt_of
from shared.console.language import meaning
from shared.console.person_form import FieldGroup
from shared.console.resume import is_shown_again, keeps_typed
from shared.core.errors import Finding, NotAllowedError, RejectedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.declaration import Field
from shared.fields.validation import InvalidInput, validate
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.imports_api import DiscardIn
from shared.http.service import current_service
from shared.imports import ledger, story
from shared.text.json_faults import Position, fault_of, text_of
from shared.words.statuses import FileStatus

_ADDRESS = "/<int:import_id>/correct"
_WHOLE = "document"
"""The input that holds the text of a file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Correcting:
    """What only a service knows of correcting its files, and of entering their people by hand.

    `section` is the pointer of the person's fields in a document, `aliases` are other names that they have there.
    `is_possible` says of a file's row whether it can be corrected at all, `is_enterable` whether its person can be
    entered; `copy_of` gives the kept copy of its file, if there is one. `read` gives the document in a file's content,
    `read_remains` what is left of one in a broken file. `check` finds what is wrong in a document that stands for a
    file's, and `correct` imports it; `check_entry` and `enter` do the same with what a person entered. `mix_up` gives
    the two sides of a file that says it is two people's.
    """

    groups: Sequence[FieldGroup]
    section: str
    aliases: Mapping[str, str]
    is_possible: Callable[[RowMapping], bool]
    copy_of: Callable[[RowMapping], bytes | None]
    content_of: Callable[[int], bytes]
    read: Callable[[bytes], Mapping[str, object]]
    check: Callable[[Mapping[str, object], RowMapping], Sequence[Finding]]
    correct: Callable[[int, Mapping[str, object], str, str], None]
    is_enterable: Callable[[RowMapping], bool]
    read_remains: Callable[[bytes], Mapping[str, object]]
    check_entry: Callable[[Mapping[str, object], RowMapping], Sequence[Finding]]
    enter: Callable[[int, Mapping[str, object], str, str], None]
    mix_up: Callable[[Connection, RowMapping, Mapping[str, object], str], tuple[object, object] | None]

    @property
    def fields(self) -> list[Field]:
        """The fields of the form, in the order of their groups."""
        known = {field.name: field for field in current_service().fields}
        return [known[name] for group in self.groups for name in group.fields]

    def person_in(self, document: Mapping[str, object]) -> dict[str, object]:
        """What the document says of the person, by the fields' own names."""
        section = document.get(self.section.removeprefix("/"))
        found = dict(section) if isinstance(section, dict) else {}
        return {self._own_name(name, found): value for name, value in found.items()}

    def _own_name(self, name: str, beside: Mapping[str, object]) -> str:
        own = self.aliases.get(name, name)
        return name if own in beside else own

    def with_changes(self, document: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
        """The document with these fields changed; an empty one is left out."""
        section = document.get(self.section.removeprefix("/"))
        replaced = {alias for alias, name in self.aliases.items() if name in changes}
        kept = {name: value for name, value in dict(section if isinstance(section, dict) else {}).items()
                if name not in replaced and name not in changes}  # fmt: skip
        said = {name: value for name, value in changes.items() if value is not None}
        return {**document, self.section.removeprefix("/"): kept | said}


def add_correcting(routes: Blueprint, correcting: Correcting) -> None:
    """The page of correcting a file, below the files' own."""
    pages = _Pages(correcting)
    routes.get(_ADDRESS, endpoint="ask_correct")(needs(Role.WRITE)(pages.ask))
    routes.post(_ADDRESS, endpoint="correct")(needs(Role.WRITE)(pages.correct))


@dataclass(frozen=True, slots=True)
class _Pages:
    correcting: Correcting

    def ask(self, import_id: int) -> str:
        row, content = self._file(import_id)
        try:
            document = self.correcting.read(content)
        except RejectedError:
            return self._as_text(row, text_of(content), fault_of(content))
        return self._as_form(row, document, forms.texts_of(self.correcting.fields, self.correcting.person_in(document)))

    @keeps_typed
    def correct(self, import_id: int) -> ResponseReturnValue:
        """Imports what was put right; shows the form again, as it was filled in, where something is still wrong."""
        typed = request.form
        try:
            row, content = self._file(import_id)
        except NotAllowedError:
            return overtaken(import_id, self.correcting.fields), 409
        try:
            original = self.correcting.read(content)
        except RejectedError:
            text = typed.get(_WHOLE, "")
            if is_shown_again():
                return self._as_text(row, text, None)
            try:
                document = self.correcting.read(text.encode())
            except RejectedError:
                return self._as_text(row, text, fault_of(text.encode())), 400
            return self._import(row, document) or (self._as_text(row, text, None, document), 400)
        texts = {field.name: typed.get(field.name, "") for field in self.correcting.fields}
        before = self.correcting.person_in(original)
        changes = forms.values_of(self.correcting.fields, texts, before)
        document = self.correcting.with_changes(original, changes)
        if is_shown_again():
            return self._as_form(row, document, texts)
        return self._import(row, document) or (self._as_form(row, document, texts), 400)

    def _import(self, row: RowMapping, document: Mapping[str, object]) -> ResponseReturnValue | None:
        """Leads to the imported file; None where something is still wrong."""
        reason = given_reason()
        if reason is None:
            return None
        try:
            self.correcting.correct(row["id"], document, reason, actor())
        except RejectedError:
            return None
        except NotAllowedError:
            return overtaken(row["id"], self.correcting.fields), 409
        flash(gettext("File %(number)s is corrected and imported.", number=words.number(row["id"])), "done")
        return redirect(url_for("console.imports.show", import_id=row["id"]))

    def _file(self, import_id: int) -> tuple[RowMapping, bytes]:
        service = current_service()
        with transaction(service.engine) as connection:
            row = ledger.find(connection, service.kernel, import_id)
        if row["status"] != FileStatus.FAILED or not self.correcting.is_possible(row):
            raise NotAllowedError(f"File {words.number(import_id)} is {row['status']} and cannot be corrected")
        return row, self.correcting.content_of(import_id)

    def _as_form(self, row: RowMapping, document: Mapping[str, object], texts: Mapping[str, str]) -> str:
        of_fields, others = problems_in(self.correcting, document, row, texts)
        made = forms.inputs(self.correcting.fields, texts, of_fields)
        return render_template(
            "console/correct.html",
            file=row,
            wrong=[made[name] for name in made if name in of_fields],
            groups=[
                (group.heading, [made[name] for name in group.fields if name not in of_fields])
                for group in self.correcting.groups
            ],
            evidence={name: document[name] for name in document if f"/{name}" != self.correcting.section},
            text=None,
            excerpt=None,
            others=others,
            **said_with_it(),
        )

    def _as_text(
        self, row: RowMapping, text: str, fault: Position | None, document: Mapping[str, object] | None = None
    ) -> str:
        findings = self.correcting.check(document, row) if document is not None else ()
        others = [f"{meaning(finding.code)} ({finding.pointer})" for finding in findings]
        return render_template(
            "console/correct.html", file=row, wrong=[], groups=[], evidence={}, text=text, others=others,
            excerpt=excerpt_of(text, fault) if fault else None, **said_with_it(),
        )  # fmt: skip


def problems_in(
    correcting: Correcting, document: Mapping[str, object], row: RowMapping, texts: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
    """What is wrong in the document that stands for the row's file, as sentences: by field, and all else."""
    findings = correcting.check(document, row)
    renamed = [
        Finding(finding.pointer.replace(f"{correcting.section}/{alias}", f"{correcting.section}/{name}"), finding.code)
        for finding in findings
        for alias, name in (correcting.aliases or {"": ""}).items()
    ]
    return forms.problems_of(correcting.fields, dict.fromkeys(renamed), correcting.section, texts)


def given_reason() -> str | None:
    """Why somebody corrects or enters; None where they did not say, or too much."""
    try:
        return validate(DiscardIn, {"reason": request.form.get("reason", "")}).reason
    except InvalidInput:
        return None


def said_with_it() -> dict[str, object]:
    """The reason as it was typed, and whether it is what keeps the form from being taken."""
    posted = request.method == "POST" and not is_shown_again()
    return {
        "reason": request.form.get("reason", ""),
        "needs_reason": posted and given_reason() is None,
        "longest": LONGEST_REMARK,
    }


def overtaken(import_id: int, fields: Iterable[Field]) -> str:
    """Says what somebody else did with the file meanwhile, and keeps what was typed for reading."""
    service = current_service()
    with transaction(service.engine) as connection:
        row = ledger.find(connection, service.kernel, import_id)
        done = story.actions(connection, service.kernel, import_id)
    texts = {field.label: request.form.get(field.name, "") for field in fields}
    typed = [(label, text) for label, text in texts.items() if text]
    return render_template("console/overtaken.html", file=row, last=done[-1] if done else None, typed=typed)
