"""The chat client against a local server: down, slow, rate-limited, broken, interrupted; requests are counted."""

import email.utils
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from chat_server import completion, serve

from vlmneg.negatives.cache import DiskCache
from vlmneg.negatives.chat import ChatClient, ChatError, read_json

pytest.importorskip("httpx", reason="httpx is not installed: no server can be asked")

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def said(body):
    return body["messages"][-1]["content"]


def client(server, **parameters):
    return ChatClient(server.url, "m", **{"wait": 0.01, "timeout": 5.0, **parameters})


def test_answers_once(tmp_path):
    with serve(lambda body, n: "re: " + said(body)) as server:
        c = client(server, cache=tmp_path / "c.jsonl", api_key="secret", options={"top_p": 0.5}, version="q4")
        assert c.ask(["a", "b", "a"], schema=SCHEMA, seed=3) == ["re: a", "re: b", "re: a"]
        assert c.chat("b", schema=SCHEMA, seed=3) == "re: b" and len(server.asked) == 2
        assert c.stats == {"requests": 2, "answered": 2, "cached": 1, "retries": 0}
        body = next(b for b in server.asked if said(b) == "a")
        assert body == {"model": "m", "seed": 3, "temperature": 0.7, "max_tokens": 1024, "top_p": 0.5,
                        "messages": [{"role": "user", "content": "a"}],
                        "response_format": {"type": "json_schema",
                                            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}}
        assert all(h["Authorization"] == "Bearer secret" for h in server.headers)
        c.chat("a", schema=SCHEMA, seed=4)
        c.chat("a", seed=3)
        c.chat([{"role": "system", "content": "x"}, {"role": "user", "content": "a"}], schema=SCHEMA, seed=3)
        assert len(server.asked) == 5, "another seed, schema or message is another question"
    assert "secret" not in repr(c) + c.cache.path.read_text()
    lines = [json.loads(line) for line in c.cache.path.read_text().splitlines()]
    assert set(lines[0]["key"]) == {"kind", "model", "version", "prompt", "parameters", "seed"}
    assert lines[0]["key"]["parameters"] == {"max_tokens": 1024, "schema": SCHEMA, "temperature": 0.7, "top_p": 0.5}
    replay = ChatClient("http://localhost:1", "m", cache=c.cache.path, offline=True, options={"top_p": 0.5},
                        version="q4")
    assert replay.ask(["b", "c"], schema=SCHEMA, seed=3) == ["re: b", None]
    assert replay.stats == {"cached": 1, "missing": 1}
    with pytest.raises(ChatError, match="not in .*c.jsonl"):
        replay.chat("c")


def test_key_of_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    with serve(lambda body, n: "x") as server:
        client(server).chat("a")
        assert server.headers[0]["Authorization"] == "Bearer from-env"


def test_concurrency_is_bounded():
    met = threading.Barrier(4)

    def reply(body, n):
        met.wait(5)  # passes only when four requests are under way
        return "x"

    with serve(reply) as server:
        c = client(server, concurrency=4)
        assert c.ask([str(i) for i in range(12)]) == ["x"] * 12
        assert server.most == 4 and len(server.asked) == 12


def test_failures_that_pass():
    def reply(body, n):
        return [(500, {}, {"error": {"message": "oops"}}), (503, {}, b"<html>"), (200, {}, b"not json"),
                (200, {}, {"choices": []}), "fine"][n]

    with serve(reply) as server:
        c = client(server)
        assert c.chat("a") == "fine"
        assert len(server.asked) == 5 and c.stats["requests"] == 5 and c.stats["retries"] == 4
        assert all(body == server.asked[0] for body in server.asked)


def test_retries_end():
    with serve(lambda body, n: (500, {}, {"error": {"message": "overloaded"}})) as server:
        c = client(server, retries=2)
        with pytest.raises(ChatError, match=r"0 of 1 requests answered.*HTTP 500: overloaded.*Call again"):
            c.chat("a")
        assert len(server.asked) == 3


