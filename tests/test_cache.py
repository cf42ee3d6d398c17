"""The cache of answers: what is written stays, whoever is killed and whoever else writes."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmneg.negatives.cache import DiskCache

JSON = st.recursive(st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                    max_leaves=6)  # fmt: skip


def key(i):
    return {"kind": "llm", "model": "m", "prompt": f"a café {i}\n“two lines”", "parameters": {"t": 0.7}, "seed": i}


def test_what_was_put_is_there(tmp_path):
    cache = DiskCache(tmp_path / "new" / "folder" / "c.jsonl")
    assert cache.get(key(0)) is None and len(cache) == 0 and not cache.path.exists()
    for i in range(5):
        cache.put(key(i), [f"a {i}"])
    cache.put(key(3), "later")
    for c in (cache, DiskCache(cache.path), pickle.loads(pickle.dumps(cache))):
        assert [c.get(key(i)) for i in range(5)] == [["a 0"], ["a 1"], ["a 2"], "later", ["a 4"]]
        assert len(c) == 5 and c.get(dict(reversed(key(2).items()))) == ["a 2"]
        assert c.get(key(7)) is None and c.get({**key(2), "seed": "2"}) is None
    lines = [json.loads(line) for line in cache.path.read_text(encoding="utf-8").splitlines()]
    assert [line["key"] for line in lines] == [key(i) for i in (0, 1, 2, 3, 4, 3)]
    assert [k for k, _ in cache.items()] == [key(i) for i in (0, 1, 2, 4, 3)]


def test_falsy_answers_are_answers(tmp_path):
    cache = DiskCache(tmp_path / "c.jsonl")
    for i, value in enumerate(("", [], 0, False, {})):
        cache.put(key(i), value)
        assert DiskCache(cache.path).get(key(i)) == value


def test_refusals(tmp_path):
    cache = DiskCache(tmp_path / "c.jsonl")
    with pytest.raises(TypeError, match="None"):
        cache.put(key(0), None)
    with pytest.raises(TypeError, match="JSON"):
        cache.put(key(0), float("nan"))
    with pytest.raises(TypeError, match="JSON"):
        cache.get({"a": object()})
    with pytest.raises(TypeError, match="dict"):
        cache.get({})
    with pytest.raises(IsADirectoryError, match="folder"):
        DiskCache(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=4), JSON)
def test_any_json(tmp_path_factory, fields, value):
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    DiskCache(path).put(fields, value)
    got = DiskCache(path).get(fields)
    assert got == value and type(got) is type(value)


def test_half_a_surrogate_pair(tmp_path):
    DiskCache(tmp_path / "c.jsonl").put({"prompt": "\ud800"}, "\udfff é")
    assert DiskCache(tmp_path / "c.jsonl").get({"prompt": "\ud800"}) == "\udfff é"


def test_cut_at_every_byte(tmp_path):
    """Whatever the length at which a writer died: earlier lines stay, later ones can be written."""
    whole = DiskCache(tmp_path / "whole.jsonl")
    for i in range(3):
        whole.put(key(i), f"“é” {i}")
    data = whole.path.read_bytes()
    ends = [i + 1 for i, b in enumerate(data) if b == 10]
    for cut in range(len(data) + 1):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(data[:cut])
        cache = DiskCache(path)
        complete = sum(end <= cut for end in ends)
        assert len(cache) == complete
        cache.put(key(9), "new")
        again = DiskCache(path)
        # a line that lacked only its line feed is whole once the next writer ends it
        assert len(again) == len(cache) == complete + 1 + (cut + 1 in ends)
        assert again.get(key(9)) == "new" and all(again.get(key(i)) == f"“é” {i}" for i in range(complete))


def test_damaged_lines_are_passed_over(tmp_path):
    path = tmp_path / "c.jsonl"
    cache = DiskCache(path)
    cache.put(key(0), 1)
    with open(path, "ab") as file:
        file.write(b'\x00\x00\xff\n[1]\n"x"\n{"id": "a"}\n{"id": [], "key": {}, "value": 1}\n\n')
    cache.put(key(1), 2)
    for c in (cache, DiskCache(path)):
        assert (c.get(key(0)), c.get(key(1)), len(c), c.dropped) == (1, 2, 2, 5)


def test_threads(tmp_path):
    cache = DiskCache(tmp_path / "c.jsonl")

    def work(t):
        for i in range(25):
            cache.put(key(25 * t + i), [t, i])
            assert cache.get(key(25 * t + i)) == [t, i]

    threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    again = DiskCache(cache.path)
    assert len(again) == 200 and all(again.get(key(25 * t + i)) == [t, i] for t in range(8) for i in range(25))


WRITER = """
import sys
from vlmneg.negatives.cache import DiskCache
cache, first = DiskCache(sys.argv[1]), int(sys.argv[2])
for i in range(first, first + int(sys.argv[3])):
    cache.put({"seed": i}, "x" * 5000)
    print(i, flush=True)
"""


def test_processes(tmp_path):
    """Several at once, one of them killed: nothing that was reported as written is lost, all lines are whole."""
    path = tmp_path / "c.jsonl"
    run = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(1000 * p), "100000" if p == 2 else "60"],
                            stdout=subprocess.PIPE, text=True) for p in range(3)]
    while (not path.exists() or path.stat().st_size < 300_000) and run[2].poll() is None:
        time.sleep(0.01)
    os.kill(run[2].pid, signal.SIGKILL)
    written = [int(line) for p in run for line in p.communicate()[0].split()]
    assert run[0].returncode == run[1].returncode == 0
    cache = DiskCache(path)
    assert len(written) >= 120
    assert all(cache.get({"seed": i}) == "x" * 5000 for i in written)
    assert cache.dropped <= 1


def test_a_reader_sees_what_another_writes(tmp_path):
    a, b = DiskCache(tmp_path / "c.jsonl"), DiskCache(tmp_path / "c.jsonl")
    assert b.get(key(1)) is None
    a.put(key(1), "x")
    assert b.get(key(1)) == "x" and len(b) == 1
