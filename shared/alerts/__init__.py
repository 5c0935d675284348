"""Alerts for the people who run Curavani: rows written with what they tell of (`outbox`), mailed (`mailer`).

Only that the database itself is away is mailed without a row (`outage`).
"""
