"""Small words: what asks, what only glues, what wishes, doubts or denies.

Tables, not rules: each language that questions come in has its row. A language without one is still
searched by its words; it only loses the finer distinctions.
"""

import re

ASKING: tuple[tuple[str, str], ...] = (
    # Kind of question, and how it begins or what it contains, folded. First match wins.
    (
        "how_many",
        r"\bhow (?:many|much|strong|high|big|large|long|far|old|fast|deep|wide|tall|heavy|hot|cold)\b|\b(?:death|injury) toll\b"
        r"|\bwhat (?:was|is) the (?:\w+ )?(?:magnitude|number|score)\b"
        r"|\b(?:which|what) (?:round|minute|lap|inning|place|magnitude)\b"
        r"|\bcuant[oa]s?\b|\bquant[aeio]s?\b|\bcombien\b|\bwie ?viele?\b|\bсколько\b"
        r"|\b(?:que|qual a|qual foi a|cual fue la|che|di che) magnitud[oe]?\b"
        r"|\b(?:a|con) (?:que|che) (?:velocid\w+|velocita)\b|\bс какой скоростью\b|多快"
        r"|\b(?:cuanto tiempo|quanto tempo|qual a idade|que edad|che eta)\b|\bкак долго\b"
        r"|多少|几[人个名级岁天年次辆只条箱]|多大|多久|多远|多高|何[人件本回年歳羽台枚匹頭社倍番](?!月)"
        r"|いくつ|いくら|ど(?:の|れ)くらい|どれほど",
    ),
    (
        "whether",
        r"^(?:is|are|was(?! (?:ist|sind|war|hat|passiert|geschieht|gibt)\b)|were|did|does|do|has|have|had|can) |\bis it true\b"
        r"|^(?:es verdad|es cierto|e vero|e verdade|est-ce|ist es wahr|stimmt es)|^правда ли"
        r"|是否|是真的吗|是不是|吗[?？]?$|^(?!.*(?:誰|何|いつ|どこ|なぜ|いくつ|どう)).*[でま]すか[?？]?$|本当",
    ),
    (
        "who",
        r"\bwho(?:se|m)?\b|\bquien(?:es)?\b|\bchi\b|\bquem\b|\bqui\b|\bwer\b|\bкто\b|谁|誰|哪个人|哪位",
    ),
    (
        "when",
        r"\bwhen\b|\bwhat time\b|\bcuando\b|\ba que hora\b|\bquando\b|\bquand\b|\bwann\b|\bкогда\b"
        r"|\b(?:what|which|que|che|quale?|quel|en que|in che|em que) (?:day|date|month|year|dia|fecha|ano|mes|giorno|ora"
        r"|anno|mese|data|horas|jour|mois)\b|\b(?:в како[мв] году|какого числа|во сколько)\b"
        r"|什么时候|何时|几点|哪天|哪一?年|いつ|何[時日月](?!間)",
    ),
    (
        "where",
        r"\bwhere\b|\bdonde\b|\bdove\b|\bonde\b|\bou\b(?= )|\bwo\b|\b(?:от)?куда\b|\bгде\b"
        r"|\b(?:in|en|em|at) (?:what|which|que|quale|qual|che) (?:city|town|country|place|ciudad|pais|lugar|citta"
        r"|paese|luogo|cidade|local)\b|\bв како[мий] (?:город|стран|мест)\w*|哪里|哪儿|在哪|何处|どこ|哪个(?:地方|城市|省)",
    ),
    (
        "why",
        r"\bwhy\b|\bpor que\b|\bperche\b|\bpourquoi\b|\bwarum\b|\bпочему\b|为什么|为何|なぜ|怎么回事",
    ),
    (
        "happening",
        r"\bwhat(?:'s|’s| is| has)? (?:happen|going on|new|up)\w*|\bwhat happened\b|\blatest\b"
        r"|\bque (?:pasa|paso|ocurrio|sucedio|ocurre|aconteceu)\b|\bo que (?:aconteceu|houve|se passa)\b"
        r"|\b(?:che )?cosa (?:e )?(?:success[oa]|accad\w+|succede)\b|\bche (?:e )?success[oa]\b"
        r"|\bque se passe\b|\bwas (?:ist|geschieht|passiert)\b|\bчто (?:случилось|произошло|происходит)\b"
        r"|\bnews\b|\bnoticias?\b|\bnovedades\b|\bnotizie\b|\bnouvelles\b|\bnachrichten\b|\bновости\b"
        r"|发生了?什么|怎么了|有什么(?:消息|新闻)|どうした|何が(?:起|あ)",
    ),
)
"""Patterns on the folded question."""

