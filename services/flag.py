"""What a worker's main process tells the children it forked."""

import mmap


class Flag:
    """Something said once in the main process and seen by the children it forked; no lock that a kill could keep."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Say it."""
        self._shared[0] = 1

    def is_set(self) -> bool:
        """Say whether it was said."""
        return self._shared[0] == 1


STOPPING = Flag()
