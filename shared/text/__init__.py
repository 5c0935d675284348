"""Reading and comparing texts: strict JSON, whole and in pieces, and normalised keys."""
