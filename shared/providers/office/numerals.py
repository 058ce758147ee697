"""The numbers of a list as it writes them: 3, c, iii."""

ROMAN = {
    **{1000: "m", 900: "cm", 500: "d", 400: "cd", 100: "c", 90: "xc", 50: "l"},
    **{40: "xl", 10: "x", 9: "ix", 5: "v", 4: "iv", 1: "i"},
}
LARGEST = 9999


def numeral(number: int, style: str) -> str:
    """Return a number in a style of Word's, in digits where the style is another."""
    if not 0 < number <= LARGEST:
        return str(number)
    match style:
        case "lowerLetter" | "upperLetter":
            told = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        case "lowerRoman" | "upperRoman":
            told = _roman(number)
        case "decimalZero":
            told = f"{number:02d}"
        case "ordinal":
            told = f"{number}{_ending(number)}"
        case _:
            told = str(number)
    return told.upper() if style.startswith("upper") else told


def _roman(number: int) -> str:
    told = ""
    for value, letters in ROMAN.items():
        told += letters * (number // value)
        number %= value
    return told


def _ending(number: int) -> str:
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
