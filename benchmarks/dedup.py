"""Near-duplicate removal against datasketch: rows a second, recall and precision against true Jaccard.

Both sides get the same texts, threshold, number of permutations and shingles, start from the raw text, keep the
first of a group, and run in turns in one process. datasketch is used at its fastest (`MinHash.bulk`). The truth
is the exact Jaccard similarity of all pairs, and the greedy choice it leads to.

    python -m benchmarks.dedup [--rows 4000] [--data FILE] [--ngram 3] [--keep] [--json]
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import write_result
from operators.text.near_duplicates import near_duplicates
from operators.text.shingles import Shingling

Mask = NDArray[np.bool_]
_TOKEN = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff_]+")
_NOTES = (
    "患者需要注意休息，长期控制饮食，定期监测血糖，按时服用药物，避免过度劳累，保持良好心态，适当进行运动，"
    "出现胸闷气短，伴有头痛发热，建议住院观察，检查结果正常，血压明显升高，肝功能有异常，考虑病毒感染，"
    "给予抗炎治疗，症状逐渐缓解，饮食清淡为主，忌烟忌酒，多喝温开水，复查心电图，请到专科门诊，家族有遗传史，"
    "排除恶性肿瘤，行手术切除，术后恢复良好，注意伤口护理，预防并发症，补充维生素，调整作息时间，属于常见现象，"
    "不必过分担心，可能引起贫血，免疫力下降，过敏体质慎用，儿童剂量减半，孕妇禁止使用，皮肤出现红疹，"
    "关节肿胀疼痛，夜间咳嗽加重，呼吸音粗糙，视力逐渐模糊，必要时做核磁共振"
)


def plain_shingles(text: str, n: int) -> set[str]:
    """The shingles as strings: n words, or n characters of Chinese."""
    tokens = _TOKEN.findall(text.lower())
    return {" ".join(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))} if tokens else set()


def ours(texts: list[str], how: Shingling) -> Mask:
    """Rows our search removes."""
    return np.asarray(near_duplicates(texts, how) >= 0)


def datasketch(texts: list[str], how: Shingling) -> Mask:
    """Rows datasketch removes: each row that the index of the rows kept so far finds a match for."""
    from datasketch import MinHash, MinHashLSH

    sets = ([s.encode() for s in plain_shingles(t, how.ngram)] for t in texts)
    index = MinHashLSH(threshold=how.threshold, num_perm=how.permutations)
    removed = np.zeros(len(texts), np.bool_)
    for i, signature in enumerate(MinHash.generator(sets, num_perm=how.permutations)):
        if index.query(signature):
            removed[i] = True
        else:
            index.insert(i, signature)
    return removed


def true_pairs(texts: list[str], how: Shingling) -> NDArray[np.int64]:
    """All pairs (i < j) whose exact Jaccard similarity reaches the threshold, shape (m, 2)."""
    from scipy.sparse import csr_matrix

    known: dict[str, int] = {}
    column, bounds = [], [0]
    for text in texts:
        column += [known.setdefault(s, len(known)) for s in sorted(plain_shingles(text, how.ngram))]
        bounds.append(len(column))
    sets = csr_matrix((np.ones(len(column), np.int32), column, bounds), shape=(len(texts), max(1, len(known))))
    common = (sets @ sets.T).tocoo()
    sizes = np.diff(bounds)
    similarity = common.data / (sizes[common.row] + sizes[common.col] - common.data)
    wanted = (common.row < common.col) & (similarity >= how.threshold)
    return np.stack((common.row[wanted], common.col[wanted]), axis=1).astype(np.int64)


def greedy(n: int, pairs: NDArray[np.int64]) -> Mask:
    """Rows that keeping the first of each group removes."""
    removed = np.zeros(n, np.bool_)
    for first, later in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if not removed[first]:
            removed[later] = True
    return removed


def quality(removed: Mask, pairs: NDArray[np.int64]) -> dict[str, float]:
    """Recall: share removed of the rows that exact search removes. Precision: share of the removed rows with a
    true near-duplicate among the rows left. `pairs_left`: true pairs of which both rows are left."""
    expected = greedy(len(removed), pairs)
    a, b = pairs.T
    covered = np.zeros(len(removed), np.bool_)
    covered[a[~removed[b]]] = True
    covered[b[~removed[a]]] = True
    return {
        "removed": int(removed.sum()),
        "recall": round(float(removed[expected].mean()), 4) if expected.any() else 1.0,
        "precision": round(float(covered[removed].mean()), 4) if removed.any() else 1.0,
        "pairs_left": int((~removed[a] & ~removed[b]).sum()),
    }


def compare(texts: list[str], how: Shingling, repeats: int) -> dict[str, dict[str, float]]:
    """Both sides in turns; each side's best time counts, so that a busy machine hurts neither. Processor seconds
    (all threads) stand beside the seconds by the clock: they do not grow with what else the machine does."""
    pairs = true_pairs(texts, how)
    sides: dict[str, Callable[[list[str], Shingling], Mask]] = {"ours": ours, "datasketch": datasketch}
    ours(texts[:100], how)  # imports and tables, on both sides
    datasketch(texts[:100], how)
    clock: dict[str, float] = {}
    processor: dict[str, float] = {}
    removed: dict[str, Mask] = {}
    for _ in range(repeats):
        for name, side in sides.items():
            start, spent = time.perf_counter(), time.process_time()
            removed[name] = side(texts, how)
            clock[name] = min(clock.get(name, np.inf), time.perf_counter() - start)
            processor[name] = min(processor.get(name, np.inf), time.process_time() - spent)
    return {
        name: {
            "seconds": round(clock[name], 4),
            "cpu_seconds": round(processor[name], 4),
            "rows_per_s": round(len(texts) / clock[name]),
            **quality(mask, pairs),
        }
        for name, mask in removed.items()
    }


def chinese(rows: int, planted: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Chinese texts without spaces, and the places of planted copies with one to four characters replaced."""
    rng = Random(seed)
    phrases = _NOTES.split("，")
    texts = ["，".join(rng.choices(phrases, k=rng.randint(10, 24))) + "。" for _ in range(rows - planted)]
    letters = sorted(set(_NOTES))
    copies = []
    for source in rng.sample(texts, planted):
        copy = list(source)
        for _ in range(rng.randint(1, 4)):
            copy[rng.randrange(len(copy))] = rng.choice(letters)
        copies.append("".join(copy))
    return texts + copies, list(range(len(texts), rows))


