"""The bursts that are being watched: found, followed tick by tick, and let go."""

from collections.abc import Callable, Collection, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends.burst import SHOWN, Burst, Sample
from fairwitness.index.trends.detect import Entries, Hit, Key
from fairwitness.index.trends.items import COPIES, item_of, names_of
from fairwitness.index.trends.recent import Recent, passing
from fairwitness.index.trends.sketch import WINDOWS, Sketch
from fairwitness.index.trends.trend import Shown
from fairwitness.kernels.trends import keys_of, slots_of
from fairwitness.posts.post import Post

MOST_BURSTS = 500
"""So many are watched at once; the least surprising go first."""

_RUN_TICKS = 12
"""A new thing began where it was not said for a minute, or for as long as the window."""
_LOOKED_AT = 24
"""So many posts are read, at most, to find some that are still there and differ."""
_NAME_CHARS = 80

Places = NDArray[np.int64]


class Watch:
    """At most MOST_BURSTS bursts. `look` finds a post by ordinal."""

    def __init__(self, look: Callable[[int], Post | None], recent: Recent) -> None:
        self.bursts: dict[Key, Burst] = {}
        self._look = look
        self._recent = recent

    def begin(self, hits: Sequence[Hit], tick: int, at_ms: int, sketch: Sketch) -> None:
        """Watch what was found in heard tick `tick`, which ended at `at_ms`."""
        if not hits:
            return
        wanted = np.array([hit.key[1] for hit in hits], np.uint64)
        items, places = self._recent.find(np.unique(wanted))
        floors = sketch.floors()
        for hit in hits:
            burst = self._begun(hit, places[items == np.uint64(hit.key[1])], tick)
            if burst:
                burst.tick(hit.count, at_ms, floors)
                self.bursts[hit.key] = burst
        self._limit()

    def follow(self, counts: Sequence[int] | None, at_ms: int, sketch: Sketch) -> None:
        """Take in the counts of a tick that ended at `at_ms`, and let go of what is over.

        None: nothing was said in it.
        """
        if not self.bursts:
            return
        floors = sketch.floors()
        usual = sketch.usual_per_minute(self.slots(sketch)).tolist()
        for place, (key, burst) in enumerate(list(self.bursts.items())):
            burst.tick(counts[place] if counts else 0, at_ms, floors)
            if burst.over(usual[max(1, burst.window)][place]):
                del self.bursts[key]

    def refill(self, entries: Entries) -> None:
        """Look in the open tick for posts that show bursts of which few are known."""
        wanting = [key for key, burst in self.bursts.items() if len(burst.samples) < SHOWN]
        if not wanting:
            return
        items = np.array([item for _, item in wanting], np.uint64)
        at = np.flatnonzero(passing(entries.items, items))
        for scope, item in wanting:
            is_it = entries.items[at] == np.uint64(item)
            if scope:
                is_it &= entries.langs[at] == scope
            burst = self.bursts[scope, item]
            burst.samples += self._samples(item, entries.places[at[is_it]], burst.samples)

    def forget(self, ids: Collection[str]) -> bool:
        """Let go of these posts; say whether any was shown."""
        gone, forgot = frozenset(ids), False
        for key, burst in list(self.bursts.items()):
            kept = [sample for sample in burst.samples if sample.shown.id not in gone]
            if len(kept) == len(burst.samples):
                continue
            burst.samples, forgot = kept, True
            if not kept and burst.item & 3 == COPIES:
                del self.bursts[key]  # its name is a text that may be gone with them
        return forgot

    def slots(self, sketch: Sketch) -> Places:
        """Return where the bursts are counted, shape (2, bursts)."""
        items = np.array([item for _, item in self.bursts], np.uint64)
        scopes = np.array([scope for scope, _ in self.bursts], np.uint16)
        return slots_of(keys_of(items, scopes), sketch.slots)

    def encoded(self) -> bytes:
        """Return all bursts, for `restore`."""
        return msgspec.msgpack.encode(list(self.bursts.values()))

    def restore(self, encoded: bytes) -> None:
        """Take up what `encoded` holds; raises msgspec.DecodeError."""
        bursts = msgspec.msgpack.decode(encoded, type=list[Burst])
        self.bursts = {(burst.scope, burst.item): burst for burst in bursts}

    def _limit(self) -> None:
        """Let go of the least surprising bursts when there are too many."""
        ordered = sorted(self.bursts, key=lambda key: -self.bursts[key].score)
        for key in ordered[MOST_BURSTS:]:
            del self.bursts[key]

    def _begun(self, hit: Hit, places: Places, tick: int) -> Burst | None:
        scope, item = hit.key
        if scope:
            places = places[self._recent.scopes[places] == scope]
        places, age_ticks = self._run(places, tick, max(WINDOWS[hit.window], _RUN_TICKS), hit)
        samples = self._samples(item, places, [])
        if not samples:
            return None
        counts = np.bincount(age_ticks)[::-1].tolist()
        name = self._name(item, places)
        burst = Burst(item, scope, name, hit.window, hit.before_per_minute, samples, counts[:-1])
        burst.posts = sum(burst.counts)
        return burst

    def _run(self, places: Places, tick: int, longest: int, hit: Hit) -> tuple[Places, Places]:
        """Return the posts of this burst, the oldest first, and how many ticks ago they came.

        What is often said anyway begins with the window that is surprising; what is not, after a
        silence of `longest` ticks.
        """
        places = places[np.argsort(-self._recent.age(places), kind="stable")]
        ago = (np.uint32(tick & 0xFFFFFFFF) - self._recent.ticks[places]).astype(np.int64)
        if hit.expected >= 0.5:
            begins = int(np.searchsorted(-ago, -WINDOWS[hit.window], side="right"))
        else:
            silences = np.flatnonzero(ago[:-1] - ago[1:] > longest)
            begins = int(silences[-1]) + 1 if len(silences) else 0
        begins = max(begins, int(np.searchsorted(-ago, -WINDOWS[-1], side="right")))
        return places[begins:], ago[begins:]

    def _samples(self, item: int, places: Places, known: Sequence[Sample]) -> list[Sample]:
        """Return posts that show an item, by authors and of texts that are not known yet."""
        voices = {sample.voice for sample in known}
        copies = {sample.copy for sample in known if sample.copy}
        found: list[Sample] = []
        for place in places[:_LOOKED_AT].tolist():
            if len(known) + len(found) == SHOWN:
                break
            voice, copy = int(self._recent.voices[place]), int(self._recent.copies[place])
            if voice in voices or (copy in copies and item & 3 != COPIES):
                continue
            sample = self._sample(place, voice, copy)
            if sample and item in sample.items:
                found.append(sample)
                voices.add(voice)
                copies |= {copy} - {0}
        return found

    def _sample(self, place: int, voice: int, copy: int) -> Sample | None:
        post = self._look(int(self._recent.ordinals[place]))
        if post is None:
            return None
        items = {*names_of(post)} | ({item_of(copy, COPIES)} if copy else set())
        return Sample(Shown(post.id, post.author, post.seen_ms), voice, copy, frozenset(items))

    def _name(self, item: int, places: Places) -> str:
        for place in places[:_LOOKED_AT].tolist():
            post = self._look(int(self._recent.ordinals[place]))
            if post and item & 3 == COPIES:
                return post.text[:_NAME_CHARS]
            if post and item in (names := names_of(post)):
                return names[item]
        raise AssertionError("a sample was found, and its post has the name")
