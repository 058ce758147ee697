"""The letters of languages besides ASCII, and their commonest words: by these a text tells its encoding. Pure."""

import re
from typing import NamedTuple


class Language(NamedTuple):
    """What a language is known by in an old encoding: the letters that ASCII lacks, and its commonest words."""

    codec: str
    letters: str
    words: str


TYPOGRAPHY = frozenset("’‘“”„«»–—…€§°·•№½ªº´ ­©®™×‹›‚")
LANGUAGES = (
    Language("cp1252", "àâçéèêëîïôöùûüÿœæ", "le la les de des et un une est dans que qui pour il elle pas ne du en"),
    Language("cp1252", "äöüß", "der die das und ist nicht ein eine mit auf den von zu im es sich wie über dem war"),
    Language("cp1252", "áéíóúüñ¿¡", "el la los las de que y en un una es por con para del se no al su como"),
    Language("cp1252", "áàâãéêíóôõúüç", "o a os as de que e em um uma é não com para do da se no na por"),
    Language("cp1252", "àèéìíòóùú", "il la di che e un una è non per con del della sono si in le da lo gli"),
    Language("cp1252", "åäöæøéü", "och det att en är som på och av den til med er ikke jeg for han var av i"),
    Language("cp1252", "áéíóúýðþæö", "og að í á er sem var það ekki en við um til af hann hún"),
    Language("cp1252", "éëïöüèáó", "de het een en van is niet dat op te in zijn met voor hij ze aan er om"),
    Language("cp1252", "", "the of and to in is that it was for he on as with his be at by had not"),
    Language("cp1250", "ăâîşţ", "de la în şi că nu cu pe un o din se a fost este care sau mai pentru lui"),
    Language("cp1250", "ąćęłńóśźż", "w na się nie z i do to że jest o jak po co za ale od był tak przez"),
    Language("cp1250", "áčďéěíňóřšťúůýž", "a se na v je to že s z do o i k za by jako po od pro byl ale"),
    Language("cp1250", "áäčďéíľĺňóôŕšťúýž", "a sa na v je to že s z do o i k za by ako po od pre bol ale"),
    Language("cp1250", "áéíóöőúüű", "a az és hogy nem is egy ez volt de meg el csak van ki már mint ha"),
    Language("cp1250", "čćđšž", "i je u na se da su za od s o kao koji što ne bio iz po ali to"),
    Language("cp1251", "абвгдежзийклмнопрстуфхцчшщъыьэюяё", "и в не на что он с как я это по но из у за от к"),
    Language("cp1251", "абвгдежзийклмнопрстуфхцчшщьюяєіїґ", "і в не на що він з як я це по але у за від до та"),
    Language("koi8-r", "абвгдежзийклмнопрстуфхцчшщъыьэюяё", "и в не на что он с как я это по но из у за от к"),
    Language("koi8-u", "абвгдежзийклмнопрстуфхцчшщьюяєіїґ", "і в не на що він з як я це по але у за від до та"),
    Language("cp866", "абвгдежзийклмнопрстуфхцчшщъыьэюяё", "и в не на что он с как я это по но из у за от к"),
    Language("cp1253", "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ", "και το να του η της με που την από για στο τα ο"),
    Language("cp1254", "çğıöşüâî", "bir ve bu da de için ile ne var çok daha gibi o en ama kadar olan"),
    Language("cp1255", "אבגדהוזחטיךכלםמןנסעףפץצקרשת", "של את על לא הוא כי זה עם היא גם אל אם כל"),
    Language("cp1256", "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي،؟", "في من على إلى أن هذا كان عن لا ما التي هو مع"),
    Language("cp1257", "āčēģīķļņšūžąęėįų", "un ir ar no uz par bet kas ka kā tas ne ir į iš su kad tai jis bet o"),
    Language("cp1258", "àâăđêôơưáéèíóúùý", "và của là có cho không được trong một"),
)
HAN = re.compile("[\u4e00-\u9fff]")
KANA = re.compile("[\u3040-\u30ff]")
HANGUL = re.compile("[\uac00-\ud7a3]")
SIGNS = re.compile("[\u3000-\u301f\uff01-\uff5e]")
COMMON_HAN = frozenset(
    "的一是不了在人有我他这個个们們中来來上大为為和国國地到以说說时時要就出会會可也你对對生能而子那得于於着著下自之年过過发發后後作里裡"
    "日本語学生先今何行見者事方月時間分前同手東京都市海山水木金土火灯塔台夜昨守風嵐暴書記録錄志誌切写寫全部"
)
COMMON_HANGUL = frozenset(
    "다이는을가에의고한하지로서를은도기인사나자리어대해그정부있것들과아니일수시면여보오라스전주제게만와던적"
)
