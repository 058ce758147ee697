"""The embedded stack's processes: started, watched, started again, ended."""
