import contextlib
import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from messages_peer import HTTPReply, failure, message

from operators.config import Endpoint
from operators.errors import BudgetExceeded, EndpointError
from operators.llm import transport
from operators.llm.cache import RequestCache
from operators.llm.client import LLMClient, Request
from operators.llm.ledger import LocalLedger
from operators.llm.prompts import strings

ROOT = Path(__file__).resolve().parents[3]
CANARY = "CANARY-7f3a patient text"


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch):
    monkeypatch.setattr(transport, "FIRST_BACKOFF", 0.01)


def client(peer, **kwargs):
    settings = {"retries": 2, "timeout": 5, "concurrency": 4} | kwargs.pop("endpoint", {})
    return LLMClient(Endpoint(model="m", base_url=peer.base_url, **settings), **kwargs)


def echo(body, _before):
    return message(body["messages"][0]["content"].upper())


def asks(n, **kwargs):
    return [Request(prompt=f"{CANARY} {i}", **kwargs) for i in range(n)]


def test_answers_come_in_order_with_bounded_concurrency(messages_peer):
    peer = messages_peer(lambda body, n: message(body["messages"][0]["content"], delay=0.1 * (1 + n % 3)))
    llm = client(peer)
    answers = llm.complete(asks(20))
    assert [a.text for a in answers] == [r.prompt for r in asks(20)]
    assert all(a.error is None and not a.cached and a.stop_reason == "end_turn" for a in answers)
    assert peer.most_at_once == 4
    assert llm.usage.model_dump() == {
        "requests": 20, "cache_hits": 0, "input_tokens": 200, "output_tokens": 100, "failures": 0,
    }  # fmt: skip


def test_what_a_private_server_gets(messages_peer, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-owners-claude-key")
    monkeypatch.setenv("REWRITER_KEY", "its-own-key")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    peer = messages_peer(echo)
    schema = strings("a")
    client(peer).complete([Request(prompt="p", system="s", max_tokens=7, temperature=0.5, seed=3, schema=schema)])
    body = peer.requests[0]
    assert body["temperature"] == 0.5
    assert body["seed"] == 3
    assert (body["max_tokens"], body["system"], body["model"]) == (7, "s", "m")
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert "the-owners-claude-key" not in json.dumps(peer.headers)
    client(peer, endpoint={"api_key_env": "REWRITER_KEY"}).complete([Request(prompt="q")])
    assert peer.headers[-1]["authorization"] == "Bearer its-own-key"


def test_no_proxy_sees_what_a_private_server_is_asked(messages_peer, monkeypatch):
    proxy = messages_peer(echo)
    monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
    for host, seen in (("gpu-box", 0), ("vllm.hospital.lan", 0), ("models.example.org", 1)):
        llm = LLMClient(Endpoint(model="m", base_url=f"http://{host}:8000", retries=0, timeout=5))
        with contextlib.suppress(EndpointError):  # no server has the first two names
            llm.complete([Request(prompt="p")])
        assert len(proxy.requests) == seen


def test_examples_are_turns_before_the_prompt(messages_peer):
    peer = messages_peer(echo)
    client(peer).complete([Request(prompt="c", examples=(("a", "A"), ("b", "B")))])
    turns = [(m["role"], m["content"]) for m in peer.requests[0]["messages"]]
    assert turns == [("user", "a"), ("assistant", "A"), ("user", "b"), ("assistant", "B"), ("user", "c")]


def test_claude_gets_no_sampling_parameters_and_a_schema_it_accepts(messages_peer):
    peer = messages_peer(lambda _b, _n: message('{"a": "x"}'))
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}}, "required": ["a"]}
    llm = LLMClient(Endpoint(model="claude-opus-4-7", base_url=peer.base_url))
    assert llm.complete([Request(prompt="p", seed=1, schema=schema)])[0].parsed == {"a": "x"}
    body = peer.requests[0]
    assert not {"temperature", "seed", "top_p"} & body.keys()
    sent = body["output_config"]["format"]["schema"]
    assert sent["additionalProperties"] is False
    assert "maxLength" not in sent["properties"]["a"]


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (failure(500), "server_error"),
        (failure(529), "server_error"),
        (failure(429), "rate_limited"),
        (HTTPReply(200, b"<html>hello</html>", {"content-type": "text/html"}), "nonsense"),
        (HTTPReply(200, b'{"content": [{"ty', {"content-type": "application/json"}), "nonsense"),
        (HTTPReply(200, b'{"hello": 1}', {"content-type": "application/json"}), "nonsense"),
        (HTTPReply(200, b"[]", {"content-type": "application/json"}), "nonsense"),
        (HTTPReply(200, b'{"content": null, "usage": {}}', {"content-type": "application/json"}), "nonsense"),
    ],
)
def test_passing_faults_are_retried_and_lasting_ones_become_a_code(messages_peer, first, kind):
    peer = messages_peer(lambda body, n: first if n < 2 else echo(body, n))
    llm = client(peer)
    assert llm.complete(asks(1))[0].error is None
    assert len(peer.requests) == 3

    peer = messages_peer(lambda _body, _n: first)
    llm = client(peer)
    given = llm.complete(asks(1))[0]
    assert (given.error, given.text, given.parsed) == (kind, "", None)
    assert len(peer.requests) == 3
    assert (llm.usage.requests, llm.usage.failures) == (1, 1)


