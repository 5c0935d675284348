"""What an event looks like on its topic: an envelope as value, and CloudEvents 1.0 (binary mode) in the headers."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

VERSION = "1.0"
CONTENT_TYPE = "application/json"

Header = tuple[str, str | bytes | None]


class Envelope(BaseModel):
    """The value of an event. Consumers keep `eventId`: the same one may arrive more than once."""

    model_config = ConfigDict(populate_by_name=True)

    event_id: UUID = Field(alias="eventId", description="Names the event; equal ids are the same event, sent again.")
    event_type: str = Field(alias="eventType", description="What happened.")
    version: Literal["1.0"] = Field(description="Version of this format.")
    timestamp: AwareDatetime = Field(description="When the change was made, in UTC with microseconds.")
    producer: str = Field(description="The service that made the change.")
    payload: dict[str, object] = Field(description="Whom it concerns, and their data after the change.")


class CloudEventHeaders(BaseModel):
    """The headers, as Kafka's protocol binding of CloudEvents 1.0 names them."""

    model_config = ConfigDict(populate_by_name=True)

    ce_specversion: Literal["1.0"]
    ce_id: UUID = Field(description="Equal to `eventId`.")
    ce_type: str = Field(description="Equal to `eventType`.")
    ce_source: str = Field(description="The producing service, as a URI reference.")
    ce_time: AwareDatetime = Field(description="Equal to `timestamp`.")
    content_type: Literal["application/json"] = Field(alias="content-type")


class Message(NamedTuple):
    """What Kafka gets."""

    key: bytes
    value: bytes
    headers: list[Header]


def message(
    *, event_id: str, event_type: str, key: str, created_at: datetime, producer: str, payload_json: str
) -> Message:
    """The message of one outbox row; `payload_json` is the payload's text as PostgreSQL gives it."""
    time = timestamp(created_at)
    # Put together as text: parsing the payload only to write it again would cost more than everything else here.
    value = (
        f'{{"eventId": "{event_id}", "eventType": {_quoted(event_type)}, "version": "{VERSION}",'
        f' "timestamp": "{time}", "producer": {_quoted(producer)}, "payload": {payload_json}}}'
    )
    headers: list[Header] = [
        ("ce_specversion", "1.0"),
        ("ce_id", event_id),
        ("ce_type", event_type),
        ("ce_source", source(producer)),
        ("ce_time", time),
        ("content-type", CONTENT_TYPE),
    ]
    return Message(key.encode(), value.encode(), headers)


# The events of one transaction share their time.
@lru_cache(maxsize=256)
def timestamp(moment: datetime) -> str:
    """`2025-07-05T14:33:55.123456+00:00`: always UTC, always six digits, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def source(producer: str) -> str:
    """CloudEvents' `source`: with `id` it names an event in the whole world of one's systems."""
    return f"/curavani/{producer}"


@lru_cache(maxsize=64)
def _quoted(text: str) -> str:
    return json.dumps(text)
