"""Alerts for the people who run Curavani: rows written with what they tell of (`outbox`), mailed (`mailer`)."""
