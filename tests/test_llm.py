"""Negatives of a chat model: whatever the server and the model do, no invalid negative is marked valid."""

import json
import logging
import threading

import pytest
from chat_server import serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_chat import no_proxy, said  # noqa: F401

import vlmneg as vn
from vlmneg.negatives import key, text
from vlmneg.negatives.chat import ChatError
from vlmneg.negatives.text.llm import like
from vlmneg.negatives.text.prompts import KINDS

pytest.importorskip("httpx", reason="httpx is not installed: no server can be asked")

CAPTIONS = ["A black dog next to a white cat.", "two red cups on a table", "a man riding a horse"]


def captioned(body):
    """The caption that a request is about."""
    return said(body).rpartition("Caption: ")[2]


def answer(*items):
    return json.dumps({"negatives": [{"kind": k, "caption": c} for k, c in items]})


def good(body, n=0):
    c = captioned(body)
    return answer(*(("object", f"{c.rstrip('.')} and a {thing}") for thing in ("bird", "clock", "kite", "boat")))


def llm(server, **parameters):
    made = text.llm(**{"model": "m", "url": server.url, "k": 2, "retries": 1, "timeout": 5, **parameters})
    made.client.wait = 0.01
    return made


def check(result, avoid=None):
    """What holds for any result."""
    for i, (caption, row) in enumerate(zip(result.captions, result.text, strict=True)):
        true = {key(c) for c in [caption, *(avoid[i] if avoid else ())]}
        made = [key(t) for t, reason in zip(row, result.reason[i], strict=True) if not reason]
        assert len(set(made)) == len(made) and not true & set(made) and all(made)
        assert all(t == caption for t, reason in zip(row, result.reason[i], strict=True) if reason)


def test_negatives(tmp_path):
    with serve(good) as server:
        g = llm(server, cache=tmp_path / "c.jsonl", seed=5)
        r = g(CAPTIONS, seed=1)
        check(r)
        assert r.valid.all() and {k for row in r.kind for k in row} == {"llm_object"}
        assert r.text[0][0].endswith(".") and not r.text[1][0].endswith(".")
        assert len(server.asked) == 3 and all(b["seed"] == 5 for b in server.asked)
        others = g(CAPTIONS, seed=1, visit=1)
        assert others.text != r.text, "another visit draws others"
        assert [g([c], seed=1).text[0] for c in CAPTIONS] == r.text, "row by row equals batch"
        four = text.llm(model="m", url=server.url, k=4, cache=tmp_path / "c.jsonl", seed=5)
        both = (text.swap(k=1) + four + text.llm(model="m", k=1, cache=tmp_path / "c.jsonl", seed=5))(CAPTIONS)
        check(both)
        assert both.valid[:, 1:5].all() and not both.valid[:, 5].any(), "one pool, no caption twice"
        mixed = vn.negatives.mix(text.swap(), g, weights=(1, 9), k=2)(CAPTIONS)
        check(mixed)
        assert mixed.valid.all() and len(server.asked) == 3, "all from the cache"
        offline = text.llm(model="m", k=2, cache=tmp_path / "c.jsonl", seed=5, offline=True)
        r2 = offline([*CAPTIONS, "a new one"], seed=1)
        assert r2.text[:3] == r.text and r2.reason[3] == ["EMPTY", "EMPTY"] and offline.stats["no answer"] == 1
        other = text.llm(model="m", k=2, cache=tmp_path / "c.jsonl", seed=6, offline=True)
        assert not other(CAPTIONS).valid.any() and len(server.asked) == 3


def test_what_is_asked():
    with serve(good) as server:
        llm(server, kinds=("swap", "object"))(CAPTIONS[:1])
        llm(server, kinds="negation", prompt="examples", temperature=None, schema=False)(CAPTIONS[:1])
        llm(server, prompt="{n} lies of these kinds, please:\n{kinds}\nabout {caption}", kinds="swap")(["a {n} b"])
    rules, examples, own = server.asked
    assert rules["response_format"]["json_schema"]["schema"]["properties"]["negatives"]["items"]["properties"][
        "kind"]["enum"] == ["object", "swap"]
    assert "object: " in rules["messages"][0]["content"] and "number: " not in rules["messages"][0]["content"]
    assert [m["role"] for m in examples["messages"]] == ["system", "user", "assistant", "user"]
    shown = json.loads(examples["messages"][2]["content"])["negatives"]
    assert shown == [{"kind": "negation", "caption": KINDS["negation"][2]}]
    assert "temperature" not in examples and "response_format" not in examples
    assert own["messages"] == [{"role": "user", "content": f"8 lies of these kinds, please:\n- swap: "
                                                           f"{KINDS['swap'][0]}\nabout a {{n}} b"}]


