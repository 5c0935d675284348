"""What every import has in common: the engine (`engine`), what it asks of a source (`source`), and its ledger.

`monitor` runs passes, `mend` is what people ask of files, `queries` and `story` read for people.
"""
