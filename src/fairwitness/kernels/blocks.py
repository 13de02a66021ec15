"""Posts that share a block, field by field: what is alike stands together and shrinks more.

A block is, with varints of seven bits a byte, the lowest first, the last below 128:

    posts     varint: how many
    fields    varint each: bits of the fields that it has, XOR those of the post before
    then for each field of `NAMES`, of the posts that have it
    sizes     varint each
    bytes     one after the other: a string's UTF-8, or a value as it was encoded
    numbers   after the ids: zigzag varint each, that of an id less the one before

Moments have no sizes: `created_ms` is a zigzag varint of how much it is above `seen_ms`, and that
of how much it is above the one before; they wrap round at 2⁶⁴. A confidence that is a number of
256ths is that byte, any other comes after a `NEVER`.

Strings repeat one another, so bytes that UTF-8 never has stand for the first place where another
string of the post is found in one: in the id and the handle the account's id, where it points (the
URL, and ids of other posts) these three and what comes after the id's last colon or slash. Digits
at the end of an id are its number.
"""

import ctypes
import struct
import threading
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import msgspec
import numpy as np

from fairwitness.kernels import native
from fairwitness.kernels.fields import head
from fairwitness.kernels.texts import Texts, pack

NAMES = (
    *("id", "network", "author", "author_id", "text", "created_ms", "seen_ms", "url", "lang"),
    *("lang_confidence", "reply_to", "repost_of", "thread", "links", "hashtags", "mentions"),
    *("engagement", "cuts"),
)
"""The fields of a post, in their order."""

NEVER = b"\xc1"
"""No value of MessagePack begins with it."""

_HANDLE, _ID_TAIL, _WHOLE_ID, _ACCOUNT, _NUMBER = (bytes([byte]) for byte in range(0xFB, 0x100))
_MOMENTS = ("created_ms", "seen_ms")
_VALUES = ("lang_confidence", "links", "hashtags", "mentions", "engagement", "cuts")
_POINTERS = ("url", "reply_to", "repost_of", "thread")
_MARKED_BYTES, _DIGITS_MAX = 3, 19
_WRAP = 2**64
_DOUBLE = 0xCB
_ROOM_BYTES = 1 << 16

_threads = threading.local()
_raws = msgspec.msgpack.Decoder(list[dict[str, msgspec.Raw]]).decode
_text = msgspec.msgpack.Decoder(str).decode
_integer = msgspec.msgpack.Decoder(int).decode
_encode = msgspec.msgpack.Encoder().encode

Told = dict[str, bytes]
"""What a post says: a string as UTF-8, a moment as 8 bytes, anything else as it was encoded."""


class BlockDamaged(Exception):
    """The bytes are no block of posts."""


def by_field(encoded: bytes, posts: int) -> bytes:
    """Return a block of posts that msgspec encoded one after the other, 0.5 µs each."""
    library = native.library()
    if library is None:
        return _by_field_plainly(encoded, posts)
    made = _made(library.fw_by_field, encoded, native.count(posts))
    assert made is not None, "NAMES are not the fields of a post"
    return made


def by_post(block: bytes, first: int, count: int) -> bytes:
    """Return `count` posts of a block from `first` on as an encoded list; fewer at its end.

    Raises BlockDamaged.
    """
    library = native.library()
    if library is None:
        return _by_post_plainly(block, first, count)
    numbers = map(native.count, (len(block), first, count))
    made = _made(library.fw_by_post, block, *numbers)
    if made is None:
        raise BlockDamaged(f"{len(block)} bytes are no block of posts")
    return made


def texts(opened: Sequence[bytes], posts: Sequence[int]) -> Texts:
    """Return the text of one post of each of some blocks, 0.3 µs each; raise BlockDamaged."""
    library = native.library()
    if library is None:
        return pack([_text_plainly(*each) for each in zip(opened, posts, strict=True)])
    call, count = library.fw_block_texts, len(opened)
    call.restype = ctypes.c_int64
    sizes = np.fromiter(map(len, opened), np.int64, count)
    which, ends = np.array(posts, np.int64), np.empty(count, np.int64)
    assert len(which) == count
    given = (ctypes.c_char_p * count)(*opened), native.at(sizes), native.at(which)
    # No text is longer than its block: it stands there as it is.
    room = np.empty(int(sizes.sum()), np.uint8)
    told = native.at(room), native.count(len(room)), native.at(ends)
    size_bytes: int = call(*given, native.count(count), *told)
    if size_bytes < 0:
        at = -1 - size_bytes
        raise BlockDamaged(f"{sizes[at]} bytes are no block with a post {posts[at]}")
    return Texts(room[:size_bytes].tobytes(), ends)


