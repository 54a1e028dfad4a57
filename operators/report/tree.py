"""The prefix tree of a search: what was asked for, and what had to be run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from operators.results import Trial
from operators.strategist.space import Strategy, Team, prefixes


@dataclass
class Node:
    """One team applied after its parent's teams.

    `requested` counts the trials that needed this output, `executed` those that had to compute it (the others
    found it in the store, or took it from another trial of their round). `trial` is the trial that ends here.
    """

    strategy: Strategy
    requested: int = 0
    executed: int = 0
    trial: Trial | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def team(self) -> Team:
        """The team that runs here."""
        return self.strategy[-1]

    def walk(self) -> Iterator[Node]:
        """This node and all below it, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()


def prefix_tree(trials: Sequence[Trial]) -> list[Node]:
    """The first teams of all strategies, each with the teams that follow it; siblings in the order of `Team`."""
    nodes: dict[Strategy, Node] = {}
    for trial in trials:
        for depth, prefix in enumerate(prefixes(trial.strategy)):
            node = nodes.setdefault(prefix, Node(prefix))
            node.requested += 1
            node.executed += depth >= trial.reused_teams
            if prefix == trial.strategy:
                node.trial = trial
    order = list(Team)
    for node in sorted(nodes.values(), key=lambda n: order.index(n.team)):
        if len(node.strategy) > 1:
            nodes[node.strategy[:-1]].children.append(node)
    return sorted((n for n in nodes.values() if len(n.strategy) == 1), key=lambda n: order.index(n.team))