def test_the_waits_come_from_the_seed(monkeypatch):
    waits = []
    real = threading.Event.wait

    def wait(self, timeout=None):
        if timeout is not None and threading.current_thread().name.startswith("vlmneg-chat") and timeout > 0:
            waits.append(timeout)
            return False
        return real(self, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait)

    def run(seed):
        waits.clear()
        with serve(lambda body, n: (500, {}, b"")) as server:
            with pytest.raises(ChatError):
                client(server, retries=3, wait=1.0).chat("a", seed=seed)
        return list(waits)

    first = run(1)
    assert run(1) == first != run(2)
    assert all(0.5 * 2**i <= w <= 1.5 * 2**i for i, w in enumerate(first)) and len(first) == 3


@pytest.mark.parametrize("date", [False, True])
def test_retry_after(date):
    def reply(body, n):
        after = email.utils.formatdate(time.time() + 2, usegmt=True) if date else "0.4"
        return (429, {"Retry-After": after}, {"error": "slow down"}) if n == 0 else "x"

    with serve(reply) as server:
        began = time.monotonic()
        assert client(server, concurrency=1).ask(["a", "b"]) == ["x", "x"]
        assert time.monotonic() - began >= (0.9 if date else 0.4) and len(server.asked) == 3


def test_retry_after_holds_all_threads():
    times = []

    def reply(body, n):
        times.append(time.monotonic())
        return (503, {"Retry-After": "0.5"}, b"") if n == 0 else "x"

    with serve(reply) as server:
        assert client(server, concurrency=2).ask([str(i) for i in range(30)]) == ["x"] * 30
    times.sort()
    assert any(later - sooner > 0.3 for sooner, later in zip(times, times[1:], strict=False))


def test_retry_after_for_too_long():
    with serve(lambda body, n: (429, {"Retry-After": "86400"}, {"error": {"message": "quota"}})) as server:
        with pytest.raises(ChatError, match="quota.*asking to wait 86400 s"):
            client(server).ask(list("abcdefgh"))
        assert len(server.asked) <= 8


@pytest.mark.parametrize("drip", [False, True])
def test_slow(drip):
    class Slow(bytes):
        pass

    with serve(lambda body, n: "x") as server:
        whole = json.dumps(completion("x")).encode()

        def reply(body, n):
            if n:
                return 200, {}, whole
            if not drip:
                server.gone.wait(2)
            return 200, {}, whole

        server.reply = reply
        if drip:  # a byte at a time, each well within the timeout
            handler = server.http.RequestHandlerClass
            write = handler.do_POST

            def do_post(self):
                if not server.asked:
                    out = self.wfile

                    class Drip:
                        def write(self, data):
                            for byte in data:
                                out.write(bytes([byte]))
                                out.flush()
                                if server.gone.wait(0.01):
                                    return

                        flush = out.flush

                    self.wfile = Drip()
                write(self)

            handler.do_POST = do_post
        began = time.monotonic()
        c = client(server, timeout=0.3)
        assert c.chat("a") == "x" and len(server.asked) == 2
        assert 0.3 <= time.monotonic() - began < 1.8
        server.gone.set()


def test_too_slow_for_good():
    with serve(lambda body, n: server.gone.wait(5) and "" or "x") as server:
        with pytest.raises(ChatError, match="no answer within 0.1 s"):
            client(server, timeout=0.1, retries=1).chat("a")
        assert len(server.asked) == 2


def test_nobody_there():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{s.getsockname()[1]}"
    c = ChatClient(url, "m", wait=0.01, retries=2, concurrency=2)
    with pytest.raises(ChatError, match=r"0 of 100 requests answered.*left.*no connection") as caught:
        c.ask([str(i) for i in range(100)])
    assert c.stats["requests"] <= 6 and caught.value.hopeless


