"""What `personae db upgrade` says of a server that cannot hold the schema."""

import pytest

from deploy.cli.database import about_vector


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ('extension "vector" is not available', "the server has no extension vector: use an image with pgvector"),
        ('could not open extension control file "/x/vector.control": No such file', "use an image with pgvector"),
        ('permission denied to create extension "vector"', "have an administrator run CREATE EXTENSION vector"),
    ],
)
def test_what_the_extension_lacks_is_one_sentence(said: str, advice: str) -> None:
    assert advice in (about_vector(f"{said}\nHINT: and so on") or "")


def test_other_errors_are_not_the_extensions() -> None:
    assert about_vector('relation "vectors" does not exist') is None