def _text_plainly(block: bytes, post: int) -> str:
    found = _raws(_by_post_plainly(block, post, 1))
    if not found:
        raise BlockDamaged(f"{len(block)} bytes are no block with a post {post}")
    return _text(found[0]["text"]) if "text" in found[0] else ""


def _made(call: Any, *arguments: object) -> bytes | None:
    """Return what a kernel writes, None when it cannot."""
    call.restype = ctypes.c_int64
    while True:
        room = _room()
        size_bytes: int = call(*arguments, room, native.count(len(room)))
        if size_bytes <= len(room):
            return ctypes.string_at(room, size_bytes) if size_bytes >= 0 else None
        _threads.room = (ctypes.c_char * size_bytes)()


def _room() -> "ctypes.Array[ctypes.c_char]":
    if not hasattr(_threads, "room"):
        _threads.room = (ctypes.c_char * _ROOM_BYTES)()
    room: ctypes.Array[ctypes.c_char] = _threads.room
    return room


def _by_field_plainly(encoded: bytes, posts: int) -> bytes:
    told = [_told(raw) for raw in _raws(head(posts) + encoded)]
    masks = [sum(1 << NAMES.index(name) for name in post) for post in told]
    block = _varint(posts)
    block += b"".join(_varint(a ^ b) for a, b in pairwise([0, *masks]))
    seen = [_moment(post, "seen_ms") for post in told]
    for name in NAMES:
        mine = [at for at, post in enumerate(told) if name in post]
        if name == "created_ms":
            apart = [_moment(told[at], name) - seen[at] for at in mine]
            block += b"".join(map(_zigzag, apart))
        elif name == "seen_ms":
            block += b"".join(_zigzag(seen[at] - (seen[at - 1] if at else 0)) for at in mine)
        else:
            spelt = [_spelt(name, told[at]) for at in mine]
            block += b"".join(_varint(len(each)) for each in spelt) + b"".join(spelt)
        if name == "id":
            numbers = [
                int(post["id"][-digits:]) for post in told if (digits := _digits(post["id"]))
            ]
            block += b"".join(_zigzag(b - a) for a, b in pairwise([0, *numbers]))
    return block


def _told(raw: dict[str, msgspec.Raw]) -> Told:
    return {name: _piece(name, value) for name, value in raw.items()}


def _piece(name: str, value: msgspec.Raw) -> bytes:
    if name in _MOMENTS:
        return min(_integer(value), 2**63 - 1).to_bytes(8, "little", signed=True)
    return bytes(value) if name in _VALUES else _text(value).encode()


def _moment(post: Told, name: str) -> int:
    return int.from_bytes(post.get(name, b""), "little", signed=True)


def _spelt(name: str, post: Told) -> bytes:
    """Return a field as it stands in a block."""
    piece = post[name]
    if name == "lang_confidence":
        return _short_confidence(piece)
    account = (post["author_id"], _ACCOUNT)
    if name == "id":
        digits = _digits(piece)
        return _marked(piece[: len(piece) - digits], account) + (_NUMBER if digits else b"")
    if name == "author":
        return _marked(piece, account)
    if name in _POINTERS:
        whole, tail = (post["id"], _WHOLE_ID), (_tail(post["id"]), _ID_TAIL)
        return _marked(piece, whole, tail, (post["author"], _HANDLE), account)
    return piece


def _marked(piece: bytes, *pairs: tuple[bytes, bytes]) -> bytes:
    for what, mark in pairs:
        if len(what) >= _MARKED_BYTES:
            piece = piece.replace(what, mark, 1)
    return piece


def _tail(post_id: bytes) -> bytes:
    return post_id[max(post_id.rfind(b":"), post_id.rfind(b"/")) + 1 :]


def _digits(post_id: bytes) -> int:
    """Return how many digits at the end of an id are a number that is written as numbers are."""
    end = post_id[-_DIGITS_MAX:]
    return len(end[len(end.rstrip(b"0123456789")) :].lstrip(b"0"))


