"""Languages are told by script first, and a claim does not outweigh what is written."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.kernels import language as kernel
from fairwitness.posts import language

SAMPLES = {
    "en": "The bridge over the river was closed this morning after the storm.",
    "de": "Die Brücke über den Fluss wurde heute Morgen nach dem Sturm gesperrt.",
    "fr": "Le pont sur la rivière a été fermé ce matin après la tempête.",
    "es": "El puente sobre el río fue cerrado esta mañana después de la tormenta.",
    "pt": "A ponte sobre o rio foi fechada esta manhã depois da tempestade.",
    "tr": "Fırtınadan sonra nehrin üzerindeki köprü bu sabah kapatıldı.",
    "vi": "Cây cầu bắc qua sông đã bị đóng cửa sáng nay sau cơn bão.",
    "pl": "Most na rzece został dziś rano zamknięty po burzy.",
    "id": "Jembatan di atas sungai itu ditutup pagi ini setelah badai.",
    "ru": "Мост через реку закрыли сегодня утром после бури.",
    "uk": "Міст через річку закрили сьогодні вранці після бурі.",
    "ar": "أغلق الجسر فوق النهر هذا الصباح بعد العاصفة.",
    "fa": "پل روی رودخانه امروز صبح پس از طوفان بسته شد.",
    "hi": "तूफान के बाद आज सुबह नदी पर बना पुल बंद कर दिया गया।",
    "bn": "ঝড়ের পরে আজ সকালে নদীর উপর সেতুটি বন্ধ করে দেওয়া হয়েছে।",
    "ta": "புயலுக்குப் பிறகு இன்று காலை ஆற்றின் மீதுள்ள பாலம் மூடப்பட்டது.",
    "th": "สะพานข้ามแม่น้ำถูกปิดเมื่อเช้านี้หลังพายุ",
    "ja": "嵐のため、今朝から川にかかる橋は閉鎖されています。",
    "zh": "暴风雨过后，河上的桥今天早上关闭了。",
    "ko": "폭풍 이후 오늘 아침 강 위의 다리가 폐쇄되었습니다.",
    "el": "Η γέφυρα πάνω από το ποτάμι έκλεισε σήμερα το πρωί.",
    "he": "הגשר מעל הנהר נסגר הבוקר אחרי הסערה.",
    "ka": "ხიდი მდინარეზე დღეს დილით დაიკეტა.",
}


@pytest.mark.parametrize("code", SAMPLES)
def test_a_sentence_is_told_without_a_claim_and_surely_with_it(code: str) -> None:
    guess, confidence = language.detect(SAMPLES[code])
    assert guess == code
    assert 0.5 <= confidence < 1
    assert language.detect(SAMPLES[code], code) == (code, 1.0 if code != "zh" else 0.9)


@pytest.mark.parametrize("code", ["ru", "ar", "hi", "ta", "th", "ja", "ko", "el", "he", "ka", "zh"])
def test_a_claim_of_another_script_is_not_believed(code: str) -> None:
    assert language.detect(SAMPLES[code], "en")[0] == code
    assert language.detect(SAMPLES[code].split()[0][:6], "pt")[0] in {code, "und"}


@pytest.mark.parametrize(
    ("text", "claimed", "code"),
    [
        ("東京震度五強", "ja", "ja"),
        ("東京震度五強", "en", "zh"),
        ("東京震度五強", "", "zh"),
        ("שלום", "yi", "yi"),
        ("kya baat hai yaar", "hi", "hi"),
        (SAMPLES["en"], "ja", "en"),
        (SAMPLES["de"], "en", "de"),
        ("Idemo kući", "sr", "sr"),
        (SAMPLES["id"], "in", "id"),
        (SAMPLES["he"], "iw", "he"),
        ("Broen er stengt", "nb-NO", "no"),
        ("lol", "EN_us", "en"),
        ("lol", "zh-Hant-TW", "zh"),
    ],
)
def test_among_the_languages_of_a_script_the_claim_decides(
    text: str, claimed: str, code: str
) -> None:
    assert language.detect(text, claimed)[0] == code


@pytest.mark.parametrize("text", ["", " ", "😀 12:30 — 5", "https://a.example/das-ist @wer #was"])
def test_where_there_are_no_words_only_a_claim_says_anything(text: str) -> None:
    assert language.detect(text) == ("und", 0.0)
    assert language.detect(text, "de") == ("de", 0.5)
    for nothing in (
        "und",
        "zxx",
        "qme",
        "qht",
        "art",
        "english",
        "e",
        "12",
        "d\u00e9",
        "-",
        "x" * 999,
    ):
        assert language.detect(text, nothing) == ("und", 0.0)


def test_few_letters_are_no_certainty() -> None:
    assert language.detect("ok") == ("und", 0.0)
    assert language.detect("ja") == ("und", 0.0)


def test_a_name_in_another_script_does_not_change_the_language() -> None:
    assert language.detect("The minister met Путин and left without a statement today.")[0] == "en"
    assert language.detect("地震の速報です。NHK World Radio Japan がお伝えします。")[0] == "ja"


def test_combining_marks_are_letters() -> None:
    assert language.detect("हिन्दी में समाचार पढ़ें")[0] == "hi"


@given(st.text(max_size=300), st.text(max_size=12))
def test_any_text_and_any_claim_give_a_code_and_a_share(text: str, claimed: str) -> None:
    code, confidence = language.detect(text, claimed)
    assert code == "und" or (code.isascii() and code.isalpha() and 2 <= len(code) <= 3)
    assert 0.0 <= confidence <= 1.0
    assert (code == "und") == (confidence == 0.0)


def test_many_texts_are_told_as_each_by_itself() -> None:
    texts = [*SAMPLES.values(), "", "kya baat hai yaar"]
    claims = ["en", *SAMPLES][: len(texts)] + ["hi"] * (len(texts) - len(SAMPLES) - 1)
    one_by_one = [language.detect(*each) for each in zip(texts, claims, strict=True)]
    assert language.detect_all(texts, claims) == one_by_one
    assert language.detect_all([], []) == []


def test_threads_do_not_disturb_one_another() -> None:
    kernel._known.cache_clear()  # the first use is a race, too
    wrong: list[str] = []

    def tell_all() -> None:
        for _ in range(30):
            wrong.extend(code for code, text in SAMPLES.items() if language.detect(text)[0] != code)

    threads = [threading.Thread(target=tell_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
