"""Twin of csrc/negatives/text/replace.c."""

from vlmneg.reference.negatives.sentence import ABSENT, EMPTY, VALID, put
from vlmneg.reference.text import EITHER, key, lower

COLOR, SIZE, LOCATION, OBJECT = range(4)


class Keyword:
    """A line of the keywords."""

    def __init__(self, line):
        self.text, self.concept, self.group, self.sense, self.form, self.target = line
        self.bytes = self.text.encode()


class Found:
    """Words first to last are one keyword, which has these lines."""

    def __init__(self, first, last, lines):
        self.first, self.last, self.lines = first, last, lines


def upright(s, i):
    """Whether "short" at word i is the opposite of "tall"."""
    noun, j = None, i + 1
    while s.kind(j) in "AN":
        noun = j if s.words[j].kind == "N" else noun
        j += 1
    for j in range(i - 1, -1, -1):
        if noun is None and s.words[j].kind == "N":
            noun = j
    return noun is not None and s.words[noun].lemma is not None and "h" in s.words[noun].lemma[1]


def meant(s, f, k):
    """Whether the neighbours leave the keyword the sense it is listed for."""
    kind, left, right = s.words[f.last].kind, "-", s.kind(f.last + 1)
    if s.joined(f.first):
        left = s.words[f.first - 1].kind
    if k.concept == SIZE:
        return kind == "A" and not s.reads(f.last + 1, b"bit")
    if k.concept == OBJECT:
        return kind == "N" and right != "N"
    return {
        "LEFT": lambda: right == "N" or left in "DPA" and right not in "PR",
        "TOP": lambda: left in "DP" and kind != "R",
        "UPPER": lambda: kind == "A",
        "NEAR": lambda: f.last > f.first or kind == "P",
        "ABOVE": lambda: kind == "P" and right != "M" and not s.reads(f.first - 1, b"all"),
        "FRONT": lambda: not s.reads(f.first - 1, b"from"),
    }.get(k.group, lambda: True)()


def search(s):
    """Keywords of the caption, none inside another, the longest first."""
    found, i = [], 0
    ends = {w.end: j for j, w in enumerate(s.words)}
    while i < len(s.words):
        begin = s.words[i].begin
        if s.words[i].kind in "DXUCTM":
            i += 1
            continue
        hits = [(ends[begin + len(k.bytes)], k) for k in s.keywords
                if begin + len(k.bytes) in ends and lower(s.text[begin:begin + len(k.bytes)]) == k.bytes]
        if hits:
            last = max(h[0] for h in hits)
            f = Found(i, last, [k for end, k in hits if end == last])
            if len(f.lines) == 2 and f.lines[0].concept == COLOR:
                f.lines = [f.lines[0 if s.kind(last + 1) in "NA" else 1]]
            f.form = s.words[last].form if f.lines[0].form == EITHER else f.lines[0].form
            f.meant = meant(s, f, f.lines[0])
            if f.lines[0].sense == "less" and len(f.lines) == 2:
                f.lines = [f.lines[int(upright(s, last))]]
            found.append(f)
            i = last
        i += 1
    return found


def targets(s, f, found, whole):
    """Keywords that can stand where f does; whole: of any group."""
    chosen = []
    concept = f.lines[0].concept
    present = [g.lines[0].sense for g in found if g.lines[0].concept == concept and concept in (COLOR, OBJECT)]
    for t in s.keywords:
        near = any(t.sense != k.sense and
                   (t.group == k.group or whole and concept == OBJECT and k.group != "HUMAN" and
                    not (k.group == "PERSON" and t.group == "HUMAN")) for k in f.lines)
        if f.meant and t.target and t.concept == concept and t.form in (f.form, EITHER) and near:
            if t.sense not in present:
                chosen.append(t)
    return chosen


def holds(text, words):
    """Whether the key of text has these words in a row."""
    have, want = key(text), key(words)
    return any(have[i:i + len(want)] == want for i in range(len(have)))


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    found = search(s)
    choices = [(f, targets(s, f, found, param[1])) for f in found if param[0] >> f.lines[0].concept & 1]
    choices = [(f, t) for f, t in choices if t]
    concepts = sorted({f.lines[0].concept for f, _ in choices})
    if not concepts:
        return EMPTY, [], 0, 0
    kind = concepts[rng.below(len(concepts))]
    here = [(f, t) for f, t in choices if f.lines[0].concept == kind]
    f, options = here[rng.below(len(here))]
    t = options[rng.below(len(options))]
    absent = kind == OBJECT and any(k.concept == OBJECT and k.sense == t.sense and holds(c, k.bytes)
                                    for k in s.keywords for c in s.truth)
    return ABSENT if absent else VALID, [put(s, f.first, f.last, t.bytes)], kind, sum(len(t) for _, t in choices)
