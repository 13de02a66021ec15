"""Sources by the names that people type: `bluesky`, `mastodon:https://host`, `rss:URL`, a file.

Secrets never stand in a name: tokens come from the environment.
"""

import os
from collections.abc import Callable
from pathlib import Path

from fairwitness.posts.apart import Apart
from fairwitness.posts.clock import Clock
from fairwitness.posts.source import Source
from fairwitness.posts.sources.bluesky import Bluesky
from fairwitness.posts.sources.feeds import Feeds
from fairwitness.posts.sources.hackernews import HackerNews
from fairwitness.posts.sources.jsonl import JsonlFile
from fairwitness.posts.sources.mastodon import Mastodon
from fairwitness.posts.sources.standard_input import StandardInput
from fairwitness.posts.sources.x import XStream

BLUESKY_URL = "wss://jetstream2.us-east.bsky.network/subscribe"

KINDS = """\
bluesky[:URL]           posts of Bluesky, from a Jetstream server, v1 or v2
mastodon:URL            public posts that a Mastodon server sees; token in FW_MASTODON_TOKEN
rss:URL                 an RSS, Atom or JSON feed; repeat for more
hackernews[:URL]        stories and comments
x                       the X API's filtered stream; token in FW_X_TOKEN, a rule, a cost cap
FILE                    a .jsonl, .jsonl.gz or .jsonl.zst file
-                       JSON lines from standard input"""


class UnknownSource(ValueError):
    """Nothing can be heard under this name; the message says what can."""


def open_sources(
    names: list[str],
    clock: Clock,
    *,
    x_rules: tuple[str, ...] = (),
    x_daily_usd: float | None = None,
    follow: bool = False,
    network: str = "",
) -> list[Source]:
    """Return the sources behind `names`; all feeds are one source. Raises UnknownSource."""
    sources: list[Source] = []
    feeds: list[str] = []
    for name in names:
        kind, _, rest = name.partition(":")
        if kind in ("rss", "feed") and rest:
            feeds.append(rest)
        elif kind == "x" and not rest:
            sources.append(_x(clock, x_rules, x_daily_usd))
        elif kind in _STREAMS:
            sources.append(_STREAMS[kind](rest, clock))
        elif name == "-":
            sources.append(StandardInput(clock, network=network))
        elif Path(name).is_file():
            sources.append(JsonlFile(Path(name), clock, network=network, follow=follow))
        else:
            raise UnknownSource(f"no source or file {name!r}; sources are:\n{KINDS}")
    if feeds:
        sources.append(Feeds(feeds, clock))
    return sources


def _bluesky(url: str, clock: Clock) -> Source:
    return Bluesky(url or BLUESKY_URL, clock)


def _mastodon(url: str, clock: Clock) -> Source:
    if not url:
        raise UnknownSource("mastodon needs a server, such as mastodon:https://mastodon.social")
    return Mastodon(url, clock, token=_secret("FW_MASTODON_TOKEN", "mastodon"))


def _hackernews(url: str, clock: Clock) -> Source:
    return HackerNews(clock, base_url=url) if url else HackerNews(clock)


def _x(clock: Clock, rules: tuple[str, ...], daily_usd: float | None) -> Source:
    if daily_usd is None:
        raise UnknownSource(
            "x costs money per post: say the most it may cost a day with --x-daily-usd"
        )
    if not rules:
        raise UnknownSource(
            "x needs a rule to filter by: --x-rule 'earthquake lang:en -is:retweet'"
        )
    # A firehose is read in a process of its own: beside the writer it would wait for its lock.
    return Apart(XStream(clock, _secret("FW_X_TOKEN", "x"), rules, daily_cost_cap_usd=daily_usd))


def _secret(variable: str, source: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise UnknownSource(f"{source} needs a token in the environment variable {variable}")
    return value


_STREAMS: dict[str, Callable[[str, Clock], Source]] = {
    "bluesky": _bluesky,
    "mastodon": _mastodon,
    "hackernews": _hackernews,
}
