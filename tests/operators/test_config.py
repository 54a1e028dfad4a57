from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from operators.config import DEFAULT_CHAINS, Endpoint, SearchConfig, Step, load_config, parse
from operators.errors import ConfigError
from operators.models import MINILM, STATIC_MINILM
from operators.strategist.space import Team

MINIMAL = {"data": {"input": "rows.jsonl"}}
EXTERNAL = {"model": "m", "base_url": "https://llm.example.com"}
PRIVATE = {"model": "m", "base_url": "http://127.0.0.1:8000"}


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str | bytes | dict) -> Path:
        file = tmp_path / "search.yaml"
        if isinstance(text, dict):
            text = yaml.safe_dump(text)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return _write


def config(**values) -> SearchConfig:
    return parse(SearchConfig, {**MINIMAL, **values}, "test")


def test_one_line_is_enough(write) -> None:
    made = load_config(write(MINIMAL))
    assert made.data.input == "rows.jsonl"
    assert made.teams == DEFAULT_CHAINS
    assert made.strategist_kind == "surrogate"


def test_yaml_round_trip(write) -> None:
    made = config(
        name="a.b-1",
        teams={"selection": [{"name": "ifd", "params": {"share": 0.3}}]},
        endpoints={"strategist": EXTERNAL, "judge": PRIVATE},
        judging={"method": "pairwise"},
        budget={"minutes": 5},
    )
    assert load_config(write(made.model_dump(mode="json"))) == made
    assert SearchConfig.model_validate_json(made.model_dump_json()) == made


def test_overrides_are_yaml(write) -> None:
    file = write({**MINIMAL, "training": {"steps": 10}})
    made = load_config(file, ["training.steps=20", "training.lora.rank=4", "targeting.enabled=false"])
    assert (made.training.steps, made.training.lora.rank, made.targeting.enabled) == (20, 4, False)
    with_list = load_config(file, ["judging.criteria=[accuracy, safety]", "data.task=x=y"])
    assert with_list.judging.criteria == ("accuracy", "safety")
    assert with_list.data.task == "x=y"


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ("training.steps", "expected a.b=value"),
        ("=3", "expected a.b=value"),
        ("seed.deep=3", "seed holds a value, not keys"),
        ("training.stepz=3", "training.stepz"),
        ("training.steps=0", "training.steps: Input should be greater than or equal to 1"),
        ("training.steps=many", "training.steps: Input should be a valid integer"),
        ("seed=-1", "seed: Input should be greater than or equal to 0"),
        ("training.seed=4294967296", "training.seed: Input should be less than 4294967232"),
    ],
)
def test_bad_overrides(write, item: str, says: str) -> None:
    with pytest.raises(ConfigError) as e:
        load_config(write({**MINIMAL, "seed": 1}), [item])
    assert says in str(e.value)


def test_environment_variables(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWS", "s3://bucket/rows.jsonl")
    file = write("data: {input: '${ROWS}'}")
    assert load_config(file).data.input == "s3://bucket/rows.jsonl"
    monkeypatch.delenv("ROWS")
    with pytest.raises(ConfigError, match=r"search\.yaml: the environment variable ROWS is not set"):
        load_config(file)


@pytest.mark.parametrize("held", ["/data/run #3/it's: [x", "1234567", "yes", "{a: 1}", "line\nline"])
def test_what_a_variable_holds_is_text_whatever_it_looks_like(
    write, monkeypatch: pytest.MonkeyPatch, held
) -> None:
    monkeypatch.setenv("HELD", held)
    monkeypatch.setenv("ROUNDS", "3")
    file = write("# a comment may name ${ANYTHING}\ndata: {input: '${HELD}'}\nbudget: {rounds: '${ROUNDS}'}")
    config = load_config(file)
    assert (config.data.input, config.budget.rounds) == (held, 3)


def test_keys_given_twice_are_named_and_anchors_may_be_merged(write) -> None:
    twice = "data: {input: x}\ntraining: {steps: 3}\nseed: 1\ntraining:\n  racing: {enabled: true}"
    with pytest.raises(ConfigError, match=r"search\.yaml: line 4 gives training again, after line 2: join them"):
        load_config(write(twice))
    with pytest.raises(ConfigError, match=r"search\.yaml: line 2 gives input again, after line 2"):
        load_config(write("seed: 1\ndata: {input: x, input: y}"))
    merged = "data: {input: x}\nendpoints:\n  judge: &j {model: m, base_url: 'http://j:1'}\n"
    assert load_config(write(merged + "  rewriter: {<<: *j, model: n}")).endpoints.rewriter.model == "n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "data: Field required"),
        ("data: [", "not valid YAML at line"),
        ("- a\n- b", "expected keys and values at the top, found a list"),
        (b"data: \xff\xfe", "cannot be read (UnicodeDecodeError)"),
        ({"data": {"input": "x", "fromat": "csv"}}, "data.fromat: Extra inputs are not permitted"),
        ({**MINIMAL, "sampling": {"fraction": 1.5}}, "sampling.fraction: Input should be less than or equal to 1"),
        ({**MINIMAL, "name": "../up"}, "name: String should match pattern"),
        ({**MINIMAL, "teams": {"polishing": []}}, "teams.polishing"),
        ({**MINIMAL, "strategist": {"kind": "claude"}}, "endpoints.strategist must be set"),
        ({**MINIMAL, "judging": {"method": "pairwise"}}, "endpoints.judge must be set"),
        ({**MINIMAL, "targeting": {"labels": 50}}, "targeting.labels is 50, so endpoints.judge must be set"),
        ({**MINIMAL, "targeting": {"labels": -1}}, "targeting.labels: Input should be greater than or equal to 0"),
        ({**MINIMAL, "targeting": "of"}, "targeting: "),
        ({**MINIMAL, "data": {"input": "x", "task": "t" * 2001}}, "data.task: String should have at most 2000"),
    ],
)
def test_mistakes_name_file_key_and_fix(write, text, says: str) -> None:
    file = write(text)
    with pytest.raises(ConfigError) as e:
        load_config(file)
    assert str(e.value).startswith(str(file))
    assert says in str(e.value)


