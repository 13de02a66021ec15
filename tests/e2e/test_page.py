"""The page in a real browser, in front of the real server, fed by the real command."""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
).split()
TEXTS = {
    "ana": "Magnitude 5.8 earthquake felt in Valparaíso just now, everybody is in the street.",
    "luis": "Take care 🧡🧡👩‍👩‍👧‍👦! Strong earthquake in Valparaíso, the bridge is closed. 🌉",
    "kim": "🌊🌊 Tsunami warning after the earthquake in Valparaíso is over, says the navy 👍🏽.",
    "mal": "<img src=/x onerror=alert(1)><script>alert(2)</script> Free bread for <b>hackers</b>.",
}
QUAKE = "Was there an earthquake in Valparaíso?"


def rows(path: Path, texts: dict[str, str]) -> Path:
    at = "https://social.example/@{}/1"
    made = [
        {"id": who, "author": who, "text": text, "network": "test", "url": at.format(who)}
        for who, text in texts.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


class _Writer(BaseHTTPRequestHandler):
    """A model server that says what it should once the gate is open."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.gate.wait(20)
        choice = {"index": 0, "delta": {"content": "Nobody said this."}}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        told = [json.dumps({"choices": [each]}) for each in (choice, last)]
        with contextlib.suppress(OSError):  # who has read a sentence may leave
            self.wfile.write("".join(f"data: {each}\n\n" for each in [*told, "[DONE]"]).encode())

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": [{"id": "writer"}]}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def writer() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Writer)
    server.daemon_threads = True
    server.gate = threading.Event()
    server.gate.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Up:
    """`fairwitness up` on a home of a few posts."""

    def __init__(self, folder: Path, model_server: str = "", port: int = 0) -> None:
        self.folder = folder
        self._env = {**os.environ, "FAIRWITNESS_HOME": str(folder / "home"), "NO_COLOR": "1"}
        if not (folder / "home").exists():
            self._command("ingest", str(rows(folder / "posts.jsonl", TEXTS)))
        model = ["--model-server", model_server] if model_server else ["--model", "none"]
        words = ["up", "--json", "--port", str(port), *model]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fairwitness", *words],
            stdout=subprocess.PIPE,
            env=self._env,
            text=True,
        )
        assert self._process.stdout is not None
        told = ""
        while not told.endswith("}\n"):
            line = self._process.stdout.readline()
            assert line, f"`up` ended early: {told}"
            told += line
        self.url: str = json.loads(told)["url"]
        self._wait()

    def take_in(self, name: str, texts: dict[str, str]) -> None:
        self._command("ingest", str(rows(self.folder / f"{name}.jsonl", texts)))

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)

    def _command(self, *words: str) -> None:
        command = [sys.executable, "-m", "fairwitness", *words]
        subprocess.run(command, env=self._env, check=True, capture_output=True, timeout=60)

    def _wait(self) -> None:
        until_s = time.monotonic() + 20
        while time.monotonic() < until_s:
            try:
                if httpx2.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.05)
        raise AssertionError("the server does not serve")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, writer: ThreadingHTTPServer) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("page"), f"http://127.0.0.1:{writer.server_port}")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("NO CHROMIUM: the page is not tested in a browser; run .ci/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        browser.close()


class Visit:
    """A page and everything that it asked for or complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.on("console", lambda said: self.complaints.append(said.text))


@pytest.fixture
def visit(browser: Browser, up: Up) -> Iterator[Visit]:
    """The page of `up`; afterwards: no complaint, and no request left the server."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    visit = Visit(page)
    page.goto(up.url)
    yield visit
    page.close()
    assert visit.complaints == []
    assert visit.requested
    assert [each for each in visit.requested if not each.startswith(f"{up.url}/")] == []


def ask(page: Page, question: str) -> None:
    page.fill("#question", question)
    page.press("#question", "Enter")
    expect(page.locator("#about .facts")).to_be_visible()


def test_quotes_come_while_the_model_still_writes(
    visit: Visit, writer: ThreadingHTTPServer
) -> None:
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


def test_what_is_marked_in_a_source_is_the_quote_to_the_letter(visit: Visit) -> None:
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


def test_offsets_are_code_points_whatever_the_text(visit: Visit) -> None:
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


def test_pointing_at_a_citation_lights_its_source_and_the_reverse(visit: Visit) -> None:
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


def test_a_hostile_post_is_only_text(visit: Visit, up: Up) -> None:
    page = visit.page
    ask(page, "What about free bread for hackers?")
    quote = page.locator("figure.quote blockquote")
    expect(quote).to_have_text(TEXTS["mal"])
    expect(page.locator("#found img, #found script, #found b")).to_have_count(0)
    assert f"{up.url}/x" not in visit.requested


def test_when_nobody_witnessed_it_the_page_says_so_and_what_was_searched(visit: Visit) -> None:
    page = visit.page
    ask(page, "Who won the chess championship?")
    expect(page.locator(".nobody h3")).to_have_text("No witness")
    expect(page.locator(".nobody p")).to_contain_text("posts searched")
    expect(page.locator("#about .facts")).to_contain_text("Searched")
    expect(page.locator("#sources-section")).to_be_hidden()
    page.fill("#question", "¿Quién ganó el campeonato de ajedrez?")
    page.press("#question", "Enter")
    expect(page.locator(".nobody h3")).to_have_text("Ningún testigo")


def test_the_counter_moves_when_posts_arrive(visit: Visit, up: Up) -> None:
    page = visit.page
    line = page.locator("#live-line")
    expect(line).to_contain_text(re.compile(r"^\d+ posts"))
    before = int(re.match(r"\d+", line.text_content())[0])
    up.take_in("more", {f"crew{n}": f"Ferry number {n} has left." for n in range(5)})
    expect(line).to_contain_text(f"{before + 5} posts", timeout=4000)
    page.click("#live summary")
    expect(page.locator("#live-panel")).to_contain_text("Networks")
    expect(page.locator("#live-panel tbody tr")).to_have_count(2)


def test_the_address_is_the_question(visit: Visit, up: Up) -> None:
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


def test_an_earlier_moment_can_be_asked_about(visit: Visit) -> None:
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


def test_it_works_without_a_mouse(visit: Visit) -> None:
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


def test_an_answer_stays_open_and_says_what_changed(visit: Visit, up: Up) -> None:
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


def test_what_is_wrong_is_said_and_can_be_asked_again(visit: Visit) -> None:
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
    browser: Browser, up: Up, scheme: str, tmp_path: Path
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
    browser: Browser, tmp_path: Path
) -> None:
    running = Up(tmp_path)
    page = browser.new_page()
    page.goto(running.url)
    expect(page.locator("#live-line")).to_contain_text("4 posts")
    running.stop()
    expect(page.locator("#live-line")).to_contain_text("reconnecting", timeout=5000)
    page.fill("#question", QUAKE)
    page.press("#question", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    again = Up(tmp_path, port=int(running.url.rpartition(":")[2]))
    try:
        expect(page.locator("#live-line")).to_contain_text("4 posts", timeout=8000)
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator("figure.quote")).to_have_count(3)
    finally:
        page.close()
        again.stop()
