"""Sample registrations with what should become of each: ordinary ones, and one of every peculiarity."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

from curavani.demo.samples.people import Person
from curavani.demo.samples.registration_form import CONSENT_TEXT, Document, Form, Submission, encode, object_name

IMPORTED = "success"
UPDATED = "updated"
OVERSIZE_BYTES = 5 * 1024 * 1024 + 1
"""One byte more than a registration may have by default."""


class Registration(NamedTuple):
    """An object for the bucket.

    `expected` is what becomes of it: `success` (a new patient), `updated` (an earlier one of the same list changed),
    or a code of the catalogue: an error means that it is refused with it, a finding that it is imported with it.
    """

    object_name: str
    content: bytes
    expected: str


def specification_example() -> Registration:
    """The specification's registration, with the fields that it leaves out filled in."""
    document: Document = {
        "patient_data": {
            "anrede": "Herr",
            "geschlecht": "männlich",
            "vorname": "Max",
            "nachname": "Mustermann",
            "geburtsdatum": "2000-01-01",
            "strasse": "Salierallee 15",
            "plz": "52066",
            "ort": "Aachen",
            "email": "max.mustermann@example.com",
            "telefon": "0171 3920042",
            "hausarzt": "Dr. Beispiel, Aachen",
            "krankenkasse": "Techniker Krankenkasse",
            "krankenversicherungsnummer": "A123456780",
            "symptome": "Niedergeschlagenheit, Schlafstörungen",
            "erfahrung_mit_psychotherapie": False,
            "letzte_sitzung_vorherige_psychotherapie": "",
            "hat_ptv11": True,
            "empfehler_der_unterstuetzung": "Hausarztpraxis",
            "zeitliche_verfuegbarkeit": {"montag": ["09:00-17:00"], "donnerstag": ["14:00-20:00"]},
            "raeumliche_verfuegbarkeit": {"max_km": 25},
            "verkehrsmittel": "ÖPNV",
            "offen_fuer_gruppentherapie": True,
            "offen_fuer_diga": False,
            "bevorzugtes_therapeutengeschlecht": "Egal",
            "bevorzugtes_therapieverfahren": "egal",
        },
        "consent_metadata": {
            "ip_address": "37.201.29.143",
            "user_agent": "Mozilla/5.0...",
            "timestamp_utc": "2025-07-05T14:33:55Z",
            "consent_version": "2025-06",
            "consent_text": CONSENT_TEXT,
        },
        "registration_timestamp": "2025-07-05 14:33:55",
        "registration_token": "0b1ab67b",
    }
    return Registration(object_name(document), encode(document), IMPORTED)


def generate_registrations(seed: int, count: int, *, broken: bool = True) -> list[Registration]:
    """`count` ordinary registrations; with `broken` also one of each peculiarity, scattered among them.

    In the order of upload. All are of different people but where the peculiarity is that they are not, and those come
    after the one they refer to, so `broken` asks for at least one ordinary registration (`ValueError`).
    """
    form = Form(seed)
    ordinary = [form.fill() for _ in range(count)]
    samples = [Registration(submission.object_name, submission.encoded(), IMPORTED) for submission in ordinary]
    if not broken:
        return samples
    if not ordinary:
        raise ValueError("peculiar registrations refer to an ordinary one")
    for expected, make in _PECULIARITIES.items():
        name, content = make(form, ordinary[0])
        samples.insert(form.people.random.randint(1, len(samples)), Registration(name, content, expected))
    return samples


def _stored(submission: Submission) -> tuple[str, bytes]:
    return submission.object_name, submission.encoded()


def _truncated(form: Form, _: Submission) -> tuple[str, bytes]:
    name, content = _stored(form.fill())
    return name, content[: len(content) * 2 // 3]


def _without(left_out: str, form: Form, _: Submission) -> tuple[str, bytes]:
    submission = form.fill()
    return submission.object_name, encode({k: v for k, v in submission.document.items() if k != left_out})


def _with_bad_fields(form: Form, _: Submission) -> tuple[str, bytes]:
    return _stored(form.fill(anrede="Dr.", geburtsdatum="1991-02-29", email="anna.schmidt(at)example.com"))


def _under_another_token(form: Form, _: Submission) -> tuple[str, bytes]:
    document = form.fill().document
    return object_name(document, token=form.new_token()), encode(document)


def _empty(form: Form, _: Submission) -> tuple[str, bytes]:
    return form.fill().object_name, b""


def _oversize(form: Form, _: Submission) -> tuple[str, bytes]:
    name, content = _stored(form.fill())
    return name, content.ljust(OVERSIZE_BYTES)


def _with_unknown_field(form: Form, _: Submission) -> tuple[str, bytes]:
    return _stored(form.fill(lieblingsfarbe="grün"))


def _with_staff_field(form: Form, _: Submission) -> tuple[str, bytes]:
    return _stored(form.fill(status="in_Therapie"))


def _under_odd_name(form: Form, _: Submission) -> tuple[str, bytes]:
    return "Anmeldung (Kopie).json", form.fill().encoded()


def _registered_again(form: Form, earlier: Submission) -> tuple[str, bytes]:
    address = form.people.address()
    moved = {"strasse": f"{address.street} {address.house_number}", "plz": address.postal_code, "ort": address.city}
    return _stored(form.refill(earlier, telefon="0152 28817386", **moved))


def _of_the_same_mailbox(form: Form, earlier: Submission) -> tuple[str, bytes]:
    """A sister who uses the family's mailbox."""
    answers = earlier.document["patient_data"]
    born = date.fromisoformat(str(answers["geburtsdatum"])) + timedelta(days=800)
    sister = Person("Frau", "Frieda Luise", str(answers["nachname"]))
    return _stored(form.fill(sister, email=answers["email"], geburtsdatum=born.isoformat()))


_PECULIARITIES: dict[str, Callable[[Form, Submission], tuple[str, bytes]]] = {
    "invalid_json": _truncated,
    "missing_section": partial(_without, "consent_metadata"),
    "validation_failed": _with_bad_fields,
    "token_mismatch": _under_another_token,
    "empty_file": _empty,
    "file_too_large": _oversize,
    "unknown_field": _with_unknown_field,
    "staff_field_ignored": _with_staff_field,
    "missing_token": partial(_without, "registration_token"),
    "unparsable_name": _under_odd_name,
    UPDATED: _registered_again,
    "possible_duplicate": _of_the_same_mailbox,
}
EXPECTATIONS = frozenset({IMPORTED, *_PECULIARITIES})
"""Everything that can be expected of a generated registration."""
