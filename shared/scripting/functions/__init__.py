"""What scripts call on `ctx`, a file per category; each function takes the context of its run first."""
