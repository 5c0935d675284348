"""The wrapper that a form may send a registration in, and the signature on it.

`{"signature": hex, "timestamp": …, "data": …}`: the registration is `data`, or the `data` within that. Signed are the
bytes of the outer `data` as they stand in the file, which no parser gives back.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.core.errors import Finding, RejectedError
from shared.text.strict_json import parse_document
from shared.words.codes import Code

_LAYERS = 2
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The registration's document, the JSON pointer to it (empty where it came bare), and the `whole` around it."""

    document: Mapping[str, object]
    pointer: str
    whole: Mapping[str, object]


def unwrap(data: bytes, signature_key: bytes | None) -> Unwrapped:
    """The document in `data`, whose signature is checked where there is a key.

    Raises `RejectedError`: what the parser says, or `signature_invalid`.
    """
    whole: Mapping[str, object] = parse_document(data)
    document = whole
    if signature_key is not None and not _is_signed(document, data, signature_key):
        raise RejectedError(Code.SIGNATURE_INVALID, [Finding("/signature", Code.SIGNATURE_INVALID)])
    pointer = ""
    for _ in range(_LAYERS):
        inner = document.get("data")
        if "patient_data" in document or not isinstance(inner, dict):
            break
        document, pointer = inner, f"{pointer}/data"
    return Unwrapped(document, pointer, whole)


def _is_signed(document: Mapping[str, object], data: bytes, key: bytes) -> bool:
    """Whether the registration stands in the signed value; one that stands beside it is signed by nobody."""
    signature = document.get("signature")
    if not isinstance(signature, str) or not signature.isascii():
        return False
    if "data" not in document or "patient_data" in document:
        return False
    expected = hmac.new(key, _bytes_of(data, "data"), hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.strip().lower(), expected)


def _bytes_of(data: bytes, name: str) -> bytes:
    """A member of the outermost object, as it is written there. The document has been parsed: it is well formed."""
    text = data.decode("utf-8-sig")
    position = text.index("{") + 1
    while True:
        key, position = _DECODER.raw_decode(text, _skip(text, position))
        begin = _skip(text, _skip(text, position) + 1)
        _, position = _DECODER.raw_decode(text, begin)
        if key == name:
            return text[begin:position].encode()
        position = _skip(text, position) + 1


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
