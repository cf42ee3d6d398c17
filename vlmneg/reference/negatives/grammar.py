"""Twin of csrc/negatives/grammar.c."""

from vlmneg.reference.negatives.replace import holds
from vlmneg.reference.text import OF

BEFORE = {"N": "NAMD", "A": "AMD", "M": "AMD", "D": "D"}    # classes that go on with a phrase to the left


def phrases(s):
    """Nouns that end a phrase, each with the phrase's first word before it."""
    for h, w in enumerate(s.words):
        if w.kind == "N" and s.kind(h + 1) != "N":
            first = h
            while s.joined(first) and s.words[first - 1].kind in BEFORE[s.words[first].kind]:
                first -= 1
            yield first, h


def measures(s, i):
    """Whether "of" follows."""
    return s.joined(i + 1) and s.words[i + 1].form == OF


def verb_base(s, i):
    """The base form of a verb, or None."""
    lemma = s.words[i].lemma
    return (lemma[2] or lemma[0]).encode() if lemma is not None else None


def mentioned(s, word):
    """Whether a true caption mentions the object by this keyword or another with its sense."""
    sense = next(k.sense for k in s.keywords.found if k.bytes == word)
    return any(k.sense == sense and holds(c, k.bytes) for k in s.keywords.found for c in [s.text, *s.truth])


def listed(s, lists):
    """Phrases of these lists that may be put in."""
    return [text.encode() for text, group, number in s.phrases if group in lists and number]