def test_no_request_is_sent_while_the_server_asks_to_wait(messages_peer):
    arrivals = []

    def behave(_body, before):
        arrivals.append(time.monotonic())
        return failure(429, retry_after="0.7") if before == 3 else message("x", delay=0.05)

    peer = messages_peer(behave)
    assert all(a.error is None for a in client(peer).complete(asks(30)))
    refused = arrivals[3]
    # Four at a time: those on their way when the refusal came were sent before it was read.
    early = [t for t in arrivals[4:] if t - refused < 0.65]
    assert len(early) <= 3
    assert len(arrivals) == 31


def test_waits_as_long_as_the_server_asks(messages_peer):
    peer = messages_peer(lambda body, n: failure(429, retry_after="0.6") if n == 0 else echo(body, n))
    start = time.perf_counter()
    assert client(peer).complete(asks(1))[0].error is None
    assert 0.6 <= time.perf_counter() - start < 4


@pytest.mark.parametrize("when", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_time_that_is_past_is_not_when_to_ask_again(messages_peer, monkeypatch, when):
    monkeypatch.setattr(transport, "FIRST_BACKOFF", 0.3)
    peer = messages_peer(lambda body, n: failure(503, retry_after=when) if n == 0 else echo(body, n))
    start = time.perf_counter()
    assert client(peer).complete(asks(1))[0].error is None
    assert time.perf_counter() - start >= 0.15


def test_does_not_wait_an_hour(messages_peer):
    peer = messages_peer(lambda _body, _n: failure(429, retry_after="3600"))
    start = time.perf_counter()
    assert client(peer).complete(asks(1))[0].error == "rate_limited"
    assert time.perf_counter() - start < 4


def test_a_hanging_server_times_out(messages_peer):
    peer = messages_peer(lambda body, n: message("late", delay=3) if n == 0 else echo(body, n))
    llm = client(peer, endpoint={"timeout": 0.5, "retries": 0})
    first, second = llm.complete(asks(2))
    assert {first.error, second.error} == {"timeout", None}


def test_a_request_the_server_rejects_is_not_repeated(messages_peer):
    peer = messages_peer(lambda body, n: failure(400) if n == 0 else echo(body, n))
    answers = client(peer).complete(asks(5))
    assert [a.error for a in answers].count("rejected") == 1
    assert len(peer.requests) == 5


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (failure(401), "set MY_KEY"),
        (failure(404), "serves no model 'm'"),
        (failure(307, location="http://192.0.2.1/v1/messages"), "redirects elsewhere"),
    ],
)
def test_faults_of_the_configuration_stop_at_once(messages_peer, reply, says):
    peer = messages_peer(lambda _body, _n: reply)
    llm = client(peer, role="rewriter", endpoint={"api_key_env": "MY_KEY"})
    with pytest.raises(EndpointError, match=f"the rewriter endpoint 127.0.0.1.*{says}"):
        llm.complete(asks(50))
    assert len(peer.requests) <= 8


def test_a_server_that_is_down_is_named(messages_peer):
    peer = messages_peer(echo)
    peer.close()
    with pytest.raises(EndpointError, match=r"the judge endpoint 127.0.0.1 is down.*start the server") as caught:
        client(peer, role="judge").complete(asks(1000))
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.loads(pickle.dumps(caught.value)))
    assert CANARY not in told


