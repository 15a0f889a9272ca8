"""The tree of calls that counter.c has written, and what is asked of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional


@dataclass
class Node:
    """A function, called along the path that leads here."""

    name: str
    self: int = 0  # instructions of its own
    calls: int = 0
    total: int = 0  # with those of all that it called
    children: dict[str, "Node"] = field(default_factory=dict)

    def child(self, name: str) -> "Node":
        return self.children.setdefault(name, Node(name))

    def add(self, other: "Node") -> None:
        """Other's counts, and those of all below it, to those here."""
        self.self += other.self
        self.calls += other.calls
        for child in other.children.values():
            self.child(child.name).add(child)

    def sum(self) -> int:
        self.total = self.self + sum(child.sum() for child in self.children.values())
        return self.total

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.children.values():
            yield from child.walk()

    def find(self, name: str) -> Iterator["Node"]:
        """The outermost ones called so."""
        if self.name == name:
            yield self
        else:
            for child in self.children.values():
                yield from child.find(name)


@dataclass
class Function:
    name: str
    self: int = 0
    total: int = 0
    calls: int = 0


class Profile:
    def __init__(self, counts: Path, inside: Optional[str]) -> None:
        """counts: the file. Of what is inside that function it is the root; None: all."""
        self.root = Node("all")
        self.addresses: dict[int, int] = {}
        nodes = {0: self.root}
        for line in counts.read_text().splitlines():
            word, *rest = line.split(" ", 5)
            if word == "node":
                number, parent, calls, own, name = rest
                node = nodes[int(number)] = Node(name, int(own), int(calls))
                # Programs may have functions of one name, which a reader takes for one.
                twin = nodes[int(parent)].child(name)
                if not twin.children and not twin.self and not twin.calls:
                    nodes[int(parent)].children[name] = node
                else:
                    twin.self, twin.calls = twin.self + node.self, twin.calls + node.calls
                    nodes[int(number)] = twin
            elif word == "insn":
                address = int(rest[0], 16)
                self.addresses[address] = self.addresses.get(address, 0) + int(rest[1])
        if inside:
            whole, self.root = self.root, Node(inside)
            for node in whole.find(inside):
                self.root.add(node)
        self.root.sum()
        self.prune(self.root)

    def prune(self, node: Node) -> None:
        """Nothing that was not counted."""
        node.children = {name: child for name, child in node.children.items()
                         if child.total or child.calls}
        for child in node.children.values():
            self.prune(child)

    def functions(self) -> list[Function]:
        """Those with instructions of their own or calls, the dearest first."""
        found: dict[str, Function] = {}

        def visit(node: Node, above: frozenset[str]) -> None:
            function = found.setdefault(node.name, Function(node.name))
            function.self += node.self
            function.calls += node.calls
            function.total += 0 if node.name in above else node.total
            for child in node.children.values():
                visit(child, above | {node.name})

        visit(self.root, frozenset())
        if self.root.name == "all" and not self.root.self:
            del found["all"]
        return sorted(found.values(), key=lambda f: (-f.self, -f.total, f.name))

    def folded(self) -> str:
        """A line a path, `a;b;c N', as other programs that draw flame graphs read."""
        lines = []

        def visit(node: Node, path: str) -> None:
            if node.self:
                lines.append(f"{path} {node.self}")
            for child in node.children.values():
                visit(child, f"{path};{child.name}")

        visit(self.root, self.root.name)
        return "".join(f"{line}\n" for line in sorted(lines))
