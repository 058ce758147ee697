"""Passages, their vectors, and the search over both."""
