"""Twin of csrc/negatives/draw.c. Lexicon and keywords are handed in."""

from vlmneg.reference.negatives import add, exchange, negate, positive, replace, shuffle, sites, swap
from vlmneg.reference.negatives.sentence import ABSENT, EMPTY, REPEAT, SAME, VALID, Sentence, apply
from vlmneg.reference.philox import Rng
from vlmneg.reference.text import key

DRAWS = 11
# name -> function of (sentence, parameters, random sequence) that gives (reason, edits, kind, variants)
MAKERS = {"swap": swap.make, "replace": replace.make, "shuffle": shuffle.make, "add": add.make,
          "negate": negate.make, "exchange": exchange.make, "positive": positive.make}
RAW = {"shuffle"}  # generators whose edits aren't mended


def draw(captions, avoid, taken, rows, seed, slots, words, offsets, listed, lexicon, keywords, phrases=()):
    """Twin of the core's text_draw.

    Parameters
    ----------
    captions, avoid, taken, rows, seed, slots
        As there.
    words, offsets
        None: the caption is tagged here.
    listed, lexicon, keywords, phrases
        What the core's text_listed(), text_lexicon(), text_keywords() and text_phrases() return.

    Returns
    -------
    texts, reasons, kinds : lists of N lists of K
    places : list of N lists of K lists of 4-tuples
    """
    lexicon = {line[0].encode(): line for line in lexicon}
    keywords = sites.Tables(keywords)
    made = [draw_row(Sentence(c.encode(), [t.encode() for t in avoid[i]] if avoid else [], lexicon, keywords, phrases),
                     taken[i] if taken else (), seed, int(rows[i]), slots, listed) for i, c in enumerate(captions)]
    return [list(column) for column in zip(*made, strict=True)] if made else [[], [], [], []]


def draw_row(s, taken, seed, row, slots, listed):
    """Texts, reasons, kinds and places of one caption."""
    true = [key(c) for c in [s.text, *s.truth]]
    seen = [key(c.encode()) for c in taken]
    texts, reasons, kinds, where = [], [], [], []
    for k, (line, a, b, number) in enumerate(slots):
        used = sum(slots[j][:3] == (line, a, b) and reasons[j] == VALID for j in range(k))
        rng = Rng(seed, row, number << 16, listed[line][3])
        for _ in range(DRAWS):
            reason, edits, kind, variants = MAKERS[listed[line][0]](s, (a, b), rng)
            if reason == VALID:
                text, places = apply(s, edits, listed[line][0] in RAW)
                says = key(text) if text is not None else []
                reason = EMPTY if not says else SAME if says in true else REPEAT if says in seen else VALID
            if 0 < variants <= max(used, 1) or reason not in (SAME, REPEAT, ABSENT):
                break
        if reason == VALID:
            seen.append(says)
        texts.append(text.decode() if reason == VALID else s.text.decode())
        reasons.append(reason)
        kinds.append(kind)
        where.append(places if reason == VALID else [])
    return texts, reasons, kinds, where
