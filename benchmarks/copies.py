"""Which way of finding copies is right, and what ours costs.

Run: python benchmarks/copies.py <folder of captures> [posts]. The first table compares ways on the
labelled pairs (`tests/index/data/copies.jsonl`): the recall at the lowest threshold whose precision
is 0.95 or more, and precision and recall along ours. `rensa` is compared when it is installed. The
second table feeds captures to the clusters in batches and says what each step takes (thread time,
one core) and what stays in memory.
"""

import gzip
import json
import random
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import xxhash

from fairwitness.index import floods
from fairwitness.index.copies import Copies
from fairwitness.index.witnesses import link_hash, link_hashes
from fairwitness.kernels import native, sketch
from fairwitness.kernels.copies import Seen, sketches
from fairwitness.kernels.texts import pack

PAIRS = Path(__file__).parents[1] / "tests" / "index" / "data" / "copies.jsonl"
BATCH = 4_000
SEED = 7
_NOISE = re.compile(r"https?://\S+|@\w+")
_LINK = re.compile(r"https?://[^\s…]+")

Score = Callable[[str, str], float]


def main() -> None:
    folder = Path(sys.argv[1])
    posts = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    compare_ways(pairs)
    along_the_curve(pairs)
    by_kind(pairs)
    stream(list(captured(folder, posts)))


def compare_ways(pairs: list[dict[str, object]]) -> None:
    labels = np.array([bool(pair["copy"]) for pair in pairs])
    print(f"{len(pairs)} pairs, {labels.sum()} of them copies")
    print(f"{'way':44} {'recall at precision >= 0.95':>28} {'precision at recall >= 0.85':>28}")
    for name, score in ways().items():
        scores = np.array([score(str(pair["a"]), str(pair["b"])) for pair in pairs])
        print(
            f"{name:44} {recall_at(scores, labels, 0.95):28.3f} {precision_at(scores, labels):28}"
        )


def ways() -> dict[str, Score]:
    found: dict[str, Score] = {
        "exact: xxh3 of folded text": exact,
        "SimHash of words, 64 bits": lambda a, b: simhash_score(words(a), words(b)),
        "SimHash of 4 characters, 64 bits": lambda a, b: simhash_score(chars(a), chars(b)),
        "MinHash of words, 128": lambda a, b: minhash_score(words(a), words(b)),
        "MinHash of 3 words, 128": lambda a, b: minhash_score(shingles(a), shingles(b)),
        "MinHash of 4 characters, 128": lambda a, b: minhash_score(chars(a), chars(b)),
        "the same, numbers must be the same": numbers_guarded,
        "statement units, no rule but Jaccard": jaccard_of_units,
        "ours: likeness of sketches": lambda a, b: sketch.likeness(*both(a, b)),
    }
    try:
        from rensa import RMinHash
    except ImportError:
        return found

    def rensa(a: str, b: str) -> float:
        one, other = (RMinHash(128, 42) for _ in "ab")
        one.update(chars(a))
        other.update(chars(b))
        return float(one.jaccard(other))

    return {**found, "rensa RMinHash of 4 characters, 128": rensa}


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", _NOISE.sub(" ", text)).lower()


def words(text: str) -> list[str]:
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|\w+", folded(text)) or [""]


def shingles(text: str) -> list[str]:
    found = words(text)
    return [" ".join(found[at : at + 3]) for at in range(max(len(found) - 2, 1))]


def chars(text: str) -> list[str]:
    bare = "".join(folded(text).split())
    return [bare[at : at + 4] for at in range(max(len(bare) - 3, 1))]


