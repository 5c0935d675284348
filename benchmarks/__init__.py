"""Measurements side by side in one run; figures of one machine are only worth their ratios."""
