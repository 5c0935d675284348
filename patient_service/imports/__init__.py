"""The import of registrations from the bucket. `gcs_monitor.run_pass` shows the whole run."""
