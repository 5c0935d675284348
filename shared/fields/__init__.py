"""A field of a person: its type and limits, and what follows from declaring it."""
