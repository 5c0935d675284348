"""Normalised keys of names, e-mail addresses and phone numbers: what counts as the same, whatever its notation.

Computed here rather than in SQL, because PostgreSQL has neither ICU nor extensions everywhere. An absent value has no
key (None), and no key equals nothing.
"""

import hashlib
import re
import unicodedata

import phonenumbers

# After casefolding, which makes "ss" of "ß" already. Umlauts are spelled out: "Müller" and "Mueller" are one name.
_SPELLED_OUT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "œ": "oe", "ø": "oe", "å": "aa", "ł": "l", "đ": "d", "ð": "d"}
    | {"þ": "th", "ı": "i"}
)
_STRIPPED = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "æ": "ae", "œ": "oe", "ø": "o", "å": "a", "ł": "l", "đ": "d"})
_LATIN_MARKS = re.compile("[\u0300-\u036f]")
_LATIN = re.compile("[\0-\u00ac\u00ae-\u024f]*")
"""Of such letters a text is in the composed form; the only invisible one among them is left out, the soft hyphen."""
_NO_LETTER = re.compile(r"[\W_]+")
_WHITE_SPACE = re.compile(r"\s+")
_EXTENSION = re.compile(
    r"\s*(?:app|apparat|durchwahl|dw|nebenstelle|nst|ext|x)(?:\b|(?=\d))\.?\s*:?\s*\d*\s*$", re.IGNORECASE
)
_NO_DIGIT = re.compile(r"\D")
_SHORTEST_LINE = 5
_REGION = "DE"
_JOINERS = "\u200c\u200d"
_JOINERS_ASIDE = re.compile(r"(?<!\w)[\u200c\u200d]+|[\u200c\u200d]+(?!\w)")
_MADE_OF_MARKS = {ord(mark): unicodedata.normalize("NFD", mark) for mark in "\u0344\u0f73\u0f75\u0f81"}
_SHORT = 64
"""A run of fewer marks is sorted in no time, however."""
_LONGEST_KEY_BYTES = 600
"""Two such keys and an address fit into an entry of an index, which takes 2,700 bytes."""


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC), without invisible characters; in time linear in its length.

    Two invisible ones stay where they join or part the letters of a word: the zero-width joiner and non-joiner.
    """
    if text.isascii() or _LATIN.fullmatch(text):
        return text
    return unicodedata.normalize("NFC", _presorted(_without_invisible(text)))


def clean_text(text: str) -> str:
    """The composed text with single spaces and none around it."""
    return _WHITE_SPACE.sub(" ", composed(text)).strip()


def trimmed(text: str) -> str:
    """The text without white space and invisible characters around it; nothing is computed of what stands between."""
    if text.isascii():
        return text.strip()
    begin = next((index for index, letter in enumerate(text) if not _says_nothing(letter)), len(text))
    end = next((index for index in range(len(text), begin, -1) if not _says_nothing(text[index - 1])), begin)
    return text[begin:end]


def name_key_part(name: str | None) -> str | None:
    """One name's key: case, accents, umlaut spelling, hyphens and white space do not matter."""
    if not name:
        return None
    if name.isascii():
        # Most names have nothing that the rest is about.
        lowered = name.lower()
        return lowered if lowered.isalpha() else _NO_LETTER.sub(" ", lowered).strip() or lowered.strip() or None
    folded = _folded(name)
    words = _NO_LETTER.sub(" ", _without_marks(folded.translate(_SPELLED_OUT))).strip()
    # A name of punctuation only has to have a key, too: it is the only thing known of it.
    return _indexable(words or folded.strip()) or None


def name_words(text: str) -> set[str]:
    """The words of a text as keys of names have them: a name is in a text if its words are among the text's."""
    return set(_NO_LETTER.sub(" ", _without_marks(_folded(text).translate(_SPELLED_OUT))).split())


