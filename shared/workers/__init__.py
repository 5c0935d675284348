"""Background work: `leader` runs it under a lock or stands by, `background` holds the threads, `heartbeats` tells."""