def test_down_in_between(tmp_path, caplog):
    """What was answered is kept and given; the next call asks only for the rest."""
    with serve(lambda body, n: "x" if n < 7 else (500, {}, b"down")) as server:
        c = client(server, cache=tmp_path / "c.jsonl", retries=0, concurrency=1)
        with caplog.at_level(logging.WARNING, "vlmneg"):
            first = c.ask([str(i) for i in range(40)])
        assert first.count("x") == 7 and first.count(None) == 33
        assert "7 of 40 requests answered and kept in" in caplog.text and "HTTP 500: down" in caplog.text
        assert len(server.asked) == 7 + 5, "after five failures in a row the rest isn't sent"
        server.asked.clear()
        server.reply = lambda body, n: (200, {}, completion("y"))
        again = client(server, cache=tmp_path / "c.jsonl")
        second = again.ask([str(i) for i in range(40)])
        assert [a if a else b for a, b in zip(first, ["y"] * 40, strict=True)] == second
        assert len(server.asked) == 33


def test_one_that_fails_does_not_stop_the_others(caplog):
    def reply(body, n):
        return (400, {}, {"error": {"message": "content filter"}}) if said(body) == "3" else "x"

    with serve(reply) as server:
        c = client(server)
        assert c.ask([str(i) for i in range(20)]) == ["x" if i != 3 else None for i in range(20)]
        assert len(server.asked) == 20 and "content filter" in caplog.text


@pytest.mark.parametrize(("status", "words"), [(401, "api_key"), (404, "no such model"), (307, "HTTP 307")])
def test_hopeless(status, words):
    with serve(lambda body, n: (status, {}, {"error": {"message": "no such model"}})) as server:
        with pytest.raises(ChatError, match=words):
            client(server, concurrency=1).ask(list("abcdefgh"))
        assert len(server.asked) == 1


def test_server_without_schemas():
    def reply(body, n):
        return (400, {}, {"error": "response_format?"}) if "response_format" in body else "x"

    with serve(reply) as server:
        c = client(server, concurrency=1)
        assert c.ask(list("abcd"), schema=SCHEMA) == ["x"] * 4
        assert len(server.asked) == 5 and c.stats["plain"] == 1
        assert c.chat("e", schema=SCHEMA) == "x" and len(server.asked) == 6
        assert client(server, schema=False).chat("a", schema=SCHEMA) == "x" and len(server.asked) == 7


def test_a_bad_request_is_not_the_schemas_fault():
    with serve(lambda body, n: (400, {}, {"error": "too long"}) if said(body) == "a" else "x") as server:
        c = client(server, concurrency=1)
        assert c.ask(list("ab"), schema=SCHEMA) == [None, "x"]
        assert len(server.asked) == 3 and "response_format" in server.asked[2]


def test_huge():
    with serve(lambda body, n: "x" * 5_000_000) as server:
        with pytest.raises(ChatError, match="more than"):
            client(server).chat("a")


