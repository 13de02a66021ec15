"""Qdrant Edge: one shard of Qdrant in the process that uses it.

https://qdrant.tech/documentation/edge/edge-api/ : upserts show at once, what is not indexed is
scanned, and `optimize` builds the indexes when it is called. A shard belongs to one process, so its
readers are threads of the writer's.
"""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import qdrant_edge as q
from peer import DIMENSIONS, Asked, Post, size_bytes

_FLUSH_S = 5.0

SETTINGS = {
    "vectors": "float16, cosine, binary quantisation, HNSW m 16, ef_construct 100",
    "words": "text index with BM25, multilingual tokenizer",
    "payload index": "lang keyword",
    "wal": True,
    "optimize": "after the bulk load; not during the trial, for it held up a query for 58 s",
    "flush": f"every {_FLUSH_S:g} s, as Qdrant's server does; the WAL has the rest",
    "hybrid": "RRF",
}


class Writer:
    version = f"qdrant-edge-py {version('qdrant-edge-py')}"
    settings = SETTINGS
    separate = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / "edge"
        self._path.mkdir(parents=True)
        self._shard = q.EdgeShard.create(str(self._path), _config())
        index = q.UpdateOperation.create_field_index
        text = q.TextIndexParams(
            tokenizer=q.TokenizerType.Multilingual, lowercase=True, scoring=True
        )
        self._shard.update(index("text", text))
        self._shard.update(index("lang", q.KeywordIndexParams()))
        self._flushed_s = time.monotonic()

    def add(self, posts: Sequence[Post]) -> None:
        points = [
            q.Point(
                p.id,
                p.vector.tolist(),
                {"text": p.text, "author": p.author, "lang": p.lang, "created_ms": p.created_ms},
            )
            for p in posts
        ]
        self._shard.update(q.UpdateOperation.upsert_points(points))

    def tend(self) -> None:
        if time.monotonic() - self._flushed_s > _FLUSH_S:
            self._shard.flush()
            self._flushed_s = time.monotonic()

    def settle(self) -> None:
        self._shard.optimize()

    def address(self) -> str:
        return ""

    def reader(self) -> "Reader":
        return Reader(self._shard)

    def close(self) -> None:
        self._shard.close()

    def size_bytes(self) -> int:
        return size_bytes(self._path)


class Reader:
    def __init__(self, shard: q.EdgeShard) -> None:
        self._shard = shard

    def search(self, asked: Asked, limit: int) -> int:
        only = _in_language(asked.lang)
        words = q.Prefetch(limit=50, query=q.TextQuery("text", asked.words), filter=only)
        near = q.Query.Nearest(asked.vector.tolist())
        meaning = q.Prefetch(limit=50, query=near, filter=only)
        request = q.QueryRequest(
            limit=limit, query=q.Fusion.Rrf(k=60), prefetches=[words, meaning], with_payload=True
        )
        return len(self._shard.query(request))

    def has(self, word: str) -> bool:
        request = q.QueryRequest(limit=1, query=q.TextQuery("text", word), with_payload=True)
        return any(
            word in (hit.payload or {}).get("text", "") for hit in self._shard.query(request)
        )

    def close(self) -> None: ...


def _config() -> q.EdgeConfig:
    return q.EdgeConfig(
        vectors=q.EdgeVectorParams(
            size=DIMENSIONS,
            distance=q.Distance.Cosine,
            datatype=q.VectorStorageDatatype.Float16,
        ),
        hnsw_config=q.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000),
        quantization_config=q.BinaryQuantizationConfig(memory=q.Memory.Cached),
    )


def _in_language(lang: str) -> q.Filter | None:
    if not lang:
        return None
    return q.Filter(must=[q.FieldCondition(key="lang", match=q.MatchValue(lang))])
