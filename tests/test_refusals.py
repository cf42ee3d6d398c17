"""The public interface called wrongly: every argument in turn replaced by what it should not be.

A refusal is an exception of the usual kinds with a sentence of ours, not one that the interpreter or NumPy happened to
raise three calls deeper, and it leaves the model, and the arrays that were handed in, as they were.
"""

import re

import numpy as np
import pytest

import vlmneg as vn

KINDS = (TypeError, ValueError, OSError, NotImplementedError)
# what Python and NumPy say when nobody looked at an argument first
DEEP = re.compile(
    r"object has no|unexpected keyword|not subscriptable|unsupported operand|not iterable|argument must be|has no len|"
    r"could not convert string to float|invalid literal|inhomogeneous|not supported between|cannot convert|"
    r"embedded null|cannot be interpreted|sequence item|not callable|out of bounds|broadcast|unhashable"
)
STRANGERS = (None, object(), "strange", "", b"bytes", 1.5, float("nan"), float("inf"), -1, 2**70, [], (), {}, [None],
             ["a", None], [[]], len, np.float64("nan"), np.zeros(0, np.float32))  # fmt: skip
CAPTIONS = ["a red dog on a blue car", "two cats sit", "a man and a dog"]


def arrays(x):
    """Arrays of another type, shape or content."""
    yield x[:-1]
    yield x[:0]
    yield x[..., None]
    yield x.astype(object)
    if x.dtype.kind == "f":
        yield x.astype(np.float64)
        bad = x.copy()
        bad.flat[0] = np.nan
        yield bad


