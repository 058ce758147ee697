"""PDF: text in the order in which it is read."""
