"""What the page shows of an answer beside its sentences: parts, the parsed question, disputes, a
post explained, reports."""

import re

from playwright.sync_api import Page, expect

TEXTS = {
    "ana": "At least 12 dead in the Oldtown fire, says the fire brigade",
    "luis": "Oldtown fire: 12 dead, firemen still on the roofs",
    "kim": "19 dead in the Oldtown fire, the hospital confirms",
    "bo": "Fire in Oldtown kills 19 dead on arrival, mayor says so too",
    "eva": "Ana Ruiz won the fight in Madrid",
    "ivo": "Everybody cheers here in Madrid since Ana Ruiz won that fight against Cy",
    "mia": "The lighthouse of Marwick is on fire",
}
COUNT = "How many people died in the Oldtown fire?"
FIGHT = "Who won the fight in Madrid?"


def ask(page: Page, question: str) -> None:
    page.fill("#question", question)
    page.press("#question", "Enter")
    expect(page.locator("#about .facts")).to_be_visible(timeout=30_000)


def test_several_questions_have_a_heading_and_a_standing_each(visit) -> None:
    page = visit.page
    ask(page, f"{FIGHT} Who won the vote in Rome?")
    headings = page.locator("#answer h3.part")
    expect(headings).to_have_text([FIGHT, "Who won the vote in Rome?"])
    standings = page.locator("#answer .standing")
    expect(standings).to_have_text(["independent witnesses agree", "no witness"])
    expect(page.locator("#answer")).to_contain_text("No witness")
    expect(page.locator(".spread")).to_contain_text("First: eva on test")


def test_two_are_compared_each_under_its_heading(visit) -> None:
    page = visit.page
    ask(page, "Compare the fires in Oldtown and Marwick")
    headings = page.locator("#answer h3.part")
    expect(headings.nth(0)).to_have_text("the fires in Oldtown")
    expect(headings.nth(1)).to_have_text("the fires in Marwick")
    quotes = page.locator("figure.quote blockquote")
    expect(quotes.last).to_have_text(TEXTS["mia"])
    expect(page.locator("#answer p.claim").last).to_contain_text("only of the second: 1.")


def test_a_dispute_says_who_was_first_and_what_would_settle_it(visit) -> None:
    page = visit.page
    ask(page, COUNT)
    expect(page.locator(".side strong")).to_have_count(2)
    expect(page.locator(".side small").first).to_contain_text(" by ")
    expect(page.locator(".settle li").first).to_contain_text("whoever counts it")
    expect(page.locator("#about .facts")).to_contain_text("disputed")


def test_the_parsed_question_is_shown_changed_and_asked_so(visit) -> None:
    page = visit.page
    ask(page, FIGHT)
    page.click(".understood summary")
    expect(page.get_by_label("asks")).to_have_value("who")
    expect(page.get_by_label("names")).to_have_value("Madrid")
    expect(page.locator(".understood")).to_contain_text("by words")
    page.get_by_label("names").fill("Marwick")
    page.get_by_label("words").fill("lighthouse")
    page.get_by_label("asks").select_option("what")
    page.get_by_role("button", name="Ask it so").click()
    expect(page.locator("figure.quote blockquote")).to_have_text([TEXTS["mia"]], timeout=30_000)
    assert "questions=" in page.url
    page.reload()
    expect(page.locator("figure.quote blockquote")).to_have_text([TEXTS["mia"]], timeout=30_000)
    page.go_back()
    expect(page.locator("figure.quote")).to_have_count(2, timeout=30_000)


def test_a_length_can_be_asked_for(visit) -> None:
    page = visit.page
    page.get_by_label("length").select_option("short")
    ask(page, FIGHT)
    expect(page.locator("figure.quote")).to_have_count(1)
    assert "length=short" in page.url


def test_a_post_is_explained_from_its_source_and_by_its_address(visit) -> None:
    page = visit.page
    ask(page, FIGHT)
    page.locator(".source").first.get_by_role("link", name="explain").click()
    expect(page.locator("figure.quote blockquote").first).to_have_text(
        re.compile("Ana Ruiz"), timeout=30_000
    )
    expect(page.locator("p.claim")).to_contain_text("who report the same: 1")
    expect(page).to_have_title(re.compile("Explained"))
    page.fill("#question", "https://social.example/@nobody/7")
    page.press("#question", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("no such post", timeout=30_000)
    assert [c for c in visit.complaints if "404" in c] == visit.complaints, "the browser's own line"
    visit.complaints.clear()


def test_a_report_shows_its_plan_sections_disputes_and_timeline(visit) -> None:
    page = visit.page
    page.get_by_text("report", exact=True).click()
    ask(page, "What happened in the Oldtown fire?")
    expect(page.locator(".plan li.answered").first).to_contain_text("posts searched")
    expect(page.locator(".report section.part h3").first).to_have_text(
        "What happened in the Oldtown fire?"
    )
    expect(page.locator(".side-by-side .side strong")).to_have_text(["12", "19"])
    expect(page.locator(".settle li").first).to_contain_text("whoever counts it")
    times = page.locator(".timeline time").all_text_contents()
    assert len(times) >= 2
    assert times == sorted(times)
    expect(page.locator("#about .facts")).to_contain_text(re.compile(r"\d+ of \d+"))
    assert "report=30" in page.url
    page.locator(".timeline li").first.hover()
    expect(page.locator(".source.lit")).to_have_count(1)


def test_a_report_that_is_stopped_shows_what_there_is_and_says_so(visit, writer) -> None:
    page = visit.page
    writer.gate.clear()
    page.get_by_text("report", exact=True).click()
    page.fill("#question", "What happened in the Oldtown fire?")
    page.press("#question", "Enter")
    try:
        expect(page.locator(".plan li.asking")).to_have_count(1, timeout=30_000)
        expect(page.locator(".report figure.quote").first).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#about .gap")).to_contain_text("partial: it was stopped")
    finally:
        writer.gate.set()
    expect(page.locator(".report figure.quote").first).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_all_of_it_fits_a_phone(browser, up) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{up.url}/?q={COUNT.replace(' ', '+')}")
    expect(page.locator("#about .facts")).to_be_visible(timeout=30_000)
    page.click(".understood summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto(f"{up.url}/?q=Oldtown+fire&report=20")
    expect(page.locator("#about .facts")).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()
