"""The files of the page: small, ours, and free of anything inline or from elsewhere."""

import re
from importlib import resources

FILES = {
    entry.name: entry.read_text("utf-8")
    for entry in (resources.files("fairwitness.server") / "page").iterdir()
}
MAX_BYTES = 60_000


def test_the_page_is_small() -> None:
    assert sum(len(text.encode()) for text in FILES.values()) < MAX_BYTES


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    html = FILES["index.html"]
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", html) == []
    for name, text in FILES.items():
        addresses = re.findall(r"""(?:src=|href=|from |import |url\(|fetch\()["']([^"']+)""", text)
        assert [each for each in addresses if not each.startswith(("/", "#"))] == [], name


def test_foreign_text_never_becomes_markup() -> None:
    for name, text in FILES.items():
        found = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert found == [], name


def test_each_file_is_served_as_what_it_is_and_not_sent_twice(reading) -> None:
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg"}
    for name, text in FILES.items():
        path = "/" if name == "index.html" else f"/page/{name}"
        reply = reading.client.get(path)
        assert reply.text == text
        assert reply.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
        again = reading.client.get(path, headers={"If-None-Match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert reading.client.get("/page/..%2fhouse.py").status_code == 404
