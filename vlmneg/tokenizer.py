"""CLIP's tokenizer: captions to ids, equal to OpenAI's and open_clip's."""

import importlib.util
import os
import warnings
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

import numpy as np

from vlmneg import _core
from vlmneg.cleaning import SAID, TransformersCleaner, clean_basic, clean_ftfy
from vlmneg.vocabulary import (
    BYTE_SYMBOLS,
    SPECIALS,
    SUFFIX,
    Vocabulary,
    by_rank,
    learn_merges,
    read,
    read_folder,
)

VARIABLE = "VLMNEG_VOCAB"  # environment variable that names a vocabulary file or folder
SMALLEST = 514  # byte symbols, the same at a word's end, two special tokens


class Tokenizer:
    """Captions to ids by CLIP's byte-pair encoding.

    Parameters
    ----------
    vocabulary : vlmneg.vocabulary.Vocabulary
        Tokens and merges; ``from_file``, ``from_folder``, ``find`` and ``learn`` make one.
    cleaning : {None, "ftfy", "basic", "transformers"}
        How text is cleaned before it is split. "ftfy": as OpenAI and open_clip do (ftfy, HTML unescaped, white space,
        lower case). "basic": NFC instead of ftfy; the same for ASCII without "&". None: "ftfy" where it is installed,
        else "basic". "transformers": NFC, white space, lower case, as its CLIPTokenizer.
    specials : {None, "openclip", "openai", "text"}
        Which spelling of the special tokens inside a caption means the token: ``<end_of_text>`` as in open_clip,
        ``<|endoftext|>`` as in OpenAI's and transformers' tokenizers, or none: they are text. None: "openai" with
        transformers' cleaning, else "openclip".

    Attributes
    ----------
    vocabulary : vlmneg.vocabulary.Vocabulary
    vocab_size, start, end : int
    cleaning : str
        What cleans: "ftfy 6.3.1", "basic" or "transformers".
    hash : str
        SHA-256 of the vocabulary.

    References
    ----------
    Radford et al., Learning transferable visual models from natural language supervision. ICML 2021.

    Examples
    --------
    >>> tok = Tokenizer.learn(["a red cube", "a red ball"] * 2, size=530)
    >>> tok.vocab_size
    522
    >>> tok("a red cube", context=7)
    array([[520, 320, 513, 519, 521,   0,   0]], dtype=int32)
    >>> tok.decode(tok("A  RED cube!")[0])
    'a red cube !'
    """

    def __init__(self, vocabulary, *, cleaning=None, specials=None):
        if not isinstance(vocabulary, Vocabulary):
            raise TypeError(f"vocabulary must be a Vocabulary, got {type(vocabulary).__name__}; "
                            "Tokenizer.from_file(path) reads one")
        if cleaning not in (None, "ftfy", "basic", "transformers"):
            raise ValueError(f"cleaning must be None, 'ftfy', 'basic' or 'transformers', got {cleaning!r}")
        if specials not in (None, "text", *SPECIALS):
            raise ValueError(f"specials must be None, 'openclip', 'openai' or 'text', got {specials!r}")
        has_ftfy = _find_package("ftfy") is not None
        if cleaning == "ftfy" and not has_ftfy:
            raise ImportError("cleaning='ftfy' needs the package ftfy: pip install 'vlmneg[text]'")
        self._options = {"cleaning": cleaning, "specials": specials}
        self.vocabulary = vocabulary
        method = cleaning or ("ftfy" if has_ftfy else "basic")
        self.cleaning = f"ftfy {_version('ftfy')}" if method == "ftfy" else method
        self.specials = specials or ("openai" if method == "transformers" else "openclip")
        self._clean = {"ftfy": clean_ftfy, "basic": clean_basic,
                       "transformers": TransformersCleaner(self.specials)}[method]
        fold = method != "transformers"
        texts = SPECIALS[self.specials] if fold and self.specials != "text" else (None, None)
        self._core = _core.Tokenizer(vocabulary.symbols, vocabulary.merge_ids, self.vocab_size, self.start, self.end,
                                     vocabulary.unknown, *texts, fold)

    @classmethod
    def from_file(cls, path, **options):
        """Read a vocabulary file.

        Parameters
        ----------
        path : str or Path
            ``bpe_simple_vocab_16e6.txt.gz`` or its text, ``vocab.json`` with ``merges.txt`` beside it, or transformers'
            ``tokenizer.json``.
        **options
            ``cleaning`` and ``specials``, see the class.

        Returns
        -------
        Tokenizer

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is damaged, cut short or of another kind.
        """
        return cls(read(path), **options)

    @classmethod
    def from_folder(cls, folder, **options):
        """Read the vocabulary beside a checkpoint.

        Parameters
        ----------
        folder : str or Path
            Holds ``tokenizer.json``, ``vocab.json`` and ``merges.txt``, or ``bpe_simple_vocab_16e6.txt.gz``.
        **options
            ``cleaning`` and ``specials``, see the class.

        Returns
        -------
        Tokenizer

        Raises
        ------
        FileNotFoundError
            The folder holds none of them.
        ValueError
            The file is damaged, cut short or of another kind.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Tokenizer.learn(["a red cube"], size=520).save(folder)
        ...     Tokenizer.from_folder(folder).vocab_size
        519
        """
        return cls(read_folder(folder), **options)

    @classmethod
    def find(cls, **options):
        """CLIP's vocabulary: what the variable VLMNEG_VOCAB names, else the file in an installed open_clip or clip.

        Parameters
        ----------
        **options
            ``cleaning`` and ``specials``, see the class.

        Returns
        -------
        Tokenizer

        Raises
        ------
        FileNotFoundError
            There is none; the message names the ways to give one.
        """
        if os.environ.get(VARIABLE):
            return cls(read(os.environ[VARIABLE]), **options)
        for package in ("open_clip", "clip"):
            spec = _find_package(package)
            for folder in (spec and spec.submodule_search_locations) or ():
                path = Path(folder) / "bpe_simple_vocab_16e6.txt.gz"
                if path.is_file():
                    return cls(read(path), **options)
        raise FileNotFoundError(
            "CLIP's vocabulary is not at hand. Give one of: Tokenizer.from_file('bpe_simple_vocab_16e6.txt.gz'), or of "
            "vocab.json (merges.txt beside it) or tokenizer.json; Tokenizer.from_folder(checkpoint folder); the "
            f"environment variable {VARIABLE} naming such a file (to `vlmneg eval` --tokenizer, to `vlmneg train` "
            "model.tokenizer=); pip install open-clip-torch, whose copy is read "
            "without importing it; or Tokenizer.learn(captions, size) for training from scratch")

    @classmethod
    def learn(cls, captions, size, **options):
        """Learn a vocabulary from captions.

        Parameters
        ----------
        captions : list of str
        size : int
            Tokens wanted, at least 514; fewer come when each word of the captions is one token.
        **options
            ``cleaning`` and ``specials``, see the class.

        Returns
        -------
        Tokenizer
            The same for the same captions in any order. It encodes any text: ids 0-511 are bytes.

        References
        ----------
        Sennrich et al., Neural machine translation of rare words with subword units. ACL 2016.

        Examples
        --------
        >>> Tokenizer.learn(["two cats", "two dogs"], size=600).vocab_size
        522
        """
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < SMALLEST:
            raise ValueError(f"size must be an integer of at least {SMALLEST} (512 byte symbols, start and end), "
                             f"got {size!r}")
        letters = cls(by_rank([]), **options)
        ids, _ = letters.pack(captions, context=1 << 30)
        ids = ids[ids < letters.start]
        ends = np.flatnonzero(ids >= 256) + 1
        data = (ids & 255).astype(np.uint8).tobytes()
        words = Counter(data[a:b] for a, b in pairwise([0, *ends.tolist()]))
        return cls(by_rank(learn_merges(words, size - SMALLEST)), **options)

    @property
    def vocab_size(self):
        """Number of tokens."""
        return len(self.vocabulary.tokens)

    @property
    def start(self):
        """Id of the start token."""
        return self.vocabulary.start

    @property
    def end(self):
        """Id of the end token."""
        return self.vocabulary.end

    @property
    def hash(self):
        """SHA-256 of tokens and merges."""
        return self.vocabulary.hash

    def __call__(self, texts, context=77):
        """Ids of captions, a row each.

        Parameters
        ----------
        texts : str or list of str
            N captions.
        context : int
            Length L of a row, in [2, 2**30].

        Returns
        -------
        ndarray of shape (N, L), int32
            start, ids, end, then zeros; a longer caption keeps its first L - 2 ids.

        Raises
        ------
        TypeError, ValueError
            A text is no str; there are none; context is out of range.

        Examples
        --------
        >>> tok = Tokenizer.learn(["a red cube"], size=600)
        >>> tok(["a", "a cube"], context=5)
        array([[517, 320, 518,   0,   0],
               [517, 320, 514, 518,   0]], dtype=int32)
        """
        ids, special = self._core.rows(_as_list(texts), context, self._clean)
        self._warn(special)
        return ids

    def pack(self, texts, context=77):
        """Ids of captions one after another, without padding.

        Parameters
        ----------
        texts : str or list of str
            N captions.
        context : int
            Most ids of one caption, in [2, 2**30].

        Returns
        -------
        ids : ndarray of shape (T,), int32
            Each caption is start, ids, end. It ends at its first end token, as the text tower pools there.
        offsets : ndarray of shape (N + 1,), int32
            Caption n is ``ids[offsets[n]:offsets[n + 1]]``.

        Raises
        ------
        TypeError, ValueError
            A text is no str; there are none; context is out of range.

        Examples
        --------
        >>> ids, offsets = Tokenizer.learn(["a red cube"], size=600).pack(["a", "a cube"])
        >>> ids
        array([517, 320, 518, 517, 320, 514, 518], dtype=int32)
        >>> offsets
        array([0, 3, 7], dtype=int32)
        """
        ids, offsets, special = self._core.pack(_as_list(texts), context, self._clean)
        self._warn(special)
        return ids, offsets

    def decode(self, ids):
        """The text of one row of ids.

        Parameters
        ----------
        ids : array of shape (L,), integer
            A start token is dropped, and all from the first end token on.

        Returns
        -------
        str
            In lower case, a blank after each piece.

        Raises
        ------
        ValueError
            Not one row, or an id outside the vocabulary.
        """
        row = np.asarray(ids)
        if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
            raise ValueError(f"ids must be integers of shape (L), got {row.dtype} of shape {row.shape}; decode a "
                             "batch row by row")
        row = row.tolist()
        if row and not (0 <= min(row) and max(row) < self.vocab_size):
            raise ValueError(f"ids must be in [0, {self.vocab_size}), got {min(row)} to {max(row)}")
        if self.end in row:
            row = row[: row.index(self.end)]
        tokens = [self.vocabulary.tokens[i] for i in row if i != self.start]
        text = "".join(t[: -len(SUFFIX)] + " " if t.endswith(SUFFIX) else t for t in tokens)
        return bytes(_SYMBOL_BYTES.get(c, 32) for c in text).decode("utf-8", "replace").strip()

    def save(self, folder):
        """Write vocab.json, merges.txt and their configuration, as transformers' CLIPTokenizer reads them.

        Parameters
        ----------
        folder : str or Path
            Made where it is missing.
        """
        self.vocabulary.save(folder)

    def _warn(self, special):
        if special and self.specials not in SAID:
            SAID.add(self.specials)
            spelled = " or ".join(SPECIALS[self.specials])
            warnings.warn(f"{special} of the texts spell a special token ({spelled}): the text tower pools at the "
                          "first end token; Tokenizer(..., specials='text') reads them as text", stacklevel=3)

    def __reduce__(self):
        return _restore, (self.vocabulary, self._options)

    def __repr__(self):
        return (f"Tokenizer(vocab_size={self.vocab_size}, start={self.start}, end={self.end}, "
                f"cleaning={self.cleaning!r}, specials={self.specials!r})")


def _find_package(name):
    """Where a top-level package is, without importing it; None: it is not installed."""
    try:
        return importlib.util.find_spec(name)
    except ValueError:  # a module without a spec stands in its place
        return None


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"


def _restore(vocabulary, options):
    return Tokenizer(vocabulary, **options)


_SYMBOL_BYTES = {symbol: byte for byte, symbol in BYTE_SYMBOLS.items()}


def _as_list(texts):
    """A list of texts; what they are is checked one by one later."""
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, (list, tuple)):
        if not texts:
            raise ValueError("texts is empty: at least one caption is needed")
        return texts
    hint = "; decode it first: texts.decode('utf-8')" if isinstance(texts, bytes) else ""
    raise TypeError(f"texts must be a str or a list of str, got {type(texts).__name__}{hint}")
