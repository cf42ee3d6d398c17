"""Negatives of a masked language model: a word is covered, and the likeliest other one that makes a negative put in."""

import os
import zlib

import numpy as np

from vlmneg import _core
from vlmneg.negatives.base import Negatives
from vlmneg.negatives.cache import DiskCache
from vlmneg.negatives.rules import ABSENT, EMPTY, SYNONYM, VALID, judge, key
from vlmneg.negatives.text.choice import bits
from vlmneg.negatives.text.lexicons import lexicon_of
from vlmneg.negatives.text.pool import order, truths
from vlmneg.negatives.text.writing import CLASSES, EITHER, listed, rewritten, said, stands_alone, tagged_at, words_of

STREAM_FILL_MASK = 66  # reserved in csrc/vn_registry.def
TRIES = 11             # words of a caption that a slot tries
CHUNK = 16             # of a model's words, tagged at once


class fill_mask(Negatives):
    """One word becomes what a masked language model would say in its place: the likeliest that makes a negative.

    A word of the chosen classes is drawn and covered, by its place and not by its letters. Of the model's ``top``
    words, those are left that are whole words of the same class and form, no form or (with a ``lexicon``) synonym of
    the covered word, and, for nouns, not mentioned by a true caption of the image. Where none is left, another word is
    tried.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    model : str, Path or tuple
        Name or folder of a transformers fill-mask model, or (model, tokenizer), as on a GPU.
    kinds : None, str or tuple of str
        Classes of words to cover: "noun", "verb", "adjective", "adverb", "preposition", "number"; None: noun, verb,
        adjective. TSVLC and FSC-CLIP also take "preposition".
    choose : "best" or "random"
        The likeliest word that passes (CE-CLIP), or any of them (TSVLC).
    top : int in [1, 1000]
        Words of the model that are looked at.
    lexicon : None, "nltk", "wn" or Lexicon
        Says which words are synonyms or more general or special ones; see `vlmneg.negatives.text.wordnet`.
    cache : str, Path or DiskCache, optional
        JSON lines of the model's words; with it, a second epoch needs no model runs.
    batch_size : int
        Texts that the model reads at once. With 1, what it says can't depend on the batch even in the last bit.

    References
    ----------
    Zhang et al., Contrasting intra-modal and ranking cross-modal hard negatives (CE-CLIP). CVPR 2024,
    arXiv:2306.08832.
    Doveh et al., Teaching structured vision & language concepts to vision & language models (TSVLC). CVPR 2023,
    arXiv:2211.11733.

    Examples
    --------
    >>> negatives = fill_mask(k=2, model="distilroberta-base", kinds="noun")   # read when first called
    >>> negatives.k, negatives.name
    (2, 'fill_mask')
    """

    name = "fill_mask"

    def __init__(self, *, k=3, model, kinds=None, choose="best", top=50, lexicon=None, cache=None, batch_size=32):
        shown = model if not isinstance(model, tuple) else tuple(type(part).__name__ for part in model)
        super().__init__(k=k, model=shown, kinds=kinds, choose=choose, top=top, lexicon=lexicon, cache=cache,
                         batch_size=batch_size)
        chosen = bits(("noun", "verb", "adjective") if kinds is None else kinds, tuple(CLASSES), "kinds")
        self._kinds = {CLASSES[name]: name for i, name in enumerate(CLASSES) if chosen >> i & 1}
        if choose not in ("best", "random"):
            raise ValueError(f'choose must be "best" or "random", got {choose!r}')
        for name, value, high in (("top", top, 1000), ("batch_size", batch_size, 4096)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
                raise ValueError(f"{name} must be an integer in [1, {high}], got {value!r}")
        self._filler = Filler(model, top, cache, batch_size)
        self._lexicon = lexicon_of(lexicon)

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
        n, k = len(request.captions), self.k
        text, kind, code = [[""] * k for _ in range(n)], [[""] * k for _ in range(n)], np.full((n, k), EMPTY, np.uint8)
        rows = [_Row(self, request, i, words, taken) for i, words in enumerate(words_of(request))]
        for slot in range(k):
            turns = [row.order(first + slot) for row in rows]
            for turn in range(TRIES):
                open_rows = [i for i in range(n) if code[i, slot] != VALID and turn < len(turns[i])]
                words = [turns[i][turn] for i in open_rows]
                found = self._filler([(request.captions[i], w.start, w.stop)
                                       for i, (_, w) in zip(open_rows, words, strict=True)])
                for i, (number, w), fills in zip(open_rows, words, found, strict=True):
                    text[i][slot], code[i, slot] = rows[i].best(number, w, fills, first + slot)
                    kind[i][slot] = f"{self.name}_{self._kinds[w.kind]}"
        return text, kind, code


class _Row:
    """A caption with the words that may be covered, and what must not be said of its image."""

    def __init__(self, part, request, i, words, taken):
        self.part, self.caption, self.seed, self.row = part, request.captions[i], request.seed, int(request.rows[i])
        marked = "<mask>" in self.caption or "###" in self.caption
        self.words = [(number, w) for number, w in enumerate(words)
                      if w.kind in part._kinds and not marked and stands_alone(self.caption, w)]
        self.true, self.seen = truths(request, i), set(map(key, taken[i] if taken else ()))
        self.told = said(request, i) if self.words else set()

    def order(self, slot):
        """The words in the order in which a slot tries them."""
        return order(self.words, self.seed, self.row, slot, STREAM_FILL_MASK)[:TRIES]

    def best(self, number, word, fills, slot):
        """The text with the first of these words that passes, or with a random one, and its code."""
        old = self.caption[word.start:word.stop]
        fills = [f.lower() if old[:1].isupper() else f for f in fills]
        fills = [f for f in dict.fromkeys(fills) if f.islower() and f != old.lower()]
        passed, code = [], EMPTY
        for first in range(0, len(fills), CHUNK):
            part = fills[first:first + CHUNK]
            texts = [rewritten(self.caption, word, f) for f in part]
            for new, text, now in zip(part, texts, tagged_at(texts, number), strict=True):
                code = self._code(old, word, new, now, text)
                if code == VALID:
                    passed.append(text)
            if passed and self.part.parameters["choose"] == "best":
                del passed[1:]
                break
        if not passed:
            return "", code
        draw = (slot << 16) + (1 << 15)  # behind those that order words
        text = passed[_core.philox(self.seed, self.row, draw, STREAM_FILL_MASK)[0] * len(passed) >> 32]
        self.seen.add(key(text))
        return text, VALID

    def _code(self, old, word, new, now, text):
        """VALID, or what is wrong with a word for another: class and form must stay, the meaning must not."""
        kind, form, lemma = now
        lexicon = self.part._lexicon
        if kind != word.kind or (form != word.form and EITHER not in (form, word.form)):
            return EMPTY
        bases = listed(word.lemma, old), listed(lemma, new)
        if bases[0] == bases[1] or (lexicon is not None and lexicon.related(*bases, kind)):
            return SYNONYM
        if kind == "N" and not self.told.isdisjoint((new, bases[1])):
            return ABSENT
        return judge(key(text), self.true, self.seen)


class Filler:
    """What a fill-mask model would say in place of parts of texts: whole words, the likeliest first.

    Parameters
    ----------
    model : str, Path or tuple
        Name or folder, read at the first call, or (model, tokenizer).
    top : int
        Words to give.
    cache : str, Path or DiskCache, optional
    batch_size : int
        Texts at once.
    """

    def __init__(self, model, top, cache, batch_size):
        if not isinstance(model, (str, os.PathLike)) and not (isinstance(model, tuple) and len(model) == 2):
            raise TypeError(f"model must be a name, a folder, or (model, tokenizer), got {type(model).__name__}")
        self._given, self.top, self.batch_size = model, top, batch_size
        self.cache = cache if cache is None or isinstance(cache, DiskCache) else DiskCache(cache)
        self.torch = None

    def _load(self):
        model = self._given
        try:
            import torch
            import transformers
        except ImportError:
            raise ImportError("fill_mask needs transformers and torch: pip install 'vlmneg[mlm]'") from None
        if isinstance(model, tuple):
            self.model, self.tokenizer = model
        else:
            try:
                self.model = transformers.AutoModelForMaskedLM.from_pretrained(model)
                self.tokenizer = transformers.AutoTokenizer.from_pretrained(model)
            except (OSError, ValueError) as error:
                raise OSError(f"there is no fill-mask model {str(model)!r} here, and none could be fetched; give a "
                              f"folder with one: {str(error).splitlines()[0]}") from error
        self.model.eval()
        if getattr(self.tokenizer, "mask_token", None) is None:
            raise ValueError(f"the tokenizer of {model!r} has no mask token: it is no fill-mask model's")
        self.torch = torch
        self.words, self.none = self._vocabulary()
        self.name = "" if isinstance(model, tuple) else str(model)
        self.version = self._fingerprint() if self.cache is not None else ""
        places = getattr(self.model.config, "max_position_embeddings", 514) - 2  # RoBERTa counts from 2 on
        self.longest = min(self.tokenizer.model_max_length, places)

    def _vocabulary(self):
        """Words by token, "" for parts of words and other tokens; and which tokens those are."""
        tokens = self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer))))
        mark = next((m for m in "Ġ▁" if any(t.startswith(m) for t in tokens)), "")
        special, words = set(self.tokenizer.all_special_tokens), []
        for token in tokens:
            word = token[len(mark):] if token.startswith(mark) and token not in special else ""
            words.append(word if word.isalpha() and len(word) > 1 and (mark != "Ġ" or word.isascii()) else "")
        size = self.model.config.vocab_size
        words = (words + [""] * size)[:size]  # a model may have more rows than its tokenizer has tokens
        return words, self.torch.tensor([not w for w in words])

    def _fingerprint(self):
        """Changes with the weights: a name alone does not tell models apart."""
        crc = zlib.crc32(repr(self.words).encode())
        for _, tensor in sorted(self.model.state_dict().items()):
            crc = zlib.crc32(np.ascontiguousarray(tensor.detach().float().cpu().numpy()), crc)
        return f"{crc:08x}"

    def __call__(self, places):
        """Words for covered places.

        Parameters
        ----------
        places : list of n (str, int, int)
            Text, and the characters that are covered.

        Returns
        -------
        list of n lists of str
            Empty where the place lies behind what the model reads.
        """
        if self.torch is None:
            self._load()
        keys = [self._key(*place) for place in places]
        found = [self.cache.get(k) if self.cache is not None else None for k in keys]
        todo = sorted((i for i, f in enumerate(found) if f is None), key=lambda i: len(places[i][0]))
        for first in range(0, len(todo), self.batch_size):
            part = todo[first:first + self.batch_size]
            for i, words in zip(part, self._run([keys[i]["prompt"] for i in part]), strict=True):
                found[i] = words
                if self.cache is not None:
                    self.cache.put(keys[i], words)
        return found

    def _key(self, text, start, stop):
        return {"kind": "fill_mask", "model": self.name, "version": self.version,
                "prompt": text[:start] + self.tokenizer.mask_token + text[stop:], "parameters": {"top": self.top},
                "seed": 0}

    def _run(self, texts):
        torch, tokenizer = self.torch, self.tokenizer
        rows = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=self.longest)
        rows = rows.to(self.model.device)
        with torch.inference_mode():
            logits = self.model(**rows).logits
        masks = rows["input_ids"] == tokenizer.mask_token_id
        at = masks.int().argmax(1)
        scores = logits[torch.arange(len(texts)), at].float().cpu().masked_fill(self.none, -torch.inf)
        ranked = scores.argsort(dim=1, descending=True, stable=True)[:, :self.top].tolist()
        return [[w for w in (self.words[t] for t in row) if w] if single else []
                for row, single in zip(ranked, (masks.sum(1) == 1).tolist(), strict=True)]
