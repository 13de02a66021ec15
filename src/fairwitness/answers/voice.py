"""Our own sentences, in each language that we speak, regular or fun.

Fun changes how we say what we counted. It never touches a quote, a number or a name, and it is not
used where people were hurt.
"""

from collections.abc import Mapping

from fairwitness.answers.answer import Mode
from fairwitness.answers.understand import Asked

_GRAVE = frozenset(
    "dead hurt missing earthquake flood fire storm explosion crash shooting evacuate".split()
)

# Only where several are counted does a sentence have their number: one is not "1 statements".
# agree: several witnesses. points: a summary. compared: two things beside each other. several: three or more. lone: one. apart: several, each of something else. hearsay: several, as a rumour. denied: someone says no. none: nobody. pending: an outcome that one voice claims. declined and help: only in English, as is what is declined.
_REGULAR: Mapping[str, Mapping[str, str]] = {
    "en": {
        "agree": "{witnesses} independent witnesses say so; the first was seen at {first} UTC.",
        "points": "Independent witnesses: {witnesses}; statements: {points}; the newest was seen at {newest} UTC.",
        "compared": "Of what is quoted, said of both: {both}; only of the first: {one}; only of the second: {other}.",
        "several": "Of what is quoted, said of more than one: {both}; of one alone: {each}.",
        "lone": "One witness says so, seen at {first} UTC; nobody else confirms it yet.",
        "apart": "Each of these is said by one witness alone; none bears out another.",
        "hearsay": "Passed on by {witnesses}, but as a rumour or from hearsay; nobody confirms it yet.",
        "denied": "Denied by {witnesses} of those who answer.",
        "none": "No witness: none of the {searched} posts searched answers this.",
        "pending": "No witness: nobody independent confirms an outcome in the {searched} posts searched.",
        "sought": "Searched for {terms}; newest post seen at {newest} UTC.",
        "widen": "Other words, a wider time or more sources may find one.",
        "declined": "I do not help with {about}. What others did, and what became of it, I do tell.",
        "help": "If this is about you, talk to somebody now: findahelpline.com lists who listens in your country.",
    },
    "es": {
        "agree": "{witnesses} testigos independientes lo dicen; el primero se vio a las {first} UTC.",
        "points": "Testigos independientes: {witnesses}; afirmaciones: {points}; la más reciente se vio a las {newest} UTC.",
        "compared": "De lo citado, dicho de ambos: {both}; solo del primero: {one}; solo del segundo: {other}.",
        "several": "De lo citado, dicho de más de uno: {both}; de uno solo: {each}.",
        "lone": "Lo dice un solo testigo, visto a las {first} UTC; nadie más lo confirma todavía.",
        "apart": "Cada cosa la dice un solo testigo; ninguno confirma a otro.",
        "hearsay": "Repetido por {witnesses}, pero como rumor o de oídas; nadie lo confirma todavía.",
        "denied": "Desmentido por {witnesses} de quienes responden.",
        "none": "Ningún testigo: ninguna de las {searched} publicaciones consultadas responde a esto.",
        "pending": "Ningún testigo: nadie independiente confirma un resultado en las {searched} publicaciones consultadas.",
        "sought": "Se buscó {terms}; la publicación más reciente se vio a las {newest} UTC.",
        "widen": "Otras palabras, más tiempo o más fuentes podrían encontrar uno.",
    },
    "it": {
        "agree": "{witnesses} testimoni indipendenti lo dicono; il primo è stato visto alle {first} UTC.",
        "points": "Testimoni indipendenti: {witnesses}; affermazioni: {points}; la più recente è stata vista alle {newest} UTC.",
        "compared": "Di ciò che è citato, detto di entrambi: {both}; solo del primo: {one}; solo del secondo: {other}.",
        "several": "Di ciò che è citato, detto di più d'uno: {both}; di uno solo: {each}.",
        "lone": "Lo dice un solo testimone, visto alle {first} UTC; nessun altro lo conferma ancora.",
        "apart": "Ogni cosa è detta da un solo testimone; nessuno conferma un altro.",
        "hearsay": "Ripetuto da {witnesses}, ma come voce o per sentito dire; nessuno lo conferma ancora.",
        "denied": "Smentito da {witnesses} di chi risponde.",
        "none": "Nessun testimone: nessuno dei {searched} post consultati risponde.",
        "pending": "Nessun testimone: nessuno di indipendente conferma un esito nei {searched} post consultati.",
        "sought": "Cercato: {terms}; il post più recente è delle {newest} UTC.",
        "widen": "Altre parole, più tempo o più fonti potrebbero trovarne uno.",
    },
    "pt": {
        "agree": "{witnesses} testemunhas independentes dizem isso; a primeira foi vista às {first} UTC.",
        "points": "Testemunhas independentes: {witnesses}; afirmações: {points}; a mais recente foi vista às {newest} UTC.",
        "compared": "Do que é citado, dito de ambos: {both}; só do primeiro: {one}; só do segundo: {other}.",
        "several": "Do que é citado, dito de mais de um: {both}; de um só: {each}.",
        "lone": "Só uma testemunha diz isso, vista às {first} UTC; ninguém mais confirma ainda.",
        "apart": "Cada coisa é dita por uma só testemunha; nenhuma confirma outra.",
        "hearsay": "Repetido por {witnesses}, mas como boato ou de ouvir dizer; ninguém confirma ainda.",
        "denied": "Desmentido por {witnesses} dos que respondem.",
        "none": "Nenhuma testemunha: nenhuma das {searched} publicações pesquisadas responde a isto.",
        "pending": "Nenhuma testemunha: ninguém independente confirma um resultado nas {searched} publicações pesquisadas.",
        "sought": "Procurou-se {terms}; a publicação mais recente foi vista às {newest} UTC.",
        "widen": "Outras palavras, mais tempo ou mais fontes podem encontrar uma.",
    },
    "fr": {
        "agree": "{witnesses} témoins indépendants le disent ; le premier a été vu à {first} UTC.",
        "points": "Témoins indépendants : {witnesses} ; affirmations : {points} ; la plus récente a été vue à {newest} UTC.",
        "compared": "De ce qui est cité, dit des deux : {both} ; du premier seul : {one} ; du second seul : {other}.",
        "several": "De ce qui est cité, dit de plus d'un : {both} ; d'un seul : {each}.",
        "lone": "Un seul témoin le dit, vu à {first} UTC ; personne d'autre ne le confirme encore.",
        "apart": "Chaque chose n'est dite que par un seul témoin ; aucun n'en confirme un autre.",
        "hearsay": "Répété par {witnesses}, mais comme une rumeur ou par ouï-dire ; personne ne le confirme encore.",
        "denied": "Démenti par {witnesses} de ceux qui répondent.",
        "none": "Aucun témoin : aucune des {searched} publications consultées ne répond.",
        "pending": "Aucun témoin : personne d'indépendant ne confirme de résultat dans les {searched} publications consultées.",
        "sought": "Recherché : {terms} ; la publication la plus récente a été vue à {newest} UTC.",
        "widen": "D'autres mots, plus de temps ou de sources pourraient en trouver un.",
    },
    "de": {
        "agree": "{witnesses} unabhängige Zeugen sagen das; der erste wurde um {first} UTC gesehen.",
        "points": "Unabhängige Zeugen: {witnesses}; Aussagen: {points}; die neueste wurde um {newest} UTC gesehen.",
        "compared": "Vom Zitierten über beide gesagt: {both}; nur über das erste: {one}; nur über das zweite: {other}.",
        "several": "Vom Zitierten über mehr als eines gesagt: {both}; über eines allein: {each}.",
        "lone": "Nur ein Zeuge sagt das, gesehen um {first} UTC; noch bestätigt es niemand.",
        "apart": "Jedes davon sagt nur ein Zeuge; keiner bestätigt einen anderen.",
        "hearsay": "Weitergegeben von {witnesses}, aber als Gerücht oder vom Hörensagen; noch bestätigt es niemand.",
        "denied": "Bestritten von {witnesses} der Antwortenden.",
        "none": "Kein Zeuge: Keiner der {searched} durchsuchten Beiträge beantwortet das.",
        "pending": "Kein Zeuge: Niemand Unabhängiges bestätigt einen Ausgang in den {searched} durchsuchten Beiträgen.",
        "sought": "Gesucht: {terms}; der neueste Beitrag wurde um {newest} UTC gesehen.",
        "widen": "Andere Wörter, mehr Zeit oder mehr Quellen könnten einen finden.",
    },
    "zh": {
        "agree": "有{witnesses}个独立的见证者这样说，最早见于{first} UTC。",
        "points": "{witnesses}个独立见证者的{points}条陈述；最新一条见于{newest} UTC。",
        "compared": "引文中有{both}点两者都有；{one}点只关于前者，{other}点只关于后者。",
        "several": "引文中有{both}点不止一方有；只关于一方的：{each}。",
        "lone": "只有一个见证者这样说，见于{first} UTC；尚无他人证实。",
        "apart": "每条都只有一个见证者；彼此没有印证。",
        "hearsay": "有{witnesses}个来源转述，但只是传闻或转述他人；尚无人证实。",
        "denied": "有人否认：{witnesses}个回应者说并非如此。",
        "none": "没有见证者：检索的{searched}条帖子都没有回答这个问题。",
        "pending": "没有见证者：检索的{searched}条帖子中没有独立来源证实结果。",
        "sought": "检索词：{terms}；最新一条见于{newest} UTC。",
        "widen": "换些词、放宽时间或增加来源，或许能找到。",
    },
}

