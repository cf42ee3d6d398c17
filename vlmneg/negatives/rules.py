"""When a negative is valid: what the C core leaves to Unicode and to the tokenizer."""

import difflib
import itertools
import re
import unicodedata

import numpy as np

# vn_reason of csrc/vn_negative.h, one that needs a tokenizer, one that needs a lexicon
REASONS = ("", "EMPTY", "SAME", "REPEAT", "SYMMETRIC", "ABSENT", "TOKENS", "SYNONYM")
VALID, EMPTY, SAME, REPEAT, SYMMETRIC, ABSENT, TOKENS, SYNONYM = range(8)
ASCII_MARKS = str.maketrans({c: " " for c in map(chr, range(128)) if not c.isalnum()})


def key(text):
    """What a caption says, without case, punctuation and spacing: two captions with one key are the same.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        NFC, lower case, every run of characters other than letters and digits one blank, ends stripped.

    Examples
    --------
    >>> key("A  Dog, on a sofa!")
    'a dog on a sofa'
    """
    if text.isascii():                      # the same, but fast: training asks for thousands a second
        return " ".join(text.lower().translate(ASCII_MARKS).split())
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


def judge(says, true, seen):
    """Code of a negative with this key, given the keys of what is true and of earlier slots."""
    return EMPTY if not says else SAME if says in true else REPEAT if says in seen else VALID


def check_unicode(request, text, code):
    """Case and composition beyond ASCII, where equal captions can look different to the core.

    It takes such letters as they are. They are judged again by `key`; a negative that fails is lost, not drawn again.
    """
    plain, every = str.isascii, itertools.chain.from_iterable
    if all(map(plain, every((request.captions, every(text), every(request.avoid or ()))))):
        return
    for i, caption in enumerate(request.captions):
        if plain(caption) and all(map(plain, text[i])) and (not request.avoid or all(map(plain, request.avoid[i]))):
            continue
        true, seen = set(map(key, (caption, *(request.avoid[i] if request.avoid else ())))), set()
        for k, made in enumerate(text[i]):
            if code[i, k] == VALID:
                says = key(made)
                code[i, k] = judge(says, true, seen)
                seen.add(says)


def check_tokens(request, text, code, tokenizer):
    """TOKENS: the model would not see the edit."""
    n, k = code.shape
    own = np.asarray(tokenizer(list(request.captions)))
    made = np.asarray(tokenizer([t for row in text for t in row]))
    if own.ndim != 2 or len(own) != n or made.shape != (n * k, own.shape[1]):
        raise ValueError(f"tokenizer must give an array (n, L) for n captions, got shapes {own.shape} for {n} and "
                         f"{made.shape} for {n * k}")
    made = made.reshape(n, k, -1)
    code[(code == VALID) & (made == own[:, None]).all(2)] = TOKENS


def differences(old, new):
    """Where two texts differ, by whole words: tuples (start, stop) in old, (start, stop) in new.

    Examples
    --------
    >>> differences("a red dog", "a big blue dog")
    [(2, 5, 2, 10)]
    """
    a, b = (re.findall(r"\w+|\W", text) for text in (old, new))
    at, to = (np.cumsum([0, *map(len, pieces)]).tolist() for pieces in (a, b))
    spans = [(at[i], at[j], to[k], to[m]) for tag, i, j, k, m in
             difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if tag != "equal"]
    joined = spans[:1]
    for s in spans[1:]:         # edits that only a blank parts are one
        last = joined[-1]
        if old[last[1]:s[0]].isspace():
            joined[-1] = (last[0], s[1], last[2], s[3])
        else:
            joined.append(s)
    return joined
