"""What can still be read of a registration that is no proper JSON: single answers, as far as each is whole. Pure."""

import json
import re
from collections.abc import Mapping

from patient_service.imports.registration import FORM_NAMES
from patient_service.patient import SELF_REPORTED
from shared.core.errors import RejectedError
from shared.text.json_faults import text_of
from shared.text.strict_json import is_storable, parse_document

_NAMES = "|".join(sorted({*SELF_REPORTED, *FORM_NAMES}))
# A string that ends, or a word of JSON; what is cut off is not taken for an answer.
_ANSWER = re.compile(rf'"({_NAMES})"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.)*"|true|false)')


def answers_in(content: bytes) -> dict[str, object]:
    """The answers by the form's names; of one that stands there twice the first."""
    found: dict[str, object] = {}
    for name, text in _ANSWER.findall(text_of(content)):
        try:
            answer: object = json.loads(text)
        except ValueError:
            continue
        if name not in found and (not isinstance(answer, str) or is_storable(answer)):
            found[name] = answer
    return found


def person_in(content: bytes) -> Mapping[str, object]:
    """A document with what the file says of the person, proper or not."""
    try:
        document: Mapping[str, object] = parse_document(content)
    except RejectedError:
        return {"patient_data": answers_in(content)}
    return document
