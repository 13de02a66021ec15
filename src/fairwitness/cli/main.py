"""`fairwitness`: the verbs together, and how every one of them ends.

Exit codes: 0 done (an honest "No witness" is an answer too), 1 it failed, 2 it was asked wrongly,
130 interrupted.
"""

import logging
import os
import sys

import click

from fairwitness import __version__
from fairwitness.cli import (
    ask,
    bench,
    diff,
    explain,
    generate,
    ingest,
    models,
    plan,
    replay,
    search,
    status,
    trends,
    up,
    watch,
)

_HELP = """Ask what the world is saying right now.

Live public posts go in; verified, cited answers come out. All state is in one folder:
$FAIRWITNESS_HOME, or --home.

\b
Example:
  fairwitness up                          # serve the page and the API, with sample posts
  fairwitness ask "Who won the fight?"    # from another terminal
"""


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="fairwitness")
@click.option("-v", "--verbose", is_flag=True, help="Say more about what is going on.")
def cli(verbose: bool) -> None:
    """Ask what the world is saying right now."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("httpx2", "httpcore2", "websockets", "jax"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


for verb in (
    up.up,
    ask.ask,
    watch.watch,
    diff.diff,
    explain.explain,
    search.search,
    trends.trends,
    ingest.ingest,
    replay.replay,
    generate.generate,
    models.models,
    status.status,
    plan.plan,
    bench.bench,
):
    cli.add_command(verb)


def main() -> None:
    """Run the command line; every error that has a name becomes one line and an exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was acknowledged is kept", err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Whoever read our output has had enough; do not complain again when Python flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"Error: {what}", err=True)
        raise SystemExit(1) from None
