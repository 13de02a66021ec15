"""Words that mean the same thing to a question, across languages.

Nobody answers in the question's own words: asked who won, people write "beats" or "gana". A sense
is a family of such words in the languages that we search. It widens the search, lets a span count
as covering the question, and marks *outcomes*: what is only true once it has happened, and what
people predict, wish and joke about before it does.
"""

from dataclasses import dataclass

from fairwitness.answers import words


@dataclass(frozen=True, slots=True)
class Sense:
    """A family of words. `words` are written as people write them; matching folds and stems."""

    name: str
    words: tuple[str, ...]
    outcome: bool = False
    """Stated as fact only when two independent witnesses say so."""
    bare: tuple[str, ...] = ()
    """Forms that name the matter without saying that it happened: "for the win"."""
    things: tuple[str, ...] = ()
    """Forms that name those whom it befell: who speaks of the victims does not ask whether it is so."""
    partial: tuple[str, ...] = ()
    """Words beside it that make it a part of the matter: winning a round is not winning."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SENSES: tuple[Sense, ...] = (
    Sense(
        "win",
        _words(
            "win wins won winner winners victory victorious beat beats defeat defeats defeated "
            " champion triumphs gana ganó ganador vence venció victoria derrota derrotó campeón"
            " vince vinto vincitore vittoria batte sconfigge campione ganhou ganha venceu vencedor"
            " vitória campeão gagne gagné gagnant victoire vainqueur bat gewinnt gewonnen gewann"
            " sieg sieger besiegt 赢 赢了 获胜 胜利 夺冠 击败 冠军 勝利 優勝 勝ち 勝った победил выиграл победа победитель"
        ),
        outcome=True,
        bare=_words(
            "win winning winnin ganar gane ganando vincere vinca ganhar ganhe gagner gewinnen"
        ),
        partial=_words(
            "round rounds rd assalto round asalto asaltos set half quarter inning leg lap primo"
            " weigh toss book bet bets heart hearts respect respects points"
        ),
    ),
    Sense(
        "lose",
        _words(
            "lose loses lost loser perdió pierde perdedor derrotado perde perso sconfitto perdeu"
            " perdu perdant verliert verloren verlor 输 输了 落败 败 負け 敗れ проиграл"
        ),
        outcome=True,
        bare=_words("lose losing perder perdendo perdere perdre verlieren"),
        partial=_words("round rounds"),
    ),
    Sense(
        "elected",
        _words("elected reelected elegido electo eletto eleito élu gewählt 当选 当選 избран"),
        outcome=True,
    ),
    Sense(
        "dead",
        _words(
            "dead death deaths die dies died dying kill kills killed killing fatalities fatality"
            " victims casualties toll perished bodies muerto muertos muerta muertas muerte muertes"
            " murieron murió fallecidos fallecido fallecieron víctima víctimas cadáveres"
            " morto morti morta morte morirono decessi deceduti vittima vittime"
            " mortos mortas mortes morreram morreu óbitos vítima vítimas corpos"
            " mort morts mortes décès décédés tués victimes tote toten todesopfer gestorben opfer"
            " 死亡 死 遇难 罹难 身亡 丧生 去世 逝世 死者 死亡者 死去 亡くな погибли погибших погиб погибель гибели умер умерла"
            " умерло скончался скончалась убит убиты убили смерть жертв"
        ),
        outcome=True,
        things=_words(
            "victims casualties víctima víctimas fallecidos vittima vittime vítima vítimas victimes"
            " opfer жертв bodies cadáveres corpos 死者 遇难者"
        ),
    ),
    Sense(
        "hurt",
        _words(
            "injured injuries injury wounded hurt hospitalized heridos herido heridas lesionados"
            " feriti ferito feridos ferido blessés blessé verletzt verletzte 受伤 伤者 重伤 轻伤"
            " 負傷 けが раненых ранены пострадавших пострадали"
        ),
    ),
    Sense(
        "missing",
        _words(
            "missing unaccounted disappeared desaparecidos desaparecido dispersi disperso"
            " disparus vermisst vermisste 失踪 失联 行方不明 пропали"
        ),
    ),
    Sense(
        "earthquake",
        _words(
            "earthquake quake tremor seism temblor terremoto sismo scossa séisme tremblement"
            " erdbeben beben 地震 землетрясение deprem"
        ),
    ),
    Sense(
        "magnitude",
        _words(
            "magnitude magnitud magnitudo richter grados gradi graus 级 震级 マグニチュード"
            " магнитуда ml mw m1 m2 m3 m4 m5 m6 m7 m8 m9"
        ),
    ),
    Sense(
        "flood",
        _words(
            "flood floods flooding flooded inundación inundaciones alluvione alluvioni allagamenti"
            " maltempo inundação inundações enchente enchentes inondation inondations"
            " hochwasser überschwemmung 洪水 洪灾 暴雨 наводнение"
        ),
    ),
    Sense(
        "fire",
        _words(
            "fire fires blaze wildfire wildfires bushfire incendio incendios incendi incêndio"
            " incêndios incendie incendies brand feuer waldbrand 火灾 大火 起火 着火 火事 пожар"
        ),
    ),
    Sense(
        "storm",
        _words(
            "storm hurricane typhoon cyclone tornado tormenta huracán tifón tempesta uragano"
            " tifone tempestade furacão tifão tempête ouragan sturm taifun 台风 飓风 风暴 台風 ハリケーン サイクロン"
            " шторм ураган тайфун"
        ),
    ),
    Sense(
        "explosion",
        _words(
            "explosion explosions explode explodes exploded blast explosión explotó esplosione"
            " esplosioni explosão explodiu explose explosé 爆炸 爆発 взрыв"
        ),
    ),
    Sense(
        "crash",
        _words(
            "crash crashed crashes derail derailed derailment collision accidente descarriló"
            " descarrilamiento choque incidente deraglia deragliamento acidente descarrilou"
            " accident déraillement déraillé unfall unglück entgleist 事故 坠毁 坠机 脱轨 相撞"
            " 车祸 авария крушение"
        ),
    ),
    Sense(
        "shooting",
        _words(
            "shooting shooter shot gunman tiroteo disparos sparatoria spari tiroteio"
            " disparos fusillade tireur schüsse schießerei 枪击 枪手 开枪 стрельба"
        ),
    ),
    Sense(
        "train",
        _words("train trains tren trenes treno treni trem comboio zug züge 火车 列车 高铁 поезд"),
    ),
    Sense(
        "nightclub",
        _words("nightclub club discoteca boate boîte nachtclub 夜店 夜总会"),
    ),
    Sense(
        "arrest",
        _words(
            "arrest arrested arrests detained custody arrestado detenido detenidos arrestato"
            " arrestati fermato preso presos detido arrêté arrêtés festgenommen verhaftet 被捕"
            " 逮捕 抓获 拘留 арестован задержан"
        ),
    ),
    Sense(
        "resign",
        _words(
            "resign resigns resigned resignation dimite dimitió renuncia renunció dimesso"
            " dimissioni renunciou demissão démissionne démission zurückgetreten rücktritt 辞职"
            " 下台 辞任 отставка"
        ),
        outcome=True,
    ),
    Sense(
        "evacuate",
        _words(
            "evacuate evacuated evacuation evacuations displaced evacuados evacuación desalojados"
            " sfollati evacuati evacuazione desabrigados desalojados evacuação évacués évacuation"
            " evakuiert 疏散 撤离 转移 避難 эвакуация"
        ),
    ),
    Sense(
        "cause",
        _words(
            "cause caused causes causing because due reason causa causó causado porque debido"
            " causato perché motivo causou devido cause causé grund ursache 原因 因为 由于"
            " причина"
        ),
    ),
    Sense(
        "help",
        _words(
            "help donate donations donation relief volunteers aid shelter ayuda donar donaciones"
            " voluntarios albergue aiuto aiuti donare volontari raccolta ajuda doar doações"
            " doação voluntários aide hilfe spenden 救援 捐款 捐赠 志愿者 помощь"
        ),
    ),
    Sense(
        "fight",
        _words("fight fights bout boxing pelea combate boxeo incontro lotta luta combat kampf"),
    ),
)

DENIALS: tuple[str, ...] = _words(
    "false fake hoax untrue debunked denies denied deny rumor rumour rumors rumours unconfirmed"
    " falso falsa desmiente desmentido bulo mentira bufala smentisce smentito smentita boato"
    " desmente faux fausse dément démenti gerücht dementiert 假的 谣言 辟谣 不实 假消息 デマ фейк ложь"
)
"""Words by which a post says that something is not so."""

SAME_PLACE: tuple[tuple[str, ...], ...] = tuple(
    _words(row)
    for row in (
        "brazil brasil brasile bresil brasilien 巴西",
        "italy italia italie italien 意大利",
        "spain espana spagna espanha espagne spanien 西班牙",
        "germany alemania germania alemanha allemagne deutschland 德国",
        "france francia franca frankreich 法国",
        "sardinia sardegna cerdena sardenha sardaigne",
        "philippines filipinas filippine 菲律宾",
        "japan japon giappone japao 日本",
        "china cina chine 中国",
        "russia rusia rossiya россия 俄罗斯",
        "ukraine ucrania ucraina ukraina украина 乌克兰",
        "turkey turquia turchia turquie turkiye 土耳其",
        "usa us america eeuu 美国",
        "london londres londra 伦敦",
        "galicia galizia galice",
    )
)
"""Names of one place in several languages, folded."""

SENSE_OF = {stem: s.name for s in SENSES for word in s.words for stem in words.stems(word)}
"""By stem, the name of the sense of a word."""
