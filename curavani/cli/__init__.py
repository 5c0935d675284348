"""The command line: a thin skin. It parses, calls what the services call, and prints."""
