"""Word nets behind one interface: which words are opposites, which are siblings, and which mean too much the same."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

POS = {"N": "n", "V": "v", "A": "a", "R": "r"}  # class letters of the core: a word net has these


@runtime_checkable
class Lexicon(Protocol):
    """What generators ask of a lexicon; words may be inflected, kinds are "N", "V", "A", "R"."""

    name: str

    def related(self, old: str, new: str, kind: str) -> bool:
        """Whether one word is a synonym of the other, or a more general or special word."""

    def antonyms(self, word: str, kind: str) -> dict[str, int]:
        """Opposites with their frequency, at least 1."""

    def siblings(self, word: str, kind: str) -> dict[str, int]:
        """Words for other things of the same sort, with their frequency, at least 1."""


def lexicon_of(lexicon: Any) -> Lexicon | None:
    """The lexicon that a parameter names.

    Parameters
    ----------
    lexicon : None, "nltk", "wn" or Lexicon

    Returns
    -------
    Lexicon or None

    Examples
    --------
    >>> lexicon_of("nltk").name
    'nltk'
    """
    if lexicon is None or (not isinstance(lexicon, (str, type)) and isinstance(lexicon, Lexicon)):
        return lexicon
    if lexicon == "nltk":
        return Nltk()
    if lexicon == "wn":
        return Wn()
    raise ValueError(f'lexicon must be None, "nltk", "wn" or an object with name, related, antonyms and siblings, got '
                     f"{lexicon!r}")


class _WordNet:
    """The rules, over what the two readers have in common: senses, their words, and ways between them."""

    name = ""

    def __init__(self) -> None:
        self._memory: dict[Any, Any] = {}  # not functools.cache: that would keep the reader alive and can't be copied

    def _senses(self, word: str, pos: str) -> list[Any]:
        """Synsets of a word, the commonest first."""
        raise NotImplementedError

    def _words(self, sense: Any) -> Iterable[tuple[str, int]]:
        """Words of a synset and how often each was seen in this sense."""
        raise NotImplementedError

    def _lexical(self, word: str, sense: Any, relation: str) -> Iterable[Any]:
        """Synsets with words to which a word of this synset has a relation, and those words: (synset, word, count)."""
        raise NotImplementedError

    def _known(self, what: str, word: str, pos: str) -> Any:
        key = what, word.lower(), pos
        if key not in self._memory:
            self._memory[key] = getattr(self, f"_find_{what}")(word.lower(), pos)
        return self._memory[key]

    def _find_senses(self, word: str, pos: str) -> list[Any]:
        return list(self._senses(word, pos))

    def _find_near(self, word: str, pos: str) -> set[Any]:
        """A word's synsets, all above and all below them."""
        senses = self._known("senses", word, pos)
        near = set(senses)
        for step in ("hypernyms", "hyponyms"):
            front = set(senses)
            while front:
                front = {s for sense in front for s in getattr(sense, step)()} - near
                near |= front
        if pos == "a":  # red and scarlet are similar, not one above the other
            near |= {s for sense in senses for s in self._similar(sense)}
        return near

    def _similar(self, sense: Any) -> Iterable[Any]:
        raise NotImplementedError

    def _find_siblings(self, word: str, pos: str) -> dict[str, int]:
        """Grandchildren of the grandparents of the commonest sense; of adjectives, by way of their nouns."""
        senses = self._known("senses", word, pos)
        found: dict[str, int] = {}
        if pos == "a":
            nouns = [noun for sense in senses for noun, *_ in self._lexical(word, sense, "derivation")]
            for cousin in self._cousins(nouns[:1]):
                for name, _ in self._words(cousin):
                    for _, adjective, count in self._lexical(name, cousin, "derivation"):
                        if any(True for _ in self._known("senses", adjective, "a")):
                            _more(found, adjective, count)
        else:
            for cousin in self._cousins(senses[:1]):
                for name, count in self._words(cousin):
                    _more(found, name, count)
        return self._apart(word, found, pos)

    @staticmethod
    def _cousins(senses: list[Any]) -> list[Any]:
        found: dict[Any, None] = {}
        for sense in senses:
            for parent in sense.hypernyms():
                for top in parent.hypernyms():
                    for uncle in top.hyponyms():
                        found.update(dict.fromkeys(uncle.hyponyms()))
        return list(found)

    def _find_antonyms(self, word: str, pos: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for sense in self._known("senses", word, pos):
            for _, name, count in self._lexical(word, sense, "antonym"):
                _more(found, name, count)
        return self._apart(word, found, pos)

    def _apart(self, word: str, found: dict[str, int], pos: str) -> dict[str, int]:
        """Single words in lower case that are no relatives, in a fixed order."""
        if not found:
            return {}
        near = {name.lower() for sense in self._known("near", word, pos) for name, _ in self._words(sense)}
        return {name: count for name, count in sorted(found.items())
                if name.isalpha() and name.islower() and name != word and name not in near}

    def _relatives(self, old: str, new: str, pos: str) -> bool:
        if old.lower() == new.lower():
            return True
        return not self._known("near", old, pos).isdisjoint(self._known("senses", new, pos))

    def related(self, old: str, new: str, kind: str) -> bool:
        """Whether one word is a synonym of the other, or a more general or special word.

        Parameters
        ----------
        old, new : str
        kind : "N", "V", "A" or "R"

        Returns
        -------
        bool
        """
        return kind in POS and self._relatives(old, new, POS[kind])

    def antonyms(self, word: str, kind: str) -> dict[str, int]:
        """Opposites with their frequency, at least 1.

        Parameters
        ----------
        word : str
        kind : "N", "V", "A" or "R"

        Returns
        -------
        dict of str to int
        """
        return self._known("antonyms", word, POS[kind]) if kind in POS else {}

    def siblings(self, word: str, kind: str) -> dict[str, int]:
        """Grandchildren of the hypernym's hypernym with their frequency, at least 1; no relatives of the word.

        Parameters
        ----------
        word : str
        kind : "N", "V", "A" or "R"

        Returns
        -------
        dict of str to int
        """
        return self._known("siblings", word, POS[kind]) if kind in POS else {}


def _more(found: dict[str, int], name: str, count: int) -> None:
    found[name] = max(found.get(name, 1), count)


class Nltk(_WordNet):
    """WordNet as NLTK reads it.

    Parameters
    ----------
    reader : nltk.corpus.reader.WordNetCorpusReader, optional
        None: ``nltk.corpus.wordnet``, whose data ``nltk.download("wordnet")`` fetches.

    Examples
    --------
    >>> Nltk().name
    'nltk'
    """

    name = "nltk"

    def __init__(self, reader: Any = None) -> None:
        super().__init__()
        self._given = reader

    @functools.cached_property
    def _reader(self) -> Any:
        if self._given is not None:
            return self._given
        try:
            from nltk.corpus import wordnet
        except ImportError:
            raise ImportError('lexicon="nltk" needs the package nltk: pip install \'vlmneg[text]\'') from None
        try:
            wordnet.ensure_loaded()
        except LookupError:
            raise FileNotFoundError("NLTK has no WordNet here: fetch it once with nltk.download('wordnet'), or set "
                                    "NLTK_DATA to the folder that has corpora/wordnet") from None
        return wordnet

    def _senses(self, word: str, pos: str) -> list[Any]:
        return self._reader.synsets(word, pos)

    @functools.cached_property
    def _counts(self) -> dict[str, int]:
        """Of all lemmas by their key: NLTK's count searches a file each time."""
        with self._reader.open("cntlist.rev") as file:
            rows = [line.split() for line in file]
        return {row[0]: int(row[2]) for row in rows if len(row) > 2}

    def _count(self, lemma: Any) -> int:
        return self._counts.get(lemma.key(), 0)

    def _words(self, sense: Any) -> Iterable[tuple[str, int]]:
        return [(lemma.name(), self._count(lemma)) for lemma in sense.lemmas()]

    def _similar(self, sense: Any) -> Iterable[Any]:
        return sense.similar_tos()

    def _lexical(self, word: str, sense: Any, relation: str) -> Iterable[Any]:
        step = "antonyms" if relation == "antonym" else "derivationally_related_forms"
        return [(other.synset(), other.name(), self._count(other)) for lemma in _own(sense.lemmas(), word, _nltk_name)
                for other in getattr(lemma, step)()]


class Wn(_WordNet):
    """A word net of the ``wn`` package.

    Parameters
    ----------
    wordnet : str or wn.Wordnet
        Lexicon that is installed with ``wn``, such as "oewn:2024", or an object.

    Examples
    --------
    >>> Wn("oewn:2024").name
    'wn'
    """

    name = "wn"

    def __init__(self, wordnet: Any = "oewn:2024") -> None:
        super().__init__()
        self._given = wordnet

    @functools.cached_property
    def _net(self) -> Any:
        if not isinstance(self._given, str):
            return self._given
        try:
            import wn
            from wn.morphy import Morphy
        except ImportError:
            raise ImportError("lexicon=\"wn\" needs the package wn: pip install wn") from None
        try:
            return wn.Wordnet(self._given, lemmatizer=Morphy())
        except wn.Error as error:
            raise FileNotFoundError(f"wn has no lexicon {self._given!r} here: fetch it once with wn.download("
                                    f"{self._given!r}), or add a file with wn.add(PATH): {error}") from None

    def _senses(self, word: str, pos: str) -> list[Any]:
        found = self._net.synsets(word, pos=pos)
        return [*found, *self._net.synsets(word, pos="s")] if pos == "a" else found

    def _words(self, sense: Any) -> Iterable[tuple[str, int]]:
        return [(s.word().lemma(), _count(s)) for s in sense.senses()]

    def _similar(self, sense: Any) -> Iterable[Any]:
        return sense.get_related("similar")

    def _lexical(self, word: str, sense: Any, relation: str) -> Iterable[Any]:
        return [(other.synset(), other.word().lemma(), _count(other)) for own in _own(sense.senses(), word, _wn_name)
                for other in own.get_related(relation)]


def _nltk_name(lemma: Any) -> str:
    return lemma.name()


def _wn_name(sense: Any) -> str:
    return sense.word().lemma()


def _count(sense: Any) -> int:
    return sum(int(c) for c in sense.counts())


def _own(members: Iterable[Any], word: str, name: Any) -> list[Any]:
    """The members of a synset that are this word; all of them where it is inflected ("bigger")."""
    members = list(members)
    return [m for m in members if name(m).lower() == word] or members
