"""How languages look, for a text to tell its encoding: letters by their frequency, common words. Pure."""

from typing import NamedTuple


class Alphabet(NamedTuple):
    """A language: the encodings it is found in, its letters beyond ASCII (most frequent first), and common words."""

    encodings: tuple[str, ...]
    letters: str
    words: frozenset[str]


def _alphabet(encodings: str, letters: str, words: str) -> Alphabet:
    return Alphabet(tuple(encodings.split()), letters, frozenset(words.split()))


WEST, CENTRAL, TURKISH, BALTIC = "cp1252 iso8859-15", "cp1250 iso8859-2", "cp1254", "cp1257"
CYRILLIC = "cp1251 koi8-r cp866 iso8859-5"
LATIN = (
    _alphabet(WEST, "éèêëïöôñçüàâäáíóúœ", "the of and to in is that for was with he his it as on be at by had not"),
    _alphabet(
        WEST,
        "éèàêçùôâîûïëœ",
        "le la les de des du un une et est était dans que qui il elle on en au aux pas ne se sur pour avec je ce à où "
        "l d c s n j qu vous nous mais comme tout plus même être très",
    ),
    _alphabet(
        WEST,
        "üäöß",
        "der die das und in den dem des ein eine einen ist war nicht mit sich von zu auf für im am auch er sie es wir "
        "ich wie als an bei nach aus über doch noch so hat dass daß",
    ),
    _alphabet(
        WEST,
        "óíáéñúü¿¡",
        "el la los las de del un una y en que es no se lo con por para su al como más pero está él yo si qué dónde muy "
        "era son fue mi",
    ),
    _alphabet(
        WEST,
        "ãçáéíóõêâúàôü",
        "o a os as de do da dos das um uma e em no na que é não se com por para mais mas foi",
    ),
    _alphabet(
        WEST, "èàòùéì", "il lo la i gli le di del della un una e è in che non si con per da al come più ma sono era"
    ),
    _alphabet(WEST, "ëéïèöü", "de het een en van in is dat op te zijn met voor niet aan er om ook als bij naar maar"),
    _alphabet(WEST, "äöåé", "och i att det som en på är av för med den till inte om ett han hon var jag från men"),
    _alphabet(WEST, "øåæéöä", "og i at det som en på er af av for med den til ikke om et han hun var jeg fra men de"),
    _alphabet(WEST, "äöå", "ja on ei se että oli hän ovat mutta kun niin myös joka kuin tai ole"),
    _alphabet(WEST, "áðíþæöóúéýÁ", "og að í á er ekki sem til um við með en það hann hún var fyrir af"),
    _alphabet(WEST, "àéèíóòúçïü", "el la els les de del un una i en que és no es amb per a al com més però va"),
    _alphabet(
        CENTRAL,
        "ăîţşâ",
        "și şi de la în a al ale cu pe un o nu că să se din este care mai era lui ei dar ca fi am ce le prin "
        "pentru sau după ţi spre",
    ),
    _alphabet(
        CENTRAL,
        "łąężśćóńź",
        "i w na z do nie się to jest że a o po od za jak ale był była przez dla co tak już przy we ze",
    ),
    _alphabet(
        CENTRAL, "áíěéřšžčýůúňťďó", "a v na se je že s z do to o byl jako pro by ale si za po jsem ve který tak jsou"
    ),
    _alphabet(CENTRAL, "áíéčšžýúľťôňäóďĺŕ", "a v na sa je že s z do to o bol ako pre by ale si za po som vo tak sú"),
    _alphabet(CENTRAL, "áéöóőüíúű", "a az és hogy nem is egy volt de meg ez csak el ha már mint azt van ki még"),
    _alphabet(CENTRAL, "čšžćđ", "i u je na se da su od za ne in v ki bio kao s o ali ga po što biti pa so"),
    _alphabet(
        TURKISH, "ıüşğçöİâî", "ve bir bu da de için ile çok ne o gibi daha en kadar değil her mi ama ben var sonra olan"
    ),
    _alphabet(BALTIC, "ėųšįžąčūęā", "ir yra kad į su iš ne tai buvo o bet kaip jis ji apie už po"),
    _alphabet(BALTIC, "āīēšņūļžķģčõ", "un ir ka no par ar uz bet kas tas bija viņš nav lai pie kā"),
    _alphabet(BALTIC + " " + WEST, "äõüöšž", "ja on ei see et oli ta ka kui mis aga oma nii siis või"),
)
OTHERS = (
    _alphabet(
        CYRILLIC,
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
        "и в не на я что с он а как это по но к у же за из его от так о был она бы мы ты все для до",
    ),
    _alphabet(
        "cp1251 koi8-u",
        "оанивіетсрлкудмпязьбгйчхжшюцїєфщґ",
        "і в не на я що з він а як це до та у за від про так був вона ми ти для але й",
    ),
    _alphabet(
        "cp1251 iso8859-5",
        "аоиентрсвлкдпмзгбъуяцчшщжхйфю",
        "и в не на да се от за е с че по като но до си той са беше тя при това",
    ),
    _alphabet("cp1251 iso8859-5", "аоиенртсвукдмљјпзглбњчшжћцхфђџ", "и у је да се на су од за не са као али био то о"),
    _alphabet(
        "cp1253 iso8859-7",
        "αοιετσνηυρπκμλςωγίδάόχέθφήβξύώζψϊϋΐΰ",
        "ο η το και να του της τη την με που για από στο στη στην δεν οι τα τον ένα μια είναι ήταν θα σε ως",
    ),
    _alphabet("cp1255", "יולהאמתרנבשםעכדחקפטגזסןץךף", "של את לא על הוא היא זה עם כי גם אל כל מה אני היה"),
    _alphabet("cp1256", "اليمنوترهبعةدفسكقحجىشأصطخضذغزثءئظؤإآ", "في من على إلى أن لا ما هذا كان مع هو هي عن التي الذي"),
    _alphabet("cp874", "านร่อกเง้มยล์วดทสิีะปั็ใไคหบขจพแุโูชถผำตธศณญภ์ซฉึืฐษ", ""),
)


