"""What the symbol fonts of word processors draw: their letters are codes of signs, not letters."""

PRIVATE = 0xF000  # where Word puts the codes of such fonts
# Of the font Symbol, from its codes 0x20 and 0xA0 on.
LOWER = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_"  # noqa: RUF001
    "\u203eαβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"  # noqa: RUF001
)
UPPER = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑"  # noqa: RUF001
SYMBOL = dict(enumerate(LOWER, 0x20)) | dict(enumerate(UPPER, 0xA0)) | {0xF1: "⟩", 0xF2: "∫"}
WINGDINGS = {
    **{0x28: "☎", 0x2A: "✉", 0x46: "☞", 0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "☐", 0x76: "❖"},
    **{0x9F: "•", 0xA7: "▪", 0xA8: "☐", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓"},
    **{0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
}
WINGDINGS_2 = {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0xA3: "☐"}
FONTS = {"symbol": SYMBOL, "wingdings": WINGDINGS, "wingdings 2": WINGDINGS_2, "wingdings 3": {}, "webdings": {}}


def drawn(font: str, code: int) -> str:
    """Return the sign that a font draws for a code; one without a letter of its own stays a private one."""
    signs = FONTS.get(font.casefold())
    own = code - PRIVATE if PRIVATE <= code < PRIVATE + 0x100 else code
    if signs is not None and own < 0x100:
        return signs.get(own) or chr(PRIVATE + own)
    return chr(own) if chr(own).isprintable() else ""
