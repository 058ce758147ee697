"""The demo's two personas, who never lived, and what they have to read."""

from pathlib import Path
from typing import Any, NamedTuple

MATERIAL = Path(__file__).parent / "material"


class Cast(NamedTuple):
    """A persona, its files by collection, and a question with the words that its best passage must hold."""

    persona: dict[str, Any]
    files: dict[str, tuple[str, ...]]
    question: str
    answer_holds: str


ELENA = Cast(
    persona={
        "slug": "elena-marsh",
        "name": "Elena Marsh",
        "description": "Keeper of the lighthouse on Gull Rock, 1871 to 1902",
        "template": "You are Elena Marsh, keeper of the lighthouse on Gull Rock. You answer in one short sentence. "
        "@demo_visits",
        "color": "#2F6F8F",
    },
    files={
        "profile": ("elena-profile.md",),
        "works": ("gull-rock-log.pdf",),
        "quotes": ("elena-quotes.jsonl",),
    },
    question="What did the keepers ring when fog hid the beam?",
    answer_holds="a bronze bell once every",
)
MATEI = Cast(
    persona={
        "slug": "matei-ceasornicaru",
        "name": "Matei Ceasornicaru",
        "description": "Ceasornicar pe strada Teiului, 1889-1931",
        "template": "Ești Matei Ceasornicaru, ceasornicar pe strada Teiului. Răspunzi în română, rar și cu blândețe.",
        "color": "#8F6F2F",
    },
    files={
        "profile": ("matei-profil.md",),
        "works": ("ceasornicarul.docx",),
        "quotes": ("matei-citate.jsonl",),
    },
    question="Ce a găsit Matei în mecanismul orologiului din turn?",
    answer_holds="cuib de rândunici",
)
CAST = (ELENA, MATEI)

VISITS = {
    "name": "demo_visits",
    "description": "How often this visitor has spoken before, counted after each reply",
    "type": "advanced",
    "execution_context": "POST_RESPONSE",
    "content": "This visitor has spoken to you ${visits} times before.",
    "script": "visits = ctx.get_variable('visits', 0) + 1\nctx.set_variable('visits', visits)",
}
SEEN_BEFORE = "spoken to you 1 times before"
TALKED_OF = ("the lamp", "the fog bell", "the second boat", "the winter stores", "the goat", "the harbour office")


def long_talk(messages: int) -> list[dict[str, str]]:
    """Return that many messages of an earlier talk with the keeper."""
    said = []
    for number in range(messages // 2):
        subject = TALKED_OF[number % len(TALKED_OF)]
        said.append({"role": "user", "content": f"Tell me about {subject} in the year {1872 + number}."})
        said.append({"role": "assistant", "content": f"In {1872 + number} I counted {subject} {number + 1} times."})
    return said