_GLUE = """
a an the this that these those it its he she they them his her their we us our you your i me my
of in on at to for from by with about into over after before during between and or but not no as
is are was were be been being am do does did done have has had having will would can could should
may might must there here what which who whom whose when where why how many much more most than
then so if just any some all also very please tell say says said people anyone anybody someone
happen happened happening happens left go gone going get got make made take took going latest new news now today know true there's what's many

el la los las un una unos unas lo al del de en y o u que qué quien quién quienes cual cuál cuando
cuándo donde dónde como cómo cuanto cuánto cuantos cuántos cuanta cuánta cuantas cuántas por para
con sin sobre entre es son fue fueron era eran ser está están hay hubo ha han había se su sus le
les me te nos mi tu más muy ya no si sí hoy pasa pasó ocurrió sucedió gente personas tuvo tiene hizo deja dejó dejado provocó cuáles cuales tenía tenia había habia hacía haber desde hasta cierto verdad

il i gli le uno dei delle degli della dello dell nel nella nello nelle negli sul sulla di da su
per tra fra e ed o che chi cosa come dove quando quanto quanti quanta quante perché non si ci vi è quale quali qual ai allo alla alle agli dai dal dalla dallo dalle nell ancora aveva avuto
sono era erano stato stata stati state ha hanno c'è ci sono più oggi successo successa persone fatto provocato fa

o os as um uma uns umas ao aos à às do dos da das no na nos nas em por pelo pela para com sem
sobre entre é são foi foram era eram ser está estão há houve tem têm tinha se seu sua seus suas
que quem qual quando onde como quanto quantos quanta quantas porque não mais muito já hoje
aconteceu pessoas quais teve estava estavam havia haviam até verdade

les des du au aux une et ou où que qui quoi quel quelle quels quelles quand comment combien
pourquoi est sont était étaient été a ont avait y ce cette ces il elle ils elles on nous vous je
ne pas plus dans sur avec sans pour par en aujourd'hui passe se personnes gens

der die das den dem des ein eine einer eines einem einen und oder aber nicht kein keine ist sind
war waren sein hat haben hatte wird wurde wurden es er sie wir ihr was wer wen wem wo wann warum
wie viele viel im in am an auf aus bei mit nach von vor zu zum zur über unter durch für gibt
passiert geschehen heute menschen leute

и в на с по из о об от до для что кто где когда как сколько почему это этот эта был была было
были есть не ли же бы он она они мы вы я произошло случилось сегодня людей во со ко за до при под над без
через после перед между около более чем чём чего чему кем кого кому чей чья чьё куда откуда зачем
какой какая какое какие каким какую какого какому каком каких который которая которое которые
которого которой которым которых также уже ещё только свой свою своей своего его её их мой наш ваш
так там тут здесь когда-то есть будет будут быть бывает стало стал стала человек человека
"""
_IN = ("en", "es", "it", "pt", "fr", "de", "ru")
GLUE_OF: dict[str, frozenset[str]] = {
    lang: frozenset(words.split()) for lang, words in zip(_IN, _GLUE.split("\n\n"), strict=True)
}
"""By language, words that a search does without."""
GLUE: frozenset[str] = frozenset().union(*GLUE_OF.values())

GLUE_UNSPACED = re.compile(
    r"发生了?|什么时候|什么|怎么样?|怎么回事|为什么|为何|哪里|哪儿|哪个|哪位|哪些|谁|誰|多少钱?|有?多[大高远久深]|几[个名级岁天年次辆只条箱]|是否|是不是|是真的|真的"
    r"|有没有|有什么|吗|呢|吧|啊|了|的|在|是|被|把|请问|现在|目前|最近|告诉我|关于|情况|消息|新闻"
)
"""The same in scripts without spaces: cut out of the question, leaving the runs that matter."""

GLUE_JAPANESE = re.compile(
    r"何[がをはにで]?|誰[がをはにで]?|いつ|どこ|なぜ|どう|どの|どれ|どんな|いくつ|いくら|くらい|ほど"
    r"|(?:い|き|さ|し|っ|れ|ら|り|ち|け|べ|ば|な|で|せ|み|え|て)*(?:ました|ます|ません)か?|でしょうか?|です?か?|でしたか?"
    r"|[きしっれらりいんげえ]?[ただ]の[はがを]?"
    r"|(?:され|して|した|している|された|という|について|による|により|から|まで|より)"
    r"|[件本回年歳羽台枚匹頭社倍番](?=[でまい])|[時日月](?=に)|本当|今|現在"
    r"|[はがをのにへとも](?![ぁ-ゖ])|[はがをのにへとも](?=[ぁ-ゖ]*[ァ-ヺ\u3400-\u9fff])"
)
"""The same in Japanese, where what glues is in hiragana."""

