"""Twin of csrc/negatives/text/negate.c."""

from vlmneg.reference.negatives.grammar import listed, measures, mentioned, phrases, word_base
from vlmneg.reference.negatives.sentence import ABSENT, EMPTY, VALID, Edit, put
from vlmneg.reference.text import BASE, ING, OF, PAST, PLURAL, THIRD, lower, wants_an

NOUN, EXISTS, VERB, WITH, REMOVE, FEATURES, NOT_FEATURE, BUT_NOT = range(8)
POSITIVE = {b"not": b"", b"never": b"", b"no": b"", b"without": b"with", b"isn't": b"is", b"aren't": b"are",
            b"wasn't": b"was", b"weren't": b"were", b"doesn't": b"does", b"don't": b"do", b"can't": b"can",
            b"hasn't": b"has", b"haven't": b"have"}


def says(s, i):
    """Word i in lower case."""
    return lower(s.part(i, i))


def takes_no(s, first, head):
    """"in place" or "before" where "no" can open the phrase, else None."""
    if s.joined(first) and s.words[first - 1].form == OF:
        return None
    plural = s.words[head].form == PLURAL
    if s.words[first].kind == "M":
        return "in place" if first < head and plural else None
    if first < head and says(s, first) in (b"a", b"an", b"the", b"some"):
        return "in place"
    return "before" if s.words[first].kind != "D" and plural else None


def finite(s):
    """Whether the caption has a verb that isn't a participle."""
    return any(w.kind in "XU" or w.kind == "V" and w.form not in (ING, PAST) for w in s.words)


def negated(s, i):
    """Whether the verb has its "not"."""
    word = s.part(i, i)
    return s.reads(i + 1, b"not") or len(word) > 3 and word.endswith(b"'t")


def is_verb(s, i):
    """Whether "not" can go to this word."""
    w, left = s.words[i], s.words[i - 1] if s.joined(i) else None
    if negated(s, i):
        return False
    if w.kind == "X":
        return says(s, i) not in (b"be", b"been", b"do", b"does", b"being")
    if w.kind != "V":
        return False
    return (w.form == THIRD and word_base(s, i) is not None and (left is None or left.kind != "X")
            or w.form == BASE and left is not None and left.kind == "N" and left.form == PLURAL
            or w.form == ING and (left is None or left.kind in "NC"))


def is_with(s, i):
    """Whether word i is a "with" that "without" can stand for."""
    left = s.words[i - 1] if s.joined(i) else None
    bound = left is not None and (left.kind in "ARP" or left.kind == "V" and left.form == PAST)
    return s.words[i].kind == "P" and s.reads(i, b"with") and not bound and not s.reads(i + 1, b"no")


def places(s, kind):
    """Pairs of first and last word."""
    every = range(len(s.words))
    if kind == VERB:
        return [(i, i) for i in every if is_verb(s, i)]
    if kind == WITH:
        return [(i, i) for i in every if is_with(s, i)]
    if kind == REMOVE:
        return [(i, i) for i in every if POSITIVE.get(says(s, i)) or says(s, i) in POSITIVE and s.joined(i + 1)]
    found = list(phrases(s))
    if kind == EXISTS:
        found = [p for p in found[:1] if p[0] == 0 and not finite(s)]
    if kind in (NOUN, EXISTS):
        return [p for p in found if takes_no(s, *p)]
    return [p for p in found if not s.reads(p[0], b"no") and not measures(s, p[1]) and len(s.part(*p)) <= 160]


def negated_verb(s, i):
    """The edit that puts "not" to a verb."""
    w = s.words[i]
    if w.kind == "X":
        return Edit(w.end, w.end, b" not")
    if w.form == THIRD:
        return put(s, i, i, b"does not " + word_base(s, i))
    return Edit(w.begin, w.begin, b"not " if w.form == ING else b"do not ")


def taken_away(s, i):
    """The edit that takes a negation away."""
    text, end, head = POSITIVE[says(s, i)], s.words[i].end, i + 1
    while s.joined(head + 1) and s.words[head].kind in "AN" and not (
            s.words[head].kind == "N" and s.kind(head + 1) != "N"):
        head += 1
    if s.reads(i, b"no") and s.words[head].kind == "N" and s.words[head].form != PLURAL:
        text = b"an" if wants_an(s.part(i + 1, i + 1)) else b"a"
    elif not text:
        end = s.words[i + 1].begin
    return Edit(s.words[i].begin, end, text)


def described(s, kind, place, rng):
    """(reason, edit) of a sentence in place of the caption."""
    text, word = b"this image does not feature " if kind == NOT_FEATURE else b"this image features ", None
    if kind != NOT_FEATURE:
        options = listed(s, {"OBJECT"})
        word = options[rng.below(len(options))]
        text += (b"an " if wants_an(word) else b"a ") + word + (b", but not " if kind == BUT_NOT else b"")
    if kind != FEATURES:
        named = s.part(*place)
        text += lower(named[:1]) + named[1:] if place[0] == 0 and s.opens() and s.words[0].lemma else named
    absent = word is not None and mentioned(s, word)
    return ABSENT if absent else VALID, Edit(s.words[0].begin, s.words[-1].end, text)


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    found = {k: places(s, k) for k in range(8) if param[0] >> k & 1}
    found = {k: p for k, p in found.items() if p}
    if not found:
        return EMPTY, [], 0, 0
    variants = sum(len(p) * (75 if k in (FEATURES, BUT_NOT) else 1) for k, p in found.items())
    kind = list(found)[rng.below(len(found))]
    first, last = found[kind][rng.below(len(found[kind]))]
    reason = VALID
    if kind in (NOUN, EXISTS):
        before = takes_no(s, first, last) == "before"
        text = b"no" if kind == NOUN else b"there are no" if s.words[last].form == PLURAL else b"there is no"
        begin = s.words[first].begin
        edit = Edit(begin, begin, text + b" ") if before else put(s, first, first, text)
    elif kind == VERB:
        edit = negated_verb(s, first)
    elif kind == WITH:
        edit = put(s, first, first, b"without")
    elif kind == REMOVE:
        edit = taken_away(s, first)
    else:
        reason, edit = described(s, kind, (first, last), rng)
    return reason, [edit], kind, variants
