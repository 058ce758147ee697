"""All words of a presentation are read, slide by slide, or their loss is told."""

from collections.abc import Mapping

import pytest

from shared.errors import Invalid
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import PPTX, sniff
from tests.fakes.office import CHART, DIAGRAM, DRAWING, SPACES, Linked, book, deck, frame, package, shape, slide

TITLE = shape("Costs", "title")


def read(data: bytes) -> Parsed:
    assert sniff(data, "a.pptx") == PPTX
    return KreuzbergParser().parse(data, PPTX)


def one(shapes: str, linked: Linked | None = None, parts: Mapping[str, str | bytes] | None = None) -> Parsed:
    return read(deck([slide(TITLE + shapes)], linked or {}, parts or {}))


def cell(text: str, merged: str = "") -> str:
    return f"<a:tc{merged}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"


def test_a_table_is_read_and_each_slide_is_a_page() -> None:
    rows = [cell("Item") + cell("NOK"), cell("Crane") + cell("17|18"), cell("", ' vMerge="1"') + cell("19")]
    table = frame(f"<a:tbl>{''.join(f'<a:tr>{row}</a:tr>' for row in rows)}</a:tbl>")
    parsed = read(deck([slide(shape("First")), slide(TITLE + table), slide("")], {}, {}))
    assert [parsed.text[page.start : page.end] for page in parsed.pages] == [
        "First",
        "## Costs\n\n| Item | NOK |\n| --- | --- |\n| Crane | 17\\|18 |\n| Crane | 19 |",
        "",
    ]


def test_notes_and_comments_are_read() -> None:
    notes = slide(shape("7", "sldNum") + shape("Ask Ludvig", "body"), "notes")
    older = f"<p:cmLst {SPACES}><p:cm><p:text>Too dear</p:text></p:cm></p:cmLst>"
    newer = (
        f"<x:cmLst {SPACES} xmlns:x='y'><x:cm><x:txBody><a:p><a:r><a:t>No</a:t></a:r></a:p></x:txBody></x:cm></x:cmLst>"
    )
    linked = {"n": ("notesSlide", "/n.xml"), "c": ("comments", "/c.xml"), "d": ("comments", "/d.xml")}
    parsed = one("", linked, {"n.xml": notes, "c.xml": older, "d.xml": newer})
    assert parsed.text == "## Costs\n\nNotes: Ask Ludvig\n\nComment: Too dear\n\nComment: No"


def test_shapes_within_groups_and_lists_are_read() -> None:
    group = f"<p:grpSp><p:grpSp>{shape('Quay 312')}</p:grpSp></p:grpSp>"
    numbered = shape("Close V9\nDrain", look='<a:buAutoNum type="alphaLcParenR"/>')
    assert one(group + numbered).text == "## Costs\n\nQuay 312\n\na) Close V9\nb) Drain"


def test_what_stands_at_the_foot_of_each_slide_is_said_once() -> None:
    each = slide(shape("Brix &amp; Sons", "ftr") + shape("3", "sldNum") + shape("x"))
    assert read(deck([each, each], {}, {})).text == "Brix & Sons\n\nx\n\nx"


def test_what_a_design_shows_is_said_once() -> None:
    design = slide(shape("Confidential") + shape("Click to edit", "body"), "sldLayout")
    linked = {"l": ("slideLayout", "/l.xml")}
    parsed = read(deck([slide(TITLE), slide(shape("x"))], linked, {"l.xml": design}))
    assert parsed.text == "## Costs\n\nConfidential\n\nx"


def test_a_date_that_somebody_wrote_is_read() -> None:
    field = shape("today", "dt").replace("<a:r>", "<a:fld>").replace("</a:r>", "</a:fld>")
    assert one(shape("12 March 2031", "dt") + field).text == "## Costs\n\n12 March 2031"


def test_why_there_is_no_text_is_told() -> None:
    with pytest.raises(Invalid, match="no text in it: slide 1: the slide was not read: it is damaged"):
        read(deck(["<p:sld"], {}, {}))


def points(kind: str, values: list[str], code: str = "") -> str:
    told = f"<c:formatCode>{code}</c:formatCode>" if code else ""
    each = "".join(f'<c:pt idx="{at}"><c:v>{value}</c:v></c:pt>' for at, value in enumerate(values))
    return f"<c:{kind}Ref><c:{kind}Cache>{told}{each}</c:{kind}Cache></c:{kind}Ref>"


def titled(text: str) -> str:
    return f"<c:title><c:tx><c:rich><a:p><a:r><a:t>{text}</a:t></a:r></a:p></c:rich></c:tx></c:title>"


