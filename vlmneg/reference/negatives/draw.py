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


def draw(captions, avoid, taken, rows, seed, slots, words, offsets, order, listed, lexicon, keywords, phrases=()):
    """Twin of the core's text_draw.

    Parameters
    ----------
    captions, avoid, taken, rows, seed, slots
        As there.
    words, offsets
        None: the caption is tagged here.
    order
        As there, or None.
    listed, lexicon, keywords, phrases
        What the core's text_listed(), text_lexicon(), text_keywords() and text_phrases() return.

    Returns
    -------
    texts, reasons, kinds : lists of N lists of K
    places : list of N lists of K lists of 4-tuples
    """
    lexicon = {line[0].encode(): line for line in lexicon}
    keywords = sites.Tables(keywords)
    made = []
    for i, c in enumerate(captions):
        s = Sentence(c.encode(), [t.encode() for t in avoid[i]] if avoid else [], lexicon, keywords, phrases)
        lines = [[slot] for slot in slots]
        if order is not None:
            each = order.shape[2]
            lines = [[slots[k * each + j] for j in line] for k, line in enumerate(order[i].tolist())]
        made.append(draw_row(s, taken[i] if taken else (), seed, int(rows[i]), lines, listed))
    return [list(column) for column in zip(*made, strict=True)] if made else [[], [], [], []]


def doubled(words):
    """How many words stand right behind themselves."""
    return sum(a == b for a, b in zip(words, words[1:], strict=False))


def draw_row(s, taken, seed, row, lines, listed):
    """Texts, reasons, kinds and places of one caption; lines: of each slot, the generators in the order of trying."""
    true = [key(c) for c in [s.text, *s.truth]]
    seen = [key(c.encode()) for c in taken]
    texts, reasons, kinds, where, made_by = [], [], [], [], []
    for slots in lines:
        for line, a, b, number in slots:
            used = made_by.count((line, a, b))
            rng = Rng(seed, row, number << 16, listed[line][3])
            for _ in range(DRAWS):
                reason, edits, kind, variants = MAKERS[listed[line][0]](s, (a, b), rng)
                if reason == VALID:
                    text, places = apply(s, edits, listed[line][0] in RAW)
                    says = key(text) if text is not None else []
                    reason = EMPTY if not says else SAME if says in true else REPEAT if says in seen else VALID
                    if reason == VALID and listed[line][0] not in RAW and doubled(says) > doubled(true[0]):
                        reason = REPEAT
                if 0 < variants <= max(used, 1) or reason not in (SAME, REPEAT, ABSENT):
                    break
            if reason == VALID:
                break
        if reason == VALID:
            seen.append(says)
            made_by.append((line, a, b))
        texts.append(text.decode() if reason == VALID else s.text.decode())
        reasons.append(reason)
        kinds.append(kind)
        where.append(places if reason == VALID else [])
    return texts, reasons, kinds, where
