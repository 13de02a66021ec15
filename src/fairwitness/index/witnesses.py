"""How many independent voices some posts are: copies, passed-on links and one author count once.

The columns say what each post is a copy of, what it links to and who wrote it. Posts that have one
of these in common are one witness, and so are posts that are connected through others: a witness is
a connected component. Whether posts that share a link say the same is another question; none of
them is the origin of what the link says.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import xxhash
from numpy.typing import NDArray

# What is added to links to count readers or to say who shared them, and changes nothing shown.
_TRACKING = frozenset(
    """fbclid gclid dclid gbraid wbraid msclkid yclid twclid ttclid igshid igsh mc_cid mc_eid _ga
    ref ref_src ref_url refsrc cmp cmpid cmpcode ocid ito ncid smid smtyp sr_share si xtor spm
    at_medium at_campaign at_link_type guccounter soc_src soc_trk __twitter_impression""".split()
)
_TRACKING_PREFIXES = ("utm_", "pk_", "mtm_")
# Elsewhere these may name the page: a thread of a forum, a search.
_TRACKING_AT = {"x.com": frozenset("st"), "youtube.com": frozenset(("feature", "pp", "ab_channel"))}
# Most links: urlsplit comes to the same, five times as slowly.
_PLAIN = re.compile(r"https?://([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)((?:/[^?#\s]*)?)", re.ASCII)
_HOSTS_LEFT_OUT = ("www.", "m.", "mobile.", "amp.")


def witnesses(
    cluster: NDArray[np.int64], link: NDArray[np.uint32], author: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return the number of the witness of each post, from 0 in the order of their first posts.

    Posts are one when they share a cluster, a link or an author; a link or an author of 0 is none.
    All arrays have the shape (posts,).
    """
    posts = len(cluster)
    groups = [_grouped(cluster, cluster >= 0), _grouped(link, link != 0)]
    groups.append(_grouped(author, author != 0))
    lowest = np.arange(posts)
    while True:
        before = lowest
        for order, starts, sizes in groups:
            if len(order):
                least = np.minimum.reduceat(lowest[order], starts)
                lowest = lowest.copy()
                lowest[order] = np.repeat(least, sizes)
        # The lowest of one's lowest is connected too: chains halve with each round.
        lowest = lowest[lowest]
        if np.array_equal(lowest, before):
            return np.unique(lowest, return_inverse=True)[1].astype(np.int64)


def _grouped(
    keys: NDArray[np.int64] | NDArray[np.uint32] | NDArray[np.uint64], counts: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the places that count, ordered by key, and where each key's begin and how many."""
    places = np.flatnonzero(counts)
    order = places[np.argsort(keys[places], kind="stable")]
    held = keys[order]
    starts = np.flatnonzero(np.r_[True, held[1:] != held[:-1]]) if len(order) else order
    return order, starts, np.diff(np.r_[starts, len(order)])


def link_hashes(links: Sequence[Sequence[str]]) -> NDArray[np.uint32]:
    """Return the hash of each post's first link that leads to a page, 0 when there is none."""
    found = np.zeros(len(links), np.uint32)
    for at, its in enumerate(links):
        if its:
            found[at] = next(filter(None, map(link_hash, its)), 0)
    return found


@lru_cache(1 << 16)
def link_hash(link: str) -> int:
    """Return the hash of what a link leads to; 0 when that is no page of its own."""
    page = page_of(link)
    return (
        max(xxhash.xxh3_64_intdigest(page.encode("utf-8", "surrogatepass")) >> 32, 1) if page else 0
    )


def page_of(link: str) -> str:
    """Return host, path and query of a link without what only says who shared it.

    Empty for the front page of a site, which says something else each hour, and for what cannot be
    read as a link.
    """
    plain = _PLAIN.fullmatch(link)
    if plain is not None:
        host, path, query = plain[1].lower(), plain[2], ""
    else:
        try:
            parts = urlsplit(link)
            host, path, query = (parts.hostname or "").removesuffix("."), parts.path, parts.query
        except ValueError:
            return ""
    if host.startswith(_HOSTS_LEFT_OUT):
        host = host.partition(".")[2]
    path = path.rstrip("/").removesuffix("/amp")
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    if host == "twitter.com":
        host = "x.com"
    elif host == "youtu.be":
        host, path, pairs = "youtube.com", "/watch", [*pairs, ("v", path.removeprefix("/"))]
    kept = sorted(pair for pair in pairs if not _is_tracking(host, pair[0].lower()))
    if not host or not (path or kept):
        return ""
    return host + path + (f"?{urlencode(kept)}" if kept else "")


def _is_tracking(host: str, name: str) -> bool:
    if name in _TRACKING or name.startswith(_TRACKING_PREFIXES):
        return True
    return name in _TRACKING_AT.get(host, ())
