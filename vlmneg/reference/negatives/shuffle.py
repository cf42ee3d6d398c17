"""Twin of csrc/negatives/text/shuffle.c."""

from vlmneg.reference.negatives.sentence import EMPTY, SAME, VALID, move

NOUNS_ADJECTIVES, OTHERS, WITHIN_TRIGRAMS, TRIGRAMS, BIGRAMS = range(5)


def permuted(items, rng):
    """The items in random order."""
    items = list(items)
    for i in range(len(items) - 1, 0, -1):
        j = rng.below(i + 1)
        items[i], items[j] = items[j], items[i]
    return items


def possible(s, kind):
    """Whether there are at least two things to exchange."""
    count = [sum(w.kind in c for w in s.words) for c in "NA"]
    return {NOUNS_ADJECTIVES: max(count) > 1, OTHERS: len(s.words) - sum(count) > 1,
            WITHIN_TRIGRAMS: len(s.words) > 1, TRIGRAMS: len(s.words) > 3, BIGRAMS: len(s.words) > 2}[kind]


def make(s, param, rng):
    """(reason, edits, kind, variants)"""
    chosen = [k for k in range(5) if param[0] >> k & 1 and possible(s, k)]
    if not chosen:
        return EMPTY, [], 0, 0
    kind = chosen[rng.below(len(chosen))]
    order = list(range(len(s.words)))
    if kind in (NOUNS_ADJECTIVES, OTHERS):
        for test in ("N", "A") if kind == NOUNS_ADJECTIVES else ("DVRPCMXUT",):
            places = [i for i, w in enumerate(s.words) if w.kind in test]
            for i, word in zip(places, permuted(places, rng), strict=True):
                order[i] = word
    else:
        size = 2 if kind == BIGRAMS else 3
        groups = [order[i:i + size] for i in range(0, len(order), size)]
        groups = [permuted(g, rng) for g in groups] if kind == WITHIN_TRIGRAMS else permuted(groups, rng)
        order = sum(groups, [])
    edits = [move(s, i, i, word, word) for i, word in enumerate(order) if word != i]
    return VALID if edits else SAME, edits, kind, 0
