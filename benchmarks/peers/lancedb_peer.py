"""LanceDB: columns on disk, full-text and vector indexes that `optimize` extends.

https://docs.lancedb.com/search/full-text-search.md and hybrid search; what is not indexed yet is
scanned. When to optimise is in the docstring of `Table.optimize`: after 20 additions or 100,000
rows.
"""

import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.rerankers import RRFReranker
from peer import DIMENSIONS, Asked, Post, size_bytes

_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("author", pa.string()),
        ("lang", pa.string()),
        ("created_ms", pa.int64()),
        ("text", pa.string()),
        ("vector", pa.list_(pa.float16(), DIMENSIONS)),
    ]
)
_ADDS = 20
_TRAINED = 10_000  # fewer rows are scanned as fast as an index would be searched

SETTINGS = {
    "fts": "simple tokenizer, no stemming, stop words kept, no positions",
    "vectors": "float16, cosine, IVF_RQ once there are 10,000 rows",
    "optimize": f"after {_ADDS} additions, in a thread beside the writer; versions older than a"
    " minute are removed",
    "hybrid": "RRF",
}


class Writer:
    version = f"LanceDB {lancedb.__version__}"
    settings = SETTINGS
    separate = True

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder / "lance")
        self._table: Any = lancedb.connect(self._folder).create_table("posts", schema=_SCHEMA)
        self._indexed = False
        self._optimizing: threading.Thread | None = None
        self._adds = 0

    def add(self, posts: Sequence[Post]) -> None:
        flat = np.concatenate([p.vector for p in posts]).astype(np.float16)
        columns = [
            pa.array([p.id for p in posts], pa.int64()),
            pa.array([p.author for p in posts]),
            pa.array([p.lang for p in posts]),
            pa.array([p.created_ms for p in posts], pa.int64()),
            pa.array([p.text for p in posts]),
            pa.FixedSizeListArray.from_arrays(pa.array(flat), DIMENSIONS),
        ]
        self._table.add(pa.Table.from_arrays(columns, schema=_SCHEMA))
        self._adds += 1
        if not self._indexed:
            self._table.create_fts_index("text", stem=False, remove_stop_words=False)
            self._indexed = True

    def tend(self) -> None:
        busy = self._optimizing is not None and self._optimizing.is_alive()
        if self._adds >= _ADDS and not busy:
            self._adds = 0
            self._optimizing = threading.Thread(target=self._optimize)
            self._optimizing.start()

    def settle(self) -> None:
        self._table.optimize(cleanup_older_than=timedelta(minutes=1))
        if self._table.count_rows() >= _TRAINED:
            self._table.create_index(metric="cosine", index_type="IVF_RQ", num_bits=1)

    def address(self) -> str:
        return self._folder

    def reader(self) -> "Reader":
        return Reader(self._folder)

    def close(self) -> None:
        if self._optimizing is not None:
            self._optimizing.join()

    def size_bytes(self) -> int:
        return size_bytes(Path(self._folder))

    def _optimize(self) -> None:
        # On a table of its own: a table is not to be shared by two threads that write.
        table: Any = lancedb.connect(self._folder).open_table("posts")
        try:
            table.optimize(cleanup_older_than=timedelta(minutes=1))
        except Exception as error:  # a conflict with an addition: the next one does both
            print(f"lancedb: not optimized: {error}"[:200], file=sys.stderr, flush=True)


class Reader:
    def __init__(self, address: str) -> None:
        connection = lancedb.connect(address, read_consistency_interval=timedelta(0))
        self._table: Any = connection.open_table("posts")
        self._fused = RRFReranker()

    def search(self, asked: Asked, limit: int) -> int:
        query = self._table.search(query_type="hybrid", vector_column_name="vector")
        query = query.vector(asked.vector).text(asked.words).rerank(self._fused)
        if asked.lang:
            query = query.where(f"lang = '{asked.lang}'", prefilter=True)
        return int(query.select(["id", "text"]).limit(limit).to_arrow().num_rows)

    def has(self, word: str) -> bool:
        found = self._table.search(word, query_type="fts").select(["id"]).limit(1).to_arrow()
        return bool(found.num_rows)

    def close(self) -> None: ...
