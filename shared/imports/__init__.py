"""What both imports share: the ledger of files, findings, reviews, retry rule, passes and the monitor loop."""