@pytest.mark.parametrize(("message", "text"), [
    ({"content": ""}, ""), ({"content": None}, ""), ({"content": None, "refusal": "I can't."}, "I can't."),
    ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab")])
def test_contents(message, text):
    with serve(lambda body, n: (200, {}, {"choices": [{"message": message}]})) as server:
        c = client(server)
        assert c.chat("a") == text == c.chat("a") and len(server.asked) == 1


ASK = """
import sys
from vlmneg.negatives.chat import ChatClient
c = ChatClient(sys.argv[1], "m", cache=sys.argv[2], concurrency=2)
print(len(c.ask([str(i) for i in range(20)])), c.stats["requests"], flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted(tmp_path, how):
    """A run that is stopped keeps its answers; the next one asks for the rest, and for what was under way."""
    hold = threading.Event()

    def reply(body, n):
        if n >= 8:
            hold.wait(20)
        return "x"

    with serve(reply) as server:
        command = [sys.executable, "-c", ASK, server.url, str(tmp_path / "c.jsonl")]
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while len(server.asked) < 10 and run.poll() is None:
            time.sleep(0.01)
        time.sleep(0.1)
        run.send_signal(how)
        time.sleep(0.3)
        hold.set()
        error = run.communicate()[1]
        assert run.returncode != 0 and ("KeyboardInterrupt" in error) == (how == signal.SIGINT)
        kept = sum(line.endswith("\n") for line in open(tmp_path / "c.jsonl"))
        assert kept == (10 if how == signal.SIGINT else 8)
        server.asked.clear()
        assert subprocess.check_output(command, text=True).split() == ["20", str(20 - kept)]
        assert len(server.asked) == 20 - kept


def test_a_full_disk_is_no_server_error(tmp_path):
    class Full(DiskCache):
        def put(self, key, value):
            raise OSError(28, "No space left on device")

    with serve(lambda body, n: "x") as server:
        with pytest.raises(OSError, match="No space"):
            client(server, cache=Full(tmp_path / "c.jsonl"), concurrency=1).ask(list("abc"))
        assert len(server.asked) == 1


def test_refusals():
    for url in ("localhost:8000", "ftp://x", 3, "http://user:pass@x/v1"):
        with pytest.raises(ValueError, match="url"):
            ChatClient(url, "m")
    for bad in ({"model": ""}, {"api_key": 3}, {"version": 1}, {"schema": None}, {"offline": "no"}, {"options": []},
                {"cache": 3}):
        with pytest.raises(TypeError, match=next(iter(bad)) if "cache" not in bad else "path"):
            ChatClient(**{"url": "http://x", "model": "m", **bad})
    for bad in ({"concurrency": 0}, {"retries": -1}, {"timeout": 0}, {"wait": "1"}, {"concurrency": 2**70},
                {"timeout": float("inf")}, {"max_tokens": 1.5}, {"temperature": float("nan")}, {"retries": True}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            ChatClient("http://x", "m", **bad)
    assert "secret" not in str(pytest.raises(TypeError, ChatClient, "http://x", "m", api_key=["secret"]).value)
    c = ChatClient("http://x", "m")
    with pytest.raises(TypeError, match="list"):
        c.ask("abc")
    with pytest.raises(TypeError, match="role"):
        c.ask([["abc"]])
    with pytest.raises(ValueError, match="seed"):
        c.chat("a", seed=-1)


@pytest.mark.parametrize(("url", "full"), [
    ("http://h:8000", "http://h:8000/v1/chat/completions"), ("http://h/v1/", "http://h/v1/chat/completions"),
    ("https://h/openai/v2", "https://h/openai/v2/chat/completions"),
    ("http://h/v1/chat/completions", "http://h/v1/chat/completions")])
def test_addresses(url, full):
    assert ChatClient(url, "m").url == full


def test_httpx2(monkeypatch):
    """The client works with either package, and says what is missing with neither."""
    pytest.importorskip("httpx2")
    monkeypatch.setitem(sys.modules, "httpx", None)
    with serve(lambda body, n: (500, {}, b"") if n == 0 else "x") as server:
        assert client(server).chat("a") == "x" and len(server.asked) == 2
        with pytest.raises(ChatError, match="no answer"):
            server.reply = lambda body, n: server.gone.wait(1) and None or (200, {}, b"")
            client(server, timeout=0.1, retries=0).chat("b")
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ImportError, match=r"vlmneg\[llm\]"):
        ChatClient("http://localhost:1", "m").chat("a")


@pytest.mark.parametrize(("text", "value"), [
    ("[1]", [1]), ("```json\n[1]\n```", [1]), ("Sure!\n```\n{\"a\": 2}\n```\nDone.", {"a": 2}),
    ("<think>[3] or {</think>\n[1]", [1])])
def test_read_json(text, value):
    assert read_json(text) == value


@pytest.mark.parametrize("text", ["", "no", "[1", '{"a": "b', "```json\n[1\n```", "[" * 100_000, "[1] [2]"])
def test_no_json(text):
    with pytest.raises(ValueError, match="no JSON"):
        read_json(text)