def _short_confidence(value: bytes) -> bytes:
    if value[0] == _DOUBLE:
        (share,) = struct.unpack(">d", value[1:])
        if 0 <= share < 1 and (share * 256).is_integer() and value[1:2] != b"\x80":
            return bytes([int(share * 256)])
    return NEVER + value


def _by_post_plainly(block: bytes, first: int, count: int) -> bytes:
    try:
        told = _read(_Varints(block))[first : first + count]
    except (IndexError, ValueError) as error:
        raise BlockDamaged(f"{len(block)} bytes are no block of posts") from error
    return head(len(told)) + b"".join(map(_encoded, told))


class _Varints:
    """Reads a block from its beginning."""

    def __init__(self, block: bytes) -> None:
        self._block, self._at = block, 0

    def next(self) -> int:
        """Return the next number."""
        number = shift = 0
        while True:
            byte = self._block[self._at]
            self._at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def next_signed(self) -> int:
        """Return the next number, which is zigzag."""
        number = self.next()
        return number >> 1 ^ -(number & 1)

    def take(self, sizes: list[int]) -> list[bytes]:
        """Return the next bytes, cut into pieces."""
        ends = list(accumulate(sizes, initial=self._at))
        if ends[-1] > len(self._block):
            raise ValueError(f"{ends[-1]} bytes of {len(self._block)}")
        self._at = ends[-1]
        return [self._block[a:b] for a, b in pairwise(ends)]


def _read(block: _Varints) -> list[dict[str, Any]]:
    masks = list(accumulate([block.next() for _ in range(block.next())], int.__xor__))
    posts: list[dict[str, Any]] = [{} for _ in masks]
    for bit, name in enumerate(NAMES):
        mine = [post for post, mask in zip(posts, masks, strict=True) if mask >> bit & 1]
        if name in _MOMENTS:
            for post in mine:
                post[name] = block.next_signed()
            continue
        pieces = block.take([block.next() for _ in mine])
        for post, piece in zip(mine, pieces, strict=True):
            post[name] = piece
        if name == "id":
            _read_numbers(mine, block)
    _add_up(posts)
    return [_whole(post) for post in posts]


def _read_numbers(posts: list[dict[str, Any]], block: _Varints) -> None:
    number = 0
    for post in posts:
        if post["id"].endswith(_NUMBER):
            number = (number + block.next_signed()) % _WRAP
            post["id"] = post["id"][:-1] + str(number).encode()


def _add_up(posts: list[dict[str, Any]]) -> None:
    seen = 0
    for post in posts:
        seen = post["seen_ms"] = _wrapped(seen + post["seen_ms"])
        post["created_ms"] = _wrapped(post["created_ms"] + seen)


def _wrapped(number: int) -> int:
    """Return a number as 64 bits with a sign tell it."""
    return (number + _WRAP // 2) % _WRAP - _WRAP // 2


def _whole(post: dict[str, Any]) -> dict[str, Any]:
    """Put what marks stand for in their places."""
    account = post["author_id"]
    author = post["author"] = post["author"].replace(_ACCOUNT, account)
    post_id = post["id"] = post["id"].replace(_ACCOUNT, account)
    for name in _POINTERS:
        if name in post:
            piece = post[name].replace(_ACCOUNT, account).replace(_HANDLE, author)
            post[name] = piece.replace(_WHOLE_ID, post_id).replace(_ID_TAIL, _tail(post_id))
    return post


def _encoded(post: dict[str, Any]) -> bytes:
    said: dict[str, Any] = {}
    for name, piece in post.items():
        if name == "lang_confidence" and len(piece) == 1:
            said[name] = piece[0] / 256
        elif name in _VALUES:
            said[name] = msgspec.Raw(piece[1:] if name == "lang_confidence" else piece)
        else:
            said[name] = piece if name in _MOMENTS else piece.decode()
    return _encode({name: said[name] for name in NAMES if name in said})


def _varint(number: int) -> bytes:
    told = bytearray()
    while number >= 128:
        told.append(number & 127 | 128)
        number >>= 7
    told.append(number)
    return bytes(told)


def _zigzag(number: int) -> bytes:
    number = _wrapped(number)
    return _varint(number << 1 if number >= 0 else ~number << 1 | 1)
