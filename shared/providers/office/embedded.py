"""Files that were put into a document: read as what they are, or told."""

from collections.abc import Callable, Sequence

from shared.errors import Invalid, Refused
from shared.providers.office.package import Element, Package, Unread, reference

TextOf = Callable[[bytes, str], tuple[str, Sequence[str]]]  # the text and what is lost of it; raises Invalid or Refused


def too_deep(data: bytes, name: str) -> tuple[str, Sequence[str]]:
    """Refuse a file within a file that is within one itself."""
    raise Invalid("it is a file within a file")


def text_within(package: Package, part: str, element: Element, text_of: TextOf) -> tuple[str, Sequence[str]]:
    """Return the text of the file that an element of a part puts there; raises Unread."""
    link = package.links(part).get(reference(element))
    if link is None or link.is_outside:
        raise Unread("it is not in the file")
    try:
        return text_of(package.read(link.target), link.target)
    except (Invalid, Refused) as error:
        raise Unread(str(error)) from error
