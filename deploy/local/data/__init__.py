"""The data directory of the embedded stack: its servers, their addresses and passwords, what runs."""
