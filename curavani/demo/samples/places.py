"""German cities with the range of their postal codes and their dialling code.

Within a range not every number is delivered to; for sample data it is enough that the first digits fit the city.
"""

from typing import NamedTuple


class Place(NamedTuple):
    """A city; `first` and `last` bound its postal codes, `area_code` carries no leading zero."""

    city: str
    first: int
    last: int
    area_code: str

    @property
    def postal_codes(self) -> list[str]:
        return [f"{number:05d}" for number in range(self.first, self.last + 1)]


AACHEN = Place("Aachen", 52062, 52080, "241")
PLACES = (
    AACHEN,
    Place("Berlin", 10115, 10179, "30"),
    Place("Hamburg", 20095, 20149, "40"),
    Place("München", 80331, 80339, "89"),
    Place("Köln", 50667, 50679, "221"),
    Place("Frankfurt am Main", 60306, 60329, "69"),
    Place("Stuttgart", 70173, 70199, "711"),
    Place("Düsseldorf", 40210, 40239, "211"),
    Place("Leipzig", 4103, 4129, "341"),
    Place("Dresden", 1067, 1099, "351"),
    Place("Nürnberg", 90402, 90411, "911"),
    Place("Bremen", 28195, 28219, "421"),
    Place("Hannover", 30159, 30179, "511"),
    Place("Münster", 48143, 48167, "251"),
    Place("Mönchengladbach", 41061, 41069, "2161"),
    Place("Freiburg im Breisgau", 79098, 79117, "761"),
    Place("Lübeck", 23552, 23570, "451"),
    Place("Kassel", 34117, 34134, "561"),
    Place("Saarbrücken", 66111, 66133, "681"),
    Place("Würzburg", 97070, 97084, "931"),
    Place("Göttingen", 37073, 37085, "551"),
    Place("Düren", 52349, 52355, "2421"),
    Place("Halle (Saale)", 6108, 6132, "345"),
    Place("Rostock", 18055, 18069, "381"),
    Place("Dortmund", 44135, 44149, "231"),
    Place("Essen", 45127, 45149, "201"),
    Place("Bielefeld", 33602, 33619, "521"),
    Place("Bonn", 53111, 53129, "228"),
    Place("Karlsruhe", 76131, 76149, "721"),
    Place("Mannheim", 68159, 68169, "621"),
    Place("Augsburg", 86150, 86169, "821"),
    Place("Mainz", 55116, 55131, "6131"),
    Place("Erfurt", 99084, 99099, "361"),
    Place("Magdeburg", 39104, 39130, "391"),
    Place("Kiel", 24103, 24119, "431"),
    Place("Trier", 54290, 54296, "651"),
    Place("Koblenz", 56068, 56077, "261"),
    Place("Regensburg", 93047, 93059, "941"),
    Place("Konstanz", 78462, 78467, "7531"),
    Place("Cottbus", 3042, 3055, "355"),
)


def all_postal_codes() -> list[tuple[str, Place]]:
    """Every postal code with its city, city after city."""
    return [(code, place) for place in PLACES for code in place.postal_codes]
