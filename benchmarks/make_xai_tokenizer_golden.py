"""Make tests/models/xai_tokenizer.json: a small tokenizer in xAI's format, and tiktoken's ids.

Run once by hand, in an environment of its own:

    python -m venv golden && golden/bin/pip install tiktoken==0.14.0
    golden/bin/python benchmarks/make_xai_tokenizer_golden.py

The ranks are learned here from a few sentences: the most frequent neighbours are joined, again and
again. tiktoken then reads the file as python/sglang/srt/tokenizer/tiktoken_tokenizer.py of
github.com/sgl-project/sglang does.
"""

import collections
import itertools
import json
from pathlib import Path

import regex
import tiktoken

TARGET = Path(__file__).resolve().parent.parent / "tests" / "models" / "xai_tokenizer.json"
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|pad|>", "<|separator|>", "<|eos|>", "<|control1|>"]
CORPUS = """
What is the world saying right now? Witnesses saw it; witnesses said so, and others heard of it.
The whole answer is quoted from what was said: nothing is added, nothing is left out. I'd say we've
seen 1,024 posts in 37 minutes. Ναι, да, はい, 是的, oui! def witness(post):\n    return post.text\n
the there then them these those theses thesis antithesis synthesis synthesise synthesising
"""
TEXTS = [
    "",
    "the",
    "What is the world saying right now?",
    "synthesising antitheses, isn't it? I'LL see 4096 witnesses",
    "  two  spaces\n\n\nand lines \r\n\t tabs   ",
    "да, はい — 是的 🙂 e\u0301",
    "<|separator|> is text here",
    "aaaaaaaaaaaaaaaaaaaathethethethe",
]


def main() -> None:
    ranks = learn(150)
    regular = [{"bytes": list(raw), "token": rank + len(SPECIAL)} for raw, rank in ranks.items()]
    special = [{"bytes": list(text.encode()), "token": n} for n, text in enumerate(SPECIAL)]
    encoding = tiktoken.Encoding(
        name="tiny",
        pat_str=WORDS,
        mergeable_ranks={bytes(each["bytes"]): each["token"] for each in regular},
        special_tokens={text: number for number, text in enumerate(SPECIAL)},
    )
    golden = {
        "file": {"word_split": "V1", "regular_tokens": regular, "special_tokens": special},
        "ids": {text: encoding.encode(text, disallowed_special=()) for text in TEXTS},
    }
    TARGET.write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{TARGET}: {len(regular)} tokens, {TARGET.stat().st_size} bytes")


def learn(joins: int) -> dict[bytes, int]:
    """Ranks of all bytes, and of what so many joins of neighbours give."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    words = [[bytes([b]) for b in word.encode()] for word in regex.findall(WORDS, CORPUS)]
    for _ in range(joins):
        pairs = collections.Counter(pair for word in words for pair in itertools.pairwise(word))
        left, right = max(pairs, key=lambda pair: (pairs[pair], pair))
        ranks[left + right] = len(ranks)
        words = [joined(word, left, right) for word in words]
    return ranks


def joined(word: list[bytes], left: bytes, right: bytes) -> list[bytes]:
    out: list[bytes] = []
    for part in word:
        if out and out[-1] == left and part == right:
            out[-1] = left + right
        else:
            out.append(part)
    return out


if __name__ == "__main__":
    main()
