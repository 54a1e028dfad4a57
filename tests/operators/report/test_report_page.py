import html
import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser

import numpy as np
import pytest

from operators.fidelity import Fidelity, fidelity
from operators.report import render
from operators.report.contrasts import name_of
from operators.report.page import work_rows
from operators.report.tables import duration, interval, percent, signed
from operators.results import (
    Check,
    DataCounts,
    Exam,
    FailedTrial,
    JudgeDetails,
    Lead,
    Recipe,
    SearchResult,
    Verdict,
    Work,
)
from operators.strategist.explain import what_matters
from operators.strategist.space import Team, label
from operators.teams.base import OperatorSpec

HOSTILE = '</script><script src="https://evil.example/x.js"></script><img src=x onerror=alert(1)>"\'&'
REQUESTING = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction"}


class Page(HTMLParser):
    """Elements, visible text and scripts of a page, as a browser would split them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        inside = self.elements[-1][0] if self.elements and self.cdata_elem else None
        if inside == "script":
            self.scripts.append((self.elements[-1][1], data))
        elif inside == "style":
            self.styles.append(data)
        else:
            self.words.append(data)

    @property
    def figures(self) -> dict[str, dict]:
        return {a["data-chart"]: json.loads(s) for a, s in self.scripts if a.get("data-chart")}


@pytest.fixture
def page(search_result: SearchResult) -> Page:
    return Page(render(search_result))


def test_verdict_opens_the_page(page: Page, search_result: SearchResult) -> None:
    assert page.text.index("Adopt cleaning > selection") < page.text.index("Score of every trial")
    assert page.text.index(search_result.verdict.reason) < page.text.index("Win rate, sealed")
    assert "Win rate, sealed 85 % 79 % to 90 %" in page.text
    assert "Score, sealed +0.72 [+0.60, +0.82]" in page.text


def test_every_trial_with_its_numbers(page: Page, search_result: SearchResult) -> None:
    for trial in search_result.trials:
        c = trial.comparison
        row = f"{trial.round} {label(trial.strategy)} {signed(c.score)} {interval(c.score_ci)}"
        assert f"{row} {percent(c.win)} {percent(c.tie)} {percent(c.loss)}" in page.text


def test_scores_chart_draws_the_intervals(page: Page, search_result: SearchResult) -> None:
    figure = page.figures["scores"]
    trials = sorted(search_result.trials, key=lambda t: t.round)
    assert len(figure["data"]) == len(trials)
    for trace, trial in zip(figure["data"], trials, strict=True):
        c = trial.comparison
        assert trace["x"] == [c.score]
        assert c.score + trace["error_x"]["array"][0] == pytest.approx(c.score_ci[1])
        assert c.score - trace["error_x"]["arrayminus"][0] == pytest.approx(c.score_ci[0])
    stars = [t for t, d in zip(trials, figure["data"], strict=True) if d["marker"]["symbol"] == "star"]
    assert [t.strategy for t in stars] == [search_result.verdict.strategy]


def test_rows_chart_accounts_for_every_row(page: Page, search_result: SearchResult) -> None:
    reports = [r for team in search_result.final_reports for r in team]
    bars = {trace["name"]: trace["x"] for trace in page.figures["rows"]["data"]}
    for i, report in enumerate(reports):
        kept = bars["unchanged"][i] + bars["changed"][i]
        assert kept + bars["dropped"][i] == report.rows_in
        assert kept + bars["added"][i] == report.rows_out


def test_time_work_and_data(page: Page, search_result: SearchResult) -> None:
    stages = {k: v for k, v in search_result.seconds.items() if k != "total"}
    assert page.figures["seconds"]["data"][0]["x"] == list(stages.values())
    work = search_result.work
    assert work_rows(work)[2] == ("LLM requests", 1586, 1184)
    saved = work.team_runs_requested - work.team_runs_executed
    assert f"team runs {work.team_runs_requested} {work.team_runs_executed} {saved} (" in page.text
    assert "LLM requests 1,586 1,184 402 (25 %)" in page.text
    assert "Records 2,061 and 14 bad rows set aside" in page.text
    assert "Held out" not in page.text
    assert "rewrite_rejected: 7" in page.text


def test_charts_have_a_place(page: Page) -> None:
    ids = {a.get("id") for _, a in page.elements}
    assert set(page.figures) == {"scores", "rows", "seconds"}
    assert set(page.figures) <= ids


def test_nothing_is_loaded(search_result: SearchResult) -> None:
    page = Page(render(search_result, fidelity=measured(range(0, 300, 3))))
    assert not [(tag, a) for tag, a in page.elements if REQUESTING & a.keys()]
    assert not [tag for tag, _ in page.elements if tag in {"link", "iframe", "base", "object", "embed"}]
    assert not [s for s in page.styles if "url(" in s or "@import" in s]
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    # No source names a host, so a browser refuses whatever a script might still ask for.
    sources = {s for rule in (policy or "").split(";") for s in rule.split()[1:]}
    assert sources == {"'none'", "'unsafe-inline'", "data:"}
    assert (policy or "").startswith("default-src 'none'")


def test_chart_library_is_inlined_once(search_result: SearchResult) -> None:
    text = render(search_result)
    assert len(re.findall(r"plotly\.js v\d", text)) == 1
    assert len(text) < 6_000_000


def test_hostile_names_are_escaped(search_result: SearchResult) -> None:
    bad_reports = [
        [r.model_copy(update={"operator": HOSTILE, "counts": {HOSTILE: 1}}) for r in team]
        for team in search_result.final_reports
    ]
    hostile = search_result.model_copy(
        update={
            "name": HOSTILE,
            "verdict": search_result.verdict.model_copy(update={"reason": HOSTILE}),
            "strategist": HOSTILE,
            "stopped": HOSTILE,
            "seconds": {HOSTILE: 1.0, "total": 1.0},
            "final_reports": bad_reports,
        }
    )
    clean, page = Page(render(search_result)), Page(render(hostile))
    assert {t for t, _ in page.elements} == {t for t, _ in clean.elements}
    assert len(page.scripts) == len(clean.scripts)
    assert not [a for _, a in page.elements if REQUESTING & a.keys() or any(k.startswith("on") for k in a)]
    # Charts read some HTML: names must reach them escaped once more.
    labels = [a["text"] for a in page.figures["rows"]["layout"]["annotations"]]
    assert any(html.escape(HOSTILE).replace("_", " ") == text for text in labels)
    assert not [text for text in labels if "<script" in text or "<img" in text]


def test_no_processing(search_result: SearchResult) -> None:
    verdict = search_result.verdict.model_copy(
        update={"decision": "no_processing", "win_rate": 0.51, "win_rate_ci": (0.43, 0.59)}
    )
    page = Page(render(search_result.model_copy(update={"verdict": verdict, "final_reports": []})))
    assert "Leave the data as they are" in page.text
    assert "Win rate, sealed 51 % 43 % to 59 %" in page.text
    assert "on the sample" in page.text
    assert "autodp process" not in page.text


def test_the_judge_its_exam_and_what_seeds_can_do(search_result: SearchResult) -> None:
    details = JudgeDetails(
        calls=212, flip_rate=0.12, invalid_rate=0.03, truncated_rate=0.01, trial_length=240.4,
        baseline_length=180.6, length_controlled=0.31, questions=200, settled="better",
    )  # fmt: skip
    trials = [t.model_copy(update={"noise_floor": 0.2}) for t in search_result.trials]
    trials[0] = trials[0].model_copy(
        update={"comparison": trials[0].comparison.model_copy(update={"details": details})}
    )
    verdict = search_result.verdict.model_copy(
        update={"search_score": 0.8, "seed_scores": [0.7, 0.74], "noise_floor": 0.11, "chance": 0.004}
    )
    exam = Exam(judge="big-model", checks=[Check(name="padded", passed=22, of=24, bar=0.8)])
    lead = Lead(second=search_result.trials[0].strategy, difference=0.05, difference_ci=(-0.04, 0.13))
    page = Page(
        render(search_result.model_copy(update={"trials": trials, "verdict": verdict, "exam": exam, "lead": lead}))
    )
    assert "What big-model had to show" in page.text
    assert "padded 22 of 24 80 %" in page.text
    assert "100 of 200 better 12 % 3 % 1 % 240 181" in page.text
    assert "Drop to the sealed score +0.08" in page.text
    assert "By training seed +0.70 +0.74" in page.text
    assert "Noise floor, sealed +0.11" in page.text
    assert "By coins under 1 %" in page.text
    assert "against the second best, cleaning: which of the two is better is open" in page.text
    inside = [t for t in trials if t.is_noise]
    assert 0 < len(inside) < len(trials)
    for trial in inside:
        assert f"{label(trial.strategy)} 0.00 {interval(trial.score_ci)}" in page.text
    [band] = page.figures["scores"]["layout"]["shapes"][-1:]
    assert (band["x0"], band["x1"]) == (-0.2, 0.2)
    assert "The grey band is the noise floor" in page.text
    assert "proposed by claude" in page.text
    told = {
        "trials": [*trials[:-1], trials[-1].model_copy(update={"noise_floor": 0.4})],
        "proposed_by": ["optuna"],
    }
    page = Page(render(search_result.model_copy(update=told)))
    assert "The grey band is each trial's noise floor" in page.text
    assert "proposed by optuna" in page.text
    floors = [(s["x0"], s["x1"]) for s in page.figures["scores"]["layout"]["shapes"] if s["type"] == "rect"]
    assert sorted(set(floors)) == [(-0.4, 0.4), (-0.2, 0.2)]


def test_the_time_of_every_stage_is_told_in_words(search_result):
    page = Page(render(search_result))
    for stage, seconds in search_result.seconds.items():
        if stage != "total":
            assert f"{stage} {duration(seconds)}" in page.text


def test_a_search_without_trials() -> None:
    verdict = Verdict(
        strategy=(),
        decision="no_processing",
        win_rate=0.5,
        win_rate_ci=(0.4, 0.6),
        score=0,
        score_ci=(-0.1, 0.1),
        n=50,
        reason="",
    )
    result = SearchResult(
        name="empty",
        verdict=verdict,
        trials=[],
        work=Work(),
        data=DataCounts(rows=0, quarantined=0, flagged=None, sampled=0, held_out=30, left_out=2),
        seconds={},
        failed=[FailedTrial(round=1, strategy=(Team.SELECTION,), reason="none of the 0 records has an answer")],
    )
    page = Page(render(result))
    assert "No strategy was tried." in page.text
    assert "selection (round 1) has no score: none of the 0 records has an answer." in page.text
    assert "Flagged low quality not scored Held out for evaluation 30 and 2 repeats left out" in page.text
    assert "Leave the data as they are" in page.text


def test_recipe_shows_parameters(search_result: SearchResult) -> None:
    recipe = Recipe(
        name="demo",
        strategy=search_result.verdict.strategy,
        teams={
            Team.CLEANING: [OperatorSpec(name="near_duplicates", version=3, params={"threshold": 0.7})],
            Team.SELECTION: [OperatorSpec(name="nearest_to_development", version=1, params={})],
        },
        seed=17,
        target_model="smollm2-135m-instruct",
        target_model_sha256="0" * 64,
        embedder="all-minilm-l6-v2",
        embedder_sha256="1" * 64,
    )
    page = Page(render(search_result, recipe=recipe))
    assert "near_duplicates v3, threshold 0.7" in page.text
    assert "Seed 17, target model smollm2-135m-instruct" in page.text


def test_same_result_same_page(search_result: SearchResult) -> None:
    assert render(search_result) == render(search_result.model_copy(deep=True))


def measured(chosen: Iterable[int]) -> Fidelity:
    """What a sample of 300 clustered vectors is measured at; the last fifth of them is flagged."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 16))[np.arange(300) % 3] + 0.3 * rng.normal(size=(300, 16))
    return fidelity(rows.astype(np.float32), [i >= 240 for i in range(300)], range(300), np.array(chosen))


