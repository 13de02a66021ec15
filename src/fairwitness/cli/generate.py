"""`fairwitness generate`: talk to the model itself; nothing here is grounded in posts."""

import time

import click

from fairwitness.cli.asking import (
    draft_option,
    fail,
    json_option,
    model_options,
    print_json,
    said_plainly,
)
from fairwitness.cli.opening import chat_model
from fairwitness.cli.telling import safe
from fairwitness.engine import ChatError, ChatOptions, Message

_HELP = """Let the model answer PROMPT from its own memory: no posts, no citations.

\b
Example:
  fairwitness generate "Name three colours." --max-tokens 40
"""


@click.command(help=_HELP)
@click.argument("prompt")
@click.option("--system", default="", metavar="TEXT", help="What the model is told before.")
@click.option("--max-tokens", default=256, show_default=True, type=click.IntRange(1, 8192))
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0, 2))
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(0, 1))
@click.option("--seed", default=0, show_default=True)
@model_options
@draft_option
@json_option
@said_plainly(ChatError)
def generate(
    prompt: str,
    system: str,
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    model: str,
    model_server: str | None,
    draft_model: str,
    as_json: bool,
) -> None:
    """Let the model answer a prompt."""
    if draft_model and (model_server or model == "none"):
        raise click.UsageError("--draft-model needs a model that runs here")
    chat = chat_model(model, model_server, draft=draft_model)()
    if chat is None:
        fail("there is no model to generate with; see `fairwitness models list`")
    messages = [Message("system", system)] if system else []
    messages.append(Message("user", prompt))
    options = ChatOptions(max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)
    started_s = time.perf_counter()
    stream = chat.stream(messages, options)
    text = ""
    for piece in stream:
        text += piece
        if not as_json:
            click.echo(safe(piece), nl=False)
    if not as_json:
        click.echo()
        return
    print_json(
        {
            "model": chat.name,
            "text": text,
            "finish": stream.finish,
            "usage": stream.usage,
            "seconds": round(time.perf_counter() - started_s, 3),
        }
    )
