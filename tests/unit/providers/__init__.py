"""The providers without the world: pure parts and fakes."""