def test_fidelity_of_the_sample(search_result: SearchResult) -> None:
    found = measured(range(0, 300, 2))
    page = Page(render(search_result, fidelity=found))
    assert "measure whole set sample uniform records 300 150 150" in page.text
    assert f"energy distance 0 {found.energy_distance:.3g} {found.uniform_energy_distance:.3g}" in page.text
    assert "flagged 20.0 % 20.0 %" in page.text
    assert "length, 50 % quantile 150 149" in page.text
    assert "may not stand for" not in page.text
    assert page.figures.keys() == {"scores", "rows", "seconds", "sample"}


def test_picture_of_whole_and_sample(search_result: SearchResult) -> None:
    found = measured(range(0, 300, 2))
    whole, sample = Page(render(search_result, fidelity=found)).figures["sample"]["data"]
    assert (len(whole["x"]), len(sample["x"])) == (300, 150)
    assert set(zip(sample["x"], sample["y"], strict=True)) <= set(zip(whole["x"], whole["y"], strict=True))
    assert {"text", "customdata", "hovertext"}.isdisjoint({*whole, *sample})


def test_a_sample_too_small_is_warned_of_in_words(search_result: SearchResult) -> None:
    page = Page(render(search_result, fidelity=measured(range(0, 300, 10))))
    assert "The sample may not stand for the whole set: it has only 30 records" in page.text
    assert "Raise sampling.fraction or minimum." in page.text


def test_what_matters_is_drawn_and_told(search_result: SearchResult) -> None:
    found = what_matters(search_result.trials, list(Team), search_result.data, 0.95)
    page = Page(render(search_result.model_copy(update={"what_matters": found})))
    assert [c.team for c in found[:4]] == list(Team)
    for change, trace in zip(found, page.figures["matters"]["data"], strict=True):
        assert trace["x"] == [pytest.approx(change.mean)]
        assert change.mean + trace["error_x"]["array"][0] == pytest.approx(change.interval[1])
        row = f"{name_of(change)} {signed(change.mean)} {interval(change.interval)} {change.trials}"
        assert row in page.text
    assert "What matters" not in Page(render(search_result)).text
