"""What the next scrape would do to the fields that staff changed, by the rule of the merge itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from therapist_service.imports.merge import agrees, merge
from therapist_service.therapist import MAPPED_FIELDS

Fate = Literal["kept", "taken", "asked"]

_SOMETHING_NEW = "\u2042"
"""Stands for a value that neither the source nor the row has had."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A mapped field that differs from what the source said last: what we hold, what it said, and what becomes of ours
    if the source says the same again, and if it says something new."""

    field: str
    ours: object
    said: object
    if_same: Fate
    if_new: Fate


def outlook(base: Mapping[str, object] | None, row: Mapping[str, object]) -> tuple[Outlook, ...]:
    """The fields of a row that differ from `base`, the source's last word; none where the source has said nothing."""
    if base is None:
        return ()
    return tuple(
        Outlook(
            field=field,
            ours=row.get(field),
            said=base.get(field),
            if_same=_fate(field, base, base, row),
            if_new=_fate(field, base, {**base, "anrede": base.get("anrede") or "Herr", field: _SOMETHING_NEW}, row),
        )
        for field in MAPPED_FIELDS
        if not _says_the_same(field, row.get(field), base.get(field))
    )


def _says_the_same(field: str, ours: object, said: object) -> bool:
    return (not ours and not said) or agrees(field, ours, said)


def _fate(field: str, base: Mapping[str, object], theirs: Mapping[str, object], row: Mapping[str, object]) -> Fate:
    merged = merge(base, theirs, row)
    if field in merged.changes:
        return "taken"
    return "asked" if any(conflict.field == field for conflict in merged.conflicts) else "kept"
