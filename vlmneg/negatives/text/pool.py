"""Slots drawn from lists of candidates that someone else made: the data, a model, a word net."""

import numpy as np

from vlmneg import _core
from vlmneg.negatives.rules import EMPTY, VALID, judge, key


def draw_from(pools, k, request, taken, first, stream):
    """k slots a row, drawn without replacement from its (kind, text) pairs until one is valid.

    Parameters
    ----------
    pools : list of N lists of (str, str)
        Kinds and texts; a row with fewer than k valid ones has slots that aren't.
    k : int
    request : Request
        Captions, what is true of their images, random rows.
    taken : list of N lists of str, or None
        Each row's negatives so far.
    first : int
        Number of the first slot.
    stream : int
        Random stream of the generator.

    Returns
    -------
    text, kind : list of N lists of k str
    code : ndarray of shape (N, k), uint8
    """
    n = len(request.captions)
    text, kind, code = [[""] * k for _ in range(n)], [[""] * k for _ in range(n)], np.full((n, k), EMPTY, np.uint8)
    for i, pool in enumerate(map(list, pools)):
        true, seen = truths(request, i), set(map(key, taken[i] if taken else ()))
        for slot in range(k):
            draw = (first + slot) << 16
            while pool and code[i, slot] != VALID:
                word = _core.philox(request.seed, int(request.rows[i]), draw, stream)[0]
                draw += 1
                kind[i][slot], text[i][slot] = pool.pop(word * len(pool) >> 32)
                says = key(text[i][slot])
                code[i, slot] = judge(says, true, seen)
                seen.add(says)
    return text, kind, code


def truths(request, i):
    """Keys of what is true of a row's image."""
    return set(map(key, (request.captions[i], *(request.avoid[i] if request.avoid else ()))))


def order(items, seed, row, slot, stream):
    """Items in the order in which a slot of a row tries them (Fisher and Yates' shuffle)."""
    items = list(items)
    for i in range(len(items) - 1):
        j = i + (_core.philox(seed, row, (slot << 16) + i, stream)[0] * (len(items) - i) >> 32)
        items[i], items[j] = items[j], items[i]
    return items
