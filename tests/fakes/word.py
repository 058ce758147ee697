"""Small Word documents, made of their body and parts."""

from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import DOCX
from tests.fakes.documents import DOCX_LINKS, DOCX_TYPES, WORD, zipped

OPEN = f'<w:document xmlns:w="{WORD}" xmlns:r="x"><w:body>'


def document(body: str, main: str = "word/document.xml", **parts: str) -> bytes:
    """Return a document whose parts have the names of their kinds."""
    types, links = (index.replace("word/document.xml", main) for index in (DOCX_TYPES, DOCX_LINKS))
    members = {"[Content_Types].xml": types, "_rels/.rels": links, main: f"{OPEN}{body}</w:body></w:document>"}
    notes = {f"word/{name}.xml": f'<w:{name} xmlns:w="{WORD}">{said}</w:{name}>' for name, said in parts.items()}
    return zipped(members | notes)


def read(body: str, **parts: str) -> str:
    """Return the text of a document."""
    return KreuzbergParser().read(document(body, **parts), DOCX).text.strip()
