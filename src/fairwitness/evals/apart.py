"""Work in a process of its own, so that its memory and its Python lock are its own."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any


class RunFailed(Exception):
    """A process of a run ended before its time; its own error is on standard error."""


def apart(work: Callable[..., None], *words: object) -> Iterator[Any]:
    """Yield what `work(*words, tell)` sends to `tell`, a connection, in a fresh process.

    Raises RunFailed when the process fails. It is gone when the iteration is.
    """
    context = multiprocessing.get_context("spawn")
    hear, tell = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, words, tell), daemon=True)
    process.start()
    tell.close()
    try:
        with contextlib.suppress(EOFError):
            while True:
                yield hear.recv()
        process.join()
        if process.exitcode:
            raise RunFailed(f"{work.__name__.strip('_')} ended with {process.exitcode}")
    finally:
        process.kill()
        process.join()
        hear.close()


def _run(work: Callable[..., None], words: tuple[object, ...], tell: Connection) -> None:
    # Ctrl-C reaches every process of the terminal: this one is ended by the one that waits for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(*words, tell)
