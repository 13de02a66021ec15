"""What meaning costs: a text, the table, and a search of codes, flat and in lists.

python benchmarks/meaning_speed.py ../shared/data
"""

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from fairwitness.index import meaning
from fairwitness.index.codes import Inverted, centres_of, lists_of
from fairwitness.index.near import PROBES
from fairwitness.kernels import hamming
from fairwitness.kernels.hamming import Near
from fairwitness.kernels.texts import pack

ROWS = 1_000_000
K = 100
FILES = [
    "reddit-top-2013/posts_subset.jsonl.gz",
    "weibo-hot-search/hourly.dev.jsonl.gz",
    "telegram-ru-news/posts.jsonl.gz",
    "crisislex/t6_labeled.jsonl.gz",
    "hackernews-frontpage/stories.dev.jsonl.gz",
    "news-headlines-wklnd/general.dev.jsonl.gz",
]


def texts_of(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [row.get("title") or row.get("text") or "" for row in rows]


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Return the median of the processor's time."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken)


def main() -> None:
    print(f"table: {seconds(lambda: meaning.table(), 1):.2f} s to load")
    texts = list(dict.fromkeys(t for f in FILES for t in texts_of(Path(sys.argv[1]) / f)))
    some = texts[:: len(texts) // 30_000]
    packed = pack(some)
    size = len(packed.blob) / len(some)
    meaning.codes(packed)
    for name, work in {"codes": meaning.codes, "with vectors": meaning.codes_and_vectors}.items():
        took = seconds(lambda work=work: work(packed)) / len(some)
        print(f"{name}: {took * 1e6:.2f} us a text of {size:.0f} bytes")
    distinct = meaning.codes(pack(texts))
    # More rows than real texts: each again with a few bits turned, as another wording would be.
    rng = np.random.default_rng(0)
    drawn = distinct[rng.integers(0, len(distinct), ROWS - len(distinct))]
    noise = np.packbits(rng.random((len(drawn), 256)) < 0.08, axis=1)
    held = np.concatenate([distinct, drawn ^ noise])
    asked = meaning.codes(pack(texts[7::5_000]))
    lists = None

    def build() -> None:
        nonlocal lists
        centres = centres_of(held)
        lists = Inverted.build(centres, held, lists_of(held, centres))

    print(f"build: {seconds(build, 1):.2f} s for {len(held)} codes of {len(texts)} texts")
    assert lists is not None
    with tempfile.TemporaryDirectory() as folder:
        lists.save(Path(folder) / "codes")
        print(f"saved: {(Path(folder) / 'codes').stat().st_size / len(held):.1f} bytes a row")
    whole = np.array([[0, len(held)]])
    flat = [hamming.nearest(held, whole, query, K) for query in asked]
    took = seconds(lambda: [hamming.nearest(held, whole, query, K) for query in asked]) / len(asked)
    print(f"flat: {took * 1e3:.2f} ms")

    def look(probes: int) -> list[Near]:
        return [
            lists.nearest(
                query,
                K,
                np.argsort(hamming.distances([lists.centres], query)[0], kind="stable")[:probes],
            )
            for query in asked
        ]

    for probes in (16, PROBES, 64, 256):
        found = look(probes)
        share = [
            (some.distances <= full.distances[-1]).sum() / len(full.rows)
            for some, full in zip(found, flat, strict=True)
        ]
        took = seconds(lambda n=probes: look(n)) / len(asked)
        print(f"{probes} lists: recall@{K} {np.mean(share):.3f} of flat, {took * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
