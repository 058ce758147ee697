"""The secrets of docker-compose.yml in `.env`: each made once, none ever overwritten; `python -m deploy.passwords`."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.local.data.credentials import password
from deploy.local.data.servers import write_secret

# Without PERSONAE_: an embedded stack reads the same file, and has secrets of its own.
SECRETS: Mapping[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": password,
    "REDIS_PASSWORD": password,
    "FLOWER_PASSWORD": password,
}


def add_missing(file: Path) -> list[str]:
    """Add the secrets that a file lacks, let only its owner read it, and return the names of those added."""
    lines = file.read_text().splitlines() if file.exists() else []
    known = {name.strip() for name, _, value in (line.partition("=") for line in lines) if value.strip()}
    added = [name for name in SECRETS if name not in known]
    if added:
        lines += [f"{name}={SECRETS[name]()}" for name in added]
        draft = write_secret(file.with_name(f"{file.name}.{os.getpid()}"), "\n".join(lines) + "\n")
        draft.replace(file)
    file.chmod(0o600)
    return added


if __name__ == "__main__":
    file = Path(".env")
    added = add_missing(file)
    sys.stdout.write(f"{file}: {', '.join(added) + ' made' if added else 'nothing to do'}\n")
