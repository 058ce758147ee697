"""Chat models: the wire, the client, thoughts, and the model that only quotes."""
