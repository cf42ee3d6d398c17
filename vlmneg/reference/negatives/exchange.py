"""Twin of csrc/negatives/text/exchange.c."""

from vlmneg.reference.negatives.grammar import NEVER, measures, mutual, phrases, turned, verb_of, word_base
from vlmneg.reference.negatives.sentence import EMPTY, VALID, Edit, move, put
from vlmneg.reference.text import AN, OF, PLURAL, A, key, plural, wants_an

ATTRIBUTE, PHRASE, NUMBER, TRANSFER = range(4)
NOBODY = -3


def counts(s, first, last):
    """1 for "a" and a singular, 2 for a number and a plural, else 0."""
    if first == last or len(s.part(last, last)) > 40:
        return 0
    many = s.words[last].form == PLURAL
    if s.words[first].form in (A, AN):
        return int(not many)
    return 2 if s.words[first].kind == "M" and many and word_base(s, last) else 0


def parts(s, kind):
    """Parts (first, last, noun or verb)."""
    if kind == ATTRIBUTE:
        return [(i, i, h) for first, h in phrases(s) for i in range(first, h) if s.words[i].kind in "AN"]
    found = []
    if kind == TRANSFER:
        for first, h in phrases(s):
            i = next(i for i in range(first, h + 1) if s.words[i].kind in "AN")
            bare = s.words[i].kind == "N"
            alone = not (s.joined(first) and s.words[first - 1].kind == "C" and first == i)
            if alone and not (bare and measures(s, h)):
                found.append((i, h if bare else i, NOBODY if bare else h))
        return found
    for first, h in phrases(s):
        verb = verb_of(s, first, h)
        of = s.joined(first) and s.words[first - 1].form == OF
        if not measures(s, h) and verb != NEVER and (counts(s, first, h) if kind == NUMBER else not of):
            found.append((first, h, verb))
    return found


def fits(s, a, b, kind):
    """Whether two parts can be exchanged."""
    if kind == NUMBER:
        return counts(s, *a[:2]) != counts(s, *b[:2])
    if kind == TRANSFER:
        return (a[2] == NOBODY) != (b[2] == NOBODY)
    if key(s.part(*a[:2])) == key(s.part(*b[:2])):
        return False
    return a[2] != b[2] if kind == ATTRIBUTE else not mutual(s, a[1] + 1, b[0] - 1, "DMAN")


def edits(s, to, other, kind):
    """What becomes of one of the parts."""
    first, last, of = to
    if kind == TRANSFER and of == NOBODY:
        w, following = s.words[other[0]], s.words[other[0] + 1]
        return [Edit(s.words[first].begin, s.words[first].begin, s.text[w.begin:following.begin], w.begin)]
    if kind == TRANSFER:
        return [Edit(s.words[first].begin, s.words[first + 1].begin, b"")]
    if kind != NUMBER:
        return [move(s, first, last, *other[:2])]
    if counts(s, first, last) == 1:
        return [move(s, first, first, other[0], other[0]), put(s, last, last, plural(s.part(last, last)))]
    singular = word_base(s, last)
    following = s.part(first + 1, first + 1) if first + 1 < last else singular
    return [put(s, first, first, b"an" if wants_an(following) else b"a"), put(s, last, last, singular)]


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    pairs = {}
    for kind in range(4):
        found = parts(s, kind) if param[0] >> kind & 1 else []
        fitting = [(a, b) for i, a in enumerate(found) for b in found[i + 1:] if fits(s, a, b, kind)]
        if fitting:
            pairs[kind] = fitting
    if not pairs:
        return EMPTY, [], 0, 0
    kind = list(pairs)[rng.below(len(pairs))]
    a, b = pairs[kind][rng.below(len(pairs[kind]))]
    made = edits(s, a, b, kind) + edits(s, b, a, kind)
    first, second = s.words[a[1]].form == PLURAL, s.words[b[1]].form == PLURAL
    if kind in (PHRASE, NUMBER) and first != second:
        made += [put(s, v, v, turned(s, v, many)) for v, many in ((a[2], second), (b[2], first))
                 if v is not None and turned(s, v, many)]
    return VALID, sorted(made, key=lambda e: e.begin), kind, sum(map(len, pairs.values()))
