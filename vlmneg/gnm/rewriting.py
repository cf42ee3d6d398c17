"""Captions of a variation: in the captions of the photograph, the phrase about the item becomes what is seen now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vlmneg import _core
from vlmneg.negatives.forms import article, plural
from vlmneg.negatives.rules import VALID, judge, key

PLURAL = 1                                  # VN_PLURAL, a form of csrc/text/vn_text.h
MARKS = str.maketrans(dict.fromkeys('.!"()*#:;~', " "))
Spans = list[tuple[int, int]]


def clean(caption: str) -> str:
    """A caption as GNM's training reads those of variations: lower case, without marks, at most 50 words.

    Parameters
    ----------
    caption : str

    Returns
    -------
    str

    Examples
    --------
    >>> clean('A "red" Fox; on a sofa.')
    'a red fox on a sofa'
    """
    return " ".join(caption.lower().translate(MARKS).split()[:50])


def phrases(caption: str) -> Spans:
    """Noun phrases of a caption, by the word classes of the core.

    A phrase is a determiner or number, if any, then adjectives, participles and nouns up to a noun, with only blanks
    between its words.

    Parameters
    ----------
    caption : str

    Returns
    -------
    list of (start, stop)
        In characters.

    Examples
    --------
    >>> text = "A big brown dog sits on the man's red sofa."
    >>> [text[a:b] for a, b in phrases(text)]
    ['A big brown dog', "the man's red sofa"]
    """
    found: Spans = []
    open_ = last = None
    words = _words(caption)
    for i, (start, stop, kind, form) in enumerate(words):
        between = caption[words[i - 1][1]:start].strip() if i else ""
        listed = last is None and open_ is not None and words[i - 1][2] == "A" and _listed(words, i)  # "red and green"
        apart = between != "" and not (between == "," and listed)
        opens = kind in "DM" and (i == 0 or words[i - 1][2] not in "DM")
        inside = kind in "DMAN" or (kind == "C" and listed)
        inside |= kind == "V" and open_ is not None and last is None and _describes(words, i)
        ends = last is not None and words[i - 1][2] == "N" and (
            kind in "DMA" or (form == PLURAL and caption[open_:].lower().startswith(("a ", "an "))))
        if apart or opens or ends or not inside:
            if open_ is not None and last is not None:
                found.append((open_, last))
            open_ = last = None
        if inside:
            open_ = start if open_ is None else open_
            last = stop if kind == "N" else last
    return found if open_ is None or last is None else [*found, (open_, last)]


def head_of(phrase: str) -> str:
    """The nouns that end a noun phrase.

    Parameters
    ----------
    phrase : str

    Returns
    -------
    str

    Examples
    --------
    >>> head_of("the big teddy bear")
    'teddy bear'
    """
    words = _words(phrase)
    start = len(words)
    while start > 0 and words[start - 1][2] == "N":
        start -= 1
    return phrase[words[start][0]:] if start < len(words) else phrase


def _listed(words, i):
    """Whether an adjective stands here, or after "and"."""
    return words[i][2] == "A" or (words[i][2] == "C" and i + 1 < len(words) and words[i + 1][2] == "A")


def _describes(words, i):
    """Whether a verb form stands before a noun, as in "the parked car"."""
    return i + 1 < len(words) and words[i + 1][2] in "AN" and words[i][3] != 0


def _words(caption):
    """(start, stop, class, form) of each word, in characters."""
    at, found = 0, []
    caption = re.sub("[\ud800-\udfff]", " ", caption)          # halves of characters, which UTF-8 does not have
    for text, kind, form in _core.text_words(caption):
        at = caption.index(text, at)
        found.append((at, at + len(text), kind, form))
        at += len(text)
    return found


def rewrite(caption: str, item: str, short: str, *, parse: Callable[[str], Iterable[tuple[int, int]]] = phrases,
            ) -> str | None:
    """A caption in which each smallest phrase that holds the item becomes the short description.

    The phrase's determiner stays; "a" and "an" follow the new word, plural a plural, a capital a capital.

    Parameters
    ----------
    caption : str
    item : str
        One or more words; found as whole words, in any case.
    short : str
        What is seen instead, such as "red fox".
    parse : callable
        caption -> (start, stop) of its phrases in characters; they may be nested.

    Returns
    -------
    str or None
        None where the caption does not hold the item.

    Examples
    --------
    >>> rewrite("A brown dog on a sofa.", "dog", "orange fox")
    'An orange fox on a sofa.'
    >>> rewrite("A woman with a hat", "man", "tall robot") is None
    True
    """
    for name, text in (("caption", caption), ("item", item), ("short", short)):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a string, got {type(text).__name__}")
    if not item.strip() or not short.strip():
        raise ValueError(f"item and short must hold words, got {item!r} and {short!r}")
    spans = list(parse(caption))
    chosen = set()
    for found in _whole(item).finditer(caption):
        around = [s for s in spans if s[0] <= found.start() and found.end() <= s[1]]
        start, stop = min(around, key=lambda s: (s[1] - s[0], s[0])) if around else found.span()
        if re.match(r"['\u2019]s\b", caption[found.end():]) or (parse is phrases and _verb(caption, found.end())):
            stop = found.end()
        chosen.add((start, stop))
    last, parts = 0, []
    for start, stop in sorted(chosen):
        if start < last:                    # a phrase inside one that is replaced already
            continue
        parts += [caption[last:start], _instead(caption[start:stop], item, short)]
        last = stop
    return "".join([*parts, caption[last:]]) if chosen else None


def _verb(caption, at):
    """Whether the next word, "sleeps" of "a dog sleeps", looks like a plural noun but may be a verb."""
    before = [w for w in _words(caption) if w[1] == at]
    after = [w for w in _words(caption) if w[0] > at][:1]
    return bool(before and after) and before[0][3] != PLURAL and after[0][2:] == ("N", PLURAL)


def _whole(item):
    words = r"\s+".join(map(re.escape, item.split()))
    return re.compile(rf"(?<![\w'-]){words}(?![\w-])", re.IGNORECASE)


def _instead(phrase, item, short):
    """The short description with the phrase's determiner, number and first letter."""
    words = _words(phrase)
    head = [w for w in words if w[2] == "N"][-1:]
    new = _words(short)
    if head and head[0][3] == PLURAL and new and new[-1][2] == "N" and new[-1][3] != PLURAL:
        short = plural(short)
    first, own = words[0] if words else None, new[0][2] if new else ""
    if own == "D":                          # the description brings its own
        text = short
    elif first and first[2] == "D" and item.split()[0].lower() != phrase[:first[1]].lower():
        determiner = phrase[:first[1]]
        if determiner.lower() in ("a", "an"):
            determiner = determiner[0] + article(short)[1:]
        text = f"{determiner} {short}"
    elif first and first[2] == "M" and head and head[0][3] == PLURAL:
        text = f"{phrase[:first[1]]} {short}"
    else:
        text = short
    return text[0].upper() + text[1:] if phrase[:1].isupper() else text


