"""What both services' HTTP interfaces have in common."""