def test_examples_of_the_prompt_are_negatives():
    for kind, (_, source, negative) in KINDS.items():
        assert key(source) != key(negative)
        assert kind != "swap" or sorted(source.split()) == sorted(negative.split())


C = CAPTIONS[1]
WRONG = {
    "same": (answer(("object", C)), "SAME"),
    "same ": (answer(("object", "Two red CUPS, on a table!")), "SAME"),
    "same  ": (answer(("object", "two cups, both red, on the table")), "SAME"),  # another true caption
    "empty": (answer(("object", " ?! ")), "EMPTY"),
    "placeholder": (answer(("object", "two red <mask> on a table")), "EMPTY"),
    "placeholder ": (answer(("object", "two red ### on a table")), "EMPTY"),
    "not a string": (json.dumps({"negatives": [{"kind": "object", "caption": ["x"]}, None, 3, {}]}), "EMPTY"),
    "refusal": (answer(("object", "I'm sorry, I can't do that.")), "EMPTY"),
    "refusal ": (answer(("object", "As an AI I have no eyes")), "EMPTY"),
    "long": (answer(("object", "two red cups on a table " * 50)), "EMPTY"),
    "odd": (answer(("object", "two red\x00 cups on a chair")), "EMPTY"),
    "odd ": ('{"negatives": [{"kind": "object", "caption": "two red \\ud800 cups on a chair"}]}', "EMPTY"),
    "kind": (answer(("joke", "two red cups on a chair")), "EMPTY"),
    "kind ": (answer(("swap", "two red cups on a chair")), "EMPTY"),
    "wrong JSON": ('{"negatives": [{"kind": "object", "caption": "two red cups on a chair"}, {"kind"', "EMPTY"),
    "wrong JSON ": ("Two red cups on a chair", "EMPTY"),
    "wrong JSON  ": ('{"captions": {"a": 1}}', "EMPTY"),
    "wrong JSON   ": ("3", "EMPTY"),
    "empty answer": ("", "EMPTY"),
    "empty answer ": (" \n", "EMPTY"),
    "empty answer  ": ('{"negatives": []}', "EMPTY"),
    "refused": ("I'm sorry, but I cannot help with that.", "EMPTY"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_answers(what):
    said, reason = WRONG[what]
    with serve(lambda body, n: said) as server:
        g = llm(server, k=2)
        avoid = [["Two cups, both red, on the table."]]
        r = g([C], avoid=avoid)
        check(r, avoid)
        assert r.reason[0] == [reason, "EMPTY"] and g.stats[what.strip()] >= 1
        assert g([C], avoid=avoid, visit=1).valid.sum() == 0
        assert len(server.asked) == 1, "a bad answer is an answer: it isn't asked again"


def test_good_among_bad():
    """Duplicates, and the one that can be used, in a fence."""
    said = "Sure!\n```json\n" + answer(("object", "two red cups on a chair"), ("object", C),
                                       ("number", "Two red cups on a CHAIR."), ("object", 5)) + "\n```"
    with serve(lambda body, n: said) as server:
        g = llm(server, k=3)
        r = g([C])
        check(r)
        assert r.valid.sum() == 1 and "two red cups on a chair" in r.text[0]
        assert (g.stats["repeat"], g.stats["same"], g.stats["not a string"], g.stats["items"]) == (1, 1, 1, 4)


def test_strings_alone_will_do():
    with serve(lambda body, n: '["two red cups on a chair", "one red cup on a table"]') as server:
        assert llm(server, kinds="object")([C]).valid.all()
        assert not llm(server)([C]).valid.any(), "of which kind?"


ITEM = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(CAPTIONS),
                    lambda x: st.lists(x, max_size=3) | st.dictionaries(
                        st.sampled_from(["kind", "caption", "negatives", "x"]), x, max_size=3))
ANSWERS = st.one_of(
    st.text(max_size=80),
    ITEM.map(json.dumps),
    st.lists(st.fixed_dictionaries({"kind": st.sampled_from([*KINDS, "joke"]),
                                    "caption": st.text(max_size=30) | st.sampled_from(CAPTIONS)}), max_size=5)
    .flatmap(lambda items: st.integers(0, 400).map(lambda cut: json.dumps({"negatives": items})[:cut])))


@pytest.fixture(scope="module")
def any_server():
    with serve(lambda body, n: "") as server:
        yield server


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=ANSWERS, caption=st.text(max_size=40) | st.sampled_from(CAPTIONS))
def test_any_answer(said, caption):
    g = text.llm(model="m", k=3, offline=True)
    g.client.ask = lambda conversations, **_: [said] * len(conversations)
    r = g([caption, CAPTIONS[0]], avoid=[[CAPTIONS[1]], [CAPTIONS[2]]])
    check(r, [[CAPTIONS[1]], [CAPTIONS[2]]])
    for row in r.text:
        for t in row:
            t.encode()