def test_every_mistake_is_named_at_once(write) -> None:
    with pytest.raises(ConfigError) as e:
        load_config(write({**MINIMAL, "seeed": 1, "training": {"steps": 0}, "budget": {"rounds": -1}}))
    assert all(key in str(e.value) for key in ("seeed", "training.steps", "budget.rounds"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(FileNotFoundError\); give a YAML file"):
        load_config(tmp_path / "none.yaml")


def test_a_team_given_replaces_its_chain_alone() -> None:
    made = config(teams={"cleaning": [{"name": "fix_text"}]})
    assert made.teams[Team.CLEANING] == (Step(name="fix_text"),)
    assert made.teams[Team.GENERATION] == DEFAULT_CHAINS[Team.GENERATION]


def test_large_sets_are_embedded_statically_where_that_is_asked() -> None:
    assert config().embedding.choose(10**7) == MINILM
    embedding = config(embedding={"model": "auto"}).embedding
    assert embedding.choose(embedding.static_above) == MINILM
    assert embedding.choose(embedding.static_above + 1) == STATIC_MINILM
    assert config(embedding={"model": "models/mine"}).embedding.choose(10**6) == "models/mine"


def test_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().seed = 1


@pytest.mark.parametrize(
    ("strategist", "endpoints", "kind"),
    [
        ("auto", {}, "surrogate"),
        ("auto", {"strategist": EXTERNAL}, "claude"),
        ("random", {"strategist": EXTERNAL}, "random"),
        ("exhaustive", {}, "exhaustive"),
    ],
)
def test_strategist_in_force(strategist: str, endpoints: dict, kind: str) -> None:
    assert config(strategist={"kind": strategist}, endpoints=endpoints).strategist_kind == kind


# The privacy boundary: who may see records.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://localhost:8000/v1",
        "http://[::1]:8000",
        "http://10.1.2.3",
        "https://172.16.0.9",
        "http://192.168.1.7:8000",
        "http://vllm:8000",
        "http://vllm.models.svc.cluster.local",
        "https://llm.corp.internal",
    ],
)
def test_private_hosts(url: str) -> None:
    assert Endpoint(base_url=url).is_private


@pytest.mark.parametrize(
    "url",
    [
        None,  # hosted Claude
        "https://api.anthropic.com",
        "https://llm.example.com",
        "http://8.8.8.8",
        "http://134744072",  # 8.8.8.8 as one number
        "http://0x8080808",
        "http://[2606:4700::1111]",
        "http://localhost.example.com",
        "http://10.1.2.3.example.com",
        "http://internal.example.com",
    ],
)
def test_external_hosts(url: str | None) -> None:
    assert not Endpoint(base_url=url).is_private
    assert Endpoint(managed=True).is_private


@pytest.mark.parametrize("url", ["http://vllm:80OO", "http://vllm:99999", "http://10.0.0.300:8000", "vllm:8000"])
def test_an_address_that_nobody_can_ask_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="expected a URL like"):
        Endpoint(base_url=url)


