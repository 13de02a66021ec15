"""Forty questions that people put to a firehose, and the process that asks them.

The asker opens the index as any other reader would, beside the process that writes it. One thread
asks on a schedule, and a question's time runs from when it was due; another refreshes four times a
second and looks for probe words.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import msgspec

from fairwitness.evals.feeding import Probe
from fairwitness.evals.firehose import id_of
from fairwitness.index import IndexMissing, LiveIndex, Parts, Query

ASK_HZ = 10
REFRESH_HZ = 4
HITS = 20
DAY_MS = 86_400_000
HYBRID = "meaning" in Parts._fields
"""Whether a search of this tree ranks by meaning beside words."""

_OPEN_S = 60.0


class Question(NamedTuple):
    """Words, and what narrows them."""

    words: str
    langs: tuple[str, ...] = ()
    within_s: int = 0
    """Only posts of so many last seconds; 0: all."""
    phrases: tuple[str, ...] = ()

    def query(self, now_ms: int) -> Query:
        """Return what the index is asked."""
        query = Query(words=self.words, meaning=self.words, langs=self.langs, phrases=self.phrases)
        if not self.within_s:
            return query
        return msgspec.structs.replace(query, since_ms=now_ms - 1000 * self.within_s)


QUESTIONS = (
    Question("earthquake magnitude costa rica"),
    Question("boston marathon bombing suspects"),
    Question("train crash new york"),
    Question("who won the fight last night", within_s=3600),
    Question("mayweather mcgregor round"),
    Question("flood alberta calgary evacuation"),
    Question("typhoon yolanda help needed", langs=("en",)),
    Question("#sandy power out"),
    Question("flight delayed customer service", langs=("en",)),
    Question("trump rally tonight", within_s=600),
    Question("what did the president say about ukraine"),
    Question("hurricane", within_s=60),
    Question("rust programming language performance"),
    Question("show hn open source database"),
    Question("best books you have read this year"),
    Question("new space telescope images"),
    Question("prices inflation central bank rates", within_s=86_400),
    Question("wildfire evacuation order"),
    Question("police shooting ferguson", phrases=("mike brown",)),
    Question("hostages in sydney cafe"),
    Question("plane crash alps germanwings pilot"),
    Question("the"),
    Question("how to learn linux", langs=("en",)),
    Question("vaccine study results"),
    Question("terremoto en costa rica", langs=("es",)),
    Question("¿cuántos muertos hubo en el accidente de tren?"),
    Question("gracias por la ayuda", langs=("es",), within_s=3600),
    Question("terremoto emilia romagna scossa"),
    Question("quante vittime ha causato l'alluvione in Sardegna", langs=("it",)),
    Question("incêndio boate kiss santa maria"),
    Question("mort attentat paris", langs=("fr",)),
    Question("новости москва взрыв"),
    Question("президент подписал закон", langs=("ru",)),
    Question("курс рубля", langs=("ru",), within_s=3600),
    Question("地震"),
    Question("台风 登陆 最新消息", langs=("zh",)),
    Question("高考 成绩", within_s=600),
    Question("电影 票房"),
    Question("skogsbrand sverige", langs=("sv",)),
    Question("regeringen statsminister riksdagen"),
)
"""In eight languages; frequent and rare words, with and without filters."""


class Asked(NamedTuple):
    """What one stretch of asking found."""

    query_ms: tuple[float, ...]
    """Of each question, from when it was due until its hits were there."""
    fresh_s: tuple[float, ...]
    """Of each probe, from when its post was due until a search found it."""
    missing: int
    """Probes that were not found yet; `fresh_s` has how long they are overdue."""
    hits: int
    """All hits together: a search that finds nothing would be fast."""
    last_found_s: float
    """When the last probe was found, on the monotonic clock."""


def ask(folder: Path, orders: Connection, probes: Connection) -> None:
    """Ask until told to stop; run as a process.

    Orders: `ask` begins a stretch, `told` ends it and is answered with `Asked`, `missing` with how
    many probes are out, `(first, count)` with how many of these posts are there, None stops.
    """
    index = _opened(folder)
    asker = _Asker(index, probes)
    threads = [
        threading.Thread(target=work, daemon=True) for work in (asker.keep_fresh, asker.keep_asking)
    ]
    for thread in threads:
        thread.start()
    orders.send("ready")
    try:
        while (order := orders.recv()) is not None:
            orders.send(asker.obey(order))
    except EOFError:
        pass
    asker.over.set()
    for thread in threads:
        thread.join()
    index.close()


def _opened(folder: Path) -> LiveIndex:
    """Open the index once its writer has begun it."""
    deadline_s = time.monotonic() + _OPEN_S
    while True:
        try:
            return LiveIndex.open(folder, read_only=True)
        except IndexMissing:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)


class _Asker:
    def __init__(self, index: LiveIndex, probes: Connection) -> None:
        self._index, self._probes = index, probes
        self._out: deque[Probe] = deque()
        self._hearing = threading.Lock()
        self._asking = threading.Event()
        self.over = threading.Event()
        self._failed: Exception | None = None
        self._begin()

    def obey(self, order: object) -> object:
        if self._failed:
            raise self._failed
        if order == "ask":
            self._begin()
            self._asking.set()
        elif order == "told":
            self._asking.clear()
            return self._asked()
        elif order == "missing":
            self._hear()
            return len(self._out)
        elif isinstance(order, Sequence):
            first, count = order
            return sum(self._index.get(id_of(first + i)) is not None for i in range(count))
        return None

    def keep_fresh(self) -> None:
        """Refresh on a schedule, and look for probes after each."""
        began_s = time.monotonic()
        turn = 0
        try:
            while not self.over.is_set():
                turn += 1
                self._index.refresh()
                self._look()
                self.over.wait(max(0.0, began_s + turn / REFRESH_HZ - time.monotonic()))
        except Exception as error:
            self._failed = error
            raise

    def keep_asking(self) -> None:
        """Ask on a schedule while asking is on; what is late is asked at once."""
        turn, began_s = 0, time.monotonic()
        while not self.over.is_set():
            if not self._asking.wait(0.1):
                turn, began_s = 0, time.monotonic()
                continue
            due_s = began_s + turn / ASK_HZ
            self.over.wait(max(0.0, due_s - time.monotonic()))
            now_ms = time.time_ns() // 1_000_000
            query = QUESTIONS[turn % len(QUESTIONS)].query(now_ms)
            found = self._index.search(query, limit=HITS)
            self._query_ms.append(1e3 * (time.monotonic() - due_s))
            self._hits += len(found.hits)
            turn += 1

    def _begin(self) -> None:
        self._query_ms: list[float] = []
        self._fresh_s: list[float] = []
        self._hits = 0
        self._last_found_s = 0.0

    def _asked(self) -> Asked:
        overdue_s = [time.monotonic() - probe.due_s for probe in list(self._out)]
        fresh_s = (*self._fresh_s, *overdue_s)
        return Asked(tuple(self._query_ms), fresh_s, len(overdue_s), self._hits, self._last_found_s)

    def _hear(self) -> None:
        # At the end of the pipe `poll` is true and `recv` says that it is the end.
        with self._hearing, contextlib.suppress(EOFError):
            while self._probes.poll():
                self._out.append(self._probes.recv())

    def _look(self) -> None:
        """Take the probes that can be found off the list; they are said in order."""
        self._hear()
        while self._out and self._is_found(self._out[0].word):
            self._last_found_s = time.monotonic()
            self._fresh_s.append(self._last_found_s - self._out.popleft().due_s)

    def _is_found(self, word: str) -> bool:
        if not self._index.versions:
            return False
        hits = self._index.search(Query(phrases=(word,)), limit=1).hits
        return any(word in hit.post.text for hit in hits)
