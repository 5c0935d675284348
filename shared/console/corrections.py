"""Correcting a failed file on its page: what the file says, what is wrong in it, and the form that puts it right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.engine import RowMapping

from shared.console import forms, words
from shared.console.language import meaning
from shared.console.person_form import FieldGroup
from shared.core.clock import today
from shared.core.errors import CopyGone, Finding, NotAllowedError, RejectedError, TransientError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.declaration import Field
from shared.fields.validation import InvalidInput, validate
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.imports_api import DiscardIn
from shared.http.service import current_service
from shared.imports import ledger
from shared.text.json_faults import Position, fault_of, text_of
from shared.words.statuses import FileStatus

_ADDRESS = "/<int:import_id>/correct"
_AROUND = 40
_WHOLE = "document"
"""The input that holds the text of a file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Correcting:
    """What only a service knows of correcting its files.

    `section` is the pointer of the person's fields in a document, `aliases` are other names that they have there.
    `is_possible` says of a file's row whether it can be corrected at all, `copy_of` gives the kept copy of its file, if
    there is one. `read` gives the document in a file's content, `check` finds what is wrong in one that stands for a
    file's, and `correct` imports it.
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

    @property
    def fields(self) -> list[Field]:
        """The fields of the form, in the order of their groups."""
        known = {field.name: field for field in current_service().fields}
        return [known[name] for group in self.groups for name in group.fields]

    def person_in(self, document: Mapping[str, object]) -> dict[str, object]:
        """What the document says of the person, by the fields' own names."""
        section = document.get(self.section.removeprefix("/"))
        found = dict(section) if isinstance(section, dict) else {}
        renamed = {name: found[alias] for alias, name in self.aliases.items() if alias in found and name not in found}
        return found | renamed

    def with_changes(self, document: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
        """The document with these fields changed; an empty one is left out."""
        section = document.get(self.section.removeprefix("/"))
        replaced = {alias for alias, name in self.aliases.items() if name in changes}
        kept = {name: value for name, value in dict(section if isinstance(section, dict) else {}).items()
                if name not in replaced and name not in changes}  # fmt: skip
        said = {name: value for name, value in changes.items() if value is not None}
        return {**document, self.section.removeprefix("/"): kept | said}


@dataclass(frozen=True, slots=True)
class Waiting:
    """The person whose registration failed, as far as the file says, and what is wrong."""

    name: str
    age: int | None
    facts: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str], ...]


def waiting_in(correcting: Correcting, row: RowMapping) -> Waiting | None:
    """Who waits because this file failed; None where nobody can tell."""
    if row["status"] != FileStatus.FAILED or not correcting.is_possible(row):
        return None
    try:
        document = correcting.read(correcting.content_of(row["id"]))
    except (CopyGone, RejectedError, TransientError):
        return None
    person = correcting.person_in(document)
    of_fields, others = _problems(correcting, document, row, forms.texts_of(correcting.fields, person))
    labels = {field.name: field.label for field in correcting.fields}
    facts = [(labels[name], words.value(person.get(name))) for name in ("telefon", "email", "geburtsdatum")]
    return Waiting(
        name=" ".join(str(person[name]) for name in ("vorname", "nachname") if person.get(name)),
        age=_age(person.get("geburtsdatum")),
        facts=tuple((label, value) for label, value in facts if value),
        problems=(
            *((labels[name], problem) for name, problems in of_fields.items() for problem in problems),
            *(("", problem) for problem in others),
        ),
    )


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

    def correct(self, import_id: int) -> ResponseReturnValue:
        """Imports what was put right; shows the form again, as it was filled in, where something is still wrong."""
        row, content = self._file(import_id)
        typed = request.form
        try:
            original = self.correcting.read(content)
        except RejectedError:
            text = typed.get(_WHOLE, "")
            try:
                document = self.correcting.read(text.encode())
            except RejectedError:
                return self._as_text(row, text, fault_of(text.encode())), 400
            return self._import(row, document) or (self._as_text(row, text, None, document), 400)
        texts = {field.name: typed.get(field.name, "") for field in self.correcting.fields}
        before = self.correcting.person_in(original)
        changes = forms.values_of(self.correcting.fields, texts, before)
        document = self.correcting.with_changes(original, changes)
        return self._import(row, document) or (self._as_form(row, document, texts), 400)

    def _import(self, row: RowMapping, document: Mapping[str, object]) -> ResponseReturnValue | None:
        """Leads to the imported file; None where something is still wrong."""
        reason = _reason()
        if reason is None:
            return None
        try:
            self.correcting.correct(row["id"], document, reason, actor())
        except RejectedError:
            return None
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
        of_fields, others = _problems(self.correcting, document, row, texts)
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
            **_said(),
        )

    def _as_text(
        self, row: RowMapping, text: str, fault: Position | None, document: Mapping[str, object] | None = None
    ) -> str:
        findings = self.correcting.check(document, row) if document is not None else ()
        others = [f"{meaning(finding.code)} ({finding.pointer})" for finding in findings]
        return render_template(
            "console/correct.html", file=row, wrong=[], groups=[], evidence={}, text=text, others=others,
            excerpt=_excerpt(text, fault) if fault else None, **_said(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The place at which a text cannot be read, with some of its line around it."""

    place: Position
    before: str
    at: str
    after: str


def _excerpt(text: str, place: Position) -> Excerpt:
    line, index = [*text.split("\n"), ""][place.line - 1], place.column - 1
    return Excerpt(place, line[max(0, index - _AROUND) : index], line[index : index + 1], line[index + 1 :][:_AROUND])


def _problems(
    correcting: Correcting, document: Mapping[str, object], row: RowMapping, texts: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
    findings = correcting.check(document, row)
    renamed = [
        Finding(finding.pointer.replace(f"{correcting.section}/{alias}", f"{correcting.section}/{name}"), finding.code)
        for finding in findings
        for alias, name in (correcting.aliases or {"": ""}).items()
    ]
    return forms.problems_of(correcting.fields, dict.fromkeys(renamed), correcting.section, texts)


def _reason() -> str | None:
    try:
        return validate(DiscardIn, {"reason": request.form.get("reason", "")}).reason
    except InvalidInput:
        return None


def _said() -> dict[str, object]:
    """The reason as it was typed, and whether it is what keeps the form from being taken."""
    posted = request.method == "POST"
    return {
        "reason": request.form.get("reason", ""),
        "needs_reason": posted and _reason() is None,
        "longest": LONGEST_REMARK,
    }


def _age(born: object) -> int | None:
    try:
        day = date.fromisoformat(str(born))
    except ValueError:
        return None
    return age_of(day)


def age_of(day: date) -> int | None:
    """The age of somebody born on that day; None where nobody can be that old, or that young."""
    present = today()
    age = present.year - day.year - ((present.month, present.day) < (day.month, day.day))
    return age if 0 <= age <= 120 else None
