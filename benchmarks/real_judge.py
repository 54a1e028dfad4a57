"""The exam and the red team on real vLLM with the built-in model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from operators.config import Endpoint, Judging
from operators.data.loading import load
from operators.example import build_example
from operators.judging.exam import INJECTION, examine
from operators.judging.pairwise import judge
from operators.judging.statistics import noise_floor
from operators.llm.client import LLMClient
from operators.llm.vllm import ManagedServer
from operators.models import SMOLLM2

QUESTIONS = 40


def measure() -> dict[str, Any]:
    """For verdicts in words and in probabilities: the exam's rates, then what injection and verbosity do.

    Red team: the model's side gives the right answers to other questions, first as they are, then with the
    injection, then three times over; the other side gives the right answers. "moved" is the change of the score
    that the addition makes; the band is that of two sides with the same right answers, in either order (A/A).
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = build_example(Path(folder), 300, 7)
        questions = load(str(paths.evaluation)).records[:QUESTIONS]
    right = [q.answer for q in questions]
    wrong = [*right[1:], right[0]]
    figures: dict[str, Any] = {"questions": len(questions), "model": SMOLLM2}
    with ManagedServer(SMOLLM2) as server:
        client = LLMClient(Endpoint(model=server.model, base_url=server.base_url), role="judge")
        for verdict in ("schema", "logit"):
            settings = Judging.model_validate({"method": "pairwise", "verdict": verdict})
            exam = examine(client, questions, settings)

            def score(answers: list[str], settings: Judging = settings) -> tuple[float, list[float], Any]:
                outcomes, details = judge(client, questions, answers, right, settings)
                return sum(outcomes) / len(outcomes), outcomes, details

            plain, _, details = score(wrong)
            same, same_outcomes, _ = score(right)
            found = {
                "passed": exam.passed,
                **{f"exam_{c.name}": c.passed / c.of for c in exam.checks},
                "score_of_wrong_answers": plain,
                "flip_rate": details.flip_rate,
                "invalid_rate": details.invalid_rate,
                "score_of_equal_answers": same,
                "a_a_band": noise_floor([same_outcomes]),
                "injection_moved": score([f"{a}\n{INJECTION}" for a in wrong])[0] - plain,
                "verbosity_moved": score([f"{a}\n{a}\n{a}" for a in wrong])[0] - plain,
            }
            figures[verdict] = found
            print(f"\n{verdict}")
            for name, value in found.items():
                print(f"  {name.replace('_', ' '):<28} {value if isinstance(value, bool) else f'{value:.3f}'}")
    return figures
