"""The two wires of Jetstream: what to ask for, and how compressed frames are opened.

v1 asks by `wantedCollections` and `compress=true`, v2 by `collections` and `zstdDictionary=<id>`.
Each compressed message is one zstd frame made with a dictionary that both sides hold; two
dictionaries ship with us (data/NOTICE.txt), and a newer one of v2 is fetched from the server.

https://github.com/bluesky-social/jetstream, docs/README.md sections 5.1 and 5.2,
lexicons/network/bsky/jetstream/getZstdDictionary.json.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Literal
from urllib.parse import urlencode, urlsplit

import zstandard

from fairwitness.posts.sources.bluesky_frames import POSTS, Unreadable

MAX_FRAME_BYTES = 1_000_000
"""A repository takes no record of a megabyte or more; what is longer is not read."""

V2_SUBPROTOCOL = "xrpc.v1.json"

_V2_PATH = "/xrpc/network.bsky.jetstream.subscribeEvents"
_DICTIONARY_PATH = "/xrpc/network.bsky.jetstream.getZstdDictionary"
_SHIPPED = {1: "jetstream_v1_1612007021.zdict", 2: "jetstream_v2_20260811.zdict"}
_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878 section 3.1.1


@dataclass(frozen=True)
class Endpoint:
    """A Jetstream server and which of its wires we speak."""

    url: str
    version: Literal[1, 2]
    host: str

    @classmethod
    def of(cls, url: str) -> "Endpoint":
        """Read a WebSocket URL. Raises ValueError when it is not one of Jetstream."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.netloc or parts.query:
            raise ValueError(f"not a WebSocket URL without a query: {url!r}")
        if parts.path == "/subscribe":
            return cls(url, 1, parts.netloc)
        if parts.path == _V2_PATH:
            return cls(url, 2, parts.netloc)
        raise ValueError(f"path of {url!r} is neither /subscribe nor {_V2_PATH}")

    def address(self, start: str, dictionary_id: int) -> str:
        """Return what to connect to, from `start` on; `dictionary_id` 0 asks for plain frames."""
        asked: list[tuple[str, str]] = []
        if self.version == 1:
            asked.append(("wantedCollections", POSTS))
            if dictionary_id:
                asked.append(("compress", "true"))
        else:
            asked.append(("collections", POSTS))
            if dictionary_id:
                asked.append(("zstdDictionary", str(dictionary_id)))
        if start:
            asked.append(("cursor", start))
        return f"{self.url}?{urlencode(asked)}"

    def dictionary_address(self) -> str:
        """Return where the server keeps the dictionary that it uses now."""
        return (
            f"{'https' if self.url.startswith('wss') else 'http'}://{self.host}{_DICTIONARY_PATH}"
        )


class Unpacker:
    """Opens zstd frames made with one dictionary; frames that are not zstd pass through."""

    def __init__(self, dictionary: bytes) -> None:
        """Raises ValueError when `dictionary` is not one for zstd (RFC 8878 section 5)."""
        try:
            held = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_FULLDICT)
            self._zstd = zstandard.ZstdDecompressor(dict_data=held)
        except zstandard.ZstdError as error:
            raise ValueError(f"not a zstd dictionary: {error}") from error
        self.dictionary_id = held.dict_id()

    def unpack(self, frame: bytes) -> bytes:
        """Return the frame as JSON, never more than `MAX_FRAME_BYTES`. Raises Unreadable."""
        if len(frame) > MAX_FRAME_BYTES:
            raise Unreadable(f"frame of {len(frame)} bytes")
        if not frame.startswith(_MAGIC):
            return frame
        try:
            # A frame that names its size would be given that much, whatever the limit.
            named_bytes = zstandard.frame_content_size(frame)
            if named_bytes > MAX_FRAME_BYTES:
                raise Unreadable(f"frame that unpacks to {named_bytes} bytes")
            return self._zstd.decompress(frame, max_output_size=MAX_FRAME_BYTES)
        except zstandard.ZstdError as error:
            raise Unreadable(f"not a zstd frame: {error}") from error


def shipped_dictionary(version: int) -> bytes:
    """Return the dictionary that came with us for wire `version`."""
    data = resources.files("fairwitness.posts.sources") / "data" / _SHIPPED[version]
    return data.read_bytes()