def hashed(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def exact(a: str, b: str) -> float:
    one, other = (hashed("".join(folded(text).split())) for text in (a, b))
    return float(one == other)


def simhash_score(one: Sequence[str], other: Sequence[str]) -> float:
    return 64 - int(simhash(one) ^ simhash(other)).bit_count()


def simhash(pieces: Sequence[str]) -> int:
    hashes = np.array([hashed(piece) for piece in pieces], np.uint64)
    bits = (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    majority = 2 * bits.sum(axis=0) > len(pieces)
    return sum(1 << int(bit) for bit in np.flatnonzero(majority))


_TURNS = np.random.default_rng(SEED).integers(1, 2**63, (2, 128), dtype=np.uint64) | np.uint64(1)


def minhash_score(one: Sequence[str], other: Sequence[str]) -> float:
    return float(np.mean(minhash(one) == minhash(other)))


def minhash(pieces: Sequence[str]) -> np.ndarray:
    hashes = np.array([hashed(piece) for piece in pieces], np.uint64)
    return (hashes[:, None] * _TURNS[0] + _TURNS[1]).min(axis=0)


def numbers_guarded(a: str, b: str) -> float:
    one, other = (sorted(re.findall(r"\d+", folded(text))) for text in (a, b))
    return minhash_score(chars(a), chars(b)) if one == other else 0.0


def jaccard_of_units(a: str, b: str) -> float:
    one, other = ({unit >> 1 for unit in each.units} for each in both(a, b))
    return len(one & other) / max(len(one | other), 1)


def both(a: str, b: str) -> list[sketch.Sketch]:
    return sketches(pack([a, b]))


def recall_at(scores: np.ndarray, labels: np.ndarray, precision: float) -> float:
    best = 0.0
    for threshold in np.unique(scores)[1:]:
        said = scores >= threshold
        if labels[said].mean() >= precision:
            best = max(best, labels[said].sum() / labels.sum())
    return best


def precision_at(scores: np.ndarray, labels: np.ndarray) -> str:
    best = 0.0
    for threshold in np.unique(scores)[1:]:
        said = scores >= threshold
        if labels[said].sum() >= 0.85 * labels.sum():
            best = max(best, labels[said].mean())
    return f"{best:.3f}" if best else "never so high"


def along_the_curve(pairs: list[dict[str, object]]) -> None:
    labels = np.array([bool(pair["copy"]) for pair in pairs])
    scores = np.array([sketch.likeness(*both(str(p["a"]), str(p["b"]))) for p in pairs])
    print("\nlikeness  precision  recall   (the one in use is", sketch.ALIKE, end=")\n")
    for threshold in (300, 400, sketch.ALIKE, 500, 550, 600, 650, 700, 800, 900, 1000):
        said = scores >= threshold
        recall = labels[said].sum() / labels.sum()
        print(f"{threshold:8} {labels[said].mean():10.3f} {recall:7.3f}")


def by_kind(pairs: list[dict[str, object]]) -> None:
    print(f"\n{'kind':28} {'copies':>7} {'found':>7} {'others':>7} {'joined':>7}")
    kinds: dict[str, list[int]] = {}
    for pair in pairs:
        alike = sketch.likeness(*both(str(pair["a"]), str(pair["b"]))) >= sketch.ALIKE
        whys = ("read", "one account retold", "automatic, other numbers")
        why = str(pair["why"]) if pair["why"] in whys or not pair["copy"] else "edited"
        kind = f"{why} ({pair['source']})" if why == "read" else why
        row = kinds.setdefault(kind, [0] * 4)
        row[0 if pair["copy"] else 2] += 1
        row[1 if pair["copy"] else 3] += alike
    for kind, row in sorted(kinds.items()):
        print(f"{kind:28} {row[0]:7} {row[1]:7} {row[2]:7} {row[3]:7}")


def stream(texts: list[str]) -> None:
    copies = Copies()
    copies.tables.ring[:] = copies.tables.keys[:] = copies.tables.exact[:] = 0  # page them in
    column = np.zeros(len(texts), np.int64)
    dice = np.random.default_rng(SEED)
    taken = dict.fromkeys(("pack", "see", "judge", "links"), 0.0)
    totals: Counter[str] = Counter()
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        links = [tuple(_LINK.findall(text)) for text in batch]
        author = dice.integers(1, 50_000, len(batch)).astype(np.uint64)
        seen_ms = first + np.arange(len(batch), dtype=np.int64)
        begun = time.thread_time()
        packed = pack(batch)
        taken["pack"] += lap(begun)
        begun = time.thread_time()
        seen = copies.see(packed, first, np.full(len(batch), -1), lambda at: column[at])
        taken["see"] += lap(begun)
        begun = time.thread_time()
        judged = floods.judge(copies, seen, author, seen_ms)
        taken["judge"] += lap(begun)
        begun = time.thread_time()
        link_hashes(links)
        taken["links"] += lap(begun)
        column[first : first + len(batch)] = seen.cluster
        totals += counted(seen, judged)
    size = sum(len(text.encode()) for text in texts) / len(texts)
    print(f"\n{len(texts)} posts of {size:.0f} bytes, native: {native.library() is not None}")
    for step, seconds in taken.items():
        print(f"{step:8} {1e6 * seconds / len(texts):6.2f} us a post")
    records = totals["first"]
    words = int(copies.tables.head[0])
    print(
        f"memory {copies.size_bytes / 1e6:.0f} MB, never more; a record {8 * words / records:.0f} B"
    )
    print(f"link cache {link_hash.cache_info()}")
    print(dict(totals))


def counted(seen: Seen, judged: floods.Judged) -> Counter[str]:
    names = ("first", "exact_copies", "near_copies", "reposts")
    return Counter(
        **dict(zip(names, np.bincount(seen.how, minlength=4).tolist(), strict=True)),
        author_floods=int(np.count_nonzero(judged.flags & floods.AUTHOR_FLOOD)),
        cluster_floods=int(np.count_nonzero(judged.flags & floods.CLUSTER_FLOOD)),
        low_quality=int(np.count_nonzero(judged.quality < floods.LOW_QUALITY)),
    )


def lap(begun: float) -> float:
    return time.thread_time() - begun


def captured(folder: Path, posts: int) -> Iterator[str]:
    texts: list[str] = []
    for name in (
        "crisislex/t6_labeled.jsonl.gz",
        "crisislex/t26_labeled.dev.jsonl.gz",
        "fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz",
        "usc-x-24-us-election/posts.dev.jsonl.gz",
        "airline-tweets/posts.jsonl.gz",
        "weibo-ced-rumour/originals.dev.jsonl.gz",
    ):
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            texts += [json.loads(line)["text"] for line in file]
    random.Random(SEED).shuffle(texts)
    yield from texts[:posts]


if __name__ == "__main__":
    main()
