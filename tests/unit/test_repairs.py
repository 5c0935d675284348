"""What scrapers do to texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist_service.imports.repairs import (
    decoded,
    is_broken,
    is_clean,
    is_ordinary,
    is_placeholder,
    with_house_number,
    without_titles,
)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "k.A.",
            "K.A.",
            "k. A.",
            "k.a",
            "keine Angabe",
            "KEINE ANGABE",
            "keine Angaben",
            "n/a",
            "N/A",
            "-",
            "--",
            "---",
        ),
        *("keine", "Keine", "null", "NULL", "unbekannt", "Unbekannt", "–", "- -", "http://", "https://", "HTTP://www."),
    ],
)
def test_a_placeholder_says_nothing(text):
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    ["", "K", "Ka", "Nullmeier", "keiner", "Unbekannter", "a-b", "n/a b", "http://a.de", "k.A." * 9, "Kein", ".", "0"],
)
def test_a_value_is_no_placeholder(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("M&uuml;ller &amp; S&#246;hne", "Müller & Söhne"),
        ("M&#xFC;ller", "Müller"),
        ("M&amp;uuml;ller", "Müller"),
        ("A & B", "A & B"),
        ("A&B;C", "A&B;C"),
        ("https://a.de/?x=1&lang=de&copy=2", "https://a.de/?x=1&lang=de&copy=2"),
        ("&#0;", "\ufffd"),
        ("&#xD800;", "\ufffd"),
        ("Müller", "Müller"),
    ],
)
def test_entities_are_decoded(text, plain):
    assert decoded(text) == plain


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("name", ["Müller", "Özdemir", "Groß", "Jérôme", "Ångström", "Müller-Lüdenscheidt"])
def test_utf_8_that_was_read_as_something_else_is_broken(name, encoding):
    assert not is_broken(name)
    assert is_broken(name.encode().decode(encoding))


@pytest.mark.parametrize("text", ["M\ufffdller", "\ufffd", "Praxis â€žAmâ€\x9d", "â€“", "Ä\xb0", "Ã\x81kos"])
def test_lost_characters_are_broken(text):
    assert is_broken(text)


@pytest.mark.parametrize(
    "text", ["", "Muller", "Müller", "Ä", "Ãkos", "Łódź", "Müller Ã¼ber", "Łódź Ã¼", "10 €", "½ Ü"]
)
def test_what_is_no_utf_8_says_what_it_says(text):
    assert not is_broken(text)


@pytest.mark.parametrize(
    ("name", "rest", "titles"),
    [
        ("Dr. Thomas", "Thomas", "Dr."),
        ("Dr Thomas", "Thomas", "Dr"),
        ("dr. med. Thomas", "Thomas", "dr. med."),
        ("Dr.med.Thomas", "Thomas", "Dr.med."),
        ("Dr. rer. nat. Thomas", "Thomas", "Dr. rer. nat."),
        ("Dr. phil. habil. Eva", "Eva", "Dr. phil. habil."),
        ("Dr.-Ing. Eva", "Eva", "Dr.-Ing."),
        ("Prof. Dr. Dr. h.c. Eva", "Eva", "Prof. Dr. Dr. h.c."),
        ("Univ.-Prof. Dr. Eva", "Eva", "Univ.-Prof. Dr."),
        ("PD Dr. Eva", "Eva", "PD Dr."),
        ("Dipl.-Psych. Eva", "Eva", "Dipl.-Psych."),
        ("Dipl. Psych. Eva", "Eva", "Dipl. Psych."),
        ("Dipl.-Psych. (Univ.) Eva", "Eva", "Dipl.-Psych. (Univ.)"),
        ("Dipl.-Sozialpäd. Eva", "Eva", "Dipl.-Sozialpäd."),
        ("Diplom-Psychologin Eva", "Eva", "Diplom-Psychologin"),
        ("M.Sc. Eva", "Eva", "M.Sc."),
        ("M. Sc., Eva", "Eva", "M. Sc."),
        ("B.Sc. Eva", "Eva", "B.Sc."),
        ("M.A. Eva", "Eva", "M.A."),
        ("Mag. Eva", "Eva", "Mag."),
        ("Berg, Dipl.-Psych.", "Berg", "Dipl.-Psych."),
        ("Berg, Dr. med. M.Sc.", "Berg", "Dr. med. M.Sc."),
        ("Berg, Eva", "Berg, Eva", ""),
        ("Berg, Dr. Eva", "Berg, Dr. Eva", ""),
        ("Berg,", "Berg,", ""),
        (", Dr.", ", Dr.", ""),
        ("Dr.", "", "Dr."),
        ("M. A.", "M. A.", ""),
        ("M. Eva", "M. Eva", ""),
        ("Eva", "Eva", ""),
        ("Drew", "Drew", ""),
        ("Drago Dr.", "Drago Dr.", ""),
        ("Prof", "Prof", ""),
        ("Mag Eva", "Mag Eva", ""),
        ("Pdraig Eva", "Pdraig Eva", ""),
        ("Diplomat Eva", "Diplomat Eva", ""),
        ("von der Heide", "von der Heide", ""),
    ],
)
def test_titles_before_a_name_are_no_part_of_it(name, rest, titles):
    assert without_titles(name) == (rest, titles)


@pytest.mark.parametrize(
    ("street", "number", "joined"),
    [
        ("Teststraße", "12", "Teststraße 12"),
        ("Teststraße 12", "12", "Teststraße 12"),
        ("Ring 12 a", "12a", "Ring 12 a"),
        ("Ring 12a", "12 A", "Ring 12a"),
        ("Ring 12 a", "12 a", "Ring 12 a"),
        ("Teststr.12", "12", "Teststr.12"),
        ("12", "12", "12"),
        ("Weg 12,", "12", "Weg 12"),
        ("Weg,", "12", "Weg 12"),
        ("Weg 112", "12", "Weg 112 12"),
        ("Weg 1 12", "12", "Weg 1 12"),
        ("Weg 12", "1", "Weg 12 1"),
        ("Haus A1", "1", "Haus A1 1"),
        ("Straße des 17. Juni", "17", "Straße des 17. Juni 17"),
        ("Weg 12a", "a", "Weg 12a a"),
    ],
)
def test_a_house_number_is_not_said_twice(street, number, joined):
    assert with_house_number(street, number) == joined


@given(st.text(alphabet="aAü ÃÂ¼&;mp-.\ufffd\xa0k", max_size=12))
def test_a_clean_text_is_one_that_nothing_would_change(text):
    if is_clean(text):
        assert decoded(text) == text
        assert not is_broken(text)
        assert " ".join(text.split()) == text


# Placeholders, what scrapers break, and letters beyond those of Western Europe, in any order.
_LETTERS = st.sampled_from(
    [*"kKnuh aAzüßÃ¼¤ -–.,/&;:@\t\xa0\xad\u0308\ufffdćж", "null", "http://", "&amp;", "Stra\xdfe"]
)


@given(st.lists(_LETTERS, max_size=8).map("".join) | st.text(max_size=8))
def test_of_an_ordinary_text_nothing_else_has_anything_to_say(text):
    assert not is_ordinary(text) or (text and is_clean(text) and not is_placeholder(text))


@pytest.mark.parametrize("text", ["Müller-Lüdenscheidt", "Salierallee 67 a", "+49 241 12345", "praxis7@example.com"])
def test_most_texts_are_ordinary(text):
    assert is_ordinary(text)
