"""Arrays out of pickle files, without running them.

A pickle is a program, and Python's reader runs it. This one only reads it: a name stays a name, a
call stays a call that nobody makes, and the bytes of an array stay in the mapped file. What comes
out is compared with the one shape that a pickled array has; anything else is refused by name.

Opcodes: Lib/pickletools.py of github.com/python/cpython. How an array is spelled in them:
`array_reduce` and `arraydescr_reduce` in numpy/_core/src/multiarray of github.com/numpy/numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import map_file

MAX_STEPS = 1_000  # two arrays in an object take about 120
MAX_DIMENSIONS = 8
_ARRAY_MAKERS = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since numpy 2
_ITEM_BYTES = {"i1": 1, "f2": 2, "f4": 4, "bfloat16": 2}


@dataclass(frozen=True)
class PickledArray:
    """An array in the mapped file: `kind` is i1, f2, f4 or bfloat16, `data` its bytes."""

    kind: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]


@dataclass(frozen=True)
class PickledObject:
    """An object as its pickle tells it: the name of its class, and its fields."""

    of: str
    fields: dict[str, PickledArray]


def read_pickled(path: Path) -> PickledArray | PickledObject:
    """Read a file that holds one array, or one object whose fields are arrays.

    Raises:
        ModelFileError: cut short, damaged, or a pickle of anything else.
    """
    data = map_file(path)
    told = _Program(path, data).told()
    if isinstance(told, _Made) and told.by == "new object":
        fields = told.state if isinstance(told.state, dict) else {}
        arrays = {str(name): _array(path, data, value) for name, value in fields.items()}
        return PickledObject(told.what, arrays)
    return _array(path, data, told)


@dataclass(frozen=True)
class _Name:
    """What a pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class _Span:
    """Bytes that stay where they are."""

    start: int
    size_bytes: int


@dataclass(eq=False)
class _Made:
    """What a pickle would make: of what, by a call or as a new object, from what."""

    what: str
    by: str
    arguments: tuple[Any, ...]
    state: Any = None


class _Mark:
    """Where the items of the next tuple or dictionary begin."""


