"""`make secrets`: made once, for their owner only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.passwords import SECRETS, add_missing
from shared.settings import Settings

pytestmark = pytest.mark.capability("C19")
ROOT = Path(__file__).parents[2]


def test_secrets_are_written_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert add_missing(file) == list(SECRETS)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    add_missing(file)
    before = file.read_text()
    assert add_missing(file) == []
    assert file.read_text() == before


def test_what_an_operator_wrote_stays_and_empty_secrets_are_filled(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PERSONAE_CHAT_MODEL=real\nREDIS_PASSWORD=mine\nFLOWER_PASSWORD=\n")
    assert add_missing(file) == ["POSTGRES_PASSWORD", "FLOWER_PASSWORD"]
    assert file.read_text().startswith("PERSONAE_CHAT_MODEL=real\nREDIS_PASSWORD=mine\n")
    assert file.stat().st_mode & 0o777 == 0o600


def test_two_files_have_different_secrets(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        add_missing(file)
    values = [set(file.read_text().splitlines()) for file in files]
    assert values[0].isdisjoint(values[1])


def test_an_embedded_stack_that_reads_the_same_file_keeps_its_own_secrets(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    add_missing(file)
    settings = Settings(_env_file=file)
    assert (settings.database_url, settings.redis_url) == (None, None)


def test_no_package_is_needed_to_make_them(tmp_path: Path) -> None:
    words = [sys.executable, "-S", "-m", "deploy.passwords"]
    done = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0
    assert (tmp_path / ".env").exists()
