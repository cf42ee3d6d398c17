"""Taggers: what says which words are nouns, verbs, adjectives. One is built in; any other may be handed in.

A tagger is an object with a ``name``, a ``version`` and a call that takes a list of captions and gives, for each, a
list of (start, stop, tag): characters [start, stop) of the caption have this Penn Treebank or universal tag.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from vlmneg import _core

__all__ = ["Lexicon", "Spacy", "TextBlob", "align", "get", "letter"]

Tags = list[tuple[int, int, str]]


@runtime_checkable
class Tagger(Protocol):
    """What `annotate` needs of a tagger."""

    name: str
    version: str

    def __call__(self, captions: Sequence[str]) -> list[Tags]:
        """Tags of each caption."""


# letters of csrc/text/lexicon.def; "": no word, or a tag that says nothing about the class
PENN = {
    "NN": "N", "NNS": "N", "NNP": "N", "NNPS": "N", "NP": "N", "VB": "V", "VBD": "V", "VBG": "V", "VBN": "V",
    "VBP": "V", "VBZ": "V", "MD": "X", "JJ": "A", "JJR": "A", "JJS": "A", "RB": "R", "RBR": "R", "RBS": "R",
    "WRB": "R", "RP": "R", "IN": "P", "TO": "T", "DT": "D", "PDT": "D", "WDT": "D", "PRP$": "D", "WP$": "D",
    "PRP": "U", "WP": "U", "EX": "U", "CC": "C", "CD": "M", "UH": "", "FW": "", "SYM": "", "LS": "", "POS": "",
    "AFX": "", "HYPH": "", "ADD": "", "NFP": "", "GW": "", "XX": "", "_SP": "",
}  # fmt: skip
UNIVERSAL = {
    "NOUN": "N", "PROPN": "N", "VERB": "V", "AUX": "X", "ADJ": "A", "ADV": "R", "ADP": "P", "DET": "D", "PRON": "U",
    "NUM": "M", "CCONJ": "C", "SCONJ": "C", "CONJ": "C", "PART": "", "PRT": "", "INTJ": "", "SYM": "", "PUNCT": "",
    "SPACE": "", "X": "",
}  # fmt: skip
_LETTER = {**PENN, **UNIVERSAL}
_NAME_OF = {"N": "NOUN", "V": "VERB", "A": "ADJ", "R": "ADV", "P": "ADP", "D": "DET", "C": "CCONJ", "M": "NUM",
            "X": "AUX", "U": "PRON", "T": "PART"}  # fmt: skip


def letter(tag: str) -> str:
    """The core's word class for a Penn Treebank or universal tag.

    Parameters
    ----------
    tag : str
        Such as "NN", "VBG", "NOUN", "ADP"; what follows a hyphen ("NNP-PERS") is left out.

    Returns
    -------
    str
        A letter of N noun, V verb, A adjective, R adverb, P preposition, D determiner, C conjunction, M number,
        X auxiliary, U pronoun, T "to"; "" for punctuation and other tags that name no class.

    Raises
    ------
    ValueError
        When the tag belongs to neither set.

    Examples
    --------
    >>> letter("NNS"), letter("ADJ"), letter(",")
    ('N', 'A', '')
    """
    if tag in _LETTER:
        return _LETTER[tag]
    if not any(c.isalpha() for c in tag) or tag.startswith("-"):  # punctuation stands for itself; -LRB-
        return ""
    head = tag.split("-")[0]
    if head in _LETTER:
        return _LETTER[head]
    raise ValueError(f"{tag!r} is neither a Penn Treebank nor a universal tag; those known are "
                     f"{', '.join(t for t in _LETTER if t.isalpha())}")


class Lexicon:
    """The built-in tagger: a table of caption words, endings, and rules for what can be several classes.

    Examples
    --------
    >>> Lexicon()(["a red dog"])
    [[(0, 1, 'DET'), (2, 5, 'ADJ'), (6, 9, 'NOUN')]]
    """

    name = "lexicon"
    version = "1"

    def __call__(self, captions: Sequence[str]) -> list[Tags]:
        """Universal tags of each caption; `annotate` asks the core itself, without this detour.

        Parameters
        ----------
        captions : list of N str

        Returns
        -------
        list of N lists of (start, stop, tag)
        """
        words, offsets = _core.text_annotate(tuple(captions), None, None)
        made = []
        for i, caption in enumerate(captions):
            raw = caption.encode()
            row = words[offsets[i] : offsets[i + 1]]
            made.append([(len(raw[:begin].decode()), len(raw[:end].decode()), _NAME_OF[chr(kind & 0xFFFF)])
                         for begin, end, kind, _ in row.tolist()])  # fmt: skip
        return made


class TextBlob:
    """TextBlob's rule tagger (its PatternTagger): a word list of its wheel; no NLTK data is needed.

    Examples
    --------
    >>> TextBlob()(["a red dog"])  # doctest: +SKIP
    [[(0, 1, 'DT'), (2, 5, 'JJ'), (6, 9, 'NN')]]
    """

    name = "textblob"

    def __init__(self) -> None:
        try:
            from textblob.taggers import PatternTagger
        except ImportError:
            raise ImportError("the tagger 'textblob' needs TextBlob: pip install 'vlmneg[tagger]'") from None
        self.version = importlib.metadata.version("textblob")
        self._tagger = PatternTagger()

    def __call__(self, captions: Sequence[str]) -> list[Tags]:
        """Penn Treebank tags of each caption.

        Parameters
        ----------
        captions : list of N str

        Returns
        -------
        list of N lists of (start, stop, tag)
        """
        made = []
        for caption in captions:
            tagged = self._tagger.tag(caption)
            places = align(caption, [token for token, _ in tagged])
            made.append([(*place, tag) for place, (_, tag) in zip(places, tagged, strict=True) if place])
        return made


class Spacy:
    """A spaCy pipeline: its fine tags, or universal ones where it has no fine tags.

    Parameters
    ----------
    pipeline : str or spacy.Language
        Name of an installed pipeline, path of a saved one, or the pipeline itself.

    Raises
    ------
    ImportError
        Without spaCy.
    ValueError
        When no pipeline has that name.
    """

    def __init__(self, pipeline: Any) -> None:
        try:
            import spacy
        except ImportError:
            raise ImportError("a 'spacy:' tagger needs spaCy: pip install 'vlmneg[tagger]'") from None
        if isinstance(pipeline, str):
            try:
                self._pipeline = spacy.load(pipeline, exclude=["parser", "ner", "lemmatizer"])  # tags don't need them
            except OSError:
                raise ValueError(f"spaCy has no pipeline {pipeline!r}; install it: "
                                 f"python -m spacy download {pipeline}") from None
            self.name = f"spacy:{pipeline}"
        else:
            self._pipeline = pipeline
            self.name = f"spacy:{pipeline.meta['lang']}_{pipeline.meta['name']}"
        self.version = str(self._pipeline.meta["version"])

    def __call__(self, captions: Sequence[str]) -> list[Tags]:
        """Tags of each caption.

        Parameters
        ----------
        captions : list of N str

        Returns
        -------
        list of N lists of (start, stop, tag)
        """
        made = []
        for doc in self._pipeline.pipe(captions):
            tags = [(t.idx, t.idx + len(t), t.tag_ or t.pos_) for t in doc if not t.is_space]
            if tags and not any(tag for _, _, tag in tags):
                raise ValueError(f"{self.name} gives no tags: its components are "
                                 f"{', '.join(self._pipeline.pipe_names) or 'none'}, and none of them is a tagger")
            made.append(tags)
        return made


def get(tagger: Any = "lexicon") -> Tagger:
    """A tagger by name, or one that was handed in, checked.

    Parameters
    ----------
    tagger : str or object
        "lexicon", "textblob", "spacy:PIPELINE" or a tagger of your own.

    Returns
    -------
    Tagger

    Raises
    ------
    ValueError, TypeError
        When there is no such tagger, or the object is none.
    ImportError
        When its package is missing.

    Examples
    --------
    >>> get("lexicon").name
    'lexicon'
    """
    if isinstance(tagger, str):
        kind, _, pipeline = tagger.partition(":")
        if tagger == "lexicon":
            return Lexicon()
        if tagger == "textblob":
            return TextBlob()
        if kind == "spacy" and pipeline:
            return Spacy(pipeline)
        raise ValueError(f"there is no tagger {tagger!r}; there are 'lexicon', 'textblob' and 'spacy:PIPELINE', such "
                         "as 'spacy:en_core_web_sm'")
    for field in ("name", "version"):
        value = getattr(tagger, field, None)
        if not isinstance(value, str) or not 0 < len(value) <= 100 or not value.isprintable():
            raise TypeError(f"a tagger must have a {field}, a str of 1 to 100 printable characters; "
                            f"{type(tagger).__name__} has {value!r:.120}")
    if not callable(tagger):
        raise TypeError(f"a tagger must be callable with a list of captions, and {type(tagger).__name__} is not")
    return tagger


def align(text: str, tokens: Sequence[str]) -> list[tuple[int, int] | None]:
    """Where tokens stand in the text that they were cut from, when only blanks were added or lost.

    Parameters
    ----------
    text : str
    tokens : list of str
        In order.

    Returns
    -------
    list of (start, stop) or None
        None for a token that isn't found behind the one before it.

    Examples
    --------
    >>> align("the dog's  ball", ["the", "dog", "'", "s", "ball"])
    [(0, 3), (4, 7), (7, 8), (8, 9), (11, 15)]
    """
    return list(_places(text, tokens))


def _places(text: str, tokens: Sequence[str]) -> Iterator[tuple[int, int] | None]:
    at = 0
    for token in tokens:
        letters = "".join(token.split())
        start = at
        stop = -1
        while letters and start < len(text) and stop < 0:
            stop = _match(text, start, letters)
            start += stop < 0
        if stop < 0:
            yield None
        else:
            yield start, stop
            at = stop


def _match(text: str, start: int, letters: str) -> int:
    """Where the letters end that begin at start, blanks between them aside; -1 when others stand there."""
    at = start
    for i, c in enumerate(letters):
        while i and at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text) or text[at] != c:
            return -1
        at += 1
    return at