class _Program:
    """The steps of one pickle, taken as data."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self._path, self._data = path, data
        self._position = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def told(self) -> Any:
        """What the program would give."""
        for _ in range(MAX_STEPS):
            code = self._take(1)
            if code == b".":
                return self._pop()
            step = _STEPS.get(code)
            if step is None:
                raise self._fail(f"pickle opcode {code!r} has no place in an array")
            step(self)
        raise self._fail(f"a pickle of more than {MAX_STEPS} steps is no array")

    def _fail(self, problem: str) -> ModelFileError:
        return ModelFileError(self._path, problem)

    def _take(self, size_bytes: int) -> bytes:
        span = self._skip(size_bytes)
        return self._data[span.start : span.start + size_bytes].tobytes()

    def _skip(self, size_bytes: int) -> _Span:
        left_bytes = len(self._data) - self._position
        if size_bytes > left_bytes:
            raise self._fail(f"the pickle needs {size_bytes} bytes more, {left_bytes} are left")
        span = _Span(self._position, size_bytes)
        self._position += size_bytes
        return span

    def _number(self, size_bytes: int) -> int:
        return int.from_bytes(self._take(size_bytes), "little")

    def _text(self, size_bytes: int) -> str:
        if size_bytes > 255:
            raise self._fail(f"a name of {size_bytes} bytes in a pickle")
        return self._take(size_bytes).decode("utf-8", "replace")

    def _line(self) -> str:
        start = self._position
        for size_bytes in range(256):
            if self._take(1) == b"\n":
                self._position = start
                return self._take(size_bytes + 1)[:-1].decode("utf-8", "replace")
        raise self._fail("a name of more than 255 bytes in a pickle")

    def _pop(self) -> Any:
        if not self._stack:
            raise self._fail("the pickle takes more than it has")
        return self._stack.pop()

    def _pop_many(self) -> list[Any]:
        items: list[Any] = []
        while not isinstance(item := self._pop(), _Mark):
            items.append(item)
        return items[::-1]

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def header(self, size_bytes: int) -> None:
        self._skip(size_bytes)

    def unsigned(self, size_bytes: int) -> None:
        self.push(self._number(size_bytes))

    def signed(self) -> None:
        self.push(int.from_bytes(self._take(4), "little", signed=True))

    def text(self, length_bytes: int) -> None:
        self.push(self._text(self._number(length_bytes)))

    def span(self, length_bytes: int) -> None:
        self.push(self._skip(self._number(length_bytes)))

    def name_in_lines(self) -> None:
        self.push(_Name(self._line(), self._line()))

    def name(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise self._fail("the pickle imports what has no name")
        self.push(_Name(module, name))

    def pop_tuple(self, size: int) -> None:
        items = [self._pop() for _ in range(size)]
        self.push(tuple(reversed(items)))

    def pop_marked(self) -> None:
        self.push(tuple(self._pop_many()))

    def set_items(self, marked: bool) -> None:
        items = self._pop_many() if marked else [self._pop(), self._pop()][::-1]
        table = self._pop()
        if not isinstance(table, dict) or len(items) % 2:
            raise self._fail("the pickle fills what is no table")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):
                raise self._fail("a table of the pickle has a key that is no text")
            table[key] = value
        self.push(table)

    def make(self, by: str) -> None:
        arguments, what = self._pop(), self._pop()
        if not isinstance(what, _Name) or not isinstance(arguments, tuple):
            raise self._fail("the pickle calls what has no name")
        self.push(_Made(str(what), by, arguments))

    def build(self) -> None:
        state, made = self._pop(), self._pop()
        if not isinstance(made, _Made):
            raise self._fail("the pickle sets the state of what it did not make")
        made.state = state
        self.push(made)

    def remember(self, place: int | None) -> None:
        value = self._pop()
        self._memo[len(self._memo) if place is None else place] = value
        self.push(value)

    def recall(self, size_bytes: int) -> None:
        place = self._number(size_bytes)
        if place not in self._memo:
            raise self._fail(f"the pickle recalls {place}, which it never remembered")
        self.push(self._memo[place])

    def remember_at(self, size_bytes: int) -> None:
        self.remember(self._number(size_bytes))


_STEPS: dict[bytes, Callable[[_Program], None]] = {
    b"\x80": lambda p: p.header(1),
    b"\x95": lambda p: p.header(8),
    b"(": lambda p: p.push(_Mark()),
    b"N": lambda p: p.push(None),
    b"\x88": lambda p: p.push(True),
    b"\x89": lambda p: p.push(False),
    b"J": _Program.signed,
    b"K": lambda p: p.unsigned(1),
    b"M": lambda p: p.unsigned(2),
    b"\x8c": lambda p: p.text(1),
    b"X": lambda p: p.text(4),
    b"C": lambda p: p.span(1),
    b"B": lambda p: p.span(4),
    b"\x8e": lambda p: p.span(8),
    b"c": _Program.name_in_lines,
    b"\x93": _Program.name,
    b")": lambda p: p.push(()),
    b"\x85": lambda p: p.pop_tuple(1),
    b"\x86": lambda p: p.pop_tuple(2),
    b"\x87": lambda p: p.pop_tuple(3),
    b"t": _Program.pop_marked,
    b"}": lambda p: p.push({}),
    b"s": lambda p: p.set_items(False),
    b"u": lambda p: p.set_items(True),
    b"R": lambda p: p.make("call"),
    b"\x81": lambda p: p.make("new object"),
    b"b": _Program.build,
    b"\x94": lambda p: p.remember(None),
    b"q": lambda p: p.remember_at(1),
    b"r": lambda p: p.remember_at(4),
    b"h": lambda p: p.recall(1),
    b"j": lambda p: p.recall(4),
}


def _array(path: Path, data: NDArray[np.uint8], told: Any) -> PickledArray:
    if not isinstance(told, _Made):
        raise ModelFileError(path, f"the pickle holds no array but a {type(told).__name__}")
    module, _, name = told.what.rpartition(".")
    if told.by != "call" or module not in _ARRAY_MAKERS or name != "_reconstruct":
        raise ModelFileError(path, f"the pickle wants {told.what}, which is no array")
    match told.state:
        case (1, tuple(shape), _Made() as dtype, False, _Span() as span):
            kind = _kind(path, dtype)
        case _:
            raise ModelFileError(path, "the pickle holds an array of another version or order")
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise ModelFileError(path, "the pickle holds an array of impossible shape")
    expected_bytes = prod(shape) * _ITEM_BYTES[kind]
    if span.size_bytes != expected_bytes:
        raise ModelFileError(
            path, f"an array of shape {shape} needs {expected_bytes} bytes, not {span.size_bytes}"
        )
    return PickledArray(kind, shape, data[span.start : span.start + span.size_bytes])


def _kind(path: Path, dtype: _Made) -> str:
    """Which numbers an array holds; only the little-endian form of four is known."""
    spelled = dtype.arguments[0] if dtype.arguments else None
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else None
    # bfloat16 comes as a class, from whichever package registered it
    kind = spelled.name if isinstance(spelled, _Name) else spelled
    known = isinstance(kind, str) and kind in _ITEM_BYTES and order in ("<", "|")
    if dtype.what != "numpy.dtype" or not known:
        shown = str(spelled)[:80] if isinstance(spelled, _Name | str) else "something else"
        raise ModelFileError(path, f"the pickle holds an array of {shown}, not of {[*_ITEM_BYTES]}")
    return str(kind)
