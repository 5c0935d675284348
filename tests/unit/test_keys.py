"""What counts as the same name, address or number, whatever its notation."""

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.keys import (
    clean_text,
    compact_key,
    email_key,
    line_key,
    name_key,
    name_key_part,
    name_words,
    phone_key,
    search_key,
    search_words,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  von  der\n Heide\t", "von der Heide"),
        ("Mu\u0308ller", "Müller"),
        ("a\u00a0b", "a b"),
        ("", ""),
        (" ", ""),
        ("ﬁ", "ﬁ"),
    ],
)
def test_a_cleaned_text_is_composed_and_singly_spaced(text, cleaned):
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Max", "max"),
        (" Max ", "max"),
        ("O'Brien", "o brien"),
        ("O’Brien", "o brien"),
        ("Karl--Heinz  von_der Heide", "karl heinz von der heide"),
        ("Müller", "mueller"),
        ("MU\u0308LLER", "mueller"),
        ("Weiß", "weiss"),
        ("WEIẞ", "weiss"),
        ("Zoë", "zoe"),
        ("Łukasz", "lukasz"),
        ("Ærø", "aeroe"),
        ("Œuvre", "oeuvre"),
        ("Åsa", "aasa"),
        ("Đorđe", "dorde"),
        ("Ðþ", "dth"),
        ("Yıldız", "yildiz"),
        ("Đặng-Nguyễn", "dang nguyen"),
        ("Иванов", "иванов"),
        # Of punctuation alone, the punctuation is all there is.
        ("-", "-"),
        (" - ", "-"),
        ("–", "–"),
        (" – ", "–"),
        ("", None),
        (" ", None),
        ("\u00a0", None),
        (None, None),
    ],
)
def test_a_name_has_a_key(name, key):
    assert name_key_part(name) == key


@pytest.mark.parametrize(
    ("vorname", "nachname", "key"),
    [
        ("Max", "Müller", "max|mueller"),
        ("Karl-Heinz", " WEISS ", "karl heinz|weiss"),
        (None, "Müller", "|mueller"),
        ("Max", "", "max|"),
        (None, None, "|"),
    ],
)
def test_first_and_last_name_do_not_flow_into_each_other(vorname, nachname, key):
    assert name_key(vorname, nachname) == key


@pytest.mark.parametrize(("one", "other"), [(("Max", "Null"), ("Max", "")), (("A", "BC"), ("AB", "C"))])
def test_different_names_have_different_keys(one, other):
    assert name_key(*one) != name_key(*other)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Müller-Lüdenscheidt", "muellerluedenscheidt"),
        ("Müller Lüdenscheidt", "muellerluedenscheidt"),
        ("MüllerLüdenscheidt", "muellerluedenscheidt"),
        ("von der Heide", "vonderheide"),
        ("", None),
        (None, None),
    ],
)
def test_a_compact_key_has_no_separators(text, key):
    assert compact_key(text) == key


