"""`fairwitness status`: what this home holds and how its sources stand."""

from pathlib import Path
from typing import Any

import click
import msgspec

from fairwitness.cli import client
from fairwitness.cli.asking import home_option, json_option, print_json
from fairwitness.cli.opening import readable
from fairwitness.home import holder
from fairwitness.posts.clock import to_iso

_HELP = """Say what this home holds, how fresh it is, and how each source stands.

\b
Example:
  fairwitness status --json
"""


_NOTICED = {
    "copies": "copies",
    "author_floods": "of accounts that flood",
    "copy_floods": "of texts that flood",
    "low_quality": "worth little",
}
"""What the index noticed of posts, as `IndexStats` has it, and in words."""


@click.command(help=_HELP)
@home_option
@json_option
def status(home: Path, as_json: bool) -> None:
    """Say how this home stands."""
    running = holder(home)
    if running and running.url:
        told = client.get(running.url, "/v1/status")
        told["running"] = running.url
    else:
        told = _directly(home)
    if as_json:
        print_json(told)
    else:
        _show(told)


def _directly(folder: Path) -> dict[str, Any]:
    if not (folder / "log").is_dir():
        return {"home": str(folder), "posts": 0, "newest_seen_at": "", "sources": []}
    with readable(folder, "status") as opened:
        stats = opened.index.stats()
        now_ms = opened.now_ms()
        newest_ms = opened.index.newest_seen_ms()
        return {
            "home": str(folder),
            "posts": stats.posts,
            "now": to_iso(now_ms),
            "newest_seen_at": to_iso(newest_ms) if newest_ms else "",
            "sources": msgspec.to_builtins(opened.health(now_ms)),
            "index": msgspec.to_builtins(stats),
        }


def _show(told: dict[str, Any]) -> None:
    where = told.get("running") or "not running"
    click.echo(f"{told.get('home', '')} ({where})")
    click.echo(f"{told['posts']:,} posts, newest seen {told['newest_seen_at'] or 'never'}")
    noticed = told.get("index", told)  # a server says it beside the posts
    if any(noticed.get(name) for name in _NOTICED):
        shown = (f"{noticed[name]:,} {words}" for name, words in _NOTICED.items() if noticed[name])
        click.echo(f"  of them {', '.join(shown)}")
    for source in told["sources"]:
        line = f"  {source['name']}: {source['state']}, {source['events']:,} events"
        line += f", lag {source['lag_s']:.1f} s"
        for count in ("duplicates", "dropped", "reconnects"):
            if source[count]:
                line += f", {source[count]:,} {count}"
        if source["gaps"]:
            line += f", {len(source['gaps'])} gaps"
        click.echo(line + (f" ({source['problem']})" if source["problem"] else ""))