def captions_of(tag_caption: str, captions: Sequence[str], item: str, short: str, **options: Any) -> list[str]:
    """The captions of a variation.

    Parameters
    ----------
    tag_caption : str
        The tagger's caption of the photograph.
    captions : sequence of str
        The photograph's own captions.
    item, short : str
        What was replaced, and what is seen instead.
    **options
        `parse`, as in `rewrite`.

    Returns
    -------
    list of str
        The rewritten ones of those that hold the item, each once, none that is true of the photograph; where there is
        none, "<tag caption> and <short>".

    Examples
    --------
    >>> captions_of("a dog on a sofa", ["A dog sleeps.", "The couch is red."], "dog", "white cat")
    ['a white cat on a sofa', 'A white cat sleeps.']
    >>> captions_of("a red couch", [], "pillow", "green pillow")
    ['a red couch and green pillow']
    """
    true = {key(clean(c)) for c in (tag_caption, *captions)}
    seen: set[str] = set()
    kept = []
    for caption in (tag_caption, *captions):        # compared as training reads them: an edit beyond 50 words is none
        new = rewrite(caption, item, short, **options)
        says = key(clean(new)) if new is not None else ""
        if new is not None and judge(says, true, seen) == VALID:
            seen.add(says)
            kept.append(new)
    return kept or [f"{tag_caption.strip().rstrip('.')} and {short}".removeprefix(" and ")]