@pytest.mark.parametrize(
    ("email", "key"),
    [
        (" Max.Mustermann@Example.COM ", "max.mustermann@example.com"),
        ("max @example.com", "max@example.com"),
        ("mu\u0308ller@example.com", "müller@example.com"),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_an_address_has_a_key(email, key):
    assert email_key(email) == key


@pytest.mark.parametrize(
    ("number", "key"),
    [
        ("+49 241 12345", "+4924112345"),
        ("0241 12345", "+4924112345"),
        ("0241/12345", "+4924112345"),
        ("0049 241 12345", "+4924112345"),
        ("+49 (0)241 12345", "+4924112345"),
        ("(0)0241 12345", "+4924112345"),
        ("0241 12345 App. 12", "+4924112345x12"),
        ("0241 12345 Apparat:12", "+4924112345x12"),
        ("0241 12345 DW 12", "+4924112345x12"),
        ("0241 12345 Durchwahl", "+4924112345"),
        ("0241 12345x12", "+4924112345x12"),
        ("0241 12345 ext 12", "+4924112345x12"),
        ("+43 1 58858", "+43158858"),
        # What is no number has its digits, if there are any.
        ("1", "1"),
        ("a1b2", "12"),
        ("0" * 300, "0" * 300),
        ("auf Anfrage", None),
        ("-", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_has_a_key(number, key):
    assert phone_key(number) == key


@pytest.mark.parametrize(
    ("number", "key"),
    [
        ("0241 12345", "024112345"),
        ("+49 (0)241/123-45 App. 6", "024112345"),
        ("0049 241 12345", "024112345"),
        (" +49241 12345", "024112345"),
        ("+43 1 58858", "0043158858"),
        ("1234", None),
        ("auf Anfrage", None),
        ("", None),
        (None, None),
    ],
)
def test_a_line_has_a_key_without_its_extension(number, key):
    assert line_key(number) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Max", "max"),
        ("Müller", "mueller muller"),
        ("Max Müller", "max mueller max muller"),
        ("MU\u0308LLER", "mueller muller"),
        ("Zoë", "zoe"),
        ("Œuvre Ærø Ål Łoś Đ", "oeuvre aero al los d oeuvre aeroe aal los d"),
        ("Weiß", "weiss"),
        ("", None),
        (None, None),
    ],
)
def test_a_search_key_has_both_spellings(text, key):
    assert search_key(text) == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Max  Müller", ["max", "mueller"]),
        ("MU\u0308LLER", ["mueller"]),
        ("Zoë", ["zoe"]),
        ("muller", ["muller"]),
        ("", []),
        (None, []),
    ],
)
def test_search_words_are_spelled_out(text, words):
    assert search_words(text) == words


@pytest.mark.parametrize("words", ["müller", "Mueller", "MULLER"])
def test_a_search_finds_every_spelling(words):
    (word,) = search_words(words)
    assert word in search_key("Max Müller")


names = st.text(st.characters(codec="utf-8"), max_size=20)


@given(names)
def test_unicode_form_and_case_make_no_other_key(name):
    key = name_key_part(name)
    assert name_key_part(unicodedata.normalize("NFD", name)) == key
    assert name_key_part(f" {name} ") == key
    assert compact_key(name) == (key and key.replace(" ", ""))


@given(st.text(st.sampled_from("abcÄÖÜßéñ -'ĐŁ"), max_size=12))
def test_a_key_is_its_own_key(name):
    key = name_key_part(name)
    assert name_key_part(name.upper()) == name_key_part(name.lower()) == key
    assert key is None or name_key_part(key) == key


@given(names)
def test_a_name_is_found_by_its_own_words(name):
    assert all(word in (search_key(name) or "") for word in search_words(name))


@given(names)
def test_cleaning_twice_changes_nothing(text):
    assert clean_text(clean_text(text)) == clean_text(text)


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0316\u0301", "\u0301\u0301", "\u0344\u0316"])
@pytest.mark.parametrize("runs", [1, 31, 32, 40])
def test_long_runs_of_marks_are_composed_as_unicode_composes_them(marks, runs):
    text = f"Max {marks * runs} o{marks * runs}, Ma{marks}x"
    assert clean_text(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Mus\u00adter", "Muster"),
        ("\u2066Max\u2069 \u200bM\ufeff", "Max M"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200cMax\u200d M", "Max M"),
    ],
)
def test_invisible_characters_go_but_for_those_that_join_or_part_letters(text, cleaned):
    assert clean_text(text) == cleaned


def test_a_key_that_no_index_would_take_is_its_beginning_and_a_digest():
    fitting, longer = "ж" * 300, "ж" * 301
    assert name_key_part(fitting) == fitting
    assert name_key_part(longer) == f"{'ж' * 50} {hashlib.sha256(longer.encode()).hexdigest()}"
    odd = "a" + "ж" * 300
    assert name_key_part(odd) == f"a{'ж' * 49} {hashlib.sha256(odd.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("number", "line"),
    [("0241 12345 App. 12", "024112345"), ("+49 (0)241 12345", "024112345"), ("12345", "12345"), ("1234", None)],
)
def test_a_line_is_the_number_without_its_extension(number, line):
    assert line_key(number) == line


def test_the_words_of_a_text_are_those_of_names():
    assert name_words("Anna-Lena MÜLLER, geb. O’Brien") == {"anna", "lena", "mueller", "geb", "o", "brien"}
