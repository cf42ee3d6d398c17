"""Twin of csrc/negatives/text/replace.c."""

from vlmneg.reference.negatives.sentence import ABSENT, EMPTY, VALID, put
from vlmneg.reference.negatives.sites import (
    ACTION,
    ADJECTIVE,
    COLOR,
    LOCATION,
    MATERIAL,
    NOUN,
    NUMBER,
    OBJECT,
    RELATION,
    VERB,
    find,
)
from vlmneg.reference.text import key, plural

ONCE = {COLOR, OBJECT, NUMBER, ACTION, MATERIAL, NOUN, VERB}


def candidates(r, whole, tables):
    """What may replace a reading; whole: objects of any group."""
    if not whole or tables.concept[r.home] != OBJECT or r.home == "HUMAN":
        return tables.puts_of(r.group, r.form)
    return [t for t in tables.put if t.concept == OBJECT and t.form == r.form
            and not (r.home == "PERSON" and t.group == "HUMAN")]


def choices(site, present, concept, whole, tables):
    """What can stand at a site under a concept."""
    own, chosen = {r.sense for r in site.readings}, []
    for r in site.readings:
        if concept not in r.concepts or concept == OBJECT and not r.sense and not whole:
            continue
        for t in candidates(r, whole, tables):
            twice = bool(r.concepts & ONCE) and t.sense in present or t.sense in own
            if not twice and (r.sense or t.home != r.home) and not (t.mass and r.counted):
                chosen.append(t)
    return chosen


def holds(text, words):
    """Whether the key of text has these words in a row."""
    have, want = key(text), key(words)
    return any(have[i:i + len(want)] == want for i in range(len(have)))


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    tables = s.keywords
    sites, present = find(s, tables)
    options = {c: [(site, chosen) for site in sites if (chosen := choices(site, present, c, param[1], tables))]
               for c in range(ADJECTIVE + 1) if param[0] >> c & 1}
    concepts = [c for c in options if options[c]]
    if not concepts:
        return EMPTY, [], 0, 0
    kind = concepts[rng.below(len(concepts))]
    site, chosen = options[kind][rng.below(len(options[kind]))]
    t = chosen[rng.below(len(chosen))]
    text = t.bytes + b" " + plural(s.part(site.last, site.last)) if site.grown else t.bytes
    absent = kind not in (LOCATION, RELATION) and any(
        k.sense == t.sense and holds(c, k.bytes) for k in tables.found for c in s.truth)
    variants = sum(len(chosen) for c in concepts for _, chosen in options[c])
    return ABSENT if absent else VALID, [put(s, site.first, site.last, text)], kind, variants
