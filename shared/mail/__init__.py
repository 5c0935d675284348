"""Mails to the people who run Curavani: problems, reminders, the daily digest, and silence noticed."""
