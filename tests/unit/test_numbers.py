"""Files are P12 and T7, reviews PE12 and TE7: both services count from 1, and so do both kinds."""

import pytest
import typer

from curavani.services import SERVICES, numbered, review_numbered


@pytest.mark.parametrize("service", ["patient", "therapist"])
def test_a_number_that_is_shown_can_be_typed(service):
    kernel = SERVICES[service].kernel
    prefix = service[0].upper()
    assert (kernel.number(12), kernel.review_number(12)) == (f"{prefix}12", f"{prefix}E12")
    assert numbered(kernel.number(12)) == (SERVICES[service], 12)
    assert review_numbered(kernel.review_number(12)) == (SERVICES[service], 12)


@pytest.mark.parametrize("text", ["PE3", "pe3", " P3 ", "p3"])
def test_a_review_may_be_typed_without_its_letter(text):
    assert review_numbered(text) == (SERVICES["patient"], 3)


@pytest.mark.parametrize("text", ["", "3", "E3", "PE", "P", "XE3", "PE-3", "PE3x", "PEE3", "P 3", "PE٣"])
def test_anything_else_is_wrong_usage(text):
    with pytest.raises(typer.BadParameter, match="PE12"):
        review_numbered(text)


def test_a_reviews_number_is_no_files():
    with pytest.raises(typer.BadParameter, match="P12"):
        numbered("PE3")
