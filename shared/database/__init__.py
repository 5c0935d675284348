"""PostgreSQL: engine, transactions, errors and advisory locks."""
