"""What is done to people, whoever does it: history and its telling."""