_FUN: Mapping[str, Mapping[str, str]] = {
    "en": {
        "agree": "Don't take my word for it: {witnesses} witnesses who never met say so, the quickest at {first} UTC.",
        "lone": "One brave soul says so, at {first} UTC, and the rest of the room is studying its shoes.",
        "none": "No witness. I read all {searched} posts, and not one of them would testify.",
        "pending": "No witness. In {searched} posts there are plenty of prophets and not one who saw it happen.",
    },
    "es": {
        "agree": "No me crean a mí: lo dicen {witnesses} testigos que no se conocen, el más rápido a las {first} UTC.",
        "none": "Ningún testigo. Leí las {searched} publicaciones y ninguna quiso declarar.",
        "pending": "Ningún testigo. En {searched} publicaciones sobran profetas y falta quien lo haya visto.",
    },
    "it": {
        "agree": "Non credete a me: lo dicono {witnesses} testimoni che non si conoscono, il più svelto alle {first} UTC.",
        "none": "Nessun testimone. Ho letto tutti i {searched} post e nessuno vuole deporre.",
    },
    "pt": {
        "agree": "Não acreditem em mim: {witnesses} testemunhas que nem se conhecem dizem isso, a mais rápida às {first} UTC.",
        "none": "Nenhuma testemunha. Li as {searched} publicações e nenhuma quis depor.",
    },
    "zh": {
        "agree": "别光信我：有{witnesses}个互不相识的见证者这样说，最快的在{first} UTC。",
        "none": "没有见证者。我翻遍了{searched}条帖子，没有一条肯出庭作证。",
    },
}


def say(which: str, asked: Asked, mode: Mode, lang: str, **facts: object) -> str:
    """Return our sentence `which` with `facts` in it, in `lang` or else in English."""
    spoken = lang if lang in _REGULAR else "en"
    grave = any(t.sense is not None and t.sense.name in _GRAVE for t in asked.terms)
    playful = _FUN.get(spoken, {}) if mode == "fun" and not grave else {}
    return (playful.get(which) or _REGULAR[spoken][which]).format(**facts)
