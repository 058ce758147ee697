"""Make the demo's PDF and DOCX from our own texts: `python -m deploy.demo.make_material` (needs the dev packages)."""

from datetime import UTC, datetime
from pathlib import Path

from docx import Document
from fpdf import FPDF

MATERIAL = Path(__file__).parent / "material"
MADE_ON = datetime(2026, 1, 1, tzinfo=UTC)  # fixed, so that making them again changes no byte

LOG_PAGES = [
    (
        "The lamp",
        "The lighthouse on Gull Rock was lit for the first time on the ninth of November 1871. Its lamp burned rapeseed "
        "oil, and the keeper wound the clockwork every four hours so that the lens would turn. A full winding lifted a "
        "weight of ninety kilograms up the middle of the tower.\n\n"
        "The lens came from Paris in forty-two crates. One crate fell into the harbour and lay there for a week; its "
        "prism has a chip on the northern edge, and on clear nights the beam shows a thin dark line that sailors call "
        "the keeper's scar.",
    ),
    (
        "The storm of 1883",
        "On the second of February 1883 the sea broke the lower door and took the boat, the goat and eleven barrels of "
        "oil. Elena Marsh climbed to the lamp room with the last barrel on her back and kept the light for three nights "
        "without sleep.\n\n"
        "On the third morning the steamer Corrigan came in with two hundred and six people aboard. Her captain wrote "
        "that he had steered by the scar in the beam, because it told him which light it was.",
    ),
    (
        "Fog signals",
        "When fog hid the beam, the keepers rang a bronze bell once every thirty seconds. In 1890 the bell was replaced "
        "by a horn driven by compressed air, which could be heard for seven miles with the wind and for two against it."
        "\n\nElena Marsh never liked the horn. She said that a bell asks a ship to come home, and a horn orders it to.",
    ),
]

CEASORNICAR = [
    ("Atelierul", [
        "Atelierul lui Matei Ceasornicaru se afla pe strada Teiului, lângă podul de piatră. Avea o singură fereastră spre "
        "nord, fiindcă lumina de nord nu aruncă umbre pe masa de lucru.",
        "Pe perete erau douăsprezece ceasuri, fiecare cu ora altui oraș. Matei spunea că așa nu uită niciodată că undeva "
        "este deja mâine.",
    ]),
    ("Orologiul din turn", [
        "În anul 1904 Matei a reparat orologiul din turnul primăriei, care stătuse nouăsprezece ani la ora patru și "
        "zece. A găsit în mecanism un cuib de rândunici și a așteptat până în septembrie ca puii să zboare.",
        "Prima bătaie de după reparație s-a auzit în dimineața de paisprezece septembrie. Brutarul a crezut că visează.",
    ]),
]  # fmt: skip


def make_pdf(path: Path) -> None:
    """Write the keeper's log, a page a chapter."""
    pdf = FPDF(format="A5")
    pdf.set_creation_date(MADE_ON)
    pdf.set_title("The Log of Gull Rock")
    pdf.set_author("Elena Marsh")
    for title, text in LOG_PAGES:
        pdf.add_page()
        pdf.set_font("Times", "B", 16)
        pdf.multi_cell(0, 10, title, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Times", size=12)
        pdf.multi_cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(path))


def make_docx(path: Path) -> None:
    """Write the watchmaker's stories."""
    document = Document()
    document.core_properties.title = "Ceasornicarul de pe strada Teiului"
    document.core_properties.created = document.core_properties.modified = MADE_ON
    for title, paragraphs in CEASORNICAR:
        document.add_heading(title, level=1)
        for paragraph in paragraphs:
            document.add_paragraph(paragraph)
    document.save(str(path))


if __name__ == "__main__":
    MATERIAL.mkdir(exist_ok=True)
    make_pdf(MATERIAL / "gull-rock-log.pdf")
    make_docx(MATERIAL / "ceasornicarul.docx")
