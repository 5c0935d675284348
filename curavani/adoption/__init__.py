"""Taking over the platform's two tables of people: what changes, whether all of it fits, doing it, and proving it."""
