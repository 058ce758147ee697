"""Texts in old encodings are read as they were written, or refused; never with other letters."""

import codecs
import random

import pytest

from shared.errors import Refused
from shared.providers.files.encoding import DOUBTED, declared_in, decode
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import HTML, PLAIN, sniff

WRITTEN = [
    ("cp1252", "Près de là, les élèves écoutaient la châtelaine; où êtes-vous allé à Noël? « Ça va », dit-elle."),
    ("cp1252", "élèves près de là"),
    ("cp1252", "café"),
    ("cp1252", "Die Mädchen größten Türme über dem Fluß waren schön und müde."),
    ("cp1252", "¿Dónde está el niño? Mañana será otro día, señor."),
    ("cp1252", "O faroleiro não é capitão; são três irmãos à beira do mar."),
    ("cp1252", "Perché il guardiano è lì, più giù c'è la città."),
    ("cp1252", "Fyrvaktaren gick över ön och såg små båtar på sjön."),
    ("cp1252", "The keeper’s “log” – it says – rain."),
    ("cp1252", "It costs £5 or €6, and 20° outside."),
    ("cp1252", "L'ÉTÉ À LA FORÊT DES ÉLÈVES"),
    ("iso8859-15", "Le cœur coûte 5 € à Noël, où êtes-vous ?"),
    ("iso8859-2", "Zażółć gęślą jaźń. Światło świeci."),
    ("cp1250", "Ştefan a găsit în ţară o rândunică şi a aşteptat până în toamnă."),
    ("cp1250", "Zażółć gęślą jaźń, w Łodzi jest świetnie."),
    ("cp1250", "Strážce majáku zapsal do deníku, že v noci byla bouře."),
    ("cp1250", "Árvíztűrő tükörfúrógép, a hölgy őszintén örült."),
    ("cp1251", "Журнал маяка: сегодня шёл дождь, и смотритель записал всё."),
    ("koi8-r", "Журнал маяка: сегодня шёл дождь, и смотритель записал всё."),
    ("cp866", "Журнал маяка: сегодня шёл дождь, и смотритель записал всё."),
    ("cp1253", "Το ημερολόγιο του φάρου λέει ότι έβρεχε όλη τη νύχτα."),
    ("cp1254", "Deniz fenerinin günlüğü bugün yağmur yağdığını söylüyor, şimdi ışık yandı."),
    ("cp1255", "ספר המגדלור נכתב על ידי השומר בשנת"),
    ("cp1256", "كتاب المنارة كتبه الحارس في السنة"),
    ("gbk", "灯塔的日志记录了昨夜的风暴，守塔人写下了一切。"),
    ("big5", "燈塔的日誌記錄了昨夜的風暴，守塔人寫下了一切。"),
    ("shift_jis", "灯台の日誌によると、昨夜は嵐だった。灯台守がすべてを書いた。"),
    ("euc_jp", "灯台の日誌によると、昨夜は嵐だった。灯台守がすべてを書いた。"),
    ("iso2022_jp", "灯台の日誌によると、昨夜は嵐だった。灯台守がすべてを書いた。"),
    ("euc_kr", "등대 일지에 따르면 어젯밤에는 폭풍이 불었다. 등대지기가 모두 적었다."),
    ("cp1251", "Привет, мир!"),
    ("koi8-r", "Привет, мир!"),
    ("cp874", "ผู้ดูแลประภาคารจุดตะเกียง"),
    ("cp1254", "İstanbul'da güneş doğdu ve ağaçlar yeşerdi."),
    ("gbk", "你好，世界"),
    ("big5", "你好，世界"),
    ("shift_jis", "こんにちは"),
    ("euc_kr", "안녕하세요"),
    ("utf-16-le", "hello\n"),
    ("utf-16-le", "灯塔看守人点亮了灯。\n"),
    ("utf-16", "Près de là"),
    ("utf-16-le", "Hello there, keeper of the log."),
    ("utf-16-be", "Près de là"),
    ("utf-32", "Près de là"),
    ("utf-32-le", "Près de là"),
    ("utf-8-sig", "țară"),
    ("cp1252", "Nom;Métier;Âge\nRenée Lœuvre;forgeron – œuvrière;47\nFrançois Müß;“peintre”;52 €\n"),
    ("cp1252", "Spalte;Wert\nÖl;17\n"),
    ("cp1252", "5 µm"),
    ("cp1252", "12 £"),
    ("cp1252", "20 ± 3 µg/l"),
    ("cp1252", "Produit;Prix\nThé;12 €\nCafé;9 €\n"),
    ("koi8-u", "Албанія"),
    ("hz", "灯塔的日志记录了昨夜的风暴，守塔人写下了一切。"),
    ("hz", "The log ~ 你好，世界 ~ ends."),
    ("utf-7", "Près de là, les élèves: 2+2"),
    ("utf-7", "«Журнал» маяка – сегодня шёл дождь"),
    ("utf-7", "灯塔的日志记录了昨夜的风暴"),
    ("koi8-u", "у кодуванні символів надто мало байтів"),
    ("cp1252", "Donaudampfschifffahrtskapitänsmützenüberprüfungsbehördenöffnungszeiten"),
    ("cp1252", "Hélène" + "étéàlaforêtdesélèves" * 30),
]


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize(("codec", "text"), WRITTEN)
def test_a_text_is_read_as_it_was_written(codec: str, text: str, times: int) -> None:
    assert decode(("\n".join([text] * times)).encode(codec)) == "\n".join([text] * times)


