"""Make the capture that ships with the package, from the research captures beside the checkout.

    python benchmarks/make_bundled_capture.py ../shared/data src/fairwitness/data

Only captures whose licence lets them be shared: tweets of the Mayweather-McGregor fight
(FiveThirtyEight, CC BY 4.0), labelled crisis tweets (CrisisLexT26, MIT), Weibo hot search (MIT).
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CRISES = {
    "2012_Costa_Rica_earthquake",
    "2013_Brazil_nightclub_fire",
    "2013_Sardinia_floods",
    "2013_Spain_train_crash",
}
HOT_SEARCH_ROWS = 2_000

Row = dict[str, Any]


def rows(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def kept(data: Path) -> Iterator[Row]:
    for row in rows(data / "crisislex/t26_labeled.dev.jsonl.gz"):
        if row["event"] in CRISES and row["informativeness"].startswith("Related"):
            yield {"id": row["id"], "ts": row["ts"], "text": row["text"], "network": "x"}
    for row in rows(data / "fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz"):
        post = {key: row[key] for key in ("id", "ts", "author", "text")}
        yield {**post, "network": "x"}
    seen: set[str] = set()
    for row in rows(data / "weibo-hot-search/hourly.dev.jsonl.gz"):
        if row["title"] in seen or len(seen) >= HOT_SEARCH_ROWS:
            continue
        seen.add(row["title"])
        topic = {key: row[key] for key in ("ts", "title", "rank", "read", "discuss")}
        yield {**topic, "network": "weibo"}


def main() -> None:
    data, target = Path(sys.argv[1]), Path(sys.argv[2])
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in kept(data))
    text = "".join(line + "\n" for line in lines)
    # mtime=0: the same rows make the same file, byte for byte.
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    (target / "sample.jsonl.gz").write_bytes(packed)
    print(f"{text.count(chr(10)):,} posts, {len(packed):,} bytes")


if __name__ == "__main__":
    main()
