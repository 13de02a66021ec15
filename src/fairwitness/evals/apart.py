"""Work in a process of its own, so that its memory and its Python lock are its own."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from typing import Any


class RunFailed(Exception):
    """A process of a run ended before its time; its own error is on standard error."""


def apart(work: Callable[..., None], *words: object) -> Iterator[Any]:
    """Yield what `work(*words, tell)` sends to `tell`, a connection, in a fresh process.

    Raises RunFailed when the process fails. It is gone when the iteration is.
    """
    context = multiprocessing.get_context("spawn")
    hear, tell = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*words, tell))
    with deaf():
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


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, not even while they start.

    It reaches every process of a terminal; these are ended by the one that waits for them, which
    has something to say first. What is ignored stays ignored over `exec`.
    """
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)