def test_down_from_the_start():
    with serve(lambda body, n: (503, {}, b"starting")) as server:
        g = llm(server)
        with pytest.raises(ChatError, match="0 of 3 requests answered.*503.*Call again"):
            g(CAPTIONS)


def test_down_in_between(tmp_path, caplog):
    captions = [f"a red cube number {i}" for i in range(30)]
    with serve(lambda body, n: good(body) if n < 10 else (500, {}, b"gone")) as server:
        g = llm(server, cache=tmp_path / "c.jsonl", concurrency=1, retries=0)
        with caplog.at_level(logging.WARNING, "vlmneg"):
            r = g(captions)
        check(r)
        assert r.valid[:10].all() and not r.valid[10:].any() and g.stats["no answer"] == 20
        assert "10 of 30 requests answered and kept in" in caplog.text and "Call again" in caplog.text
        server.reply = lambda body, n: (200, {}, {"choices": [{"message": {"content": good(body)}}]})
        server.asked.clear()
        r2 = g(captions)
        assert r2.valid.all() and r2.text[:10] == r.text[:10] and len(server.asked) == 20
        assert {captioned(b) for b in server.asked} == set(captions[10:])


def test_everything_at_once(tmp_path):
    """A server that fails in all ways in turn, called until nothing is missing: each caption is answered just once."""
    captions = [f"a red cube and {i} blue balls on a table" for i in range(120)]
    answered = []

    def reply(body, n):
        if n % 5 == 1:
            return ((500, {}, b"oops"), (429, {"Retry-After": "0.05"}, b""), (200, {}, b"{"),
                    (503, {}, b""))[n // 5 % 4]
        answered.append(captioned(body))
        bad = [said for said, _ in WRONG.values()]
        return good(body) if n % 3 else bad[n // 3 % len(bad)]

    with serve(reply) as server:
        for _ in range(20):
            g = llm(server, cache=tmp_path / "c.jsonl", concurrency=6, retries=0)
            r = g(captions)
            check(r)
            if not g.stats["no answer"]:
                break
        assert sorted(answered) == sorted(captions), "none lost, none asked again"
        assert r.valid[:, 0].mean() > 0.6 and not r.valid.all()
        again = text.llm(model="m", k=2, cache=tmp_path / "c.jsonl", offline=True)(captions)
        assert again.text == r.text and again.reason == r.reason


def test_concurrent_calls():
    met = threading.Barrier(3)

    def reply(body, n):
        met.wait(5)
        return good(body)

    with serve(reply) as server:
        assert llm(server, concurrency=3)(CAPTIONS).valid.all() and server.most == 3


def test_equal_captions_are_asked_once_and_empty_ones_never():
    with serve(good) as server:
        r = llm(server)(["a dog", "", "a dog", "  ", "a ### dog"])
        assert r.valid[:, 0].tolist() == [1, 0, 1, 0, 0] and len(server.asked) == 1
        assert r.text[0] == r.text[2]


def test_the_key_is_not_shown():
    g = text.llm(model="m", api_key="secret")
    assert "secret" not in repr(g) + str(g.parameters) and g == text.llm(model="m") != text.llm(model="n")


def test_refusals():
    for bad, words in (({"kinds": "joke"}, "kinds"), ({"prompt": "x"}, "caption"), ({"pool": 2}, "pool"),
                       ({"pool": 65}, "pool"), ({"k": 0}, "k must"),
                       ({"url": "x"}, "url"), ({"timeout": 0}, "timeout")):
        with pytest.raises(ValueError, match=words):
            text.llm(**{"model": "m", **bad})
    assert vn.negatives.get("text.llm", model="m").name == "llm"


@pytest.mark.parametrize(("caption", "made", "styled"), [
    ("A dog.", "a cat", "A cat."), ("a dog", "A cat.", "a cat"), ("a dog", "TV on", "TV on"),
    ("a dog!", "a  cat\n.", "a cat!"), ("", "A", "A"), ("a dog", "I see a cat", "I see a cat")])
def test_style(caption, made, styled):
    assert like(caption, made) == styled
