"""The page in a real browser, in front of the real server, fed by the real command."""

import json
import random
import re
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

TEXTS = {
    "ana": "Magnitude 5.8 earthquake felt in Valparaíso just now, everybody is in the street.",
    "luis": "Take care 🧡🧡👩‍👩‍👧‍👦! Strong earthquake in Valparaíso, the bridge is closed. 🌉",
    "kim": "🌊🌊 Tsunami warning after the earthquake in Valparaíso is over, says the navy 👍🏽.",
    "mal": "<img src=/x onerror=alert(1)><script>alert(2)</script> Free bread for <b>hackers</b>.",
}
QUAKE = "Was there an earthquake in Valparaíso?"


def ask(page: Page, question: str) -> None:
    page.fill("#question", question)
    page.press("#question", "Enter")
    expect(page.locator("#about .facts")).to_be_visible()


def test_quotes_come_while_the_model_still_writes(visit, writer: ThreadingHTTPServer) -> None:
    page = visit.page
    writer.gate.clear()
    page.fill("#question", QUAKE)
    page.press("#question", "Enter")
    expect(page.locator("figure.quote")).to_have_count(3)
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#about .facts")).to_have_count(0)
    writer.gate.set()
    expect(page.locator("#about .facts")).to_contain_text("writer")
    expect(page.locator("#answer")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("figure.quote")).to_have_count(3)
    expect(page.locator("p.claim")).to_contain_text("3 independent witnesses say so")
    expect(page.get_by_text("1 sentence is not shown")).to_be_visible()
    expect(page.get_by_text("Nobody said this.")).to_be_hidden()


def test_what_is_marked_in_a_source_is_the_quote_to_the_letter(visit) -> None:
    page = visit.page
    ask(page, QUAKE)
    quotes = page.locator("figure.quote")
    expect(quotes).to_have_count(3)
    for quote in quotes.all():
        cited = json.loads(quote.get_attribute("data-cites"))
        (number,) = [citation["source"] for citation in cited]
        card = page.locator(f'[data-source="{number}"]')
        assert card.locator("mark").all_text_contents() == [
            quote.locator("blockquote").text_content()
        ]
        assert card.locator(".text").text_content() in TEXTS.values()
    marked = page.locator("mark").all_text_contents()
    assert "Strong earthquake in Valparaíso, the bridge is closed." in marked, (
        "emoji stand before it"
    )
    assert page.locator(".source a").first.get_attribute("rel") == "noopener noreferrer nofollow"


def test_offsets_are_code_points_whatever_the_text(visit) -> None:
    letters = ["a", "é", "क्", "👍🏽", "👩‍👩‍👧‍👦", "𝔣", "\u202e", "漢", "\n", "<b>"]
    rng = random.Random(7)
    script = """async ([text, spans]) => {
        const { pieces, stretch } = await import("/page/text.js");
        return [pieces(text, spans), spans.map(({start, end}) => stretch(text, start, end))];
    }"""
    for _ in range(40):
        text = "".join(rng.choices(letters, k=rng.randint(1, 30)))
        ends = [sorted(rng.choices(range(len(text) + 1), k=2)) for _ in range(rng.randint(1, 3))]
        spans = [{"start": start, "end": end} for start, end in ends]
        pieces, stretches = visit.page.evaluate(script, [text, spans])
        assert stretches == [text[start:end] for start, end in ends]
        assert "".join(piece["text"] for piece in pieces) == text
        marked = [any(start <= at < end for start, end in ends) for at in range(len(text))]
        assert [piece["marked"] for piece in pieces for _ in piece["text"]] == marked


def test_pointing_at_a_citation_lights_its_source_and_the_reverse(visit) -> None:
    page = visit.page
    ask(page, QUAKE)
    second = page.locator("figure.quote").nth(1)
    second.hover()
    expect(page.locator(".source.lit")).to_have_attribute("data-source", "2")
    expect(page.locator("mark.lit")).to_have_text(second.locator("blockquote").text_content())
    page.locator('[data-source="3"] .who').hover()
    expect(second).not_to_have_class(re.compile("lit"))
    expect(page.locator("figure.quote.lit")).to_have_count(1)
    expect(page.locator("p.claim.lit")).to_have_count(1)
    page.locator("p.claim .cite").first.focus()
    expect(page.locator(".source.lit")).to_have_attribute("data-source", "1")


def test_a_hostile_post_is_only_text(visit, up) -> None:
    page = visit.page
    ask(page, "What about free bread for hackers?")
    quote = page.locator("figure.quote blockquote")
    expect(quote).to_have_text(TEXTS["mal"])
    expect(page.locator("#found img, #found script, #found b")).to_have_count(0)
    assert f"{up.url}/x" not in visit.requested


def test_when_nobody_witnessed_it_the_page_says_so_and_what_was_searched(visit) -> None:
    page = visit.page
    ask(page, "Who won the chess championship?")
    expect(page.locator(".nobody h3")).to_have_text("No witness")
    expect(page.locator(".nobody p")).to_contain_text("posts searched")
    expect(page.locator("#about .facts")).to_contain_text("Searched")
    expect(page.locator("#sources-section")).to_be_hidden()
    page.fill("#question", "¿Quién ganó el campeonato de ajedrez?")
    page.press("#question", "Enter")
    expect(page.locator(".nobody h3")).to_have_text("Ningún testigo")


