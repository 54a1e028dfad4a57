"""The accounting every operator gets, and its parameters."""

from typing import Literal

import pytest
from pydantic import Field

from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, map_contents, to_process

SECRET = "the patient's secret"


def qa(key, answer="a", flagged=None):
    return Record(key, (Message("user", "q"), Message("assistant", answer)), {}, flagged)


class ShoutParams(Params):
    """Parameters of `shout`."""

    times: int = Field(1, ge=1, le=3, description="Exclamation marks")
    style: Literal["upper", "lower"] = "upper"


class Shout(Operator[ShoutParams]):
    """Drops the first record, shouts in the second, adds one."""

    name = "shout"
    team = Team.CLEANING
    version = 4
    params_type = ShoutParams

    def apply(self, records, context):  # noqa: ARG002
        self.count("shouted")
        self.count("shouted", 2)
        added = qa("new")
        return [records[1].with_answer(records[1].answer.upper() + "!" * self.params.times), *records[2:], added]


class Twice(Operator[Params]):
    """Returns a record twice."""

    name = "twice"
    team = Team.CLEANING

    def apply(self, records, context):  # noqa: ARG002
        return [records[0], records[0]]


def test_every_row_is_accounted_for():
    result, report = Shout({"times": 2}).run([qa("1"), qa("2", "b"), qa("3")], Context())
    assert [(r.id, r.answer) for r in result] == [("2", "B!!"), ("3", "a"), ("new", "a")]
    assert (report.rows_in, report.rows_out) == (3, 3)
    assert (report.changed, report.dropped, report.added) == (1, 1, 1)
    assert (report.operator, report.version, report.counts) == ("shout", 4, {"shouted": 3})


def test_counters_start_anew_with_each_run():
    operator = Shout()
    for _ in range(2):
        _, report = operator.run([qa("1"), qa("2")], Context())
        assert report.counts == {"shouted": 3}


def test_the_spec_holds_all_parameters():
    spec = Shout({"times": 3}).spec
    assert spec.model_dump() == {"name": "shout", "version": 4, "params": {"times": 3, "style": "upper"}}
    assert Shout(spec.params).spec == spec
    assert Shout(ShoutParams(times=3)).spec == spec


@pytest.mark.parametrize(
    ("params", "names"),
    [({"times": 9}, "times"), ({"time": 1}, "time"), ({"style": "loud"}, "style")],
)
def test_wrong_parameters_are_named(params, names):
    with pytest.raises(ConfigError, match=rf"operator shout: {names}: "):
        Shout(params)


def test_an_id_returned_twice_is_an_error_without_text():
    with pytest.raises(ValueError, match="twice returned a record id twice") as caught:
        Twice().run([qa("1", SECRET)], Context())
    assert SECRET not in str(caught.value)


def test_undecided_records_count_as_low_quality():
    assert [to_process(qa("x", flagged=f)) for f in (None, True, False)] == [True, True, False]


def test_map_contents_keeps_unchanged_records_as_they_are():
    rows = [qa("1", "a"), qa("2", "b")]
    done = map_contents(rows, lambda text: text.replace("b", "c"))
    assert done[0] is rows[0]
    assert done[1].answer == "c"
