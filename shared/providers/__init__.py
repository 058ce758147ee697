"""The outside world: a Protocol each, a real implementation and a fake."""
