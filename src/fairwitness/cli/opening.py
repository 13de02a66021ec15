"""Open what a verb works on: the home, directly or through whoever runs it, and the model."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fairwitness.cli.asking import fail
from fairwitness.engine import ChatError, ChatModel, EngineError, LocalChat, RemoteChat
from fairwitness.engine.engine import NO_ADAPTERS
from fairwitness.home import Home, HomeBusy, Reading, holder
from fairwitness.index import IndexFault
from fairwitness.models import ModelError, registry
from fairwitness.models.encoder_download import ENCODER, find_encoder, pull_encoder
from fairwitness.posts.log import LogError

errors = Console(stderr=True)
"""Where progress and notes go, so that standard output is the answer alone."""


@contextmanager
def opened(folder: Path, verb: str) -> Iterator[Home]:
    """Open the home in `folder` for writing; it is closed whatever happens."""
    with progress_bar("reading the log", count="bytes") as told:
        try:
            home = Home(folder, verb, caught_up=told)
        except (HomeBusy, LogError, IndexFault, OSError) as error:
            fail(error)
    try:
        yield home
    finally:
        home.close()


@contextmanager
def readable(folder: Path, verb: str) -> Iterator[Home | Reading]:
    """Open the home in `folder` to read it, also while another process writes."""
    if holder(folder) is None:
        with opened(folder, verb) as home:
            yield home
        return
    try:
        reading = Reading(folder)
    except (LogError, IndexFault, OSError) as error:
        fail(error)
    try:
        yield reading
    finally:
        reading.close()


def chat_model(
    name: str,
    server: str | None,
    adapters: Mapping[str, Path] = NO_ADAPTERS,
    replicas: int = 0,
    draft: str = "",
) -> Callable[[], ChatModel | None]:
    """Return what opens the model when it is first needed, and keeps it; in so many `replicas`, or
    in this process, where the model `draft` may guess ahead for it.

    Without a name the default model is used, and when it cannot be had a note says so and answers
    are quotes alone. A model that was asked for by name must be there.
    """
    kept: list[ChatModel | None] = []

    def model() -> ChatModel | None:
        if not kept:
            kept.append(_open_chat(name, server, adapters, replicas, draft))
        return kept[0]

    return model


def _open_chat(
    name: str, server: str | None, adapters: Mapping[str, Path], replicas: int, draft: str
) -> ChatModel | None:
    if server:
        try:
            return RemoteChat(server, model=name or None)
        except ChatError as error:
            fail(error)
    if name == "none":
        return None
    wanted = name or registry.DEFAULT_MODEL
    try:
        if replicas:
            from fairwitness.engine.replicas.door import open_chat

            return open_chat(wanted, pulled(wanted), replicas, adapters)
        return LocalChat.open(wanted, pulled(wanted), adapters, pulled(draft) if draft else None)
    except (ModelError, EngineError) as error:
        if name or adapters or draft:
            fail(error)
        errors.print(f"no model, so quotes alone: {error}", style="yellow", markup=False)
        return None


def join_ray(replicas: int) -> None:
    """Make ready for `replicas` of the model, before anything sets handlers of signals."""
    try:
        from fairwitness.engine.replicas.door import join
    except ModuleNotFoundError as error:
        fail(f"--replicas needs `pip install 'fairwitness[replicas]'`: {error}")
    join(replicas)


def pulled(name: str) -> Path:
    """Return the files of a model, fetched with a progress bar when they are not here."""
    found = registry.find(name)
    if found:
        return found
    with progress_bar(f"fetching {name}", count="bytes") as told:
        path = registry.pull(name, told)
    if name == registry.DEFAULT_MODEL:
        _pull_encoder_beside()
    return path


def encoder_pulled() -> Path:
    """Return the encoder that reads claims, fetched with a progress bar when it is not here."""
    found = find_encoder()
    if found:
        return found
    with progress_bar(f"fetching {ENCODER}", count="bytes") as told:
        return pull_encoder(told)


def _pull_encoder_beside() -> None:
    """Have what reads claims come with what writes them; rules check them without it."""
    try:
        encoder_pulled()
    except ModelError as error:
        errors.print(f"claims are checked by rules alone: {error}", style="yellow", markup=False)


@contextmanager
def progress_bar(title: str, count: str = "posts") -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar that appears at the first `told(done, total)` and goes when the work is done."""
    columns = (
        (DownloadColumn(), TransferSpeedColumn()) if count == "bytes" else (MofNCompleteColumn(),)
    )
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=errors,
        transient=True,
    )
    task: list[TaskID] = []

    def told(done: int, total: int | None) -> None:
        if not task:
            bar.start()
            task.append(bar.add_task(title, total=total))
        bar.update(task[0], completed=done, total=total)

    try:
        yield told
    finally:
        if task:
            bar.stop()
