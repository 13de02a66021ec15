"""Who says it: what stands before a claim that we do not say in our own name.

A claim that one witness makes, that is passed on as a rumour or that others contradict is told as
theirs. The words are ours, so the check leaves them out and reads what follows.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple


class _Frames(NamedTuple):
    one: str
    some: str
    rumour: str


Frame = Literal["one", "some", "rumour"]

_FRAMES: Mapping[str, _Frames] = {
    "en": _Frames("One witness says: ", "Witnesses say: ", "Unconfirmed: "),
    "es": _Frames("Un testigo dice: ", "Varios testigos dicen: ", "Sin confirmar: "),
    "it": _Frames("Un testimone dice: ", "Più testimoni dicono: ", "Non confermato: "),
    "pt": _Frames("Uma testemunha diz: ", "Testemunhas dizem: ", "Não confirmado: "),
    "fr": _Frames("Un témoin dit : ", "Des témoins disent : ", "Non confirmé : "),
    "de": _Frames("Ein Zeuge sagt: ", "Zeugen sagen: ", "Unbestätigt: "),
    "ru": _Frames("Один свидетель говорит: ", "Свидетели говорят: ", "Не подтверждено: "),
    "zh": _Frames("一个见证者说：", "有见证者说：", "未经证实："),
    "ja": _Frames("証人一人によると：", "証人たちによると：", "未確認："),
}
_ALL = tuple({frame for row in _FRAMES.values() for frame in row})


def framed(claim: str, frame: Frame, lang: str) -> str:
    """Return `claim` as somebody's, in `lang` or else in English."""
    row = _FRAMES.get(lang, _FRAMES["en"])
    return f"{getattr(row, frame)}{claim}"


def unframed(claim: str) -> str:
    """Return what a claim says, without who says it."""
    return next((claim.removeprefix(each) for each in _ALL if claim.startswith(each)), claim)
