"""Stand-ins for the world outside, with a script."""
