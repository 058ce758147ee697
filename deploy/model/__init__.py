"""The bundled models behind an OpenAI-compatible server: the only process that holds weights."""
