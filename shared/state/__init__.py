"""How an import is, counted once: health, metrics, status, overview, digest and watch are functions over one value."""