def main() -> None:
    """Runs the comparison and prints it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dedup")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/medquad_4k.jsonl"))
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--ngram", type=int, default=3)
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--permutations", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    parser.add_argument("--keep", action="store_true", help="write results/dedup.json")
    arguments = parser.parse_args()
    how = Shingling(arguments.threshold, arguments.ngram, arguments.permutations)

    with arguments.data.open(encoding="utf-8") as f:
        rows = [json.loads(line) for _, line in zip(range(arguments.rows), f, strict=False)]
    real = compare([f"{r['question']}\n{r['answer']}" for r in rows], how, arguments.repeats)
    texts, planted = chinese(arguments.rows, arguments.rows // 10)
    unspaced = compare(texts, how, arguments.repeats)
    # Tokens between spaces: a Chinese text is one token, so only an exact copy has anything in common.
    by_spaces = Counter(tuple(t.split()) for t in texts)
    found_by_spaces = sum(by_spaces[tuple(texts[i].split())] > 1 for i in planted)
    figures = {
        "rows": len(rows),
        "threshold": how.threshold,
        "permutations": how.permutations,
        "ngram": how.ngram,
        "data": arguments.data.stem,
        "real": real,
        "speedup": round(real["ours"]["rows_per_s"] / real["datasketch"]["rows_per_s"], 1),
        "speedup_cpu": round(real["datasketch"]["cpu_seconds"] / real["ours"]["cpu_seconds"], 1),
        "chinese": unspaced,
        "chinese_planted": len(planted),
        "chinese_planted_found": int(ours(texts, how)[planted].sum()),
        "chinese_planted_found_by_whitespace_tokens": found_by_spaces,
    }
    head = f"{'':12}{'rows/s':>9}{'removed':>9}{'recall':>8}{'precision':>11}{'pairs left':>12}"
    for title, side in ((f"{arguments.data.stem}, {len(rows)} rows", real), ("Chinese, planted copies", unspaced)):
        print(f"{title} (Jaccard {how.threshold}, {how.permutations} permutations, {how.ngram}-grams)\n{head}")
        for name, f in side.items():
            print(
                f"{name:12}{f['rows_per_s']:>9,.0f}{f['removed']:>9}{f['recall']:>8.3f}{f['precision']:>11.3f}"
                f"{f['pairs_left']:>12}"
            )
    print(
        f"speed-up {figures['speedup']}x by the clock, {figures['speedup_cpu']}x in processor time; "
        f"planted Chinese copies found: {figures['chinese_planted_found']} of {len(planted)} "
        f"(by whitespace tokens: {figures['chinese_planted_found_by_whitespace_tokens']})"
    )
    if arguments.keep:
        write_result("dedup", figures)
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
