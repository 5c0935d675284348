"""What Prometheus is told: `catalogue` names it, `process` counts in one process, `state` asks the database."""