class Characters(NamedTuple):
    """A language of many characters: its encodings, a plain set with the rows of usual ones, and the frequent."""

    encodings: tuple[str, ...]
    plain: str
    usual: tuple[int, int]
    frequent: frozenset[str]


KANA = frozenset(chr(code) for code in range(0x3041, 0x30FF))
CHINESE = (
    "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都"
    "然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实"
    "回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听"
    "世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期"
    "叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色"
    "字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候"
    "七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像"
    "找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴灯守夜船港"
)
TRADITIONAL = (
    "的一是不了在人有我他這中大來上個國到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她裡後小麼心多天而能好都"
    "然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把法此實"
    "回二理美點月明其種聲全工己話兒者向情部正名定女問力機給等幾很業最間新什打便位因重被走電四第門相次東政海口使教西再平真聽"
    "世氣信北少關並內加化由卻代軍產入先山五太水萬市眼體別處總才場師書比住員九笑性通目華報立馬命張活難神數件安表原車白應路期"
    "叫死常提感金何更反合放做系計或司利受光王果親界及今京務制解各任至清物台象記邊共風戰接它許八特覺望直服林題建南度統色字請"
    "交愛讓認算論百吃義科怎元社術結六功指思非流每青管夫連遠資隊跟帶花快條院變聯言權往展該領傳近留紅治決周保達辦運武半候七必"
    "城父強步完革深區即求品士轉量空甚眾技輕程告江語英基派滿式李息寫呢識極令黃德收臉錢黨倒未持取設始版雙歷越史商千片容研像找"
    "友孩站廣改議形委早房音火際則首單據導影失拿網香似斯專石若兵弟誰校讀志飛觀爭究包組造落視濟喜離雖壞興燈守夜船港"
)
JAPANESE = (
    "日一国人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語"
    "土木聞食車何南万毎白天母火右読友左休父雨会同事自社発者地業方新場員立開手力問代明動京目通言理体田主題意不作用度強公持野"
    "以思家世多正安院心界教文元重近考画海売知道集別物使品計死特私始朝運終台広住真有口少町料工建空急止送切転研足究楽起着店病"
    "質待試族銀早映親験英医仕去味写字答夜音注帰古歌買悪図週室歩風紙黒花春赤青館屋色走秋夏習駅洋旅服夕借曜飲肉貸堂鳥飯勉冬昼"
    "茶弟牛魚兄犬妹姉漢灯守船港記録所分部内的全定最当成対戦相関政連取決表現性要"
)
KOREAN = (
    "이다는에의을가고하지은로도를한서기사대자어인나리그아들해있것과시으니정수라만일보부전제스게원여면주장구상동와었했오유공적"
    "조세진경무우성신소거연안국선회마비음중실생방문관선말트당치물분위내러모학때할았려된되았없습업용요계지단바미드교두영양간재각"
    "화운발행개강저번금명히심속터같람야체반산역후통데외입르종새불직남등결까큰설작포머배록을년월달집밤배노복급호건"
)
MANY = (
    Characters(("gb18030",), "gb2312", (0xB0, 0xD7), frozenset(CHINESE)),
    Characters(("big5", "cp950"), "big5", (0xA4, 0xC6), frozenset(TRADITIONAL)),
    Characters(("euc_jp", "cp932"), "euc_jp", (0xB0, 0xCF), frozenset(JAPANESE) | KANA),
    Characters(("cp949",), "euc_kr", (0xB0, 0xC8), frozenset(KOREAN)),
)
