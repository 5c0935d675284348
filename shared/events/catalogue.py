"""The kinds of events a service announces, each with the form of its payload: what consumers can rely on."""

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event. `name` is its `eventType`, `meaning` a sentence, `payload` the model of its payload."""

    name: str
    meaning: str
    payload: type[BaseModel]
