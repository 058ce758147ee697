"""A formula of an Office document as a line of text: (a+b)/(c), x^2."""

from collections.abc import Callable

from shared.providers.office.package import Element, child, children, inside, local, reference

SINGLE = 1  # characters that need no brackets
LONGEST_SIGN = 2  # characters


def formula(element: Element) -> str:
    """Return a formula in one line; raises RecursionError for one that is nested without end."""
    kind = local(element)
    if kind == "t":
        return element.text or ""
    return AS_LINE[kind](element) if kind in AS_LINE else _joined(element)


def _joined(element: Element | None) -> str:
    return "".join(map(formula, element)) if element is not None else ""


def _bracketed(element: Element | None) -> str:
    inner = _joined(element).strip()
    return inner if len(inner) <= SINGLE or inner.isalnum() else f"({inner})"


def _sign(element: Element, name: str, default: str) -> str:
    """Return a sign that a formula's look names."""
    found = next(inside(child(element, f"{local(element)}Pr"), name), None)
    return default if found is None else reference(found, "val")[:LONGEST_SIGN]


def _low_and_high(element: Element) -> str:
    told = ((sign, _bracketed(child(element, name))) for sign, name in (("_", "sub"), ("^", "sup")))
    return "".join(f"{sign}{inner}" for sign, inner in told if inner)


def _delimited(element: Element) -> str:
    parts = _sign(element, "sepChr", "|").join(map(_joined, children(element, "e")))
    return f"{_sign(element, 'begChr', '(')}{parts}{_sign(element, 'endChr', ')')}"


def _scripted(element: Element) -> str:
    return _joined(child(element, "e")) + _low_and_high(element)


def _limited(element: Element) -> str:
    return f"{_joined(child(element, 'e'))}_{_bracketed(child(element, 'lim'))}"


AS_LINE: dict[str, Callable[[Element], str]] = {
    "f": lambda each: f"{_bracketed(child(each, 'num'))}/{_bracketed(child(each, 'den'))}",
    "sSup": _scripted,
    "sSub": _scripted,
    "sSubSup": _scripted,
    "rad": lambda each: f"{_joined(child(each, 'deg'))}√({_joined(child(each, 'e'))})",
    "d": _delimited,
    "nary": lambda each: f"{_sign(each, 'chr', '∫')}{_low_and_high(each)} {_joined(child(each, 'e'))}",
    "limLow": _limited,
    "limUpp": _limited,
    "m": lambda each: "; ".join(", ".join(map(_joined, children(row, "e"))) for row in children(each, "mr")),
    "eqArr": lambda each: "; ".join(map(_joined, children(each, "e"))),
}
