"""What the services announce, for programs: a JSON Schema per document, and one AsyncAPI document about all of it.

The schemas are open: a field may be added without a new version, and readers ignore what they do not know.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from pydantic import BaseModel, create_model
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from patient_service.events import EVENT_TYPES as PATIENT_EVENTS
from patient_service.models import kernel as patient_kernel
from shared.events.catalogue import EventType
from shared.events.envelope import CONTENT_TYPE, VERSION, CloudEventHeaders, Envelope
from shared.events.outbox import topic_of
from therapist_service.events import EVENT_TYPES as THERAPIST_EVENTS
from therapist_service.models import kernel as therapist_kernel

FOLDER = "docs/events"
TOPICS: Mapping[str, Sequence[EventType]] = {
    topic_of(patient_kernel): PATIENT_EVENTS,
    topic_of(therapist_kernel): THERAPIST_EVENTS,
}

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COMPONENTS = "#/components/schemas/"
_BINDING = {"bindingVersion": "0.5.0"}
_KEY = "The id of the patient or therapist in decimal digits: all events of one are in one partition, in order."
_ABOUT = """Every change to a patient or therapist, made by the HTTP API, an import or a decision of staff, is announced
exactly once: the same events whoever made the change, and none where nothing changed. Delivery is at least once, in
order per key; the same `eventId` is the same event. The README beside this document says how to consume them."""


def event_pages() -> dict[str, Callable[[], str]]:
    """The path of every document, and what makes its text."""
    payloads = {
        f"{FOLDER}/{kind.name}.schema.json": partial(_payload_page, kind) for kinds in TOPICS.values() for kind in kinds
    }
    return {
        f"{FOLDER}/envelope.schema.json": lambda: _text(schema_of(Envelope)),
        f"{FOLDER}/headers.schema.json": lambda: _text(schema_of(CloudEventHeaders)),
        **payloads,
        f"{FOLDER}/asyncapi.json": lambda: _text(asyncapi()),
    }


def schema_of(model: type[BaseModel]) -> dict[str, object]:
    """The JSON Schema (2020-12) of what the model writes."""
    return {"$schema": _DIALECT, **model.model_json_schema(mode="serialization", schema_generator=_Plain)}


def asyncapi() -> dict[str, object]:
    """The AsyncAPI 3 document: topics, messages with headers and key, and their schemas."""
    kinds = [kind for kinds in TOPICS.values() for kind in kinds]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Events of Curavani", "version": VERSION, "description": " ".join(_ABOUT.split())},
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic: _channel(topic, kinds) for topic, kinds in TOPICS.items()},
        "operations": {f"send-{topic}": _operation(topic, kinds) for topic, kinds in TOPICS.items()},
        "components": {
            "messages": {kind.name: _message(kind) for kind in kinds},
            "schemas": _schemas([CloudEventHeaders, *map(_typed_envelope, kinds)]),
        },
    }


def _payload_page(kind: EventType) -> str:
    return _text(schema_of(kind.payload) | {"title": f"Payload of {kind.name}", "description": kind.meaning})


def _channel(topic: str, kinds: Sequence[EventType]) -> dict[str, object]:
    return {
        "address": topic,
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds},
        "bindings": {"kafka": {"topic": topic, **_BINDING}},
    }


def _operation(topic: str, kinds: Sequence[EventType]) -> dict[str, object]:
    channel = f"#/channels/{topic}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{kind.name}"} for kind in kinds],
    }


def _message(kind: EventType) -> dict[str, object]:
    return {
        "name": kind.name,
        "summary": kind.meaning,
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": f"{_COMPONENTS}{CloudEventHeaders.__name__}"},
        "payload": {"$ref": f"{_COMPONENTS}{_name(kind)}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": _KEY}, **_BINDING}},
    }


def _typed_envelope(kind: EventType) -> type[BaseModel]:
    """The envelope as this event fills it."""
    event_type, payload = Envelope.model_fields["event_type"], Envelope.model_fields["payload"]
    return create_model(
        _name(kind),
        __base__=Envelope,
        __doc__=kind.meaning,
        event_type=(Literal[kind.name], event_type),  # type: ignore[arg-type]  # no type checker knows its value
        payload=(kind.payload, payload),
    )


def _name(kind: EventType) -> str:
    """`patient.status_changed` as a schema's name: `PatientStatusChanged`."""
    return kind.name.replace(".", "_").title().replace("_", "")


def _schemas(models: Sequence[type[BaseModel]]) -> dict[str, object]:
    _, schema = models_json_schema(
        [(model, "serialization") for model in models],
        ref_template=f"{_COMPONENTS}{{model}}",
        schema_generator=_Plain,
    )
    definitions: dict[str, object] = schema["$defs"]
    return definitions


class _Plain(GenerateJsonSchema):
    """Without a title per field, which would only say its name again."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def _text(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