@pytest.mark.parametrize("answered", [5, 18])
def test_a_server_that_dies_in_the_middle_or_near_the_end(messages_peer, tmp_path, answered):
    code = f"""
import os, time
from messages_peer import MessagesPeer, message
def behave(body, before):
    if before >= {answered}:
        time.sleep(0.5)
        os._exit(1)
    return message(body["messages"][0]["content"].upper())
print(MessagesPeer(behave).base_url, flush=True)
time.sleep(60)
"""
    path = os.pathsep.join(map(str, [ROOT, ROOT / "tests"]))
    server = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    )
    endpoint = Endpoint(model="m", base_url=server.stdout.readline().strip(), concurrency=4, retries=1)
    llm = LLMClient(endpoint, cache=RequestCache(tmp_path), role="rewriter")
    with pytest.raises(EndpointError, match=r"the rewriter endpoint 127.0.0.1 is down"):
        llm.complete(asks(20))
    assert server.wait(10) == 1
    known = RequestCache(tmp_path).entries()
    assert answered - 1 <= known <= answered  # one may be on its way when the server dies
    second = messages_peer(echo)
    llm = client(second, cache=RequestCache(tmp_path))
    assert [a.text for a in llm.complete(asks(20))] == [r.prompt.upper() for r in asks(20)]
    assert (llm.usage.requests, llm.usage.cache_hits) == (20 - known, known)


def test_requests_are_taken_no_further_ahead_than_needed(messages_peer):
    peer = messages_peer(echo)
    taken = []

    def requests():
        for i in range(10_000):
            taken.append(i)
            yield Request(prompt=f"{i}")

    llm = client(peer)
    answers = llm.stream(requests(), 10_000)
    assert [next(answers).text for _ in range(50)] == [str(i) for i in range(50)]
    time.sleep(0.3)
    assert len(taken) < 50 + 8 * 4 + 1  # eight times the concurrency
    assert len(peer.requests) <= len(taken)
    answers.close()  # nothing goes on behind a reader that has left
    sent = len(peer.requests)
    time.sleep(0.2)
    assert len(peer.requests) <= sent + 4


def test_a_server_that_fails_every_request_is_given_up(messages_peer):
    peer = messages_peer(lambda _body, _n: failure(500))
    with pytest.raises(EndpointError, match=r"fails every request \(server_error, 8 in a row"):
        client(peer).complete(asks(200))
    assert len(peer.requests) < 60


def test_a_few_failures_do_not_stop_the_rest(messages_peer):
    bad = {f"{CANARY} {i}" for i in (3, 4, 11)}
    peer = messages_peer(lambda b, n: failure(500) if b["messages"][0]["content"] in bad else echo(b, n))
    answers = client(peer).complete(asks(20))
    assert [i for i, a in enumerate(answers) if a.error] == [3, 4, 11]


def test_structured_answers_are_validated(messages_peer):
    texts = ['{"a": "fine"}', '{"a": 3}', "not json", '{"a": "cut', "[1]", '{"a":"x","b":1}']
    stops = ["end_turn"] * 3 + ["max_tokens"] + ["end_turn"] * 2
    peer = messages_peer(lambda b, _n: message(texts[i := int(b["messages"][0]["content"][-1])], stop=stops[i]))
    llm = client(peer)
    answers = llm.complete(asks(6, schema=strings("a")))
    assert [a.error for a in answers] == [None, "invalid", "invalid", "truncated", "invalid", "invalid"]
    assert answers[0].parsed == {"a": "fine"}
    assert llm.usage.failures == 5


def test_a_message_without_content_is_no_answer(messages_peer):
    empty = json.loads(message("").body) | {"content": []}
    peer = messages_peer(lambda _b, _n: HTTPReply(200, json.dumps(empty).encode()))
    assert client(peer).complete(asks(1, schema=strings("a")))[0].error == "invalid"


def test_a_refusal_is_an_error(messages_peer):
    peer = messages_peer(lambda _b, _n: message("", stop="refusal"))
    assert client(peer).complete(asks(1))[0].error == "refused"


