"""Sentences in eight languages, as many as are wanted and no two alike: the same for every run of a seed."""

import random
from collections.abc import Iterator, Sequence

# ruff: noqa: RUF001 - Cyrillic letters are meant
# By language: a sentence's pattern, then who does it, what is done, to what, and where.
WORDS = {
    "en": (
        "In {year} {who} {did} {what} {where}.",
        "the keeper|the captain|my sister|an old teacher|the baker|a young doctor|the gardener|the clockmaker",
        "carried|found|described|hid|sold|repaired|remembered|painted",
        "the lamp|a green boat|the letters|two maps|the silver bell|a broken clock|the harvest|the long ladder",
        "near the harbour|behind the school|in the cellar|on the hill|by the river|at the market|under the bridge",
    ),
    "ro": (
        "În {year} {who} {did} {what} {where}.",
        "paznicul|căpitanul|sora mea|un învățător bătrân|brutarul|o doctoriță tânără|grădinarul|ceasornicarul",
        "a cărat|a găsit|a descris|a ascuns|a vândut|a reparat|și-a amintit|a pictat",
        "lampa|o barcă verde|scrisorile|două hărți|clopotul de argint|un ceas stricat|recolta|scara lungă",
        "lângă port|în spatele școlii|în pivniță|pe deal|la malul râului|la târg|sub pod",
    ),
    "de": (
        "Im Jahr {year} {did} {who} {what} {where}.",
        "der Wärter|der Kapitän|meine Schwester|ein alter Lehrer|die Bäckerin|ein junger Arzt|der Gärtner",
        "trug|fand|beschrieb|versteckte|verkaufte|reparierte|suchte|malte",
        "die Lampe|ein grünes Boot|die Briefe|zwei Karten|die silberne Glocke|eine kaputte Uhr|die lange Leiter",
        "am Hafen|hinter der Schule|im Keller|auf dem Hügel|am Fluss|auf dem Markt|unter der Brücke",
    ),
    "fr": (
        "En {year}, {who} {did} {what} {where}.",
        "le gardien|le capitaine|ma sœur|un vieux professeur|la boulangère|un jeune médecin|le jardinier",
        "a porté|a trouvé|a décrit|a caché|a vendu|a réparé|a cherché|a peint",
        "la lampe|un bateau vert|les lettres|deux cartes|la cloche d'argent|une horloge cassée|la longue échelle",
        "près du port|derrière l'école|dans la cave|sur la colline|au bord du fleuve|au marché|sous le pont",
    ),
    "es": (
        "En {year} {who} {did} {what} {where}.",
        "el guardián|el capitán|mi hermana|un viejo maestro|la panadera|un médico joven|el jardinero|el relojero",
        "llevó|encontró|describió|escondió|vendió|reparó|recordó|pintó",
        "la lámpara|una barca verde|las cartas|dos mapas|la campana de plata|un reloj roto|la escalera larga",
        "cerca del puerto|detrás de la escuela|en el sótano|en la colina|junto al río|en el mercado|bajo el puente",
    ),
    "ru": (
        "В {year} году {who} {did} {what} {where}.",
        "смотритель|капитан|мой брат|старый учитель|пекарь|молодой врач|садовник|часовщик",
        "принёс|нашёл|описал|спрятал|продал|починил|вспомнил|нарисовал",
        "лампу|зелёную лодку|письма|две карты|серебряный колокол|сломанные часы|урожай|длинную лестницу",
        "у гавани|за школой|в подвале|на холме|у реки|на рынке|под мостом",
    ),
    "ja": (
        "{year}年、{who}は{where}{what}を{did}。",
        "灯台守|船長|私の妹|年老いた先生|パン屋|若い医者|庭師|時計職人",
        "運んだ|見つけた|書き留めた|隠した|売った|直した|思い出した|描いた",
        "ランプ|緑の小舟|手紙|二枚の地図|銀の鐘|壊れた時計|長いはしご",
        "港の近くで|学校の裏で|地下室で|丘の上で|川のほとりで|市場で|橋の下で",
    ),
    "ar": (
        "في عام {year} {did} {who} {what} {where}.",
        "الحارس|القبطان|أخي|المعلم العجوز|الخباز|الطبيب الشاب|البستاني|صانع الساعات",
        "حمل|وجد|وصف|أخفى|باع|أصلح|تذكر|رسم",
        "المصباح|القارب الأخضر|الرسائل|خريطتين|الجرس الفضي|الساعة المكسورة|المحصول|السلم الطويل",
        "قرب الميناء|خلف المدرسة|في القبو|على التل|عند النهر|في السوق|تحت الجسر",
    ),
}
LANGUAGES = tuple(WORDS)
YEARS = range(1000, 10_000)


def sentences(language: str, count: int, chance: random.Random) -> list[str]:
    """Make that many sentences."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[_sentence(language, chance)] = None
    return list(found)


def _sentence(language: str, chance: random.Random) -> str:
    pattern, *choices = WORDS[language]
    who, did, what, where = (chance.choice(words.split("|")) for words in choices)
    made = pattern.format(year=chance.choice(YEARS), who=who, did=did, what=what, where=where)
    return made[0].upper() + made[1:]


def paragraphs(said: Sequence[str], size: int = 6) -> Iterator[list[str]]:
    """Part sentences into paragraphs."""
    for start in range(0, len(said), size):
        yield list(said[start : start + size])
