"""The names of the queues on which rows of work wait. Pure; what serves them is in `tasks.py`."""

DIALOGUE = "dialogue"
MODULES = "modules"
MEMORY = "memory"
INGESTION = "ingestion"
EMBEDDING = "embedding"
SYNTHESIS = "synthesis"
UPKEEP = "upkeep"
