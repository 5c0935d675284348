"""The words of the program, once: the German vocabulary, statuses and outcomes, every code with its sentences."""
