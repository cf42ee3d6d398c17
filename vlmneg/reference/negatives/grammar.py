"""Twin of csrc/negatives/grammar.c."""

from vlmneg.reference.negatives.replace import holds
from vlmneg.reference.text import BASE, MUTUAL, OF, THIRD, lower, plural

BEFORE = {"N": "NAMD", "A": "AMD", "M": "AMD", "D": "D"}    # classes that go on with a phrase to the left

PAIRS = ((b"is", b"are"), (b"was", b"were"), (b"has", b"have"), (b"does", b"do"), (b"isn't", b"aren't"),
         (b"wasn't", b"weren't"), (b"hasn't", b"haven't"), (b"doesn't", b"don't"), (b"goes", b"go"))
TO_PLURAL, TO_SINGULAR = dict(PAIRS), {b: a for a, b in PAIRS}
NEVER = -1


def ends(s, i):
    """Whether word i is the last noun of a phrase."""
    return s.words[i].kind == "N" and s.kind(i + 1) != "N"


def start(s, i):
    """The first word of the phrase that ends in word i."""
    while s.joined(i) and s.words[i - 1].kind in BEFORE[s.words[i].kind]:
        i -= 1
    return i


def phrases(s):
    """First and last word of each noun phrase."""
    return [(start(s, i), i) for i in range(len(s.words)) if ends(s, i)]


def measures(s, i):
    """Whether "of" follows."""
    return s.joined(i + 1) and s.words[i + 1].form == OF


def word_base(s, i):
    """The base form of a verb, the singular of a noun, or None."""
    lemma = s.words[i].lemma
    return (lemma[2] or lemma[0]).encode() if lemma is not None else None


def verb_of(s, first, last):
    """The verb that agrees with a noun phrase, None, or NEVER."""
    starts = not s.joined(first)
    if not starts and s.words[first - 1].kind != "C":
        return None
    i = last + 1
    while s.joined(i):
        w = s.words[i]
        if w.kind == "U":
            return NEVER
        if w.kind == "X" or w.kind == "V" and w.form in (THIRD, BASE):
            return NEVER if w.kind == "V" and (w.lemma is None or len(s.part(i, i)) > 40) else i
        if w.kind == "C" or not starts and w.kind != "R":
            return None
        i += 1
    return None


def turned(s, i, many):
    """The verb in the plural or the singular; empty where it needs no change."""
    w, word = s.words[i], lower(s.part(i, i))
    table = TO_PLURAL if many else TO_SINGULAR
    if word in table or w.kind == "X" or (w.form == BASE) == many:
        return table.get(word, b"")
    return word_base(s, i) if many else plural(word)


def mutual(s, first, last, classes):
    """Whether words first to last read both ways or are of these classes."""
    return all(w.form == MUTUAL or w.kind in classes for w in s.words[first:last + 1])


def mentioned(s, word):
    """Whether a true caption mentions the object by this keyword or another with its sense."""
    sense = next(k.sense for k in s.keywords.found if k.bytes == word)
    return any(k.sense == sense and holds(c, k.bytes) for k in s.keywords.found for c in [s.text, *s.truth])


def listed(s, lists):
    """Phrases of these lists that may be put in."""
    return [text.encode() for text, group, number in s.phrases if group in lists and number]