def test_the_counter_moves_when_posts_arrive(visit, up) -> None:
    page = visit.page
    line = page.locator("#live-line")
    expect(line).to_contain_text(re.compile(r"^\d+ posts"))
    before = int(re.match(r"\d+", line.text_content())[0])
    up.take_in("more", {f"crew{n}": f"Ferry number {n} has left." for n in range(5)})
    expect(line).to_contain_text(f"{before + 5} posts", timeout=4000)
    page.click("#live summary")
    expect(page.locator("#live-panel")).to_contain_text("Networks")
    expect(page.locator("#live-panel tbody tr")).to_have_count(2)


def test_the_address_is_the_question(visit, up) -> None:
    page = visit.page
    ask(page, QUAKE)
    page.get_by_text("fun", exact=True).click()
    ask(page, "Who gives free bread?")
    assert "mode=fun" in page.url
    page.go_back()
    expect(page.locator("#asked")).to_have_text(QUAKE)
    expect(page.locator("#question")).to_have_value(QUAKE)
    expect(page.locator("figure.quote")).to_have_count(3)
    page.get_by_text("Copy a link to this answer").click()
    expect(page).to_have_url(re.compile("as_of="))
    shared = page.url
    page.reload()
    assert page.url == shared
    expect(page.locator("figure.quote")).to_have_count(3)
    expect(page.locator("#as-of")).to_be_visible()


def test_an_earlier_moment_can_be_asked_about(visit) -> None:
    page = visit.page
    page.click("#then")
    expect(page.locator("#as-of")).to_be_focused()
    page.fill("#as-of", "2020-01-01T00:00")
    ask(page, QUAKE)
    expect(page.locator(".nobody h3")).to_have_text("No witness")
    expect(page.locator("#about .facts")).to_contain_text("2020-01-01 00:00:00 UTC")
    page.click("#now")
    ask(page, QUAKE)
    expect(page.locator("figure.quote")).to_have_count(3)


def test_it_works_without_a_mouse(visit) -> None:
    page = visit.page
    ask(page, QUAKE)
    page.locator(".cite").first.focus()
    page.keyboard.press("/")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("Who gives/gave free bread?")
    expect(page.locator("#question")).to_have_value("Who gives/gave free bread?")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("input, button, a, summary")]
            .filter((e) => !e.labels?.length && !e.ariaLabel && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
    )
    assert unnamed == []


def test_an_answer_stays_open_and_says_what_changed(visit, up) -> None:
    page = visit.page
    ask(page, "What happened to the lighthouse of Marwick?")
    expect(page.locator(".nobody h3")).to_have_text("No witness")
    page.fill("#alert-at", "2")
    page.get_by_role("button", name="Keep this answer open").click()
    expect(page.locator("#watching")).to_contain_text("Open:")
    up.take_in("fire", {"nan": "The lighthouse of Marwick is on fire"})
    expect(page.locator(".changes li.new")).to_contain_text("The lighthouse of Marwick is on fire")
    expect(page.locator("figure.quote")).to_have_count(1)
    expect(page.locator(".nobody")).to_have_count(0)
    up.take_in("more", {"ole": "Fire in the top of the Marwick lighthouse, seen from a boat"})
    expect(page.locator("figure.quote")).to_have_count(2)
    expect(page.locator(".changes li.corroborated")).to_have_count(1)
    expect(page.locator(".changes li[role=alert]")).to_contain_text("2 independent witnesses")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Keep this answer open")).to_be_visible()
    expect(page.locator("figure.quote")).to_have_count(2)


def test_what_is_wrong_is_said_and_can_be_asked_again(visit) -> None:
    page = visit.page
    page.fill("#question", "?!")
    page.press("#question", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("the question has no words")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    ask(page, QUAKE)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert [c for c in visit.complaints if "400" in c] == visit.complaints, "the browser's own line"
    visit.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark_and_fits_a_phone(
    browser: Browser, up, scheme: str, tmp_path: Path
) -> None:
    viewport = {"width": 360, "height": 740}
    page = browser.new_page(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{up.url}/?q=earthquake+in+Valparaíso")
    expect(page.locator("#about .facts")).to_be_visible()
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    lightness = sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3 / 255
    assert lightness < 0.2 if scheme == "dark" else lightness > 0.9
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    picture = page.screenshot(path=str(tmp_path / f"{scheme}.png"), full_page=True)
    assert len(picture) > 10_000
    page.close()


def test_when_the_server_goes_the_page_says_so_and_comes_back(
    browser: Browser, begin_up, tmp_path: Path
) -> None:
    running = begin_up(tmp_path, TEXTS)
    page = browser.new_page()
    page.goto(running.url)
    expect(page.locator("#live-line")).to_contain_text("4 posts")
    running.stop()
    expect(page.locator("#live-line")).to_contain_text("reconnecting", timeout=5000)
    page.fill("#question", QUAKE)
    page.press("#question", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    again = begin_up(tmp_path, TEXTS, port=int(running.url.rpartition(":")[2]))
    try:
        expect(page.locator("#live-line")).to_contain_text("4 posts", timeout=8000)
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator("figure.quote")).to_have_count(3)
    finally:
        page.close()
        again.stop()
