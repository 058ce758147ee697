"""The API described: OpenAPI with examples, and the page that shows it."""
