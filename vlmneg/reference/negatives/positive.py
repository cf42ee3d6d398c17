"""Twin of csrc/negatives/text/positive.c."""

from vlmneg.reference.negatives.grammar import ends, measures, phrases, start
from vlmneg.reference.negatives.sentence import EMPTY, VALID, Edit, move, put
from vlmneg.reference.text import OF, PLURAL, lower

SYNONYM, REORDER, FRONT = range(3)
CLASSES = {"SAME_NOUN": "N", "SAME_ADJECTIVE": "A", "SAME_WORD": "VRPDCMXUT"}


def reads_phrase(s, i, phrase):
    """The last word of the phrase that begins at word i, or None."""
    begin = s.words[i].begin
    end = begin + len(phrase)
    if lower(s.text[begin:end]) != phrase:
        return None
    return next((j for j in range(i, len(s.words)) if s.words[j].end == end), None)


def synonyms(s):
    """(first, last, line of the phrases)"""
    found = []
    for i in range(len(s.words)):
        for line, (text, group, _) in enumerate(s.phrases):
            last = reads_phrase(s, i, text.encode()) if group in CLASSES else None
            if last is None or s.words[last].kind not in CLASSES[group]:
                continue
            left = s.words[i - 1].kind if s.joined(i) else "-"
            if group != "SAME_NOUN" or left != "N" and s.kind(last + 1) != "N":
                found.append((i, last, line))
    return found[:150]


def behind_mutual(s, i):
    """The first word behind "and", "next to" ... at word i, or None."""
    for words in (b"and", b"or", b"next to", b"beside", b"near"):
        last = reads_phrase(s, i, words) if s.joined(i) else None
        if last is not None and s.joined(last + 1):
            return last + 1
    return None


def movable(s, first, last):
    """Whether a noun phrase can stand elsewhere."""
    alone = first == last and s.words[last].form == PLURAL
    return not measures(s, last) and (s.words[first].kind in "DM" or alone)


def pairs(s):
    """(first, last) of two phrases that can change places."""
    found = []
    for first, a in phrases(s):
        begin = behind_mutual(s, a + 1)
        b = next((j for j in range(begin, len(s.words)) if ends(s, j)), None) if begin is not None else None
        if b is None or start(s, b) != begin or not movable(s, first, a) or not movable(s, begin, b):
            continue
        if (s.words[first].kind in "DM") != (s.words[begin].kind in "DM"):
            continue
        tied = any(s.reads(b + 1, w) for w in (b"in", b"with", b"wearing", b"holding", b"carrying"))
        if not tied and s.kind(b + 1) != "U" and (
                s.words[a + 1].kind == "C" or first == 0 or s.words[first - 1].kind == "X"):
            found.append((first, a, begin, b))
    return found


def places(s):
    """(first, last) of the phrase of place that can come to the front."""
    last = len(s.words) - 1
    if any(w.kind in "CU" or w.form == OF or i > 0 and not s.joined(i) for i, w in enumerate(s.words)):
        return []
    verb = next((i for i, w in enumerate(s.words) if w.kind in "XV"), -1)
    at = max((i for i, w in enumerate(s.words) if i > verb >= 0 and w.kind == "P" and lower(s.part(i, i)) in (
        b"on", b"in", b"at", b"under", b"behind", b"inside", b"near", b"beside")), default=-1)
    if verb < 1 or at < 0 or not ends(s, last) or start(s, last) != at + 1 or s.words[at - 1].kind == "P":
        return []
    return [(at, last)] if len(s.part(at, last)) <= 160 and s.words[0].kind in "DMNA" else []


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    found = {k: find(s) for k, find in enumerate((synonyms, pairs, places)) if param[0] >> k & 1}
    chosen = [k for k, sites in found.items() if sites]
    if not chosen:
        return EMPTY, [], 0, 0
    kind = chosen[rng.below(len(chosen))]
    site = found[kind][rng.below(len(found[kind]))]
    if kind == SYNONYM:
        first, last, line = site
        others = [text.encode() for n, (text, *same) in enumerate(s.phrases)
                  if same == list(s.phrases[line][1:]) and n != line]
        return VALID, [put(s, first, last, others[rng.below(len(others))])], kind, 0
    if kind == FRONT:
        at, last = site
        begin = s.words[0].begin
        edits = [Edit(begin, begin, s.part(at, last) + b", "), Edit(s.words[at - 1].end, s.words[last].end, b"")]
        return VALID, edits, kind, 0
    first, a, begin, b = site
    return VALID, [move(s, first, a, begin, b), move(s, begin, b, first, a)], kind, 0
