"""Words that weigh more than others when two texts are compared, in some twenty languages.

A number written out or a denial changes what is said, whatever stands around it. Others say nothing
themselves: `BREAKING`, `RT`. The lists are our own and short: they need no completeness, a word
that is missing here counts like any other.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.folds import SKIP, fold_of, mixed, word_hash

NUMBER, DENIAL, DROPPED, RETOLD, HERALD, START, PLACE, DENYING = (1 << bit for bit in range(8))
"""What the lexicon knows of a word: it is a number written out, or a date; it denies; it says
nothing; it tells that another is quoted; it announces what follows; it begins sentences and is no
name. And of a pair of Han letters: it is a place; it denies, or answers."""

LEXICON_PLACES = 2048

_NUMBERS = {
    2: "two dos deux zwei dois två два две iki اثنان दो dua",
    3: "three tres trois drei tre três три üç ثلاثة तीन tiga",
    4: "four cuatro quatre vier quattro quatro fyra четыре dört أربعة चार empat",
    5: "five cinco cinq fünf cinque fem пять beş خمسة पांच lima",
    6: "six seis sechs шесть altı ستة छह enam",
    7: "seven siete sept sieben sette sete sju семь yedi سبعة सात tujuh",
    8: "eight ocho huit acht otto oito åtta восемь sekiz ثمانية आठ delapan",
    9: "nine nueve neuf neun nove nio девять dokuz تسعة नौ sembilan",
    10: "ten diez dix zehn dieci dez десять عشرة दस sepuluh",
    11: "eleven onze elf undici elva одиннадцать",
    12: "twelve doce douze zwölf dodici doze tolv двенадцать",
    13: "thirteen trece treize dreizehn tredici treze tretton тринадцать",
    14: "fourteen catorce quatorze vierzehn fjorton четырнадцать",
    15: "fifteen quince quinze fünfzehn femton пятнадцать",
    16: "sixteen sechzehn seize sexton",
    17: "seventeen siebzehn sjutton",
    18: "eighteen achtzehn arton",
    19: "nineteen neunzehn nitton",
    20: "twenty veinte vingt zwanzig venti vinte tjugo двадцать yirmi عشرون बीस",
    30: "thirty treinta trente dreißig trenta trinta trettio тридцать otuz",
    40: "forty cuarenta quarante vierzig quaranta fyrtio сорок",
    50: "fifty cincuenta cinquante fünfzig cinquanta femtio пятьдесят",
    100: "hundred cien cent hundert cento hundra сто مئة सौ",
}
# Days and months, as exact as numbers; those that are also other words (May, mars) are left out.
_DATES = """
monday tuesday wednesday thursday friday saturday sunday january february april june july august
september october november december lunes martes miércoles jueves viernes sábado domingo enero
febrero abril junio julio agosto septiembre octubre noviembre diciembre montag dienstag mittwoch
donnerstag freitag samstag sonntag januar februar märz juni juli oktober dezember lundi mardi
mercredi jeudi vendredi samedi dimanche janvier février avril juin juillet août septembre octobre
novembre décembre lunedì martedì mercoledì giovedì venerdì sabato domenica gennaio febbraio aprile
giugno luglio settembre ottobre dicembre segunda terça quarta quinta sexta janeiro fevereiro junho
julho setembro outubro dezembro måndag tisdag onsdag torsdag fredag lördag söndag januari februari
augusti понедельник вторник среду среда четверг пятницу пятница субботу суббота воскресенье января
январь февраля февраль марта март апреля апрель мая май июня июнь июля июль августа август сентября
сентябрь октября октябрь ноября ноябрь декабря декабрь الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت
الأحد
"""
_RETOLD = "rt mt"
_DROPPED = "http https via rt"
_DENIALS = """
not no never isnt arent wasnt werent dont doesnt didnt wont cant cannot couldnt wouldnt hasnt
havent fake false hoax untrue debunked nunca jamás falso falsa mentira bulo pas jamais faux fausse
nicht kein keine nie falsch non não nem inte aldrig falskt не нет ни никогда неправда фейк ложь
değil yok yalan لا ليس لم لن كذب नहीं मत झूठ tidak bukan hoaks デマ
"""
_DENYING_PAIRS = """
没有 沒有 不是 并非 並非 不实 不實 辟谣 闢謠 谣言 謠言 造谣 虚假 虛假 否认 否認 回应 回應 誤報
虚偽 否定
"""
_HERALDS = """
breaking latest news update updated video watch photo photos urgent urgente ultima hora live just
in срочно молния eilmeldung flash alerte direkt
"""

_COMMON_STARTS = """
the why how for and are who you his her its was has had can did our all any one out she but now
see get yes yet too let say man new der die das ein und wie was wer les des une qui que por los
las del una con что как это так где кто для все нас она они мы вот when what where this that these
those there here then they with from have will your more most just after before while about watch
over than some many only also been were would could should does into such please today
"""

# Countries, provinces, prefectures and great cities, as the pair of letters they are known by: with
# another one of these, a warning, a tremor or a result is another one.
_PLACES = """
北京 上海 天津 重庆 重慶 广州 廣州 深圳 武汉 武漢 成都 南京 西安 杭州 苏州 宁波 青岛 大连 厦门
郑州 长沙 沈阳 昆明 合肥 福州 南昌 济南 太原 贵阳 南宁 海口 兰州 银川 西宁 拉萨 雅安 东莞 佛山
温州 河北 山西 辽宁 吉林 黑龙 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 廣東 海南 四川
贵州 云南 陕西 甘肃 青海 台湾 台灣 内蒙 广西 西藏 宁夏 新疆 香港 澳门 台北 高雄 東京 大阪 京都
神戸 横浜 札幌 仙台 福岡 広島 熊本 青森 岩手 宮城 秋田 山形 福島 茨城 栃木 群馬 埼玉 千葉 神奈
新潟 富山 石川 福井 山梨 長野 岐阜 静岡 愛知 三重 滋賀 兵庫 奈良 和歌 鳥取 島根 岡山 山口 徳島
香川 愛媛 高知 佐賀 長崎 大分 宮崎 鹿児 沖縄 名古 北海 中国 中國 美国 美國 英国 英國 法国 法國
德国 日本 韩国 韓国 韓國 朝鲜 俄罗 乌克 印度 越南 泰国 伊朗 以色 叙利 埃及 巴西 智利 墨西 加拿
澳大 菲律 印尼 欧盟 米国 独国 露国
"""


@cache
def lexicon() -> dict[int, tuple[int, int]]:
    """Return what is known of a word, or of a pair of Han letters, by its hash: the bits NUMBER,
    DENIAL and so on, or-ed, and for a number the hash of its digits."""
    found: dict[int, tuple[int, int]] = {}

    def know(hashed: int, bit: int, number: int = 0) -> None:
        bits, was = found.get(hashed, (0, 0))
        found[hashed] = bits | bit, number or was

    for number, words in _NUMBERS.items():
        for word in words.split():
            know(word_hash(_folded(word)), NUMBER, word_hash(str(number)))
    for word in _DATES.split():
        know(word_hash(_folded(word)), NUMBER, word_hash(_folded(word)))
    lists = ((_DENIALS, DENIAL), (_DROPPED, DROPPED), (_RETOLD, RETOLD), (_HERALDS, HERALD))
    for listed, bit in (*lists, (_COMMON_STARTS, START)):
        for word in listed.split():
            know(word_hash(_folded(word)), bit)
    for listed, bit in ((_PLACES, PLACE), (_DENYING_PAIRS, DENYING)):
        for pair in listed.split():
            know(mixed(word_hash(pair[0]), word_hash(pair[1])), bit)
    return found


@cache
def lexicon_table() -> NDArray[np.uint64]:
    """Return the lexicon for the kernel: hash, bits and number at the first free place from the
    hash's lowest bits on, shape (LEXICON_PLACES, 3); a hash of 0 is a free place."""
    table = np.zeros((LEXICON_PLACES, 3), np.uint64)
    for hashed, (bits, number) in lexicon().items():
        at = hashed % LEXICON_PLACES
        while table[at, 0]:
            at = (at + 1) % LEXICON_PLACES
        table[at] = hashed, bits, number
    return table


def _folded(word: str) -> str:
    found = (fold_of(ord(char)) for char in word)
    return "".join(chr(point) for kind, point in found if kind != SKIP)