UNREAL = re.compile(
    # Wishes, guesses, conditions, futures, offers and questions: not a report that something is so.
    r"\?|？|¿"
    r"|^(?:is|are|was|did|does|do|who|when|where|how|why|can|has|have|quien|cuando|chi|quem|qui|wer)\b"
    r"|\b(?:if|unless|whether|hope|hoping|hopes|hoped|wish|wishes|maybe|perhaps|probably|predict\w*"
    r"|prediction\w*|bet|bets|betting|gonna|going to|goin to|about to|boutta|finna|will|won't|would"
    r"|wouldn't|could|should|might|must|needs? to|has to|have to|had to|gotta|i'?ll|he'?ll|she'?ll|they'?ll"
    r"|think|thinks|thought|want\w*|imagine|let'?s|ready for|can|can't|cannot|expect\w*"
    r"|rooting|pray(?:ing)?|favou?rite|odds|supposed|surely|offer|tonight we|team|loading)\b|\d+/\d"
    r"|\b(?:ojala|quizas?|tal vez|creo|espero|apuesto|gane|ganara|ganaria|va a|vas a|van a|quiero"
    r"|deberia|puede|podria|si gana|si pierde|spero|forse|credo|vincera|vincesse|secondo me|se vince"
    r"|si on juge|se juge|talvez|acho|vai|vao|tomara|se ganhar|peut-etre|j'espere|va gagner|wenn|falls|hoffe|vielleicht"
    r"|если|надеюсь|может)\b"
    r"|如果|希望|可能|也许|应该|会不会|要是|预测|猜"
)
"""Patterns on the folded span that make it less than a statement of fact."""

NOT_YET = re.compile(
    r"(?:\bto|\bget|\bgets|\bgot|\ba|\bcan|\bll|\bto the|\bfor the|\bpor la|\bper la|\bpara)\s+$"
)
"""What stands before a verb that names a deed without saying that it was done."""

NEGATED = re.compile(
    r"\b(?:not|no|never|isn't|wasn't|didn't|doesn't|don't|hasn't|without|nobody|none|cannot"
    r"|nunca|jamas|sin|non|mai|nessuno|nao|sem|nem|pas|jamais|aucun|sans|nicht|kein\w*|nie"
    r"|не|нет|никто)\b|n['’]t\b|没有?|不|未|无|ない|ません"
)
"""Patterns on the folded text that turn a statement round."""

ATTRIBUTED = re.compile(
    r"\b(?:says?|said|saying|claim(?:s|ed|ing)?|alleg(?:es?|ed|edly)|according to|reportedly"
    r"|accuse[sd]?|insists?|tells?|told"
    r"|dice|dicen|dijo|dijeron|segun|afirm\w*|asegur(?:an?|o|aron)|sostien\w*|de acuerdo con"
    r"|(?:senal|indic|declar|explic|denunci|inform|asegur|alert)(?:an?|o|aron|ou|aram) que"
    r"|cuentan? que|cont[oa] que|presuntamente"
    r"|dicono|h?a(?:nno)? detto|secondo|stando a|a detta d\w+|dichiar\w*|riferi(?:sc\w+|to)"
    r"|spiega(?:no)? che|disse\w*|diz|dizem|segundo|alega\w*|alegou|garant(?:e|em|iu) que"
    r"|relat(?:a|am|ou|aram) que"
    r"|(?:a|ont) dit|(?:dit|disent) que|affirm\w*|selon|d['’]apres|(?:a|ont) declare|declarent"
    r"|(?:explique|assure|soutient|pretend|rapporte|indique|raconte)(?:nt)? que"
    r"|(?:a|ont) (?:explique|assure|soutenu|pretendu|rapporte|indique|raconte|annonce) que"
    r"|sag(?:t|en|te|ten)|gesagt|laut|behaupte\w*|zufolge|angeblich|erklart\w*|versicher(?:t|te|ten)"
    r"|berichte(?:t|te|ten)|nach angaben|gab(?:en)? an"
    r"|сказал\w*|заяв(?:ил|ля)\w*|говорит|говорят|говорил\w*|сообщ(?:ил|а)\w*|утвержд\w*"
    r"|рассказ(?:ал|ыва)\w*|отме(?:тил|ча)\w*|подчерк(?:нул|ива)\w*|поясн(?:ил|я)\w*|уверя\w*"
    r"|пишет|пишут|считает|считают|обвин(?:ил|я)\w*|призна(?:л|ет|ют)\w*|передает|передают"
    r"|по (?:словам|данным|информации|сообщени\w+|мнению|версии)|со слов|со ссылкой на"
    r"|согласно|якобы)\b"
    r"|[称稱]|表示|声称|聲稱|指出|透露|爆料|指控|[说說](?:[，：:“「]|[他她它我])|据.{0,12}(?:报道|说|悉|传)"
    r"|によ(?:ると|れば)|と(?:述べ|主張|話し|話す|語っ|語る|発表|説明|指摘|証言|報じ|伝え|言っ|言う|訴え)"
    r"|だそうだ|とのこと|とされ"
)
"""Patterns on the folded span by which it says that somebody says so, and vouches for nothing."""

