"""Passages are found by the words that the code writes out, as questions are read; what is not seen has no hash."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import context, op

from shared.domain.lexemes import as_vector
from shared.domain.text import content_hash, fold

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROWS = 1000
READ = "SELECT id, title, content, content_hash FROM knowledge_chunks WHERE id > :after ORDER BY id LIMIT :rows"
STEMS = "setweight(to_tsvector(language, :title), 'A') || "
NEW = f"""
    UPDATE knowledge_chunks SET content_hash = :hash, tsv = CAST(:lexemes AS tsvector) ||
        CASE WHEN language = 'simple'::regconfig THEN '' ELSE {STEMS} strip(to_tsvector(language, :content)) END
    WHERE id = :id
"""
OLD = f"UPDATE knowledge_chunks SET tsv = {STEMS} to_tsvector(language, :content) WHERE id = :id"
KEEP_VECTOR = """
    INSERT INTO embeddings (content_hash, model, vector)
    SELECT :hash, model, vector FROM embeddings WHERE content_hash = :old ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    for rows in _passages():
        _run(KEEP_VECTOR, [row for row in rows if row["hash"] != row["old"]])
        _run(NEW, rows)


def downgrade() -> None:
    """Find passages by Postgres' own words again; hashes stay, and lead to their vectors as before."""
    for rows in _passages():
        _run(OLD, rows)


def _passages() -> Iterator[list[dict[str, Any]]]:
    """Yield all passages in batches; none where the statements are only written out."""
    after = UUID(int=0)
    while not context.is_offline_mode():
        found = op.get_bind().execute(sa.text(READ), {"after": after, "rows": ROWS}).all()
        if not found:
            return
        yield [_row(*each) for each in found]
        after = found[-1].id


def _row(id: UUID, title: str | None, content: str, old: str) -> dict[str, Any]:
    named = title or ""
    folded = {"title": fold(named), "content": fold(content)}
    return {"id": id, "lexemes": as_vector(named, content), "hash": content_hash(content), "old": old} | folded


def _run(statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        op.get_bind().execute(sa.text(statement), rows)
