"""What waits for a person's word: opened by imports, decided by people."""
