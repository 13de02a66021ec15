"""What was computed already: a tree of whole pages, each under the tokens that stand before it.

A path from a root spells the beginning of a sequence, one page of tokens a node, so sequences
that begin alike share its pages. Each adapter has a root of its own, for it computes otherwise.
Whoever holds a page holds all pages before it; so what nobody holds can be let go from the leaves
on, the one first that was touched longest ago.
"""

from __future__ import annotations

from collections.abc import Sequence as Ordered
from dataclasses import dataclass, field

from fairwitness.engine.ledger import Ledger

Ids = tuple[int, ...]


@dataclass(eq=False)
class Node:
    """A whole page: `ids` are its tokens, `page` its number."""

    ids: Ids
    page: int
    parent: Node | None
    touched: int = 0
    children: dict[Ids, Node] = field(default_factory=dict)


class PrefixTree:
    """Keeps pages in the ledger while they are in the tree."""

    def __init__(self, ledger: Ledger) -> None:
        self.root = Node((), -1, None)
        self._roots = {"": self.root}
        self._ledger = ledger
        self._leaves: set[Node] = set()
        self._touches = 0

    def root_of(self, adapter: str) -> Node:
        """Where sequences with this adapter begin."""
        return self._roots.setdefault(adapter, Node((), -1, None))

    def step(self, node: Node, ids: Ids) -> Node | None:
        """The page of tokens `ids` that follows `node`, if it was computed."""
        child = node.children.get(ids)
        if child is not None:
            self._touch(child)
        return child

    def walk(self, ids: Ordered[int], size: int, adapter: str = "") -> list[Node]:
        """The nodes of as many whole pages at the start of `ids` as are known."""
        nodes: list[Node] = []
        node: Node | None = self.root_of(adapter)
        for start in range(0, len(ids) - size + 1, size):
            assert node is not None
            node = self.step(node, tuple(ids[start : start + size]))
            if node is None:
                break
            nodes.append(node)
        return nodes

    def add(self, node: Node, ids: Ids, page: int) -> Node:
        """Put a page after `node`; if the same tokens stand there already, return theirs."""
        known = self.step(node, ids)
        if known is not None:
            return known
        self._ledger.keep(page)
        child = Node(ids, page, node)
        node.children[ids] = child
        self._leaves.discard(node)
        self._leaves.add(child)
        self._touch(child)
        return child

    def evict(self) -> bool:
        """Let the coldest page go that nobody holds; whether there was one."""
        idle = [leaf for leaf in self._leaves if not self._ledger.is_held(leaf.page)]
        if not idle:
            return False
        self._remove(min(idle, key=lambda leaf: leaf.touched))
        return True

    def clear(self) -> None:
        """Forget everything; nobody may hold a page. For other weights nothing of it is true."""
        while self.evict():
            pass
        assert not self._leaves

    def _remove(self, leaf: Node) -> None:
        self._ledger.forget(leaf.page)
        self._leaves.discard(leaf)
        parent = leaf.parent
        assert parent is not None
        del parent.children[leaf.ids]
        if parent.parent is not None and not parent.children:
            self._leaves.add(parent)

    def _touch(self, node: Node) -> None:
        self._touches += 1
        node.touched = self._touches
