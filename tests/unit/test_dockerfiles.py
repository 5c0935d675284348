"""The services' Dockerfiles, as texts."""

import re

from tests.engines.dockerfiles import dockerfile


def test_the_two_images_differ_in_nothing_but_the_service():
    names = {"patient": "therapist", "therapist": "patient", "8001": "8002"}
    # Keys of patients are those of `shared`.
    own_keys = "COPY therapist_service/imports/"
    patient = [line for line in dockerfile("patient").splitlines() if not line.startswith(own_keys)]
    renamed = [re.sub("|".join(names), lambda found: names[found[0]], line) for line in patient]
    assert dockerfile("therapist").splitlines() == renamed