def test_the_cache_answers_again_without_the_server(messages_peer, tmp_path):
    peer = messages_peer(
        lambda b, n: message("nonsense") if b["messages"][0]["content"].endswith("1") else echo(b, n)
    )
    first = client(peer, cache=RequestCache(tmp_path)).complete(
        asks(3, schema=None) + asks(3, schema=strings("a"))
    )
    sent = len(peer.requests)
    peer.close()
    again = client(peer, cache=RequestCache(tmp_path))
    second = again.complete(asks(3, schema=None) + asks(3, schema=strings("a")))
    assert [(a.text, a.error) for a in second] == [(a.text, a.error) for a in first]
    assert all(a.cached for a in second)
    assert again.usage.model_dump() == {
        "requests": 0, "cache_hits": 6, "input_tokens": 0, "output_tokens": 0, "failures": 0,
    }  # fmt: skip
    assert sent == 6


def test_a_failure_is_asked_again_next_time(messages_peer, tmp_path):
    peer = messages_peer(lambda b, n: failure(500) if n < 3 else echo(b, n))
    llm = client(peer, cache=RequestCache(tmp_path))
    assert llm.complete(asks(1))[0].error == "server_error"
    assert llm.complete(asks(1))[0].error is None


def test_every_part_of_a_request_is_in_its_key():
    base = Request(prompt="p", system="s", max_tokens=5, temperature=0.0, seed=1, schema=strings("a"))
    others = [
        Request("q", "s", 5, 0.0, 1, strings("a")),
        Request("p", "t", 5, 0.0, 1, strings("a")),
        Request("p", "s", 6, 0.0, 1, strings("a")),
        Request("p", "s", 5, 0.1, 1, strings("a")),
        Request("p", "s", 5, 0.0, 2, strings("a")),
        Request("p", "s", 5, 0.0, 1, strings("b")),
        Request("p", "s", 5, 0.0, 1, None),
        Request("p", "s", 5, 0.0, 1, strings("a"), (("x", "y"),)),
    ]
    keys = {base.key("m"), base.key("n"), *(r.key("m") for r in others)}
    assert len(keys) == 10
    assert base.key("m") == Request("p", "s", 5, 0.0, 1, strings("a")).key("m")


def test_equal_requests_are_sent_once(messages_peer):
    peer = messages_peer(echo)
    llm = client(peer)
    answers = llm.complete(asks(2) * 3)
    assert len(peer.requests) == 2
    assert [a.text for a in answers] == [a.text for a in answers[:2]] * 3
    assert [a.cached for a in answers] == [False, False, True, True, True, True]
    assert (llm.usage.requests, llm.usage.cache_hits) == (2, 4)


def test_the_token_limit_stops_and_what_was_paid_is_kept(messages_peer, tmp_path):
    peer = messages_peer(echo)
    cache = RequestCache(tmp_path)
    with pytest.raises(BudgetExceeded, match="of the 100 tokens allowed"):
        client(peer, cache=cache, token_limit=100).complete(asks(100))
    paid = len(peer.requests)
    assert 7 <= paid <= 7 + 3  # 15 tokens each; those on their way when the limit was met are the excess
    assert cache.entries() == paid
    with pytest.raises(BudgetExceeded):
        client(peer, token_limit=0).complete(asks(1))
    assert len(peer.requests) == paid


def test_clients_that_share_a_ledger_share_the_limit(messages_peer, tmp_path):
    peer, ledger = messages_peer(echo), LocalLedger()
    cache = RequestCache(tmp_path)
    shared = {"token_limit": 100, "ledger": ledger, "cache": cache, "endpoint": {"concurrency": 1}}
    client(peer, **shared).complete(asks(4))  # 15 tokens each
    second = client(peer, **shared)
    assert second.complete(asks(4))[0].cached  # what is in the cache costs nothing
    with pytest.raises(BudgetExceeded, match="this run has used 105 of the 100 tokens allowed"):
        second.complete([Request(prompt=f"other {i}") for i in range(9)])
    assert len(peer.requests) == 7
    assert ledger.total() == 105


def test_progress_is_called_in_the_callers_thread(messages_peer):
    peer = messages_peer(lambda _b, _n: message("x", delay=0.3))
    seen = []

    def progress(label, done, total):
        assert threading.current_thread() is threading.main_thread()
        seen.append((label, done, total))

    client(peer).complete(asks(16), progress, label="rewrite")
    assert seen[0] == ("rewrite", 0, 16)
    assert seen[-1] == ("rewrite", 16, 16)
    assert any(0 < done < 16 for _, done, _ in seen)


