"""Which number of a span is the one that is asked for."""

import pytest


@pytest.mark.parametrize(
    ("question", "text", "says"),
    [
        ("Quante scosse ci sono state a Oldtown?", "Terremoto di magnitudo 5.8 a Oldtown", ""),
        ("Di che magnitudo è la scossa a Oldtown?", "Scossa di magnitudo 5.8 a Oldtown", "5.8"),
        ("Quanta pioggia in 24 ore a Oldtown?", "In 24 ore a Oldtown pioggia di sei mesi", ""),
        ("Quanti sfollati ci sono a Oldtown?", "Hundreds evacuated due to floods in Oldtown", ""),
        ("How strong were the winds in Oldtown?", "Winds in Oldtown, affecting 25...", ""),
        ("How fast was the train in Oldtown?", "A train crash in Oldtown leaves 78 dead", ""),
        ("青银高速客车侧翻造成多少人死亡？", "青银高速客车侧翻已致5人死亡", "5"),
        ("How fast was the train in Oldtown?", "The train in Oldtown went at 190 km/h", "190"),
        (
            "¿A qué velocidad iba el tren de Oldtown?",
            "El tren de Oldtown iba a 190 por hora",
            "190",
        ),
    ],
)
def test_a_number_of_something_else_is_not_the_one_asked_for(scene, question, text, says):
    scene.say(text)
    assert scene.ask(question).says == says
