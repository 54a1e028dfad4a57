"""Totals of the variants that `benchmarks.acceleration` has run, and what follows from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.acceleration import VARIANTS, Piece, Pieces
from benchmarks.results import RESULTS, write_result

Figures = dict[str, Any]


def report(work: Path, *, against: str, earlier: str | None, keep: str | None, as_json: bool) -> None:
    """Prints one column a variant, compares them with the one called `against`; keeps the figures under the name
    `keep`, if any. `earlier`: name of a result whose variants stand beside those in `work`, with the day and
    commit they were measured at."""
    found = kept_before(earlier) if earlier else {}
    found |= {name: totals(name, work / name) for name in VARIANTS if (work / name / "pieces").exists()}
    variants = {name: found[name] for name in VARIANTS if name in found}
    figures: Figures = {"variants": variants}
    base, naive = variants.get(against), variants.get("naive")
    if base and base["complete"]:
        done = {n: v for n, v in variants.items() if v["complete"]}
        figures[f"compared_with_{against}"] = {n: compared(v, base) for n, v in done.items()}
        if naive and {"naive", "all", "sampling"} <= set(done):
            figures["modelled"] = {
                str(rows): modelled(variants, rows) for rows in (naive["rows"], 1_000, 5_000, 20_000)
            }
    _print(figures)
    if keep:
        print(f"kept in {write_result(keep, figures)}")
    if as_json:
        print(json.dumps(figures))


def kept_before(name: str) -> dict[str, Figures]:
    """The variants of a result that was kept."""
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    when = f"{result['date']} at {result['commit']}"
    return {n: {"measured": when, **v} for n, v in result["figures"]["variants"].items()}


def totals(name: str, folder: Path) -> Figures:
    """What one variant cost and found, from its pieces."""
    from flows.iteration import Round
    from flows.prepare import Prepared

    pieces = Pieces(folder / "pieces")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    prepared, verdict = pieces.get("prepare"), pieces.get("verdict")
    rounds = [(p, Round.model_validate(p.value)) for p in pieces.all() if p.name.startswith("round-")]
    trials = [t for _, r in rounds for t in r.trials]
    baseline = pieces.get("baseline")
    ready = Prepared.model_validate(prepared.value["prepared"]) if prepared else None
    steps = config["training"]["steps"]
    trained = sum(r.work.fine_tunes_executed for _, r in rounds) + (
        baseline.value["fine_tunes"] if baseline else 0
    )
    whole = pieces.get("whole-set")
    opened = [p for p in pieces.all() if p.name.startswith("sealed-of-")]
    figures: Figures = {
        "rows": ready.plan.splits.train.rows if ready else 0,
        "sampled": ready.plan.sample.rows if ready else 0,
        "to_process": ready.plan.sample.flagged if ready else 0,
        "trials": len(trials),
        "complete": verdict is not None and len(trials) == config["budget"]["trials"],
        "seconds_prepare": preparation(name, prepared),
        "seconds_teams": _operator_seconds(trials),
        "seconds_rounds": sum(p.seconds for p, _ in rounds) + (baseline.seconds if baseline else 0),
        "seconds_verdict": verdict.seconds if verdict else 0,
        "seconds_whole_set_after": whole.seconds if whole and not whole.value.get("already") else 0,
        "team_runs": sum(r.work.team_runs_executed for _, r in rounds),
        "team_runs_requested": sum(r.work.team_runs_requested for _, r in rounds),
        "records_processed": sum(
            report[0].rows_in for t in trials for report in t.reports[t.reused_teams :] if report
        ),
        "llm_requests": sum(r.work.llm_requests for _, r in rounds),
        "llm_tokens": sum(r.work.llm_input_tokens + r.work.llm_output_tokens for _, r in rounds),
        "fine_tunes": trained,
        "llm_tokens_whole_set_after": _tokens(whole.value.get("runs", [])) if whole else 0,
        "optimizer_steps": trained * steps,
        "judge_calls": sum(t.comparison.n for t in trials) + (verdict.value["n"] if verdict else 0),
        "scores": {" > ".join(t.strategy): round(t.comparison.score, 3) for t in trials},
        "verdict": verdict.value if verdict else None,
        "sealed_of": {" > ".join(p.value["strategy"]): p.value for p in opened},
    }
    figures["seconds"] = sum(figures[f"seconds_{k}"] for k in ("prepare", "rounds", "verdict"))
    return figures


def preparation(name: str, prepared: Piece | None) -> float:
    """Seconds of the stages that the variant needs."""
    if prepared is None:
        return 0.0
    variant, stages = VARIANTS[name], prepared.value["stages"]
    needed = {"load": True, "embed": variant.sampling or variant.targeting, "target": variant.targeting}
    needed["sample"] = variant.sampling
    return float(sum(stages.get(stage, 0) for stage, needs in needed.items() if needs))


def compared(variant: Figures, base: Figures) -> Figures:
    """How many times less than the base, whether the sealed score lies inside the base's interval, and what the
    strategy that this variant chose scored when the base tuned with it: on the search's questions and, where the
    base has opened them for it, on the sealed ones."""
    low, high = base["verdict"]["score_ci"]
    chosen = " > ".join(variant["verdict"]["strategy"])
    there = {" > ".join(base["verdict"]["strategy"]): base["verdict"]} | base["sealed_of"]
    sealed = there[chosen]["score"] if chosen in there else None
    return {
        "wall_time": base["seconds"] / variant["seconds"],
        "wall_time_with_whole_set": base["seconds"] / (variant["seconds"] + variant["seconds_whole_set_after"]),
        "llm_tokens": base["llm_tokens"] / max(1, variant["llm_tokens"]),
        "llm_tokens_with_whole_set": base["llm_tokens"] / max(1, variant["llm_tokens"] + after)
        if (after := variant.get("llm_tokens_whole_set_after")) is not None
        else None,
        "optimizer_steps": base["optimizer_steps"] / variant["optimizer_steps"],
        "records_processed": base["records_processed"] / max(1, variant["records_processed"]),
        "chosen": chosen,
        "sealed_score": variant["verdict"]["score"],
        "inside_interval": low <= variant["verdict"]["score"] <= high,
        "score_of_choice_there": base["scores"].get(chosen),
        "best_score_there": max(base["scores"].values()),
        "sealed_score_of_choice_there": sealed,
        "choice_inside_interval": None if sealed is None else low <= sealed <= high,
    }


def modelled(variants: dict[str, Figures], rows: int) -> Figures:
    """MODELLED, not run: seconds at another size of set, each measured part scaled by what it grows with.

    Teams and targeting grow with the records; training with the optimizer steps; loading a model and measuring it
    on the questions do not grow. The two parts of a fine-tune come from the two sizes of training that were run
    one after the other (naive, sampling).
    """
    naive, sampled = variants["naive"], variants["sampling"]
    per_tune = {
        n: (v["seconds_rounds"] - v["seconds_teams"]) / v["fine_tunes"]
        for n, v in (("naive", naive), ("sampling", sampled))
    }
    steps = {n: variants[n]["optimizer_steps"] / variants[n]["fine_tunes"] for n in ("naive", "sampling")}
    a_step = (per_tune["naive"] - per_tune["sampling"]) / (steps["naive"] - steps["sampling"])
    factor = rows / naive["rows"]
    seconds = {}
    for name, v in variants.items():
        if not v["complete"]:
            continue
        training = a_step * v["optimizer_steps"]
        fixed = max(0.0, v["seconds_rounds"] - v["seconds_teams"] - training) + v["seconds_verdict"]
        if v["seconds_rounds"] < v["seconds_teams"] + training:  # work that overlapped
            grows = v["seconds_rounds"]
        else:
            grows = v["seconds_teams"] + training
        seconds[name] = fixed + factor * (grows + v["seconds_prepare"])
    return {"seconds": seconds, "times": {n: seconds["naive"] / s for n, s in seconds.items()}}


def _tokens(runs: list[dict[str, Any]]) -> int:
    return sum(int(run["usage"][kind]) for run in runs for kind in ("input_tokens", "output_tokens"))


def _operator_seconds(trials: list[Any]) -> float:
    return float(sum(r.seconds for t in trials for team in t.reports[t.reused_teams :] for r in team))


def _print(figures: Figures) -> None:
    variants = figures["variants"]
    print(f"{'':<28}" + "".join(f"{n:>12}" for n in variants))
    first: Figures = next(iter(variants.values()), {})
    for key, value in first.items():
        if isinstance(value, (int, float)):
            shown = [v.get(key, 0) for v in variants.values()]
            print(f"{key:<28}" + "".join(f"{x:>12.1f}" if isinstance(x, float) else f"{x:>12}" for x in shown))
    for name, found in next((v for k, v in figures.items() if k.startswith("compared_with_")), {}).items():
        print(
            f"\n{name}: "
            + ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items())
        )
    for rows, model in figures.get("modelled", {}).items():
        print(f"modelled at {rows} rows: " + ", ".join(f"{n} {x:.1f}x" for n, x in model["times"].items()))
