"""SQLite's FTS5, from the standard library: words only, it has no vectors.

https://sqlite.org/fts5.html (external content, bm25), https://sqlite.org/wal.html (readers beside a
writer), https://sqlite.org/pragma.html#pragma_synchronous (FULL syncs the log at each commit).
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from peer import Asked, Post, size_bytes

SETTINGS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "cache_size": -262_144,
    "tokenize": "unicode61 remove_diacritics 2",
    "content": "external",
    "automerge": "default (4)",
    "vectors": "none",
    "commit": "one transaction a batch",
}


class Writer:
    version = f"SQLite {sqlite3.sqlite_version}"
    settings = SETTINGS
    separate = True

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "posts.db")
        self._db = _opened(self._path)
        self._db.executescript(
            """
            create table posts(id integer primary key, author text, lang text, created_ms integer,
                               text text);
            create virtual table words using fts5(text, content='posts', content_rowid='id',
                                                  tokenize='unicode61 remove_diacritics 2');
            """
        )

    def add(self, posts: Sequence[Post]) -> None:
        with self._db:
            self._db.executemany("insert into posts values (?,?,?,?,?)", _rows(posts))
            self._db.executemany(
                "insert into words(rowid, text) values (?,?)", [(p.id, p.text) for p in posts]
            )

    def tend(self) -> None: ...

    def settle(self) -> None: ...

    def address(self) -> str:
        return self._path

    def reader(self) -> "Reader":
        return Reader(self._path)

    def close(self) -> None:
        self._db.close()

    def size_bytes(self) -> int:
        return size_bytes(Path(self._path).parent)


class Reader:
    def __init__(self, address: str) -> None:
        self._db = _opened(address)

    def search(self, asked: Asked, limit: int) -> int:
        terms = [word for word in "".join(_plain(asked.words)).split() if word]
        query = " OR ".join(f'"{term}"' for term in terms)
        narrowed = "and posts.lang = ?" if asked.lang else ""
        values = [query, *([asked.lang] if asked.lang else []), limit]
        rows = self._db.execute(
            "select posts.id, posts.text, rank from words join posts on posts.id = words.rowid"
            f" where words match ? {narrowed} order by rank limit ?",
            values,
        )
        return len(rows.fetchall())

    def has(self, word: str) -> bool:
        found = self._db.execute("select rowid from words where words match ?", [f'"{word}"'])
        return found.fetchone() is not None

    def close(self) -> None:
        self._db.close()


def _opened(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, check_same_thread=False)
    for name in ("journal_mode", "synchronous", "cache_size"):
        db.execute(f"pragma {name} = {SETTINGS[name]}")
    return db


def _rows(posts: Sequence[Post]) -> list[tuple[object, ...]]:
    return [(p.id, p.author, p.lang, p.created_ms, p.text) for p in posts]


def _plain(words: str) -> list[str]:
    return [char if char.isalnum() else " " for char in words]
