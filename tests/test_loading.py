"""Batches: each a function of (seed, step), whatever came before it and whichever thread makes it."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_train import fresh, loader_threads, negatives, one_thread, tokenizer  # noqa: F401

import vlmneg as vn
from vlmneg import composition, loading, positives

HEADER = Path(__file__).parents[1] / "csrc" / "core" / "vn_philox.h"


@pytest.fixture(scope="module")
def data():
    return vn.data.scenes(22, seed=3)


OPEN = []


@pytest.fixture(autouse=True)
def closed():
    """No thread outlives the test that started it: others count them."""
    yield
    while OPEN:
        OPEN.pop().close()


def batches(data, **changes):
    model = fresh()
    options = {"batch": 8, "seed": 5, "size": 32, "preprocess": model.preprocess, "tokenizer": model.tokenizer,
               "context": 32, "negatives": negatives(), "augment": {}}
    OPEN.append(loading.Batches(data, **{**options, **changes}))
    return OPEN[-1]


def test_batches_are_a_function_of_the_step(data):
    forward = [batches(data)(step) for step in range(6)]
    backward = batches(data)
    for step in reversed(range(6)):
        a, b = forward[step], backward(step)
        assert a.captions == b.captions and a.negatives == b.negatives and (a.epoch, a.step) == (b.epoch, b.step)
        assert (a.pixels == b.pixels).all() and (a.valid == b.valid).all() and (a.group == b.group).all()
    assert not np.array_equal(forward[0].pixels, forward[2].pixels)


def test_an_epoch_visits_each_sample_once():
    for n in (1, 2, 3, 7, 17):
        assert sorted(loading.order(n, 1, 0)) == list(range(n))
    assert loading.order(17, 1, 0) != loading.order(17, 1, 1) != loading.order(17, 2, 1)
    first = [loading.order(3, seed, 0)[0] for seed in range(600)]
    assert all(abs(first.count(i) - 200) < 60 for i in range(3))


def test_small_data_is_one_batch(data):
    small = [data[i] for i in range(5)]
    made = batches(small)
    assert made.per_epoch == 1 and len(made(0).captions) == 5


def test_same_tokens_are_no_negative():
    long = "red " * 30
    made = [["a dog", "A  cat"], [long + "x", "dog"]]
    text, valid = loading.same_tokens_cleared(tokenizer(), 12, ["a cat", long], made, np.ones((2, 2), np.uint8))
    assert valid.tolist() == [[1, 0], [0, 1]]
    assert text == [["a dog", "a cat"], [long, "dog"]]


def test_streams_are_those_of_the_core():
    header = HEADER.read_text()
    for name, value in (("ORDER", composition.ORDER), ("CAPTION", loading.CAPTION), ("POSITIVE", positives.POSITIVE),
                        ("NEIGHBOUR", composition.NEIGHBOUR)):
        assert re.search(rf"VN_STREAM_{name} = {value}\b", header)


def test_ahead_is_bounded_ordered_and_stops():
    made = []

    def make(step):
        made.append(step)
        return step

    steps = loading.ahead(make, 3, 100, depth=2)
    assert next(steps) == 3 and next(steps) == 4
    steps.close()
    assert made == sorted(made) and max(made) <= 6 and not loader_threads()
    assert list(loading.ahead(make, 4, 4)) == []
