"""Runs of the ingestion workflow: created, advanced, paused, retried, shown."""
