"""Milvus Lite: Milvus's client and protocol before a local store, as a server of its own.

https://pypi.org/project/milvus-lite/3.2.2/ : BM25 is a function of the schema, writes are a log and
a table in memory, and several clients need the server.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peer import DIMENSIONS, Asked, Post, size_bytes
from pymilvus import AnnSearchRequest, DataType, Function, FunctionType, MilvusClient, RRFRanker

_START_S = 60.0

SETTINGS = {
    "vectors": "float32, cosine, HNSW M 16, efConstruction 100",
    "words": "BM25 function, standard analyzer",
    "server": "milvus-lite server, gRPC on loopback",
    "hybrid": "RRF",
}


class Writer:
    version = f"milvus-lite {version('milvus-lite')}, pymilvus {version('pymilvus')}"
    settings = SETTINGS
    separate = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "milvus"
        port = _free_port()
        self._address = f"http://127.0.0.1:{port}"
        command = [str(Path(sys.executable).parent / "milvus-lite"), "server"]
        command += ["--data-dir", str(self._folder), "--port", str(port)]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            self._client = _connected(self._address)
            self._create()
        except BaseException:
            self._server.kill()
            raise

    def add(self, posts: Sequence[Post]) -> None:
        rows = [
            {
                "id": p.id,
                "text": p.text[:4000],
                "author": p.author,
                "lang": p.lang,
                "created_ms": p.created_ms,
                "vector": p.vector.tolist(),
            }
            for p in posts
        ]
        self._client.insert("posts", rows)

    def tend(self) -> None: ...

    def settle(self) -> None:
        self._client.flush("posts")

    def address(self) -> str:
        return self._address

    def reader(self) -> "Reader":
        return Reader(self._address)

    def close(self) -> None:
        self._client.close()
        self._server.terminate()
        self._server.wait(30)

    def size_bytes(self) -> int:
        return size_bytes(self._folder)

    def _create(self) -> None:
        schema: Any = MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("text", DataType.VARCHAR, max_length=16_384, enable_analyzer=True)
        schema.add_field("author", DataType.VARCHAR, max_length=256)
        schema.add_field("lang", DataType.VARCHAR, max_length=8)
        schema.add_field("created_ms", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSIONS)
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(Function("bm25", FunctionType.BM25, ["text"], ["words"]))
        self._client.create_collection("posts", schema=schema)
        indexes: Any = self._client.prepare_index_params()
        params = {"M": 16, "efConstruction": 100}
        indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=params)
        indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        self._client.create_index("posts", indexes)
        self._client.load_collection("posts")


class Reader:
    def __init__(self, address: str) -> None:
        self._client = _connected(address)

    def search(self, asked: Asked, limit: int) -> int:
        narrowed = {"expr": f'lang == "{asked.lang}"'} if asked.lang else {}
        near = AnnSearchRequest([asked.vector.tolist()], "vector", {}, 50, **narrowed)
        words = AnnSearchRequest([asked.words], "words", {}, 50, **narrowed)
        found: Any = self._client.hybrid_search(
            "posts", [near, words], RRFRanker(60), limit, output_fields=["text"]
        )
        return len(found[0])

    def has(self, word: str) -> bool:
        found: Any = self._client.search(
            "posts", [word], anns_field="words", limit=1, output_fields=["text"]
        )
        return bool(found and found[0])

    def close(self) -> None:
        self._client.close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _connected(address: str) -> MilvusClient:
    deadline_s = time.monotonic() + _START_S
    while True:
        try:
            return MilvusClient(uri=address, timeout=120)
        except Exception:  # pymilvus has several kinds for a server that is not up yet
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.3)
