"""How an import is, from the database alone: health, metrics and status say the same."""