def instead(x):
    """What can stand where x should."""
    yield from (s for s in STRANGERS if isinstance(x, np.ndarray) or not isinstance(s, np.ndarray))
    if isinstance(x, np.ndarray):
        yield from arrays(x)
    elif isinstance(x, list | tuple):
        yield x[:-1]
        for i in range(min(len(x), 2)):
            yield from (type(x)([*x[:i], s, *x[i + 1 :]]) for s in STRANGERS)
    elif isinstance(x, dict):
        first = next(iter(x))
        yield {k: x[k] for k in x if k != first}
        yield from ({**x, first: s} for s in (*STRANGERS, *arrays(np.atleast_1d(x[first]))))


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """name -> (function, positional arguments, keywords), each call a good one; and the model in them."""
    here = tmp_path_factory.mktemp("refusals")
    tok = vn.Tokenizer.learn(CAPTIONS * 3, 520)
    config = vn.ClipConfig(
        embed=8, image_size=16, patch=8, image_width=8, image_heads=2, image_layers=1, image_mlp=16, context=9,
        vocab=tok.vocab_size, start=tok.start, end=tok.end, text_width=8, text_heads=2, text_layers=1, text_mlp=16,
    )  # fmt: skip
    model = vn.Clip(config, seed=0, tokenizer=tok)
    picture = np.full((20, 17, 3), 7, np.uint8)
    x, ids = model.preprocess([picture] * 3), tok(CAPTIONS, context=9)
    objective = vn.losses.negclip()
    unit = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    foils = np.repeat(unit[:, None], 2, 1).copy()
    numbers = np.arange(3)
    negatives = vn.negatives.text.swap(k=1) + vn.negatives.text.replace(k=1)
    data, exact = vn.data.scenes(4, seed=0), vn.negatives.text.exact(k=1)
    model.loss(x, CAPTIONS, backward=True)
    optimiser = vn.optim.AdamW(lr=1e-3)
    model.save_pretrained(here / "saved")
    return model, {
        "Clip": (vn.Clip, (config,), {"seed": 0, "tokenizer": tok}),
        "from_pretrained": (vn.Clip.from_pretrained, (str(here / "saved"),), {"activation": "quick_gelu"}),
        "preprocess": (model.preprocess, ([picture, picture],), {}),
        "encode_image": (model.encode_image, (x,), {"normalize": True}),
        "encode_text": (model.encode_text, (CAPTIONS,), {"normalize": True}),
        "encode_text padded": (model.encode_text, (ids,), {}),
        "encode_text packed": (model.encode_text, (tok.pack(CAPTIONS, context=9)[:2],), {}),
        "loss": (model.loss, (x, CAPTIONS), {
            "negatives": [["a cat", "b"]] * 3, "valid": np.ones((3, 2), np.uint8), "group": numbers,
            "objective": objective}),
        "reserve": (model.reserve, (3, 6), {"tokens": 50}),
        "load_state_dict": (model.load_state_dict, ({k: v.copy() for k, v in model.state_dict().items()},), {}),
        "AdamW": (vn.optim.AdamW, (), {"lr": 1e-3, "weight_decay": 0.1, "betas": (0.9, 0.98), "eps": 1e-6,
                                       "clip_norm": 1.0}),
        "AdamW.load": (optimiser.load, (vn.Clip(config), {"t": np.array(0)}), {}),
        "tokenizer": (tok, (CAPTIONS,), {"context": 9}),
        "tokenizer.pack": (tok.pack, (CAPTIONS,), {"context": 9}),
        "tokenizer.decode": (tok.decode, (ids[0],), {}),
        "Tokenizer.learn": (vn.Tokenizer.learn, (CAPTIONS,), {"size": 520}),
        "Tokenizer.from_folder": (vn.Tokenizer.from_folder, (str(here / "saved"),), {}),
        "images.decode": (vn.images.decode, (picture,), {}),
        "images.resize": (vn.images.resize, (picture, 8), {}),
        "images.preprocess": (vn.images.preprocess, ([picture],), {"size": 8, "mean": (0, 0, 0), "std": (1, 1, 1)}),
        "images.augment": (vn.images.augment, ([picture, picture], 8), {
            "seed": 0, "rows": [1, 2], "scale": (0.9, 1.0), "ratio": (0.75, 1.33)}),
        "text.swap": (vn.negatives.text.swap, (), {"k": 2}),
        "text.replace": (vn.negatives.text.replace, (), {"k": 2}),
        "text.exact": (vn.negatives.text.exact, (), {"k": 2, "kinds": ("a", "b")}),
        "negatives": (negatives, (CAPTIONS,), {"seed": 0, "visit": 1, "avoid": [["x"], [], []]}),
        "negatives.get": (vn.negatives.get, ("swap",), {"k": 2}),
        "losses.get": (vn.losses.get, ("negclip",), {"negatives": "own"}),
        "Objective.on": (objective.on, (), {
            "image": unit, "text": unit.copy(), "neg_text": foils, "valid": np.ones((3, 2), np.uint8),
            "group": numbers, "text_key": numbers.copy(), "neg_key": np.arange(6).reshape(3, 2), "scale": 10.0}),
        "scenes": (vn.data.scenes, (4,), {"seed": 0, "size": 32}),
        "caption_choice": (vn.scoring.caption_choice, (unit[:, :2].copy(),), {}),
        "set_num_threads": (vn.set_num_threads, (1,), {}),
        "train": (lambda *a, **k: next(iter(vn.train(*a, **k))), (model, data, objective, exact), {
            "batch": 2, "steps": 1, "lr": 0.0, "seed": 0}),
    }  # fmt: skip


NAMES = ["Clip", "from_pretrained", "preprocess", "encode_image", "encode_text", "encode_text padded",
         "encode_text packed", "loss", "reserve", "load_state_dict", "AdamW", "AdamW.load", "tokenizer",
         "tokenizer.pack", "tokenizer.decode", "Tokenizer.learn", "Tokenizer.from_folder", "images.decode",
         "images.resize", "images.preprocess", "images.augment", "text.swap", "text.replace", "text.exact",
         "negatives", "negatives.get", "losses.get", "Objective.on", "scenes", "caption_choice", "set_num_threads",
         "train"]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_refusals(calls, name):
    model, table = calls
    assert set(NAMES) == set(table)
    function, args, keywords = table[name]
    threads = vn.num_threads()
    function(*args, **keywords)
    weights = {k: v.copy() for k, v in model.state_dict().items()}
    for key in [*range(len(args)), *keywords]:
        good = args[key] if isinstance(key, int) else keywords[key]
        for other in instead(good):
            given, named = list(args), dict(keywords)
            (given if isinstance(key, int) else named)[key] = other
            try:
                function(*given, **named)
            except KINDS as error:
                said = str(error)
                assert len(said) > 12 and not DEEP.search(said.split(": ")[0]), f"{name}, {key} = {other!r:.60}: {said}"
                for k, v in model.state_dict().items():
                    assert np.array_equal(v, weights[k]), f"{name} changed {k}, then refused {key}"
            else:
                model.load_state_dict(weights)
    vn.set_num_threads(threads)