def test_works_inside_a_running_loop_and_from_many_threads(messages_peer):
    import asyncio

    peer = messages_peer(echo)
    llm = client(peer)

    async def notebook():
        return llm.complete(asks(2))

    assert len(asyncio.run(notebook())) == 2
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda i: llm.complete([Request(prompt=f"{i}")])[0].text, range(8)))
    assert results == [str(i) for i in range(8)]
    assert llm.usage.requests == 10
    copy = pickle.loads(pickle.dumps(llm))
    assert copy.complete(asks(1))[0].text == f"{CANARY} 0".upper()
    assert copy.usage.requests == 1


def test_no_prompt_in_logs_or_representations(messages_peer, caplog):
    peer = messages_peer(lambda b, n: failure(500) if n % 2 else echo(b, n))
    with caplog.at_level(logging.DEBUG):
        answers = client(peer).complete(asks(6, system=CANARY))
    assert CANARY.upper() in answers[0].text
    assert CANARY not in caplog.text
    assert CANARY not in repr(asks(1)) + repr(answers).upper()


def test_lone_surrogates_do_not_stop_a_request(messages_peer):
    peer = messages_peer(echo)
    assert client(peer).complete([Request(prompt="a\ud800b")])[0].text == "A?B"


@pytest.mark.parametrize("schema", [None, strings("answer")])
def test_half_a_character_in_a_reply_goes_no_further(messages_peer, schema):
    said = '{"answer": "It is fine \\ud83d"}' if schema else "It is fine \ud83d"
    given = client(messages_peer(lambda _body, _n: message(said))).complete([Request(prompt="q", schema=schema)])[
        0
    ]
    assert given.text.encode()
    assert (given.error, given.parsed) == ("invalid" if schema else None, None)


def test_the_cache_survives_kill_9(messages_peer, tmp_path):
    peer = messages_peer(lambda b, _n: message(b["messages"][0]["content"], delay=0.03))
    code = f"""
from operators.config import Endpoint
from operators.llm.cache import RequestCache
from operators.llm.client import LLMClient, Request
from operators.llm.ledger import LocalLedger
cache = RequestCache({str(tmp_path)!r})
llm = LLMClient(Endpoint(model="m", base_url={peer.base_url!r}, concurrency=4), cache=cache)
llm.complete([Request(prompt=str(i)) for i in range(1000)])
"""
    victim = subprocess.Popen([sys.executable, "-c", code])
    while len(peer.requests) < 60:
        assert victim.poll() is None
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    before = len(peer.requests)
    cache = RequestCache(tmp_path)
    assert before - 8 <= cache.entries() <= before  # all that was answered, but for those on their way
    llm = client(peer, cache=cache)
    answers = llm.complete([Request(prompt=str(i)) for i in range(100)])
    assert [a.text for a in answers] == [str(i) for i in range(100)]
    assert llm.usage.cache_hits >= before - 8


def test_the_cache_survives_edits_of_code(messages_peer, tmp_path):
    """Another process, whose code is changed everywhere but in what the answers depend on."""
    peer = messages_peer(echo)
    client(peer, cache=RequestCache(tmp_path / "cache")).complete(asks(5, schema=strings("a")))
    edited = shutil.copytree(ROOT / "operators", tmp_path / "edited" / "operators")
    for file in edited.rglob("*.py"):
        with file.open("a") as f:
            f.write("\n\ndef added_later():\n    return 0\n")
    code = f"""
import json, operators.llm.client as module
from operators.config import Endpoint
from operators.llm.cache import RequestCache
from operators.llm.prompts import strings
assert module.added_later() == 0
cache = RequestCache({str(tmp_path / "cache")!r})
llm = module.LLMClient(Endpoint(model="m", base_url={peer.base_url!r}), cache=cache)
llm.complete([module.Request(prompt=f"{CANARY} {{i}}", schema=strings("a")) for i in range(5)])
print(json.dumps([llm.usage.requests, llm.usage.cache_hits]))
"""
    env = {**os.environ, "PYTHONPATH": str(edited.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout) == [0, 5]


def test_a_cache_that_cannot_be_used_costs_requests_only(messages_peer, tmp_path, caplog):
    (tmp_path / "cache.db").write_bytes(b"this is no database" * 100)
    peer = messages_peer(echo)
    answers = client(peer, cache=RequestCache(tmp_path)).complete(asks(3))
    assert all(a.error is None for a in answers)
    assert "cannot be used" in caplog.text
