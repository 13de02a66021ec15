"""Time in questions: "last hour", "ayer", "昨天" as a window of Unix milliseconds."""

import re
from dataclasses import dataclass

from fairwitness.posts.post import FOREVER_MS

_HOUR_MS = 3_600_000
_UNITS_MS = {"minute": 60_000, "hour": _HOUR_MS, "day": 24 * _HOUR_MS, "week": 168 * _HOUR_MS}


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From `since_ms` up to, not including, `until_ms`."""

    since_ms: int = -FOREVER_MS
    until_ms: int = FOREVER_MS

    @property
    def whole(self) -> bool:
        """Whether the window leaves nothing out."""
        return self == TimeWindow()


# (pattern, unit): a number and a unit, or a unit alone for one of them.
_LAST = (
    (
        r"(?:in |over |during )?the (?:last|past) (\d+ )?minutes?"
        r"|(?:últim|ultim)[oai]s? (\d+ )?minut[oi]s?|(?:dernières?|ces) (\d+ )?(?:dernières )?minutes"
        r"|letzten? (\d+ )?minuten?|последни[ех] (\d+ )?минут\w?|最近(\d+)分钟|過去(\d+)分",
        "minute",
    ),
    (
        r"(?:in |over |during )?(?:the )?(?:last|past) (\d+ )?hours?"
        r"|(?:la |as |las |nas )?últimas? (\d+ )?horas?|(?:nell')?ultim[ae] (\d+ )?or[ae]"
        r"|(?:la |les )?(\d+ )?dernières? (\d+ )?heures?|letzten? (\d+ )?stunden?"
        r"|последни[ейх]+ (\d+ )?час\w*|最近(\d*)个?小时|過去(\d*)時間",
        "hour",
    ),
    (
        r"(?:in |over |during )?the (?:last|past) (\d+ )?days?|últimos (\d+ )?d[ií]as"
        r"|ultimi (\d+ )?giorni|(\d+ )?derniers (\d+ )?jours|letzten (\d+ )?tagen?"
        r"|последни[ех] (\d+ )?дн\w+|最近(\d+)天|過去(\d+)日",
        "day",
    ),
    (
        r"this week|(?:in |over |during )?the (?:last|past) (\d+ )?weeks?|esta semana"
        r"|questa settimana|cette semaine|diese woche|на этой неделе|本周|这周|今週",
        "week",
    ),
)
_TODAY = r"\btoday\b|\bhoy\b|\boggi\b|\bhoje\b|\baujourd'hui\b|\bheute\b|\bсегодня\b|今天|今日"
_YESTERDAY = (
    r"\byesterday\b|\bayer\b|\bieri\b|\bontem\b|\bhier\b(?=.*\?)|\bgestern\b|\bвчера\b|昨天|昨日"
)
# From an hour of this day, UTC like every time here; before that hour it is yesterday's.
_SINCE = (
    (
        r"since midnight|desde (?:la )?medianoche|da mezzanotte|desde a meia-noite|depuis minuit"
        r"|seit mitternacht|с полуночи|(?:从)?(?:半夜|零点)(?:以来|起)|真夜中から",
        0,
    ),
    (
        r"(?:since )?this morning|(?:desde )?esta ma(?:ñana|nhã)|(?:da )?stamattina|(?:depuis )?ce matin"
        r"|(?:seit )?heute morgen|(?:с )?сегодня(?:шнего)? утр(?:а|ом)|今(?:天)?(?:早|朝)(?:上|から)?",
        6,
    ),
    (
        r"since noon|desde (?:el )?mediodía|da mezzogiorno|desde o meio-dia|depuis midi|seit mittag"
        r"|с полудня|(?:从)?(?:今天)?中午(?:以来|起)|正午から",
        12,
    ),
    (
        r"\b(?:tonight|this evening|last night)\b|esta noche|anoche|stasera|stanotte|ieri sera"
        r"|esta noite|ontem à noite|ce soir|hier soir|heute abend|вечером|今晚|昨晚|今夜|昨夜",
        18,
    ),
)

_RECENTLY = (
    r"\b(?:recently|newly|recientemente|recentemente|di recente|récemment|kürzlich|neulich|недавно)\b"
    r"|近日|不久前|最近(?!\d)"
)
RECENT_DAYS = 90
"""What happened before that did not happen recently: a page of four years ago answers otherwise."""


def window_in(question: str, now_ms: int) -> tuple[TimeWindow, str]:
    """Return the window that `question` names, read at `now_ms`, and the question without it."""
    for pattern, unit in _LAST:
        match = re.search(pattern, question, re.IGNORECASE)
        if match:
            count = next((int(group) for group in match.groups() if group and group.strip()), 1)
            window = TimeWindow(now_ms - count * _UNITS_MS[unit], now_ms + 1)
            return window, question[: match.start()] + " " + question[match.end() :]
    for pattern, hour in _SINCE:
        match = re.search(pattern, question, re.IGNORECASE)
        if match:
            since_ms = _midnight_ms(now_ms) + hour * _HOUR_MS
            since_ms -= _UNITS_MS["day"] if since_ms > now_ms else 0
            window = TimeWindow(since_ms, now_ms + 1)
            return window, question[: match.start()] + " " + question[match.end() :]
    for pattern, days_ago in ((_TODAY, 0), (_YESTERDAY, 1)):
        match = re.search(pattern, question, re.IGNORECASE)
        if match:
            since_ms = _midnight_ms(now_ms) - days_ago * _UNITS_MS["day"]
            window = TimeWindow(since_ms, since_ms + _UNITS_MS["day"])
            return window, question[: match.start()] + " " + question[match.end() :]
    match = re.search(_RECENTLY, question, re.IGNORECASE)
    if match:
        window = TimeWindow(now_ms - RECENT_DAYS * _UNITS_MS["day"], now_ms + 1)
        return window, question[: match.start()] + " " + question[match.end() :]
    return TimeWindow(), question


def _midnight_ms(now_ms: int) -> int:
    """Return when the day of `now_ms` began, UTC."""
    return now_ms - now_ms % _UNITS_MS["day"]
