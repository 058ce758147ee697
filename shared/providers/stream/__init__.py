"""A reply on its way to readers: events in the broker, written at a pace."""
