"""What everything stands on: time, failures, settings, logs, tokens, and asking what a process depends on."""
