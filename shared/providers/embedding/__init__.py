"""Embedding models: the client, what its refusals mean, the vectors that it answers."""
