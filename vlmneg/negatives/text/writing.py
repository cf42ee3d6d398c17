"""Words of captions, and the text that replacing one makes, for generators that are written in Python."""

import functools
from typing import NamedTuple

from vlmneg import _core
from vlmneg.negatives import forms

# vn_form of csrc/text/vn_text.h
BASE, PLURAL, EITHER, THIRD, ING, PAST = range(6)
CLASSES = {"noun": "N", "verb": "V", "adjective": "A", "adverb": "R", "preposition": "P", "number": "M"}


class Word(NamedTuple):
    """A word of a caption: characters start to stop, class letter, form (of nouns and verbs), line of the lexicon."""

    start: int
    stop: int
    kind: str
    form: int
    lemma: int


def words_of(request):
    """Words of each caption, from the call's annotations or by the built-in tagger.

    Parameters
    ----------
    request : Request

    Returns
    -------
    list of N lists of Word
    """
    if request.words is None:
        return tagged(request.captions)
    return _read(request.captions, request.words, request.offsets)


def tagged(captions):
    """Words of each caption by the built-in tagger.

    Parameters
    ----------
    captions : sequence of N str

    Returns
    -------
    list of N lists of Word

    Examples
    --------
    >>> [(word.start, word.stop, word.kind) for word in tagged(["two cats"])[0]]
    [(0, 3, 'M'), (4, 8, 'N')]
    """
    return _read(captions, *_core.text_annotate(tuple(captions), None, None))


def tagged_at(captions, number):
    """Class letter, form and line of the lexicon of word `number` of each caption, by the built-in tagger."""
    words, offsets = _core.text_annotate(tuple(captions), None, None)
    return [(chr(kind & 0xFFFF), kind >> 16, lemma) for _, _, kind, lemma in words[offsets[:-1] + number].tolist()]


def _read(captions, words, offsets):
    rows, words, offsets = [], words.tolist(), offsets.tolist()
    for i, caption in enumerate(captions):
        row = words[offsets[i]:offsets[i + 1]]
        if not caption.isascii():
            raw = caption.encode()
            row = [(len(raw[:begin].decode()), len(raw[:end].decode()), *rest) for begin, end, *rest in row]
        rows.append([Word(begin, end, chr(kind & 0xFFFF), kind >> 16, lemma) for begin, end, kind, lemma in row])
    return rows


def stands_alone(caption, word):
    """Whether a word is no part of a longer one, such as "red-haired" or "dog's"."""
    around = caption[:word.start][-1:] + caption[word.stop:][:1]
    return not any(c.isalnum() or c in "-'’_" for c in around)


def rewritten(caption, word, new):
    """The caption with another word in this one's place; "a" and "an" and capital letters follow.

    Parameters
    ----------
    caption : str
    word : Word
    new : str

    Returns
    -------
    str

    Examples
    --------
    >>> caption = "A cat on a sofa"
    >>> rewritten(caption, tagged([caption])[0][1], "elephant")
    'An elephant on a sofa'
    """
    begin, end = len(caption[:word.start].encode()), len(caption[:word.stop].encode())
    return _core.text_apply(caption, ((begin, end, new),))


def inflected(lemma, word, old):
    """A noun or verb in the form of the word that it replaces.

    Parameters
    ----------
    lemma : str
    word : Word
    old : str
        As it stands in the caption.

    Returns
    -------
    str

    Examples
    --------
    >>> caption = "three cats running"
    >>> _, cats, running = tagged([caption])[0]
    >>> inflected("pony", cats, "cats"), inflected("ride", running, "running")
    ('ponies', 'riding')
    """
    if word.kind == "N":
        return forms.plural(lemma) if word.form == PLURAL else lemma
    if word.kind != "V" or word.form not in (THIRD, ING, PAST):
        return lemma
    past = "participle" if forms.verb_form(old.lower(), "participle") == old.lower() else "past"
    return forms.verb_form(lemma, {THIRD: "third", ING: "ing", PAST: past}[word.form])


@functools.lru_cache(1)
def _lexicon():
    return _core.text_lexicon()


def listed(lemma, word):
    """The base of a noun or verb by the lexicon, "cat" for "Cats", "man" for "men"; other words in lower case."""
    if lemma < 0:
        return word.lower()
    text, kinds, base, _ = _lexicon()[lemma]
    return base if base and kinds[0] != "A" else text


def has_form(caption, word):
    """Whether another word can be put into the word's form: not of "sheep", one or many, nor of "bigger", "older"."""
    if word.kind not in "AR" or word.lemma < 0:
        return word.form != EITHER
    text, _, base, form = _lexicon()[word.lemma]
    return text == caption[word.start:word.stop].lower() and not (base and form == BASE)


def said(request, i):
    """Words of all that is true of a row's image, as they stand and as the lexicon lists them."""
    true = (request.captions[i], *(request.avoid[i] if request.avoid else ()))
    return {name for caption, row in zip(true, tagged(true), strict=True) for word in row
            for name in (caption[word.start:word.stop].lower(), listed(word.lemma, caption[word.start:word.stop]))}
