"""The other side of `benchmarks.cleaning`: py-data-juicer's operators, run by its own environment's Python.

    python cleaning_peer.py ROWS.jsonl OUT.json

ROWS.jsonl has {"id", "text"} lines (more keys are carried along). OUT.json gets the seconds
of each operator, and what it dropped and kept.
Imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import datasets
from data_juicer.core.data import NestedDataset
from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
from data_juicer.ops.filter.character_repetition_filter import CharacterRepetitionFilter
from data_juicer.ops.filter.special_characters_filter import SpecialCharactersFilter
from data_juicer.ops.filter.text_length_filter import TextLengthFilter
from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
from data_juicer.ops.mapper.clean_html_mapper import CleanHtmlMapper
from data_juicer.ops.mapper.clean_ip_mapper import CleanIpMapper
from data_juicer.ops.mapper.clean_links_mapper import CleanLinksMapper
from data_juicer.ops.mapper.fix_unicode_mapper import FixUnicodeMapper
from data_juicer.ops.mapper.whitespace_normalization_mapper import WhitespaceNormalizationMapper

ONE = {"num_proc": None, "auto_op_parallelism": False}
MINHASH = {"tokenization": "space", "window_size": 5, "jaccard_threshold": 0.7, "num_permutations": 128}


def chain() -> list:
    """The operators at their own defaults, one process each; built anew for each run."""
    return [
        FixUnicodeMapper(**ONE),
        CleanHtmlMapper(**ONE),
        CleanLinksMapper(**ONE),
        CleanEmailMapper(**ONE),
        CleanIpMapper(**ONE),
        WhitespaceNormalizationMapper(**ONE),
        SpecialCharactersFilter(**ONE),
        TextLengthFilter(**ONE),
        CharacterRepetitionFilter(**ONE),
        DocumentMinhashDeduplicator(**ONE, **MINHASH),
    ]


def main(source: Path, target: Path) -> None:
    """Runs the chain once over a few rows to load what it needs, then over all, timed."""
    datasets.disable_progress_bars()
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    warm = NestedDataset.from_list(rows[:50])
    for operator in chain():
        warm = operator.run(warm)
    dataset = NestedDataset.from_list(rows)
    seconds: dict[str, float] = {}
    processor: dict[str, float] = {}
    dropped: dict[str, list[str]] = {}
    for operator in chain():
        before = dataset["id"]
        start, spent = time.perf_counter(), time.process_time()
        dataset = operator.run(dataset)
        seconds[operator._name] = time.perf_counter() - start
        processor[operator._name] = time.process_time() - spent
        left = set(dataset["id"])
        dropped[operator._name] = [i for i in before if i not in left]
    texts = dict(zip(dataset["id"], dataset["text"], strict=True))
    report = {"seconds": seconds, "cpu_seconds": processor, "dropped": dropped, "texts": texts}
    target.write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
