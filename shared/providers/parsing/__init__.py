"""From a file to passages: its kind, its reading in a bounded child, its cutting."""
