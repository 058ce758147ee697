"""The providers against real servers of the run's own."""
