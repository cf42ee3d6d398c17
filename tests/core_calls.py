"""One good call of every function and method of _core, for the tests that call them wrongly or very often.

calls()   name -> (function, a function that makes fresh arguments)
"""

import numpy as np

from vlmneg import _core

N, C, H, K, V = 6, 8, 2, 3, 11
SIZES = (5, 8, 4, 7, V, C, H, 2, 16, 1, C, H, 2, 16, 2, 0)  # embed, image_size, patch, context, vocab, towers, bias
BEGIN = np.array([0, 2, 6], np.int32)
SENTENCES = ("a red dog on a blue car", "two cats", "")


def f32(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def i32(*values):
    return np.array(values, np.int32)


def i64(*values):
    return np.array(values, np.int64)



def clean(text):
    return text.lower().encode()


def tokenizer_arguments():
    """Bytes as tokens, one merge, two special tokens."""
    symbol = np.arange(512, dtype=np.int32)
    return symbol, np.array([[97, 98, 512]], np.int32), 515, 513, 514, 514, "<start>", "<end>", True


def loss_arguments():
    params = _core.loss_terms()[0][2]
    return (((0, 1.0, tuple(float(p[2]) for p in params)),),)


def batch_arguments():
    """Images, captions, K negatives of each, their validity."""
    unit = f32(2 + K, 2, C)
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    return unit[0], unit[1], np.ascontiguousarray(unit[2:].transpose(1, 0, 2)), np.ones((2, K), np.uint8)


def made_arguments():
    slots = tuple((maker, 0, 0, (0.5, 1.0, 0.0), maker, 1, 1.0) for maker in range(len(_core.made_listed())))
    return (*batch_arguments(), i64(0, 1), i64(3, 4), (7, np.arange(2, dtype=np.uint64), slots))


def run_arguments():
    image, text, negatives, valid, group, text_key, made = made_arguments()
    sets = (image, text, negatives, negatives, negatives, None, image, text, f32(2, 1 + K))
    masks = (None, None, valid, valid, valid, None, None, None, np.ones((2, 1 + K), np.uint8))
    gradients = (f32(2, C), f32(2, C), *(f32(2, K, C) for _ in range(3)), None, None, None, f32(2, 1 + K))
    return (
        sets, masks, np.ones(2, np.uint8), group, text_key, np.arange(2 * K).reshape(2, K).astype(np.int64), made,
        10.0, 0.5, (np.zeros(9, np.float32),), np.zeros((K, 5)), gradients, (64, 64),
    )  # fmt: skip


def local_arguments():
    """Patches, tokens, where captions begin, which are there, and options."""
    return f32(2, 3, C), f32(N, C), i32(0, 2, 3, 3, N), np.array([[1, 1], [0, 1]], np.uint8), 10.0, 1, 0


def model(kept=False):
    made = _core.Model(SIZES)
    made.start(0)
    if kept:
        made.encode(f32(2, 3, 8, 8), i32(1, 2, 3, 4, 5), i32(0, 2, 5), 1, 1, 1)
    return made


def calls():
    """Functions by name, methods as Type.method on a living object."""
    kept, tokenizer, loss = model(kept=True), _core.Tokenizer(*tokenizer_arguments()), _core.Loss(*loss_arguments())
    picture = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    rows = np.arange(3, dtype=np.uint64)
    attention = [f32(N, C), f32(N, H), f32(N, 3, C)]
    pool = [f32(2, C), f32(2, H), f32(2, C), f32(N, 2, C)]
    table = {
        "set_threads": lambda: (1,),
        "threads": tuple,
        "philox": lambda: (1, 2, 3, 4),
        "philox_rows": lambda: (1, rows, 3, 4),
        "scene_draw": lambda: (0, i64(0, 1, 2), -1, 16),
        "scene_say": lambda: (0, i64(0, 1, 2), 0),
        "scene_objects": lambda: (0, 3, -1),
        "scene_edits": tuple,
        "set_level": lambda: (_core.level(),),
        "level": tuple,
        "levels": tuple,
        "open_blas": lambda: (None,),
        "blas": tuple,
        "gemm": lambda: (f32(3, 4), f32(4, 5), 0, 0, 1),
        "Model": lambda: (SIZES,),
        "Model.weights": tuple,
        "Model.gradients": tuple,
        "Model.tensors": tuple,
        "Model.start": lambda: (7,),
        "Model.reserve": lambda: (3, 4, 20, 0, 1),
        "Model.encode": lambda: (f32(2, 3, 8, 8), i32(1, 2, 3, 4, 5), i32(0, 2, 5), 0, 1, 1),
        "Model.backward": lambda: (f32(2, 5), f32(2, 5), 0, f32(2, 4, 5), f32(5, 5)),
        "square_sum": lambda: (f32(9),),
        "adamw": lambda: (f32(9), f32(9), abs(f32(9)), f32(9), np.array([[0, 4], [4, 5]], np.int64), abs(f32(2, 2)),
                          0.9, 0.98, 1e-6, 1.0, 1, 0),
        "linear_forward": lambda: (f32(N, 4), f32(N, 4), f32(N, C), f32(N, 4), f32(4, C), f32(4), 1),
        "linear_backward": lambda: (f32(N, C), f32(4, C), f32(4), f32(N, C), f32(N, 4), f32(N, C), f32(4, C), 2),
        "project_forward": lambda: (f32(N, 4), f32(N, C), f32(C, 4)),
        "project_backward": lambda: (f32(N, C), f32(C, 4), f32(N, 4), f32(N, C), f32(C, 4)),
        "act_forward": lambda: (f32(N), f32(N), 1),
        "layernorm_forward": lambda: (f32(N, C), f32(N), f32(N), f32(N, C), f32(C), f32(C)),
        "layernorm_backward": lambda: (f32(N, C), f32(C), f32(C), f32(N), f32(N), f32(N, C), f32(N, C), f32(C)),
        "embed_forward": lambda: (f32(3, C), i32(0, 5, V - 1), i32(0, 1, 2), f32(V, C), f32(4, C)),
        "embed_backward": lambda: (f32(V, C), f32(4, C), f32(3, C), i32(0, 5, V - 1), i32(0, 1, 2)),
        "patchify_forward": lambda: (f32(2 * 4, 3 * 16), f32(2, 3, 8, 8), 4),
        "tokens_forward": lambda: (f32(2, 5, C), f32(8, C), f32(C), f32(5, C)),
        "tokens_backward": lambda: (f32(8, C), f32(C), f32(5, C), f32(2, 5, C)),
        "rows_gather": lambda: (f32(2, C), f32(N, C), i32(5, 0)),
        "rows_scatter": lambda: (f32(N, C), f32(2, C), i32(5, 0)),
        "rows_zero": lambda: (f32(N),),
        "l2norm_forward": lambda: (f32(N, C), f32(N), f32(N, C)),
        "l2norm_backward": lambda: (f32(N, C), f32(N), f32(N, C), f32(N, C)),
        "attention_forward": lambda: (*attention, BEGIN, H, 1),
        "attention_backward": lambda: (f32(N, 3, C), f32(N, H), f32(N, C), f32(N, C), f32(N, 3, C), BEGIN, H, 0),
        "pool_forward": lambda: (*pool, BEGIN, H, 0),
        "pool_backward": lambda: (f32(2, C), f32(N, 2, C), f32(2, H), f32(2, C), f32(2, C), f32(2, C), f32(N, 2, C),
                                  BEGIN, H, 0),
        "local_forward": lambda: (f32(2, 2), f32(2, 2), *local_arguments()),
        "local_backward": lambda: (f32(2, 3, C), f32(N, C), f32(2, 2), f32(2, 2), f32(2, 2), *local_arguments()),
        "score_pairs": lambda: (f32(4, C), f32(3, C), i32(0, 3), i32(2, 0)),
        "score_ranks": lambda: (f32(4, C), f32(3, C), f32(4)),
        "resample": lambda: (np.ones((4, 3)), 5, 0),
        "Tokenizer": tokenizer_arguments,
        "Tokenizer.rows": lambda: (["abc", "été &amp; <end>"], 8, clean),
        "Tokenizer.pack": lambda: (["abc", "été &amp; <end>"], 8, clean),
        "text_draw": lambda: (SENTENCES, (("cats",), (), ()), ((), ("dogs",), ()), rows, 3,
                              ((0, 65535, 0, 0), (1, 65535, 1, 1)), None, None,
                              np.array([[[0, 1]], [[1, 0]], [[1, 0]]], np.uint8)),
        "text_annotate": lambda: (SENTENCES, np.array([[0, 1, 68], [2, 5, 78], [0, 3, 0]], np.int32),
                                  np.array([0, 2, 3, 3])),
        "text_apply": lambda: (SENTENCES[0], ((0, 1, "an"), (2, 2, "é"))),
        "text_lexicon_hash": tuple,
        "text_words": lambda: (SENTENCES[0],),
        "text_listed": tuple,
        "text_lexicon": tuple,
        "text_keywords": tuple,
        "text_phrases": tuple,
        "image_resize": lambda: (picture, i64(10, 8, 1, 2, 6, 5), 0),
        "image_tensor": lambda: ((picture, picture[:3]), np.array([[10, 8, 1, 2, 6, 5]] * 2, np.int64),
                                 np.array([0, 1], np.uint8), f32(3, 256), 1),
        "image_boxes": lambda: (i64([5, 4], [7, 9], [1, 1]), np.array([0.9, 1.0]), np.array([0.75, 1.33]), 1, rows),
        "image_draw": lambda: ((picture, picture[:3].copy()),
                               (((np.ones((3, 2), np.uint8), 1, -1, 7, -1, 1),), ()), (None, picture), ((), ()),
                               rows[:2], 5, ((0, 0, 1, 0, 1000000, 0, 0, 2, 1, 0, 0),) * 2),
        "image_listed": tuple,
        "mask_polygons": lambda: (np.array([[1, 1], [4, 1], [4, 3.5]]), i64(0, 3), i64(0, 0, 1), 5, 4),
        "mask_runs": lambda: (i64(3, 5, 12, 20), i64(0, 3, 4), 5, 4),
        "mask_unpack": lambda: (b"352N1",),
        "loss_terms": tuple,
        "made_listed": tuple,
        "made_rows": made_arguments,
        "made_backward": lambda: (*made_arguments(), f32(2, 4, C), f32(2, C), f32(2, C), f32(2, K, C)),
        "made_cosines": lambda: (*made_arguments(), 1),
        "Loss": loss_arguments,
        "Loss.run": run_arguments,
    }  # fmt: skip
    owner = {"Model": kept, "Tokenizer": tokenizer, "Loss": loss}

    def find(name):
        owning, _, method = name.partition(".")
        return getattr(owner[owning], method) if method else getattr(_core, name)

    return {name: (find(name), make) for name, make in table.items()}


def names():
    """What calls() must cover: everything that _core offers."""
    for name, thing in vars(_core).items():
        if name[0] == "_":
            continue
        yield name
        if isinstance(thing, type):
            yield from (f"{name}.{m}" for m in vars(thing) if m[0] != "_")
