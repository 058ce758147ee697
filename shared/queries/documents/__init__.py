"""Documents, the files of a persona, and batches of files."""
