"""Lines and blocks that were damaged, thousands a second, for kernels that watch what they touch.

`make sanitize` runs it; by itself it says nothing of the results, which tests/posts/test_stream.py
and test_blocks.py hold to. Each input ends where its memory does, so that one byte beyond is seen.

    python fuzz.py SECONDS [SEED]
"""

import ctypes
import json
import random
import sys
import time
from collections.abc import Sequence

import numpy as np

from fairwitness.evals import firehose
from fairwitness.kernels import blocks, native, stream
from fairwitness.posts.language import TONGUES

PIECES = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b" ", b"\xff", b"\xed\xa0\x80"),
    *(b"\xf4\x90\x80\x80", b"\xf0\x9f\x99\x82", b"\xe2\x80\xa6", b"\xe2", b"\xc5\xbf", b"\xc4\xb0"),
    *(b"\\u00e9", b"\\ud83d", b"\\ud83d\\ude42", b"\\u0000", b"\\r\\n", b"\\u0301", b"\xcc\x81"),
    *(b"&amp;", b"http://", b"https://t.co/a", b"#\xc4\xb0", b"@a", b"@a@b.c", b"\xe3\x81\x82"),
    *(b'"url":"a",', b'"expanded_url":"http://b",', b'"text":"', b"null", b"\x80", b"\x00"),
]
MOMENT = np.array([1_790_000_000_123])


def lines_of(texts: Sequence[str]) -> list[bytes]:
    """Return plain lines of X's stream."""
    url = {
        "url": "https://t.co/a",
        "expanded_url": "https://a.example/b",
        "unwound_url": "http://c",
    }
    more = {"created_at": "2026-11-23T01:21:59.629Z", "lang": "en", "conversation_id": "7"}
    users = {"users": [{"id": "9", "username": "ann"}]}
    lines = []
    for text in texts:
        said = {"text": f"{text} https://t.co/a", "entities": {"urls": [url], "mentions": []}}
        post = {"id": "8", "author_id": "9", **more, **said, "note_tweet": said}
        row = {"data": post, "includes": users, "matching_rules": [{"id": "1"}]}
        lines.append(json.dumps(row, ensure_ascii=False).encode())
    return lines


def damaged(whole: bytes, chance: random.Random) -> np.ndarray:
    """Return bytes with a few of them changed, left out, put in or repeated."""
    hurt = bytearray(whole)
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        at = chance.randrange(len(hurt) + 1)
        match chance.randrange(6):
            case 0:
                hurt[at : at + chance.randrange(3)] = chance.choice(PIECES)
            case 1:
                hurt[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                del hurt[at : at + chance.randrange(20)]
            case 3:
                hurt[at:at] = chance.choice(PIECES) * chance.randrange(200)
            case 4:
                hurt[at:at] = hurt[at : at + chance.randrange(60)] * chance.randrange(9)
            case 5:
                del hurt[at + chance.randrange(3_000) :]
    return np.frombuffer(bytes(hurt), np.uint8).copy()


def read_line(line: np.ndarray, room: int) -> int:
    """Return how many bytes a line's event has; 0 when the line is left."""
    library, known = native.library(), stream._known(TONGUES)
    assert library is not None
    out, end = np.empty(room, np.uint8), np.empty(1, np.int64)
    library.fw_stream(
        native.at(line),
        native.at(np.array([len(line)])),
        native.at(MOMENT),
        native.count(1),
        native.at(stream._table()),
        ctypes.byref(known.layout),
        native.at(out),
        native.count(room),
        native.at(end),
    )
    return int(end[0])


def read_block(block: np.ndarray, room: int) -> int:
    """Return how many bytes the posts of a block are; below 0 when it is none."""
    library = native.library()
    assert library is not None
    library.fw_by_post.restype = ctypes.c_int64
    out, numbers = np.empty(room, np.uint8), map(native.count, (len(block), 0, 1_000))
    return int(library.fw_by_post(native.at(block), *numbers, native.at(out), native.count(room)))


def main() -> None:
    """Go on until the time is up; a finding of a sanitizer ends the process."""
    seconds, chance = float(sys.argv[1]), random.Random(int(sys.argv[2]) if sys.argv[2:] else 0)
    texts, _ = firehose.texts_in(None)
    lines = lines_of(chance.sample(texts, min(2_000, len(texts))))
    told = stream.read(lines, [int(MOMENT[0])] * len(lines), TONGUES)
    assert told is not None
    events = [told.encoded[a:b] for a, b in zip([0, *told.ends[:-1]], told.ends, strict=True)]
    posts = [event[event.index(b"\xa4post") + 5 :] for event in events if event]
    whole = [blocks.by_field(b"".join(posts[at : at + 9]), 9) for at in range(len(posts) - 9)]
    done = plain = sound = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line, room = damaged(chance.choice(lines), chance), chance.choice([50, 700, 20_000])
        plain += read_line(line, room) > 0
        sound += read_block(damaged(chance.choice(whole), chance), room) >= 0
        done += 1
    print(f"{done} lines, of which {plain} were plain; as many blocks, of which {sound} were sound")


if __name__ == "__main__":
    main()