@pytest.mark.parametrize(
    "text",
    [
        "a + b, C++ and x+y-z", "~{ no ~}", "~{abcd~}", "+foo-bar", "call +4912345-", "+ABC-", "1+1-1", "++", "+-",
        "git commit -m '+AGE'", "dGVzdA+/==", "~{!!~}", "q=a+b+c-d",
    ],
)  # fmt: skip
def test_letters_that_only_look_like_others_stay(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused(seed: int) -> None:
    with pytest.raises(Refused):
        decode(random.Random(seed).randbytes(400))


def test_letters_of_no_language_are_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match="save it as UTF-8"):
        decode(bytes(range(0xA1, 0xFF)) * 3)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        pytest.param("cp437", "Der Wärter grüßte die Möwen über dem Fluß.", id="an encoding that few files are in"),
        pytest.param("mac-roman", "Il était près de là, à côté des élèves", id="an old one"),
        pytest.param("cp1250", "Casă", id="a word that could be of two languages"),
        pytest.param("cp1252", "àéîõüñçßøÿåæœäöü" * 20, id="a long word of no language"),
        pytest.param("cp1252", "xàyéîzõüqñçwßøeÿårætœyäuöiü" * 20, id="a long word of many languages"),
        pytest.param("cp866", "флаг", id="a word that is signs in other encodings"),
    ],
)
def test_what_could_be_something_else_is_refused(codec: str, text: str) -> None:
    with pytest.raises(Refused, match="save it as UTF-8"):
        decode(text.encode(codec))


def test_a_fault_in_utf_8_is_no_other_encoding() -> None:
    text = ("țară " * 20).encode()
    with pytest.raises(Refused, match="save it as UTF-8"):
        decode(text[:42] + b"\xff" + text[42:])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(codecs.BOM_UTF8 + "țară".encode() + b" \xff", id="behind a mark"),
        pytest.param(codecs.BOM_UTF8 + b"abc \xff def", id="ASCII behind a mark"),
        pytest.param(codecs.BOM_UTF16_LE + "Près".encode("utf-16-le") + b"a", id="half a character of UTF-16"),
        pytest.param(codecs.BOM_UTF16_BE + "灯塔看守人".encode("utf-16-be") + b"a", id="Chinese in UTF-16"),
        pytest.param(codecs.BOM_UTF16_LE + "a ".encode("utf-16-le") + b"\0\xd8a\0", id="half a pair"),
        pytest.param("Près de là ".encode() + b"caf\xe9", id="a word in another encoding"),
        pytest.param("—".encode() + b" the caf\xe9", id="one sign of UTF-8"),
        pytest.param("hello €".encode()[:-1], id="ASCII, and cut off"),
        pytest.param("Près de là".encode()[:-1], id="UTF-8 that is cut off"),
        pytest.param("灯塔的日志记录了昨夜的风暴".encode("gbk")[:-1], id="Chinese that is cut off"),
        pytest.param("灯台の日誌によると".encode("cp932")[:-1], id="Japanese that is cut off"),
        pytest.param("țară\n".encode() * 200_000 + b"caf\xe9", id="at the end of a long text"),
    ],
)
def test_no_byte_is_left_out_or_replaced_in_silence(data: bytes) -> None:
    with pytest.raises(Refused, match=r"UTF-8|binary"):
        decode(data)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("before", ["", "a" * (1 << 20) + " ", "the log\n" * 200_000])
