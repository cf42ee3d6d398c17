"""Twin of csrc/negatives/text/add.c."""

from vlmneg.reference.negatives.grammar import NEVER, ends, listed, measures, mentioned, phrases, start, turned, verb_of
from vlmneg.reference.negatives.replace import holds
from vlmneg.reference.negatives.sentence import ABSENT, EMPTY, VALID, Edit, put
from vlmneg.reference.text import ING, OF, PLURAL, lower, wants_an

OBJECT, ATTRIBUTE = range(2)
LISTS = ("SIZE", "AGE", "YEARS", "LOOK", "STATE", "COLOR", "MATERIAL")


def takes_with(s, i):
    """Whether "with" can follow an adverb or participle."""
    w = s.words[i]
    return (w.kind == "R" or w.kind == "V" and w.form == ING) and s.kind(i + 1) in "-P" and not s.reads(i + 1, b"with")


def objects(s):
    """(byte, words before, words behind, verb or None) for each way to add an object."""
    for h in range(len(s.words)):
        if takes_with(s, h):
            yield s.words[h].end, b" with ", b"", None
        if not ends(s, h):
            continue
        first = start(s, h)
        verb = verb_of(s, first, h) if s.words[h].form != PLURAL else None
        can = verb != NEVER
        begin, end = s.words[first].begin, s.words[h].end
        if can and not measures(s, h):
            yield end, b" and ", b"", verb
        if not measures(s, h) and not s.reads(h + 1, b"with"):
            yield end, b" with ", b"", None
        if can and not (s.joined(first) and s.words[first - 1].form == OF):
            yield begin, b"", b" and ", verb


def lists_of(s, head):
    """Which attributes a noun can have."""
    if measures(s, head):
        return set() if s.reads(head, b"lots") or s.reads(head, b"lot") else {"SIZE"}
    word = lower(s.part(head, head))
    people = [number for text, group, number in s.phrases if group == "PERSON" and text.encode() == word]
    if people:
        return {"LOOK"} if people[0] else {"YEARS", "LOOK"}
    groups = [k.group for k in s.keywords.found if k.bytes == word] if len(word) < 32 else []
    return {"SIZE", "COLOR"} if groups[:1] == ["ANIMAL"] else set(LISTS) - {"YEARS", "LOOK"}


def attributes(s):
    """(byte, lists that it may be of) for each place of an attribute."""
    known = {}
    for text, group, _ in s.phrases:
        if group in LISTS:
            known.setdefault(text.encode(), group)
    for first, h in phrases(s):
        possible = lists_of(s, h)
        for i in range(first, h + 1):
            left = s.words[i - 1].kind if s.joined(i) else "-"
            if s.words[i].kind not in "NA" or left in "NR" or left == "C" and s.words[i].kind == "A":
                continue
            lists = set(possible)
            for j in range(first, h):
                other = known.get(lower(s.part(j, j))) if s.words[j].kind != "D" else None
                if other is not None:
                    lists = {x for x in lists if rank(x) != rank(other) and (
                        loose(x, other) or (rank(x) > rank(other)) == (j < i))}
            if lists:
                yield s.words[i].begin, lists


def loose(a, b):
    """Whether both orders of two lists are good English."""
    return bool({a, b} & {"LOOK", "STATE"}) and not {a, b} & {"COLOR", "MATERIAL"}


def rank(group):
    """Place of a list in the order of English; age and years share one."""
    return LISTS.index("AGE" if group == "YEARS" else group)


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    both = param[0] & 3 == 3
    kind = rng.below(2) if both else param[0] >> 1 & 1
    found = list((objects, attributes)[kind](s))
    if both and not found:
        kind = 1 - kind
        found = list((objects, attributes)[kind](s))
    if not found:
        return EMPTY, [], 0, 0
    place = found[rng.below(len(found))]
    lists = {"OBJECT"} if kind == OBJECT else place[1]
    options = listed(s, lists)
    word = options[rng.below(len(options))]
    if kind == ATTRIBUTE:
        absent = any(holds(c, word) for c in [s.text, *s.truth])
        return ABSENT if absent else VALID, [Edit(place[0], place[0], word + b" ")], kind, 0
    at, before, behind, verb = place
    edits = [Edit(at, at, before + (b"an " if wants_an(word) else b"a ") + word + behind)]
    if verb is not None and turned(s, verb, True):
        edits.append(put(s, verb, verb, turned(s, verb, True)))
    return ABSENT if mentioned(s, word) else VALID, edits, kind, 0
