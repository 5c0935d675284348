"""Invented registrations and scrapes: the same seed always gives the same bytes."""
