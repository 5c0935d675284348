"""What scrapers do to texts, and what is done about it: entities, broken encodings, placeholders, titles in names.

Pure functions on single texts. Most texts need nothing of it, so each looks for its sign first.
"""

import re
from html import unescape
from unicodedata import is_normalized

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NESTED = 3
"""So often a scraper may have encoded what was encoded."""

# The bytes 80 to 9F, in which Windows-1252 has characters of its own; where it has none, readers take the byte itself.
_WINDOWS = {ord(bytes([byte]).decode("cp1252", "replace")): byte for byte in range(0x80, 0xA0)}
_WINDOWS.pop(0xFFFD)
_MISREAD = re.compile(f"[\xc2-\xf4][\x80-\xbf{''.join(map(chr, _WINDOWS))}]")

_PLACEHOLDERS = frozenset(
    {"k.a.", "k.a", "ka.", "keineangabe", "keineangaben", "n/a", "n.a.", "keine", "null", "unbekannt"}
)
_LONGEST_PLACEHOLDER = 20
_BEGINNINGS = frozenset("kKnNuUhH-‐‑‒–—−")
"""Hardly any text is one, and to see that is cheaper than to look it up."""
_DASHES = re.compile(r"[-‐‑‒–—−]+")
_BARE_ADDRESS = re.compile(r"https?://(?:www\.?)?/?", re.IGNORECASE)

_ADDITION = (
    r"(?:med|phil|rer|nat|soc|pol|oec|paed|päd|psych|theol|jur|iur|ing|dent|vet|biol|sc|hum|habil|disc|medic|univ|mult"
    r"|h\.?\s?c)"
)
_FEMALE = r"(?-i:in|a)(?=\s)"
_TITLE = re.compile(
    rf"""(?:
      (?:univ\.?[\s-]*)?prof(?:\.{_FEMALE}|\.|(?=\s)) | univ\.
      | (?:pd|priv\.?[\s-]?doz)(?:\.|(?=\s))
      | dr(?:\.{_FEMALE}|\.|(?=\s))(?:[\s-]*{_ADDITION}(?:\.|(?=\s)))*
      | dipl(?:\.[\s-]*|-|om-)[a-zäöüß]+(?:\.?-[a-zäöüß]+(?=[.\s,])|\.{_ADDITION}(?=\.))*(?:\.|(?=[\s,]))
      | [mb]\.?\s?sc(?:\.|(?=\s)) | m\.\s?a\. | mag\.(?:{_FEMALE})?
    )(?:[\s-]*{_ADDITION}\.)*[\s,]*(?:\([^)]*\)[\s,]*)?""",
    re.IGNORECASE | re.VERBOSE,
)
_TITLES = re.compile(rf"(?:{_TITLE.pattern})+", _TITLE.flags)
_INITIALS = re.compile(r"(?:[^\W\d_]\.\s?)+")

# Words of Western European letters, and what stands in numbers and addresses, with one space between them.
_WORD = r"[A-Za-z0-9\xc0-\xd6\xd8-\xf6\xf8-\xff.,:;/()+@_'-]+"
_ORDINARY = re.compile(rf"(?![kKnNuUhH-]){_WORD}(?: {_WORD})*")


def is_ordinary(text: str) -> bool:
    """Whether one look tells that the text is clean and no placeholder; most texts need no other."""
    return _ORDINARY.fullmatch(text) is not None


def is_clean(text: str) -> bool:
    """Whether nothing here would change the text or say anything about it but `is_placeholder`."""
    if text.isascii():
        if text.isalnum():
            return True
    elif not is_normalized("NFC", text) or _MISREAD.search(text) or "\ufffd" in text:
        return False
    return "&" not in text and text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " "


def decoded(text: str) -> str:
    """The text without HTML entities, also where they were encoded again. An ampersand that begins none stays."""
    for _ in range(_NESTED):
        if "&" not in text:
            break
        text = _ENTITY.sub(lambda found: unescape(found[0]), text)
    return text


def is_broken(text: str) -> bool:
    """Whether characters were lost (U+FFFD), or UTF-8 was read as Latin-1 or Windows-1252 ("MÃ¼ller")."""
    if "\ufffd" in text:
        return True
    if not _MISREAD.search(text):
        return False
    try:
        bytes(_WINDOWS.get(ord(character), ord(character)) for character in text).decode("utf-8")
    except ValueError:
        # Beyond a byte, or no UTF-8: then it says what it says.
        return False
    return True


def is_placeholder(text: str) -> bool:
    """Whether the cleaned text only says that there is nothing to say."""
    if len(text) > _LONGEST_PLACEHOLDER or text[:1] not in _BEGINNINGS:
        return False
    word = text.casefold().replace(" ", "")
    return word in _PLACEHOLDERS or _DASHES.fullmatch(word) is not None or _BARE_ADDRESS.fullmatch(word) is not None


def without_titles(name: str) -> tuple[str, str]:
    """The name without the academic titles around it, and these; "M. A." alone are somebody's initials."""
    rest = name
    while found := _TITLE.match(rest):
        rest = rest[found.end() :]
    titles = name[: len(name) - len(rest)].strip(" ,")
    if not titles or (not rest and _INITIALS.fullmatch(name)):
        return _without_title_behind(name)
    return rest, titles


def _without_title_behind(name: str) -> tuple[str, str]:
    """The name without the titles behind a comma ("Berg, Dipl.-Psych."), and these."""
    rest, _, behind = name.partition(",")
    titles = behind.strip()
    is_title = bool(rest.strip()) and _TITLES.fullmatch(f"{titles} ") is not None
    return (rest.strip(), titles) if is_title else (name, "")


def with_house_number(street: str, number: str) -> str:
    """Street and number as one, unless the street's last words are the number already ("Ring 12 a" and "12a")."""
    wanted = number.casefold().replace(" ", "")
    street = street.rstrip(" ,;")
    spoken = street.casefold()
    compact = spoken.replace(" ", "")
    if compact == wanted:
        return street
    if compact.endswith(wanted):
        # Where in the street it begins, white space aside: a word, or behind a dot, but no end of a longer number.
        position, left = len(spoken), len(wanted)
        while left:
            position -= 1
            left -= spoken[position] != " "
        if not spoken[position - 1].isalnum():
            return street
    return f"{street} {number}"