def name_key(vorname: str | None, nachname: str | None) -> str:
    """The key of a whole name; first and last name do not flow into each other."""
    return f"{name_key_part(vorname) or ''}|{name_key_part(nachname) or ''}"


def compact_key(text: str | None) -> str | None:
    """The key without any separators: "Müller-Lüdenscheidt" and "Müller Lüdenscheidt" and "MüllerLüdenscheidt"."""
    key = name_key_part(text)
    return key.replace(" ", "") if key else None


def email_key(email: str | None) -> str | None:
    """An address' key: case, white space and Unicode form do not matter."""
    if not email:
        return None
    return _WHITE_SPACE.sub("", composed(email).casefold()) or None


def phone_key(number: str | None) -> str | None:
    """A phone number's key: its international form, or its digits where it is none, and the extension behind an `x`."""
    if not number:
        return None
    # The library would read the letters of "App. 12" as keypad digits.
    plain = _EXTENSION.sub("", number)
    extension = _NO_DIGIT.sub("", number[len(plain) :])
    suffix = f"x{extension}" if extension else ""
    try:
        parsed = phonenumbers.parse(plain.replace("(0)", ""), _REGION)
    except phonenumbers.NumberParseException:
        return (_NO_DIGIT.sub("", plain) + suffix) or None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) + suffix


def line_key(number: str | None) -> str | None:
    """The line of a phone number in Germany, without its extension; of other countries' numbers the digits.

    For looking many numbers up: it costs a fraction of `phone_key`, and what is no number has none.
    """
    if not number:
        return None
    plain = _EXTENSION.sub("", number).replace("(0)", "")
    digits = _NO_DIGIT.sub("", plain)
    if plain.lstrip().startswith("+"):
        digits = "00" + digits
    digits = "0" + digits.removeprefix("0049") if digits.startswith("0049") else digits
    return digits if len(digits) >= _SHORTEST_LINE else None


def search_key(text: str | None) -> str | None:
    """What a search looks in: both spellings of umlauts, "Müller" is found by "mueller" and by "muller"."""
    if not text:
        return None
    if text.isascii():
        return text.casefold()
    folded = _folded(text)
    spellings = {_without_marks(folded.translate(table)) for table in (_SPELLED_OUT, _STRIPPED)}
    return " ".join(sorted(spellings)) or None


def search_words(text: str | None) -> list[str]:
    """The words to look for, in the spelling that `search_key` holds for certain."""
    return _without_marks(_folded(text or "").translate(_SPELLED_OUT)).split()


def _without_marks(text: str) -> str:
    """Without accents; marks of other scripts carry the sound and stay."""
    if text.isascii():
        return text
    return _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", _presorted(text)))


def _folded(text: str) -> str:
    return composed(composed(text).casefold())


def _indexable(key: str) -> str:
    """The key; of one that no index would take, its beginning and a digest: a few letters can fold to many."""
    encoded = key.encode()
    if len(encoded) <= _LONGEST_KEY_BYTES:
        return key
    return f"{encoded[:100].decode(errors='ignore')} {hashlib.sha256(encoded).hexdigest()}"


def _without_invisible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter for letter in _JOINERS_ASIDE.sub("", text) if not _is_invisible(letter))


def _says_nothing(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) == "Cf"


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" and letter not in _JOINERS


def _presorted(text: str) -> str:
    """The same text to Unicode, with long runs of combining marks in the order that normalising gives them.

    It sorts each run by insertion: a megabyte of alternating marks would keep the interpreter for hours.
    """
    if len(text) < _SHORT:
        return text
    marks = [letter for letter in set(text) if unicodedata.combining(letter) or ord(letter) in _MADE_OF_MARKS]
    if not marks:
        return text
    return re.sub(f"[{''.join(marks)}]{{{_SHORT},}}", lambda run: _sorted_marks(run[0]), text)


def _sorted_marks(run: str) -> str:
    return "".join(sorted(run.translate(_MADE_OF_MARKS), key=unicodedata.combining))
