"""The stack for demo and tests: embedded parts in place of the outside systems, and sample data."""
