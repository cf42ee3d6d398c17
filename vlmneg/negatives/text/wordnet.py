"""Negatives of a word net: a word becomes its opposite, or another thing of the same sort."""

import bisect
import itertools

import numpy as np

from vlmneg import _core
from vlmneg.negatives.base import Negatives
from vlmneg.negatives.rules import ABSENT, EMPTY, VALID, judge, key
from vlmneg.negatives.text.choice import bits
from vlmneg.negatives.text.lexicons import lexicon_of
from vlmneg.negatives.text.pool import order, truths
from vlmneg.negatives.text.writing import CLASSES, has_form, inflected, listed, rewritten, said, stands_alone, words_of

STREAM_WORDNET = 67   # reserved in csrc/vn_registry.def
TRIES = 11            # replacements of a word, and words of a caption, that a slot tries
KINDS = ("noun", "adjective", "verb", "adverb")
RELATIONS = ("antonym", "sibling")


class wordnet(Negatives):
    """One word becomes an antonym or a sibling of its own in WordNet, in the form and case of the old one.

    Siblings are the grandchildren of the hypernym's hypernym of a word's commonest sense, as in CREPE; those of an
    adjective are found by way of the noun that it comes from. Synonyms, hypernyms and hyponyms in any sense, and words
    that a true caption of the image mentions, are left out. Frequent words are drawn more often.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Classes of words to replace, of "noun", "adjective", "verb", "adverb"; None: all.
    relation : str or tuple of str
        Of "antonym", "sibling".
    least : int
        How often a word must occur in the word net's sample of texts; with 2, rare ones ("okapi" for "sheep") are left
        out, which CREPE draws too.
    lexicon : "nltk", "wn" or Lexicon
        Where the word net comes from; see `vlmneg.negatives.text.lexicons`. Data is never fetched.

    References
    ----------
    Ma et al., CREPE: Can vision-language foundation models reason compositionally? CVPR 2023, arXiv:2212.07796.

    Examples
    --------
    >>> class Tiny:
    ...     name = "tiny"
    ...     def related(self, old, new, kind): return False
    ...     def antonyms(self, word, kind): return {"small": 1} if word == "big" else {}
    ...     def siblings(self, word, kind): return {}
    >>> wordnet(k=1, lexicon=Tiny())(["A big dog"]).text
    [['A small dog']]
    """

    name = "wordnet"

    def __init__(self, *, k=3, kinds=None, relation=RELATIONS, least=1, lexicon="nltk"):
        super().__init__(k=k, kinds=kinds, relation=relation, least=least, lexicon=lexicon)
        if isinstance(least, bool) or not isinstance(least, int) or least < 1:
            raise ValueError(f"least must be an integer of at least 1, got {least!r}")
        chosen = bits(kinds, KINDS, "kinds")
        self._kinds = {CLASSES[name]: name for i, name in enumerate(KINDS) if chosen >> i & 1}
        chosen = bits(relation, RELATIONS, "relation")
        self._relations = [name for i, name in enumerate(RELATIONS) if chosen >> i & 1]
        self._lexicon = lexicon_of(lexicon)
        if self._lexicon is None:
            raise ValueError('lexicon must be "nltk", "wn" or a Lexicon, got None')

    def draw(self, request, taken, first):
        """This part's slots.

        Parameters
        ----------
        request : Request
            Captions, what is true of their images, random rows.
        taken : list of N lists of str
            Each row's negatives so far.
        first : int
            This part's first slot.

        Returns
        -------
        text, kind : list of N lists of k str
        code : ndarray of shape (N, k), uint8
        """
        rows = [self._row(request, i, words, taken[i] if taken else (), first)
                for i, words in enumerate(words_of(request))]
        text, kind, code = zip(*rows, strict=True)
        return list(text), list(kind), np.array(code, np.uint8)

    def _row(self, request, i, words, taken, first):
        caption, seed, row = request.captions[i], request.seed, int(request.rows[i])
        marked = "<mask>" in caption or "###" in caption
        words = [w for w in words if w.kind in self._kinds and not marked and stands_alone(caption, w) and
                 has_form(caption, w)]
        true, seen, told = truths(request, i), set(map(key, taken)), said(request, i) if words else ()
        text, kind, code = [""] * self.k, [""] * self.k, [EMPTY] * self.k
        for slot in range(self.k):
            number = first + slot
            for turn, word in enumerate(order(words, seed, row, number, STREAM_WORDNET)[:TRIES]):
                kind[slot] = f"{self.name}_{self._kinds[word.kind]}"
                old = caption[word.start:word.stop]
                draw = (number << 16) + (turn + 1 << 10)  # behind those that order words
                for new in self._drawn(listed(word.lemma, old), word.kind, seed, row, draw):
                    form = inflected(new, word, old)
                    text[slot] = rewritten(caption, word, form)
                    says = key(text[slot])
                    mentioned = word.kind == "N" and not told.isdisjoint((new, form))
                    code[slot] = ABSENT if mentioned else judge(says, true, seen)
                    if code[slot] == VALID:
                        seen.add(says)
                        break
                if code[slot] == VALID:
                    break
        return text, kind, code

    def _drawn(self, word, kind, seed, row, draw):
        """A word's replacements by weight without replacement, the first few."""
        weights = {}
        for relation in self._relations:
            weights.update(getattr(self._lexicon, f"{relation}s")(word, kind))
        least = self.parameters["least"]
        names = [name for name, weight in weights.items() if max(weight, 1) >= least]
        weights = [max(weights[name], 1) for name in names]
        for j in range(min(TRIES, len(names))):
            sums = list(itertools.accumulate(weights))
            at = bisect.bisect(sums, _core.philox(seed, row, draw + j, STREAM_WORDNET)[0] * sums[-1] >> 32)
            weights[at] = 0
            yield names[at]
