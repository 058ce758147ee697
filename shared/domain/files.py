"""Which files a collection takes, and under what name one is kept. Pure."""

from typing import Any

from typing_extensions import TypedDict

from shared.domain.persona import CollectionType
from shared.domain.text import normalised

READABLE = {
    "text/plain": "txt",
    "text/markdown": "md",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/rtf": "rtf",
    "text/csv": "csv",
    "message/rfc822": "eml",
    "text/html": "html",
    "application/epub+zip": "epub",
}
TAKES = {
    CollectionType.WORKS: READABLE,
    CollectionType.PROFILE: READABLE,
    CollectionType.QUOTES: {"application/jsonl": "jsonl", "text/csv": "csv", "text/plain": "txt"},
}
QUOTES_SHAPE = (
    """: a line is {"text": "the quote"} in JSONL, a quote in a text, a row with a column text or quote in CSV"""
)
TEXT_KINDS = frozenset({"text/plain", "text/markdown", "text/html", "text/csv", "message/rfc822"})
# What senders call a kind that is told by its content under another name.
ALIASES = {
    **dict.fromkeys(("application/mbox", "multipart/related", "application/x-mimearchive"), "message/rfc822"),
    "text/rtf": "application/rtf",
    "text/tab-separated-values": "text/csv",
    "application/xhtml+xml": "text/html",
}
NO_TITLES = frozenset(
    "untitled,untitled document,untitled page,unnamed,unknown,no title,title,document,new page,anonymous,none,null,"
    "presentation,powerpoint presentation,unbenannt,unbenanntes dokument,ohne titel,sans titre,sin título,senza titolo,"
    "sem título,fără titlu,bez nazwy,без названия,無題,无标题".split(",")
)
LONGEST_NAME = 255
NAMELESS = "file"


class ArrivalRecord(TypedDict):
    """What a row keeps of a document on its way: what its sender says of it, ids as text."""

    source_uri: str
    source: str
    batch_id: int | None
    doc_meta: dict[str, Any] | None
    mime_type: str | None
    persona_id: str | None
    collection: CollectionType | None
    priority: int
    start: bool


class ArrivalAnswer(TypedDict, total=False):
    """What became of a document that arrived (seed 004); empty until it has."""

    document_uri: str
    document_hash: str
    source: str
    uri_id: int
    batch_id: int | None
    run_group_id: int | None  # of the run that was started, if any


def refusal(collection: CollectionType, mime_type: str) -> str | None:
    """Say why a collection does not take a kind of file, or None where it does."""
    taken = TAKES[collection]
    if mime_type in taken:
        return None
    shape = QUOTES_SHAPE if collection is CollectionType.QUOTES else ""
    return f"{collection} takes {', '.join(taken.values())} files, and this one is {mime_type} by its content{shape}"


def plain_name(name: str) -> str:
    """Return a file's name without folders and control characters; the end, with its suffix, of one that is long."""
    last = normalised("NFC", name).replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[-LONGEST_NAME:] if printable.strip(".") else NAMELESS


def title_of(said: str | None, name: str) -> str:
    """Return what a document is called: its title, or its file's name where that is blank or an editor's own."""
    title = (said or "").strip()
    words = title.casefold().removeprefix("microsoft word - ").strip("()[]<>-_ .…0123456789")
    return name if not words or words in NO_TITLES else title


def settled_kind(sniffed: str, given: str | None) -> str | None:
    """Return a file's kind by content; the sender may tell one kind of text from another. None when both disagree."""
    if given is None or ALIASES.get(given, given) == sniffed:
        return sniffed
    return given if {given, sniffed} <= TEXT_KINDS else None
