"""Pages of HTML: all their text, in order, however deep or broken, without what is no text."""

import time

import pytest

from shared.errors import Invalid
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import HTML, sniff
from shared.providers.web import html
from shared.providers.web.html import HIDDEN

MEGABYTE = 1_000_000
BROKEN = """
<head>1|<head>|<head |</head|<title>|<title>x|<title |</title |<!--|<!---->|<!|<?|</|<|&|&#|&#9|<a |<a b='|<a b=">" |
<![CDATA[|<svg><title>|<script>|</script |<script></script |<textarea>|<div hidden>|<nav>|<b>|<h1>|<table>|<td>|
<p hidden>|<tr><td>a<td>b|<td rowspan=9999>x|<table><tr><th colspan=9999>x|
<li>|<ul><li>|<rt>|<ruby><rt>x|<a href=x>a|<blockquote>|<pre>x
""".replace("\n", "").split("|")


def text(body: str) -> str:
    return html.read(f"<!doctype html><html><body>{body}</body></html>").text.strip()


def parse(data: bytes) -> Parsed:
    return KreuzbergParser().parse(data, sniff(data, "a.html"))


@pytest.mark.capability("C199")
@pytest.mark.parametrize(
    ("broken", "size"),
    [*((each, MEGABYTE // 5) for each in BROKEN), *((each, MEGABYTE) for each in ("<head>1", "<title>", "<!--"))],
)
def test_broken_markup_is_read_in_linear_time(broken: str, size: int) -> None:
    started = time.process_time()
    html.read(broken * (size // len(broken)))
    assert time.process_time() - started < size / MEGABYTE * 20


@pytest.mark.parametrize("number", ["&#" + "9" * 5000 + ";", "&#" + "0" * 5000 + "65;", "&#x" + "f" * 5000, "&#xd800;"])
def test_a_number_of_a_character_may_be_anything(number: str) -> None:
    assert text(f"<p>before {number} behind")


@pytest.mark.parametrize(
    "opening", ["div", "span", "blockquote", "table><tr><td", "ul><li", "b", "font", "x-card", "p"]
)
@pytest.mark.parametrize("depth", [10, 64, 3000])
def test_text_is_kept_at_any_depth(opening: str, depth: int) -> None:
    closing = "".join(f"</{tag}>" for tag in reversed(opening.replace("<", "").split(">")))
    page = "<p>first</p>" + f"<{opening}>outer " * depth + "inmost" + f" after{closing}" * depth + "<p>last"
    expected = ["first", *["outer"] * depth, "inmost", *["after"] * depth, "last"]
    assert [word for word in text(page).split() if word.isalpha()] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("<table><tr><td>1<td>2</tr></table><p>after</p>", "1\n2\n\nafter", id="cells without end"),
        pytest.param("before<!-- never closed <p>after</p>", "before after", id="a comment without end"),
        pytest.param("<p>one <b>two <i>three</b> four</i>", "one two three four", id="crossed elements"),
        pytest.param("<ul><li>a<li>b<ul><li>c</ul></ul>d", "- a\n- b\n  - c\n\nd", id="items without end"),
        pytest.param("<ol start=4><li>a<li>b</ol>", "4. a\n5. b", id="numbers"),
        pytest.param("<p>a &lt; b &amp; 3 < 4", "a < b & 3 < 4", id="signs that are no tags"),
        pytest.param("<script>no", "no", id="a script without end"),
        pytest.param("in<b>side</b> 10<sup>6</sup> 1<sup>st</sup>", "inside 10^6 1st", id="marks within words"),
        pytest.param("<pre>\na\n  b<br>c</pre>x", "```\na\n  b\nc\n```\n\nx", id="code"),
        pytest.param("<blockquote>a<p>b</p></blockquote>c", "> a\n\n> b\n\nc", id="a quotation"),
        pytest.param('<a href="http://x.example/y">z</a>', "[z](http://x.example/y)", id="a link"),
        pytest.param('<a href="javascript:x()">z</a><a href="#a">y</a>', "zy", id="a link that leads nowhere"),
        pytest.param("<ruby>漢<rp>(</rp><rt>かん</rt></ruby>", "漢(かん)", id="a reading"),
        pytest.param("<div>a</div><div>b<br><br>c</div>", "a\nb\n\nc", id="lines"),
        pytest.param("<input value=Marrow><input type=hidden value=no>", "Marrow", id="what is filled in"),
        pytest.param("<![CDATA[a < b]]> c", "a < b c", id="a CDATA section"),
        pytest.param("<dl><dt>a<dd>b</dl>", "a\nb", id="definitions"),
    ],
)
def test_elements_become_markdown(body: str, expected: str) -> None:
    assert text(body) == expected


def test_a_table_has_a_heading_for_each_column_and_its_cells_in_place() -> None:
    head = "<tr><th rowspan=2>Item<th colspan=2>Weight</tr><tr><th>net<th>gross</tr>"
    body = "<tr><td rowspan=2>K1<td>1<td>a|b<tr><td>3<td>4<tr><td colspan=2>K2<td>6"
    assert text(f"<table><thead>{head}</thead><tbody>{body}</tbody></table>").split("\n") == [
        "| Item | Weight net | Weight gross |",
        "| --- | --- | --- |",
        "| K1 | 1 | a\\|b |",
        "| K1 | 3 | 4 |",
        "| K2 |  | 6 |",
    ]


@pytest.mark.parametrize(
    "above",
    [
        "<tr><th colspan=3>Staff</th></tr><tr><th>Name<th>Dept<th>Phone</tr>",
        "<thead><tr><th colspan=3>Staff</th></tr></thead><tr><td>Name<td>Dept<td>Phone</tr>",
        "<tr><td colspan=3><b>Staff</b></td></tr><tr><td>Name<td>Dept<td>Phone</tr>",
        "<caption>Staff</caption><tr><td>Name<td>Dept<td>Phone</tr>",
    ],
)
def test_the_title_of_a_table_is_no_heading(above: str) -> None:
    written = text(f"<table>{above}<tr><td>Ann<td>Lamps<td>7</tr></table>")
    assert written == "Staff\n\n| Name | Dept | Phone |\n| --- | --- | --- |\n| Ann | Lamps | 7 |"


def test_a_table_of_names_and_values_may_have_a_title() -> None:
    written = text("<table><tr><th colspan=2>Ann</th></tr><tr><th>Born<td>1900<tr><th>Died<td>1950</table>")
    assert written == "Ann\n\n|  |  |\n| --- | --- |\n| Born | 1900 |\n| Died | 1950 |"


def test_a_table_of_names_and_values_has_no_heading_row() -> None:
    written = text("<table><tr><th>Name<td>Ann<tr><th>Place<td>Constanța</table>").split("\n")
    assert written == ["|  |  |", "| --- | --- |", "| Name | Ann |", "| Place | Constanța |"]


@pytest.mark.parametrize(
    "left_out",
    [
        "<nav><ul><li><a href=/>Home</a><li><a href=/b>About</a></ul></nav>",
        "<div role=navigation><a href=/>Home</a></div>",
        "<ul><li><a href=/>Home</a><li><a href=/b>News</a><li><a href=/c>About</a></ul>",
        "<header><ul><li><a href=/>Home</a><li><a href=/b>News</a></ul></header>",
        "<script>var x = '<p>no</p>'</script>",
        "<style>p { color: red }</style>",
        "<noscript>Please enable scripts</noscript>",
        "<template><p>No</p></template>",
        "<div hidden>No <div>no</div> no</div>",
        "<p style='color: red; DISPLAY : none'>No</p>",
        "<span aria-hidden=true>No</span>",
        "<p hidden>No",
        "<!-- no -->",
    ],
)
def test_what_is_no_text_is_left_out(left_out: str) -> None:
    page = "<h1>Foxes</h1><p>Foxes live in woods, and nobody sees them by day.</p>"
    assert text(left_out + page) == text(page)


@pytest.mark.parametrize(
    "kept",
    [
        "<nav><p>" + "Ten years of prose that is no menu. " * 9 + "</p><a href=/>Home</a></nav>",
        "<h1>Contents</h1><ul><li><a href=a>One</a><li><a href=b>Two</a><li><a href=c>Three</a></ul>",
        "<header><h1>Three</h1><p>by Ann</p></header>",
        "<div aria-hidden=true><p>Three</p></div>",
        "<div hidden=until-found>Three</div>",
        "<nav>Three",
        "<div hidden>Three",
    ],
)
def test_text_that_only_looks_like_furniture_is_kept(kept: str) -> None:
    assert ("Three" in text(f"{kept}<p>end</p>")) or ("Ten years" in text(kept))


def test_a_page_of_nothing_but_links_is_its_links() -> None:
    assert text("<nav><a href=/a>Alpha</a></nav>") == "[Alpha](/a)"


def test_a_page_that_is_mostly_hidden_says_so() -> None:
    page = html.read(f"<p>seen</p><div hidden>{'hidden ' * 9}</div>")
    assert (page.text.strip(), page.warnings) == ("seen", [HIDDEN])
    with pytest.raises(Invalid, match="no text"):
        parse(b"<html><p hidden>no</p>")


def question(number: int, opening: str, closing: str) -> str:
    return f"<h2>Question {number}?</h2>{opening}Answer {number} tells of foxes by night.{closing}"


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<div style='display:none'>", "</div>"),
        ("<div hidden><p>", "</p></div>"),
        ("<div aria-hidden=true role=tabpanel style='display:none'>", "</div>"),
        ("<details><summary>Open</summary><p style='display:none'>", "</p></details>"),
        ("<ul style='visibility:hidden'><li>", "</ul>"),
        ("<noscript><p>", "</p></noscript>"),
        ("<p><span hidden>", "</span></p>"),
        ("<table><tr><td hidden>", "<td>x<tr><td>y<td>z</table>"),
        ("<div hidden>7 pm. <span hidden>", "</span></div>"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "<main><h1>All</h1>{}</main>"])
def test_answers_that_open_on_a_click_are_text(opening: str, closing: str, around: str) -> None:
    page = html.read(around.format("".join(question(number, opening, closing) for number in range(5))))
    assert [page.text.count(f"Answer {number} tells of foxes by night.") for number in range(5)] == [1] * 5
    assert not page.warnings


def test_a_short_answer_below_its_heading_is_text_and_a_hidden_label_is_not() -> None:
    assert (
        text("<h2>When?</h2><div hidden>7 pm</div><p>Come.<b hidden>Copied</b></p>").split()
        == "## When? 7 pm Come.".split()
    )


PROSE = "".join(f"<p>The keeper wrote on day {day} that the fog had lifted.</p>" for day in range(9))


@pytest.mark.parametrize(
    "page",
    [
        "<body><p>Loading.</p><div id=app style='display:none'>{}</div>",
        "<body><p>Loading.</p><main hidden>{}</main>",
        "<body hidden>{}</body>",
        "<nav><a href=/>Home</a></nav><template id=article>{}</template><script>show()</script>",
        "<div hidden><div hidden><template>{}</template></div></div>",
        "<div style='visibility:hidden'><h1>Log</h1>{}</div>",
        "<noscript>{}</noscript>",
        "<details><summary>Log</summary>{}</details>",
        "<div class='content hidden'>{}</div>",
        "<h1>Log</h1><div role=tabpanel hidden>{}</div>",
    ],
)
def test_most_of_a_page_is_its_text_though_a_script_shows_it(page: str) -> None:
    read = html.read(page.format(PROSE))
    assert [f"on day {day} that" in read.text for day in range(9)] == [True] * 9
    assert not read.warnings


@pytest.mark.parametrize(
    "hidden",
    [
        "<div hidden>hidden box</div>",
        "<div class=box style='display:none'>hidden box</div>",
        "<section hidden><p>hidden box</p></section>",
        "<ul hidden><li>hidden box</ul>",
        "<details><summary>More</summary>hidden box</details>",
        "<div class='tab hidden'>hidden box</div>",
    ],
)
def test_a_few_hidden_words_in_the_text_are_kept(hidden: str) -> None:
    page = f"<main><h1>Foxes</h1><p>Seen by night, and by day.</p>{hidden}<p>The end.</p></main>"
    assert "hidden box" in text(page)


def test_a_hidden_panel_is_text_wherever_it_is() -> None:
    assert text("<p>One.</p><div role=tabpanel hidden>7 pm</div>") == "One.\n\n7 pm"


SENTENCES = "The keeper wrote that the fog had lifted. Nobody believed it, and he wrote it again the next day."


@pytest.mark.parametrize(
    "page",
    [
        "<div hidden>{}</div><h1>Foxes</h1><p>" + "Seen by night. " * 20,
        "<h1>Foxes</h1><p>" + "Seen by night. " * 20 + "</p><div role=dialog hidden>{}</div>",
        "<h1>Foxes</h1><p>" + "Seen by night. " * 20 + "</p><dialog>{}</dialog>",
        "<h1>Foxes</h1><p>" + "Seen by night. " * 20 + "</p><footer><p hidden>{}</p></footer>",
        "<main><h1>Foxes</h1><p>" + "Seen by night. " * 20 + "</p></main><div hidden>{}</div>",
        "<h1>Foxes</h1><p>" + "Seen by night. " * 20 + "</p><video>{}</video>",
        "<nav><a href=/>Home</a> {}</nav><p>" + "Seen by night. " * 20,
        "<nav><a href=/>Home</a></nav><div hidden>{}</div>",
    ],
)
def test_hidden_sentences_that_are_left_out_are_told(page: str) -> None:
    read = html.read(page.format(SENTENCES))
    assert "fog" not in read.text
    assert any("were left out" in warning for warning in read.warnings)


@pytest.mark.parametrize(
    "references",
    [
        "<ol><li><a href=/1>Smith, 1890</a><li><a href=/2>Ionescu, 1902</a><li><a href=/3>Weber, 1911</a></ol>",
        "".join(f"<p><a href=/{at}>Smith, Fogs of the northern coast, volume {at}</a></p>" for at in range(3)),
        "<ul>" + "".join(f"<li><a href=/{at}>Smith, Fogs of the northern coast, {at}</a>" for at in range(3)) + "</ul>",
    ],
)
def test_references_at_the_foot_are_text(references: str) -> None:
    page = html.read(f"<h1>Foxes</h1><p>Foxes live in woods.</p><footer>{references}</footer>")
    assert page.text.count("Smith") == references.count("Smith")


def test_a_note_that_scripts_are_needed_is_no_text() -> None:
    note = "<noscript>Please enable JavaScript to view the comments.</noscript>"
    assert text(f"<h1>Foxes</h1><p>Seen.</p>{note}") == text("<h1>Foxes</h1><p>Seen.</p>")


PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 900


@pytest.mark.parametrize(
    "picture",
    [
        f'<img src="{PICTURE}" alt="a picture">',
        f"<img alt='a picture' src={PICTURE}>",
        f'<a href="{PICTURE}"><img alt="a picture"></a>',
        "<svg><title>a picture</title><path d='M0 0 L9 9'/></svg>",
        "<svg aria-label='a picture'><path d='M0 0'/><style>a{}</style></svg>",
    ],
)
def test_a_picture_is_its_alternative_text(picture: str) -> None:
    assert text(f"<p>Before.</p>{picture}<p>After.</p>").split() == "Before. a picture After.".split()


@pytest.mark.parametrize(
    ("declared", "codec", "words"),
    [
        ('<meta charset="windows-1251">', "cp1251", "Журнал маяка"),
        ("<meta charset=ISO-8859-1>", "cp1252", "près de là, l'été à 5 €"),
        ('<meta content="text/html; charset=windows-1252" http-equiv=Content-Type>', "cp1252", "élèves “là”"),
        ("<META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=Shift_JIS'>", "shift_jis", "灯台守の日誌"),
        ("<meta charset='x-sjis'>", "shift_jis", "灯台守の日誌"),
        ('<meta charset="koi8-r">', "koi8_r", "Журнал маяка"),
        ("<meta charset=windows-31j>", "cp932", "灯台守は日誌に記した ①"),
        ("<meta charset=windows-874>", "cp874", "ประภาคาร"),
        ("<meta charset=x-mac-cyrillic>", "mac_cyrillic", "Журнал маяка"),
        ("<meta charset=utf-16>", "cp1251", "Смотритель маяка записал в журнал: туман рассеялся"),
        ("<?xml version='1.0' encoding='windows-1251'?>", "cp1251", "Журнал маяка"),
        ("<meta charset=gb2312>", "gbk", "灯塔日志"),
        ("<meta charset=utf-8>", "utf-8", "灯台 Țară"),
        ("", "utf-16", "灯台 Țară"),
        ('<meta charset="windows-1251">', "utf-8-sig", "灯台 Țară"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_names(declared: str, codec: str, words: str) -> None:
    page = f"<html><head>{declared}<title>{words}</title></head><body><p>{words}</p></body></html>"
    parsed = parse(page.encode(codec))
    assert (parsed.text.strip(), parsed.title) == (words, words)


def test_the_title_is_that_of_the_page_and_not_of_a_drawing() -> None:
    page = b"<html><body><svg><title>no</title></svg><head><TITLE lang=en>Foxes &amp;\n hens</TITLE></head><p>a</p>"
    assert KreuzbergParser().parse(page, HTML).title == "Foxes & hens"
