"""Pictures in Markdown and plain text are their alternative text."""

import time

import pytest

from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import MARKDOWN, PLAIN

LETTERS = "iVBORw0KGgoAAAANSUhEUgAAAAUA+/" * 40 + "=="
BROKEN = "\n".join(LETTERS[at : at + 76] for at in range(0, len(LETTERS), 76))
PNG = f"data:image/png;base64,{LETTERS}"
DRAWING = "data:image/svg+xml;utf8,<svg xmlns='http://a.example'><g transform='translate(1 2)'/></svg>"
MEGABYTE = 1_000_000


def read(text: str, kind: str = MARKDOWN) -> str:
    return KreuzbergParser().parse(text.encode(), kind).text


@pytest.mark.parametrize(
    "picture",
    [
        f"![a map]({PNG})",
        f'![a map]({PNG} "Title")',
        f"![a map](<{PNG}>)",
        f"![a map](data:image/png;base64,{BROKEN})",
        f"![a map]({DRAWING})",
        "![a map](data:image/svg+xml,%3Csvg%20d='M0(1)')",
        f'<img src="{PNG}" alt="a map">',
        f'<img alt="a map" src="{DRAWING}">',
        f"[a map]({PNG.upper().replace('BASE64', 'base64')})",
        "a <svg viewBox='0 0 9 9'><title>map</title><path d='M0 0L9 9'/></svg>",
    ],
)
def test_a_picture_in_markdown_is_its_alternative_text(picture: str) -> None:
    assert read(f"Before.\n\n{picture}\n\nAfter.").split() == "Before. a map After.".split()


def test_pictures_at_the_end_of_a_text_are_left_out_with_their_names() -> None:
    text = (
        f"One ![a map][image1] and ![][image2].\n\n[image1]: <{PNG}>\n\n[image2]: {PNG}\n\n[site]: http://a.example\n"
    )
    assert read(text).split() == "One a map and . [site]: http://a.example".split()


@pytest.mark.parametrize("kind", [PLAIN, MARKDOWN])
@pytest.mark.parametrize("around", ["{}", '"{}"', "'{}'", "url({})", "src={} "])
def test_no_letters_of_a_picture_stay_in_a_text(kind: str, around: str) -> None:
    for data in (PNG, f"data:image/png;base64,{BROKEN}"):
        left = read(f"Before.\n{around.format(data)}\nAfter.", kind)
        assert "Before." in left
        assert left.endswith("\nAfter.")
        assert not set(left.split()) & set(data.split())
        assert len(left) < 40


@pytest.mark.parametrize(
    "text",
    [
        "The data: a, b and c (data:none, as said).",
        "![a map](http://a.example/map.png) [b](data.html)",
        "```xml\n<svg><path d='M0 0'/></svg>\n```\n",
        "Metadata:image, kind; data:text/plain,Hello",
        "An <svg> element without end, and data: nothing",
        "Begin with `<svg>`. This paragraph is important.\n\nAnd this one.\n\nEnd it with `</svg>`. Done.",
        "Begin with <svg>. This paragraph is important.\n\nAnd this one.\n\nEnd it with </svg>. Done.",
        "Begin with <svg width='9'>. This is important, and </svg> ends it.",
        "<svg>\n\nThis is important.\n\n</svg>",
        "<svg viewBox='0 0 9 9'><path d='M0 0'/>\n\nThis is important.\n</svg>",
        "Write `<svg width='9'><g/></svg>` or ``<svg width='9'></svg>``.",
        "Write <svg></svg> where it is to stand.",
        "~~~\n<svg width='9'></svg>\n~~~\n",
        "````\n```\n<svg width='9'></svg>\n````\n",
        "```\n<svg width='9'></svg>\n",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert read(text) == text


def test_a_drawing_behind_prose_about_drawings_is_left_out() -> None:
    prose = "An `<svg>` or <svg> begins it.\n\n"
    words = "<style>a > b {}</style>\n<g><text>A<tspan>b</tspan>c</text></g>"
    drawing = f"<svg xmlns='http://a.example' width='9'>\n<!-- <g> -->\n\n{words}\n</svg>"
    assert read(f"{prose}{drawing}\n\nIt ends with `</svg>`.") == f"{prose}\n\nIt ends with `</svg>`."


@pytest.mark.parametrize(
    ("around", "left"),
    [
        ("x <y and {}\n\nThis is important.\n\nz> w", "x <y and \n\nThis is important.\n\nz> w"),
        ("[a map]: {} shows the fog", "[a map]:  shows the fog"),
    ],
)
def test_no_prose_beside_a_picture_is_left_out(around: str, left: str) -> None:
    assert read(around.format(PNG)) == left


def test_a_quotation_mark_that_is_never_closed_takes_no_paragraph_along() -> None:
    text = 'The "data:image/svg+xml,x goes on.\n\nThis is important. "So is this."'
    assert read(text) == 'The " goes on.\n\nThis is important. "So is this."'


@pytest.mark.parametrize(
    "broken",
    [
        "(data:image/a, ",
        "data:image/a;base64,",
        "data:",
        "data:a;",
        '"data:image/a, ',
        "![",
        "![a](data:image/a,",
        "<svg>data:",
        "<svg></svg",
        "<svg a><!--",
        "<svg a><title>",
        "<svg a><g>",
        "<svg a>",
        "<svg ",
        "\n<svg>",
        "`",
        "~~~\n",
        "[a]:",
        "[a]:\n ",
        "'data:image/a,",
        "```\n",
        "<data:image/a,b ",
        "\n \n",
        "<a data:image/a,b",
        "data:image/a;base64,\nAAAA\n",
    ],
)
def test_broken_pictures_are_read_in_linear_time(broken: str) -> None:
    started = time.process_time()
    read(broken * (MEGABYTE // len(broken)) + "data:image/a,x y")
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("before", "repeated"), [("[a]:", " "), ("[a]:", "\t"), ("[a]:\n", " "), ("<svg", " "), ("\n", " ")]
)
def test_what_is_repeated_behind_a_sign_is_looked_at_once(before: str, repeated: str) -> None:
    started = time.process_time()
    read(before + repeated * MEGABYTE + "data:image/a,x y <svg>")
    assert time.process_time() - started < 2