WHO_SAYS = re.compile(
    r"who (?:said|says|say|reported|reports|claims|claimed|told you)(?: that| this| so| it)?"
    r"|says who|according to whom?|(?:what(?: is|'s| are) (?:the|your) )?sources?"
    r"|quien(?:es)? (?:lo )?(?:dijo|dice|dicen|dijeron|afirma|informo)(?: eso| esto)?|segun quien"
    r"|(?:cual(?:es)? (?:es|son) (?:la|las) )?fuentes?"
    r"|chi (?:l['’]ha detto|lo ha detto|ha detto (?:questo|cio)|lo dice|dice (?:questo|cio))"
    r"|secondo chi|(?:qual[ei]? (?:e|sono) (?:la|le) )?font[ei]"
    r"|quem (?:o )?(?:disse|diz|falou|afirma)(?: isso| isto)?|segundo quem|(?:qual e a )?fontes?"
    r"|qui (?:l['’]a dit|a dit (?:ca|cela)|dit (?:ca|cela)|le dit)|selon qui|d['’]apres qui"
    r"|wer (?:sagte?|behauptet) (?:das|es)|wer hat (?:das|es) gesagt|laut wem|quellen?"
    r"|кто (?:это |так )?(?:сказал|говорит|сообщил|пишет)(?: это| так)?|источники?"
    r"|(?:这是?|那是?)?[谁誰](?:这么|那么)?[说說]的?|(?:消息)?来源(?:是(?:什么|哪里))?"
    r"|(?:それは)?誰が(?:そう)?言(?:った|って(?:いる|る)?|い(?:ました|ます)?)(?:の|んですか|のですか|か)?"
    r"|(?:情報源|ソース)は?"
)
"""All of a folded question, without its marks, that asks who says what was told before."""

NUMBER_WORDS: dict[str, float] = {
    word: value
    for value, names in (
        (1, "one un uno una um uma eine ein 一"),
        (2, "two dos due dois duas deux zwei 二 两"),
        (3, "three tres tre três trois drei 三"),
        (4, "four cuatro quattro quatro quatre vier 四"),
        (5, "five cinco cinque cinq fünf 五"),
        (6, "six seis sei sechs 六"),
        (7, "seven siete sette sete sept sieben 七"),
        (8, "eight ocho otto oito huit acht 八"),
        (9, "nine nueve nove neuf neun 九"),
        (10, "ten diez dieci dez dix zehn 十"),
        (11, "eleven once undici onze elf"),
        (12, "twelve doce dodici doze douze zwölf"),
        (20, "twenty veinte venti vinte vingt zwanzig"),
        (30, "thirty treinta trenta trinta trente dreißig"),
        (50, "fifty cincuenta cinquanta cinquenta cinquante fünfzig"),
        (90, "ninety noventa novanta neunzig"),
        (100, "hundred cien cento cem cent hundert"),
    )
    for word in names.split()
}
"""Numbers that people write out."""

NOT_A_NUMBER_IN: dict[str, frozenset[str]] = {
    "cent": frozenset({"en"}),
    "dos": frozenset({"pt", "gl", "fr"}),
    "due": frozenset({"en"}),
    "tres": frozenset({"fr"}),
    "once": frozenset({"en"}),
    "sei": frozenset({"pt", "de"}),
    "dix": frozenset({"en"}),
}
"""Number words of one language that are something else in another."""
