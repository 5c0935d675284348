"""The documents about events are valid, and say the same of every event."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from curavani.pages.events import TOPICS, asyncapi

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "events"
KINDS = [kind for kinds in TOPICS.values() for kind in kinds]


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def resolved(document, pointer):
    for part in pointer.removeprefix("#/").split("/"):
        document = document[part]
    return document


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from references(inner)


def test_the_asyncapi_document_is_valid():
    official = load(ROOT / "tests" / "data" / "asyncapi" / "3.0.0.json")
    document = asyncapi()
    Draft7Validator(official).validate(document)
    assert all(resolved(document, reference) for reference in references(document))
    document["channels"]["patient-events"]["unheard_of"] = 1
    assert not Draft7Validator(official).is_valid(document)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.schema.json")), ids=lambda path: path.name)
def test_every_schema_is_valid(path):
    schema = load(path)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_asyncapi_message_carries_what_the_schema_says(kind):
    document, alone = asyncapi(), load(FOLDER / f"{kind.name}.schema.json")
    message = document["components"]["messages"][kind.name]
    envelope = resolved(document, message["payload"]["$ref"])
    assert envelope["properties"]["eventType"]["const"] == kind.name
    payload = resolved(document, envelope["properties"]["payload"]["$ref"])
    assert (set(payload["properties"]), payload["required"]) == (set(alone["properties"]), alone["required"])


def test_each_topic_carries_its_own_kinds():
    assert {topic: {kind.name.split(".")[0] for kind in kinds} for topic, kinds in TOPICS.items()} == {
        "patient-events": {"patient"},
        "therapist-events": {"therapist"},
    }


def test_the_readme_names_everything_consumers_meet():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    headers = load(FOLDER / "headers.schema.json")["properties"]
    fields = load(FOLDER / "envelope.schema.json")["properties"]
    for name in [*TOPICS, *(kind.name for kind in KINDS), *headers, *fields]:
        assert f"`{name}`" in readme, name
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (FOLDER / link).exists(), link


def test_the_example_in_the_readme_is_valid():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    example = json.loads(readme.split("```json\n")[1].split("```")[0])
    Draft202012Validator(load(FOLDER / "envelope.schema.json")).validate(example)
    Draft202012Validator(load(FOLDER / f"{example['eventType']}.schema.json")).validate(example["payload"])
