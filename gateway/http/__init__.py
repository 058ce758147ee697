"""What every request passes: identity, limits, errors, headers."""