def charted(values: str) -> str:
    series = f"<c:ser><c:tx>{points('str', ['Ships'])}</c:tx><c:cat>{points('str', ['Spring', 'Autumn'])}</c:cat>"
    axis = f"<c:valAx>{titled('Arrivals')}</c:valAx>"
    plot = f"<c:plotArea><c:barChart>{series}<c:val>{values}</c:val></c:ser></c:barChart>{axis}</c:plotArea>"
    chart = f"<c:chart>{titled('Traffic')}{plot}</c:chart>"
    return f'<c:chartSpace xmlns:c="{CHART}" xmlns:a="{DRAWING}">{chart}</c:chartSpace>'


CHARTED = frame('<c:chart r:id="c"/>')
TO_CHART = {"c": ("chart", "/c.xml")}


def test_a_chart_is_read_with_its_titles_labels_and_values() -> None:
    parsed = one(CHARTED, TO_CHART, {"c.xml": charted(points("num", ["0.73", "0.88"], "0%"))})
    table = "|  | Ships |\n| --- | --- |\n| Spring | 73% |\n| Autumn | 88% |"
    assert parsed.text == f"## Costs\n\nTraffic\n\nArrivals\n\n{table}"


def test_labels_on_two_levels_are_both_said() -> None:
    levels = [["Q1", "Q2", "Q1"], ["2031", None, "2032"]]
    told = "".join(
        "<c:lvl>"
        + "".join(f'<c:pt idx="{at}"><c:v>{each}</c:v></c:pt>' for at, each in enumerate(level) if each)
        + "</c:lvl>"
        for level in levels
    )
    plain = charted(points("num", ["1", "2", "3"]))
    start, end = plain.index("<c:cat>"), plain.index("</c:cat>")
    chart = f"{plain[:start]}<c:cat><c:multiLvlStrRef>{told}</c:multiLvlStrRef>{plain[end:]}"
    assert "| 2031 Q1 | 1 |\n| 2031 Q2 | 2 |\n| 2032 Q1 | 3 |" in one(CHARTED, TO_CHART, {"c.xml": chart}).text


def test_a_diagram_is_read() -> None:
    point = "<dgm:pt{}><dgm:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></dgm:t></dgm:pt>"
    said = point.format("", "Dredge") + point.format(' type="pres"', "no") + point.format("", "Pave")
    model = f"<dgm:dataModel {SPACES}><dgm:ptLst>{said}</dgm:ptLst></dgm:dataModel>"
    parsed = one(frame('<dgm:relIds r:dm="d"/>'), {"d": ("diagramData", "/d.xml")}, {"d.xml": model})
    assert parsed.text == "## Costs\n\n- Dredge\n- Pave"
    assert DIAGRAM in model


@pytest.mark.parametrize(
    ("shapes", "parts", "said"),
    [
        pytest.param(CHARTED, {}, "a chart was not read: it is missing in the file", id="no chart"),
        pytest.param(CHARTED, {"c.xml": charted("")}, "its values are not in the file", id="no values"),
        pytest.param(CHARTED, {"c.xml": "<c"}, "a chart was not read: it is damaged", id="a damaged chart"),
        pytest.param(frame('<p:oleObj progId="Excel.Sheet.12"/>'), {}, "Excel.Sheet.12", id="an embedded file"),
    ],
)
def test_what_is_not_read_of_a_slide_is_told(shapes: str, parts: dict[str, str], said: str) -> None:
    parsed = one(shapes, TO_CHART, parts)
    assert "## Costs" in parsed.text
    assert [said in warning and "slide 1" in warning for warning in parsed.warnings] == [True]


def test_a_workbook_on_a_slide_is_read() -> None:
    table = '<sheetData><row><c t="inlineStr"><is><t>a</t></is></c><c><v>7</v></c></row></sheetData>'
    linked, parts = {"o": ("package", "/o.xlsx")}, {"o.xlsx": book({"Costs": table})}
    parsed = one(frame('<p:oleObj r:id="o" progId="Excel.Sheet.12"/>'), linked, parts)
    assert parsed.text == "## Costs\n\n## Costs\n\n| a | 7 |\n| --- | --- |"
    assert parsed.warnings == []


def test_a_damaged_slide_is_told_and_the_others_are_read() -> None:
    parsed = read(deck([slide(TITLE), "<p:sld"], {}, {}))
    assert parsed.text.strip() == "## Costs"
    assert parsed.warnings == ["slide 2: the slide was not read: it is damaged"]


def test_a_presentation_without_slides_says_so() -> None:
    main = f"<p:presentation {SPACES}/>"
    data = package("ppt/presentation.xml", "presentationml.presentation", {"ppt/presentation.xml": main})
    with pytest.raises(Invalid, match="no slides"):
        read(data)