@pytest.mark.parametrize("after", ["", "."])
def test_a_letter_behind_a_long_text_is_read(before: str, after: str, mark: bytes) -> None:
    data = mark + f"{before}café, élève et tête{after}".encode("cp1252")
    assert decode(data).endswith(f"café, élève et tête{after}")
    assert decode(f"{before}café{after}".encode("cp1252")).endswith(f"café{after}")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
@pytest.mark.parametrize("cut", range(1, 4))
def test_the_head_of_a_longer_text_may_end_within_a_character(codec: str, cut: int) -> None:
    text = "你好，世界。灯塔的日志\n" * 20
    read = decode(text.encode(codec)[:-cut], is_head=True)
    assert len(read) >= len(text) - 3
    assert text.startswith(read)


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ("<meta http-equiv='Content-Type' content='text/html; charset=koi8-r'>", "koi8-r"),
        ("<meta charset=iso-8859-5>", "iso8859-5"),
    ],
)
def test_a_page_is_decoded_as_it_declares_its_title_too(head: str, codec: str) -> None:
    page = f"<html><head>{head}<title>Журнал</title></head><body><p>Маяк</p></body></html>".encode(codec)
    assert sniff(page, "a.html") == HTML
    parsed = KreuzbergParser().parse(page, HTML)
    assert (parsed.title, parsed.text.strip()) == ("Журнал", "Маяк")


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1252", "Tromsø"),
        ("cp1252", "Bjørn"),
        ("cp1252", "5 µm"),
    ],
)
def test_an_encoding_that_few_letters_tell_is_named(codec: str, text: str) -> None:
    parsed = KreuzbergParser().parse(text.encode(codec), PLAIN)
    assert parsed.text == text
    assert parsed.warnings == [DOUBTED % "windows-1252"]


@pytest.mark.parametrize(
    ("codec", "text"), [("utf-8", "café"), ("utf-8-sig", "café"), ("utf-16", "café"), *WRITTEN[:1], *WRITTEN[5:8]]
)
def test_an_encoding_that_is_sure_is_not_spoken_of(codec: str, text: str) -> None:
    assert not KreuzbergParser().parse(text.encode(codec), PLAIN).warnings


@pytest.mark.parametrize("line", ["# coding: mac-roman", "-*- coding: mac_roman -*-", "; encoding=macintosh"])
def test_a_text_may_name_its_encoding_in_the_first_line(line: str) -> None:
    text = f"{line}\nIl était près de là, à côté des élèves\n"
    assert KreuzbergParser().parse(text.encode("mac-roman"), PLAIN) == Parsed(text)


def test_a_declared_latin_1_holds_what_browsers_read_in_it() -> None:
    assert decode("“Été”".encode("cp1252"), "ISO-8859-1") == "“Été”"


@pytest.mark.parametrize("declared", ["no such thing", "hex", "rot13", "undefined", "utf-8", "", "idna"])
def test_a_false_declaration_is_not_believed(declared: str) -> None:
    assert decode("près de là, les élèves".encode("cp1252"), declared) == "près de là, les élèves"


@pytest.mark.capability("C199")
@pytest.mark.parametrize("page", [b"<meta " * 200_000, b"<?xml " * 200_000, b"<meta charset" + b" " * 1_000_000])
def test_a_declaration_is_looked_for_at_the_beginning(page: bytes) -> None:
    assert declared_in(page) is None
