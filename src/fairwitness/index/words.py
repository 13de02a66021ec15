"""The words of one slice: a tantivy index of what its posts say, row numbers out.

Words are searchable from the commit after they were added. Tantivy knows only rows and words;
everything else about a post is in columns.
"""

import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import tantivy
from tantivy import Document, FieldType, IndexWriter, Searcher

from fairwitness.index import tokens
from fairwitness.index.errors import IndexCorrupt, IndexDiskFull, IndexFault
from fairwitness.kernels.words import Words as Told
from fairwitness.posts.post import Post

_HEAP_BYTES = 32_000_000
"""What the writer may hold before it spills; the least that tantivy takes is 15 MB."""
_SPARE_BYTES = 1_000_000
"""A failed commit with less room than this on the disk failed for want of room."""


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="text", index_option="position")
    builder.add_text_field("aside", tokenizer_name="aside", index_option="freq")
    # Signed: a Python int never matches a term of an unsigned field when deleting (tantivy-py#47).
    builder.add_integer_field("row", indexed=True, fast=True)
    return builder.build()


SCHEMA = _schema()
Clause = tantivy.Query


def rows_between(first: int, last: int) -> tantivy.Query:
    """A clause that rows from `first` to `last`, both included, satisfy."""
    return tantivy.Query.range_query(SCHEMA, "row", FieldType.Integer, first, last)


def rows_among(rows: Sequence[int]) -> tantivy.Query:
    """A clause that exactly these rows satisfy."""
    return tantivy.Query.term_set_query(SCHEMA, "row", rows)


class Words:
    """A tantivy index in `folder`. One thread writes, any thread searches `searcher`."""

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self._folder = folder
        if not read_only:
            folder.mkdir(exist_ok=True)
        try:
            path = str(folder)
            self._index = tantivy.Index.open(path) if read_only else tantivy.Index(SCHEMA, path)
            for name in ("text", "aside"):
                self._index.register_tokenizer(name, tokens.analyzer())
            # The default policy looks at the disk twice a second; we know when we committed.
            self._index.config_reader("manual")
            self._index.reload()
        except ValueError as error:
            raise IndexCorrupt(folder, f"its words cannot be opened ({error})") from error
        self._writer: IndexWriter | None = None
        self._finishing: threading.Thread | None = None
        self._dirty = False
        self.searcher: Searcher = self._index.searcher()
        self.lost = False
        """Whether what was added since the last commit is lost, and must be added again."""

    def add(self, first_row: int, posts: Sequence[Post], told: Told) -> None:
        """Add rows' words, `told` by their texts. Never raises: a dead writer shows as `lost`."""
        if self.lost:
            return
        try:
            writer = self._open_writer()
            for row, (text, aside) in enumerate(tokens.of_posts(posts, told), first_row):
                document = Document()
                document.add_text("text", text)
                document.add_text("aside", aside)
                document.add_integer("row", row)
                writer.add_document(document)
        except ValueError:
            self._lose()
        else:
            self._dirty = True

    def drop(self, clause: tantivy.Query) -> None:
        """Remove rows that were added before; like `add`, it never raises."""
        if self.lost:
            return
        try:
            self._open_writer().delete_documents_by_query(clause)
            self._dirty = True
        except ValueError:
            self._lose()

    def commit(self) -> None:
        """Make everything since the last commit durable and searchable, or raise and lose it."""
        if self._dirty:
            try:
                self._open_writer().commit()
            except ValueError as error:
                self._lose()
                raise self._fault(error, "cannot be committed") from error
            self._dirty = False
            self.reload()

    def start_again(self) -> None:
        """After a loss: take up from the last commit, for the caller to add the rest once more."""
        try:
            self._open_writer()
        except ValueError as error:
            raise self._fault(error, "cannot be written") from error
        self.lost = False

    def reload(self) -> None:
        """Search what was committed last, by this process or by the one that writes."""
        self._index.reload()
        self.searcher = self._index.searcher()

    def finish(self) -> None:
        """Let go of the writer; merges under way end in the background."""
        writer, self._writer = self._writer, None
        if writer is not None:
            # It takes the writer's lock along until the last merge has ended.
            self._finishing = threading.Thread(target=writer.wait_merging_threads)
            self._finishing.start()

    def close(self) -> None:
        """Wait for merges and let go of the folder."""
        self.finish()
        if self._finishing is not None:
            self._finishing.join()

    def _open_writer(self) -> IndexWriter:
        if self._writer is None:
            if self._finishing is not None:
                self._finishing.join()
            _remove_stray_deletions(self._folder)
            self._writer = self._index.writer(_HEAP_BYTES, num_threads=1)
        return self._writer

    def _lose(self) -> None:
        self._writer = None
        self._dirty = False
        self.lost = True

    def _fault(self, error: ValueError, what: str) -> IndexFault:
        # tantivy-py raises ValueError for everything and only the text tells what it was.
        text = str(error)
        if "os error 28" in text or shutil.disk_usage(self._folder).free < _SPARE_BYTES:
            return IndexDiskFull(f"no room on the disk for {self._folder}")
        return IndexFault(f"{self._folder}: the words {what} ({text})")


def _remove_stray_deletions(folder: Path) -> None:
    """Remove the lists of deleted rows that no commit refers to: a kill left them behind.

    tantivy names such a file by segment and operation, and after a kill it counts operations from
    the last commit again; so it would come to the same name, and refuse to write over the file.
    """
    segments = json.loads((folder / "meta.json").read_bytes())["segments"]
    living = {
        f"{segment['segment_id'].replace('-', '')}.{segment['deletes']['opstamp']}.del"
        for segment in segments
        if segment["deletes"]
    }
    for path in folder.glob("*.del"):
        if path.name not in living:
            path.unlink()
