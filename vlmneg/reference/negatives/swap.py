"""Twin of csrc/negatives/text/swap.c."""

from vlmneg.reference.negatives.sentence import EMPTY, SYMMETRIC, VALID, move
from vlmneg.reference.text import AN, BASE, MUTUAL, OF, PLURAL, A, key, wants_an

PHRASE, VERB, NOUN, PLURALS, ADVERB, ADJECTIVE, ATTRIBUTE, RELATION = range(8)


def measures(s, i):
    """A noun before "of" stays where it is."""
    return s.joined(i + 1) and s.words[i + 1].form == OF


def leans(s, i):
    """Whether word i belongs to the noun after it."""
    adjective, j = s.words[i].kind == "A", i + 1
    if adjective and s.kind(j) == "C" and s.words[j].form == MUTUAL:
        j += 1
    return s.kind(j) in ("AN" if adjective else "N")


def find_spans(s, group):
    """Spans (first, last, form) of a group of words."""
    spans, i = [], 0
    if group == ATTRIBUTE:
        for i, w in enumerate(s.words):
            number = w.kind == "M" and s.kind(i + 1) in "AN"
            if number or w.kind in "NA" and leans(s, i):
                spans.append((i, i, int(number)))
        return spans
    if group == RELATION:
        return find_nouns(s)
    if group not in (PHRASE, VERB):
        for i, w in enumerate(s.words):
            noun = w.kind == "N" and not measures(s, i) and (group == PLURALS) == (w.form == PLURAL)
            if (noun if group in (NOUN, PLURALS) else w.kind == ("R" if group == ADVERB else "A")):
                spans.append((i, i, int(w.kind != "R" and leans(s, i))))
        return spans
    while i < len(s.words):
        last, j = -1, i
        if s.words[i].kind in ("DMAN" if group == PHRASE else "XV"):
            while True:
                if s.words[j].kind == ("N" if group == PHRASE else "V"):
                    last = j
                j += 1
                if s.kind(j) not in ("MAN" if group == PHRASE else "V" if last >= 0 else "VXR"):
                    break
        if group == PHRASE and last >= i + 2 and not measures(s, last):
            spans.append((i, last, s.words[last].form))
        if group == VERB and last >= 0:
            spans.append((i, last, 255 if s.words[i].kind == "X" else s.words[i].form))
        i = max(last, i) + 1
    return spans


def find_nouns(s):
    """Whole compounds, if there are at least three."""
    ends = [i for i, w in enumerate(s.words) if w.kind == "N" and s.kind(i + 1) != "N"]
    spans = []
    for last in ends:
        first = last
        while s.joined(first) and s.words[first - 1].kind == "N":
            first -= 1
        if not measures(s, last):
            spans.append((first, last, s.words[last].form))
    return spans if len(ends) >= 3 else []


def described(s, i):
    """The noun that word i describes."""
    i += 1
    while s.kind(i + 1) in "AN" or s.joined(i + 1) and s.words[i + 1].form == MUTUAL and s.kind(i + 2) == "A":
        i += 1
    return i


def article_fits(s, at, first):
    """Whether the word before position `at` agrees with word `first`."""
    form = s.words[at - 1].form if s.joined(at) else BASE
    return form not in (A, AN) or wants_an(s.part(first, first)) == (form == AN)


def exchangeable(s, a, b, group):
    """VALID, SYMMETRIC or EMPTY for a pair of spans."""
    if key(s.part(*a[:2])) == key(s.part(*b[:2])):
        return EMPTY
    if group in (ADJECTIVE, ATTRIBUTE) and described(s, a[0]) == described(s, b[0]):
        return SYMMETRIC
    others = "DN" if group in (PHRASE, NOUN, PLURALS, RELATION) else ""
    between = s.words[a[1] + 1:b[0]]
    if all(w.form == MUTUAL or w.kind in others for w in between):
        return SYMMETRIC
    return VALID if a[2] == b[2] and article_fits(s, a[0], b[0]) and article_fits(s, b[0], a[0]) else EMPTY


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    groups, symmetric = {}, 0
    for group in range(8):
        if not param[0] >> group & 1:
            continue
        spans = find_spans(s, group)
        pairs = [(a, b) for i, a in enumerate(spans) for b in spans[i + 1:]]
        why = [exchangeable(s, a, b, group) for a, b in pairs]
        symmetric += why.count(SYMMETRIC)
        if VALID in why:
            groups[group] = [p for p, r in zip(pairs, why, strict=True) if r == VALID]
            if group == RELATION:
                del groups[group][1:]
    if not groups:
        return SYMMETRIC if symmetric else EMPTY, [], 0, 0
    kind = list(groups)[rng.below(len(groups))]
    a, b = groups[kind][rng.below(len(groups[kind]))]
    edits = [move(s, *a[:2], *b[:2]), move(s, *b[:2], *a[:2])]
    return VALID, edits, kind, sum(map(len, groups.values()))