def test_one_server_answers_in_a_role() -> None:
    with pytest.raises(ValidationError, match=r"give managed: true, .* or a base_url, not both"):
        Endpoint(base_url="http://vllm:8000", managed=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://svc:hunter2@vllm:8000",
        "http://127.0.0.1@llm.example.com",
        "http://token@vllm:8000",
        "http://:pw@vllm",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"base_url.*name a variable that has the key in api_key_env") as error:
        config(endpoints={"judge": {"base_url": url}})
    assert not any(secret in str(error.value) for secret in ("hunter2", "token", ":pw"))


@pytest.mark.parametrize("url", ["llm.example.com", "localhost:8000", "ftp://127.0.0.1", "http://", "", "/v1"])
def test_an_address_without_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"endpoints\.judge\.base_url.*expected a URL like"):
        config(endpoints={"judge": {"base_url": url}})


@pytest.mark.parametrize("role", ["judge", "rewriter"])
def test_records_stay_unless_the_owner_says_so(role: str) -> None:
    with pytest.raises(ConfigError) as e:
        config(endpoints={role: EXTERNAL})
    assert f"endpoints.{role} would send records to llm.example.com" in str(e.value)
    assert "i_allow_records_to_leave_for" in str(e.value)
    with pytest.raises(ConfigError, match=r"api\.anthropic\.com"):
        config(endpoints={role: {"model": "claude"}})
    other = "judge" if role == "rewriter" else "rewriter"
    with pytest.raises(ConfigError):
        config(endpoints={role: EXTERNAL, "i_allow_records_to_leave_for": [other]})
    allowed = config(endpoints={role: EXTERNAL, "i_allow_records_to_leave_for": [role]})
    assert getattr(allowed.endpoints, role).base_url == EXTERNAL["base_url"]
    assert config(endpoints={role: PRIVATE})


def test_the_strategist_may_be_external() -> None:
    assert config(endpoints={"strategist": EXTERNAL}).endpoints.strategist is not None


def test_the_strategist_cannot_be_given_records() -> None:
    with pytest.raises(ConfigError, match="i_allow_records_to_leave_for"):
        config(endpoints={"strategist": EXTERNAL, "i_allow_records_to_leave_for": ["strategist"]})


@settings(max_examples=100, deadline=None)
@given(st.ip_addresses())
def test_an_address_is_private_only_where_its_network_is(address) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    assert Endpoint(base_url=f"http://{host}:8000").is_private == (address.is_private or address.is_loopback)


def test_roles_of_one_managed_server_give_it_one_share_of_a_gpu() -> None:
    some, more = ({"managed": True, "model": "m", "gpu_memory_share": share} for share in (0.3, 0.5))
    assert config(endpoints={"rewriter": some, "judge": some}).endpoints.judge.gpu_memory_share == 0.3
    config(endpoints={"rewriter": some, "judge": {**more, "model": "other"}})
    target = {**more, "model": "smollm2-135m-instruct"}
    config(endpoints={"judge": {**target, "gpu_memory_share": 0.4}, "target": target})
    with pytest.raises(ConfigError, match=r"endpoints\.judge.*gpu_memory_share"):
        config(endpoints={"rewriter": some, "judge": more})
    with pytest.raises(ConfigError, match="less than or equal to 1"):
        config(endpoints={"judge": {**some, "gpu_memory_share": 40}})


@pytest.mark.parametrize(
    "text", ["targeting: off", "targeting: false", "targeting: 'off'", "targeting: {enabled: off}"]
)
def test_targeting_is_switched_off_in_a_word(write, text: str) -> None:
    made = load_config(write(f"data: {{input: rows.jsonl}}\n{text}\n"))
    assert not made.targeting.enabled
    assert load_config(write(MINIMAL), ["targeting=off"]).targeting == made.targeting
    assert load_config(write(MINIMAL), ["targeting=on"]).targeting.enabled


def test_labels_are_asked_of_a_private_judge() -> None:
    assert config(targeting={"labels": 50}, endpoints={"judge": PRIVATE}).targeting.labels == 50
    with pytest.raises(ConfigError, match=r"endpoints\.judge would send records"):
        config(targeting={"labels": 50}, endpoints={"judge": EXTERNAL})
    assert config(targeting={"enabled": False, "labels": 50}).endpoints.judge is None


def test_the_form_explains_every_value() -> None:
    """Prefect's UI shows titles and descriptions of fields; it takes <...> for HTML and shows none of it."""
    schema = SearchConfig.model_json_schema()
    for name, model in {"SearchConfig": schema, **schema["$defs"]}.items():
        for key, field in model.get("properties", {}).items():
            described = field.get("description", "")
            assert described or "$ref" in str(field), f"{name}.{key}"
            assert "<" not in described, f"{name}.{key}"
            assert field.get("title", model["title"])[0].isupper(), f"{name}.{key}"
