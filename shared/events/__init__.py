"""Events for the other services: rows written with the change (`outbox`), sent by a relay (`relay`)."""
