"""Time in questions, in the languages that are searched."""

import pytest

from fairwitness.answers.when import TimeWindow, window_in
from fairwitness.posts.clock import from_iso

NOW_MS = from_iso("2026-03-10T15:00:00Z")
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("question", "hours"),
    [
        ("What happened in the last hour?", 1),
        ("What happened over the past 3 hours?", 3),
        ("¿Qué pasó en las últimas 2 horas?", 2),
        ("Cosa è successo nelle ultime 6 ore?", 6),
        ("O que aconteceu nas últimas 4 horas?", 4),
        ("Que s'est-il passé ces dernières heures ?", 1),
        ("Was ist in den letzten 5 Stunden passiert?", 5),
        ("Что случилось за последние 2 часа?", 2),
        ("最近3小时发生了什么？", 3),
        ("過去2時間に何が起きた？", 2),
        ("What happened in the last 2 days?", 48),
        ("Was geschah in den letzten 3 Tagen?", 72),
        ("Que s'est-il passé cette semaine ?", 168),
        ("What happened since midnight?", 15),
        ("Que s'est-il passé depuis midi ?", 3),
        ("Was ist seit Mittag passiert?", 3),
        ("Qué pasó esta mañana?", 9),
        ("What happened last night?", 21),
        ("昨晚发生了什么？", 21),
        ("Что случилось с полудня?", 3),
        ("Which country recently had an earthquake?", 90 * 24),
        ("最近哪里发生了地震？", 90 * 24),
    ],
)
def test_a_stretch_until_now(question: str, hours: int) -> None:
    window, rest = window_in(question, NOW_MS)
    assert window == TimeWindow(NOW_MS - hours * HOUR_MS, NOW_MS + 1)
    assert len(rest) < len(question)


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("What happened yesterday?", "2026-03-09"),
        ("¿Qué pasó ayer?", "2026-03-09"),
        ("昨天发生了什么？", "2026-03-09"),
        ("Что произошло сегодня?", "2026-03-10"),
        ("今日何が起きた？", "2026-03-10"),
    ],
)
def test_a_whole_day(question: str, day: str) -> None:
    window, _ = window_in(question, NOW_MS)
    assert window == TimeWindow(from_iso(day), from_iso(day) + 24 * HOUR_MS)


@pytest.mark.parametrize(
    "question", ["Who won the fight?", "Where is the Daily Planet?", "谁赢了？"]
)
def test_no_time_is_all_time(question: str) -> None:
    assert window_in(question, NOW_MS) == (TimeWindow(), question)
