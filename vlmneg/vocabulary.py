"""Vocabularies of CLIP's tokenizer: the byte alphabet, the files they live in, and learning one."""

import gzip
import hashlib
import heapq
import json
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

CLIP_MERGES = 48_894  # further lines of CLIP's merge file are unused
LARGEST_FILE = 1 << 28  # bytes, after decompression
SUFFIX = "</w>"
SPECIALS = {"openai": ("<|startoftext|>", "<|endoftext|>"), "openclip": ("<start_of_text>", "<end_of_text>")}
FILES = ("tokenizer.json", "vocab.json", "bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt")


def _byte_symbols():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in kept]
    return {b: chr(b) for b in kept} | {b: chr(256 + i) for i, b in enumerate(rest)}


BYTE_SYMBOLS = _byte_symbols()
"""Printable character of each byte, in the order of CLIP's ids."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and merges.

    Parameters
    ----------
    tokens : tuple of str
        Token of each id, in byte symbols; a token that ends a word ends in ``</w>``.
    merges : tuple of (str, str)
        Pairs that join, the first one first.
    start, end : int
        Ids of the special tokens.
    unknown : int
        Id for a byte that has no symbol.
    """

    tokens: tuple
    merges: tuple
    start: int
    end: int
    unknown: int

    @cached_property
    def ids(self):
        """Id of each token."""
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def hash(self):
        """SHA-256 of all of it."""
        record = [self.tokens, self.merges, self.start, self.end, self.unknown]
        return hashlib.sha256(json.dumps(record).encode()).hexdigest()

    @cached_property
    def symbols(self):
        """ndarray of shape (512,), int32: id of each byte, then of each byte at a word's end; -1 for none."""
        plain = [BYTE_SYMBOLS[b] for b in range(256)]
        return np.array([self.ids.get(s, -1) for s in plain + [s + SUFFIX for s in plain]], np.int32)

    @cached_property
    def merge_ids(self):
        """ndarray of shape (M, 3), int32: left, right, joined."""
        ids = self.ids
        rows = [(ids[a], ids[b], ids[a + b]) for a, b in self.merges]
        return np.array(rows, np.int32).reshape(-1, 3)

    def save(self, folder):
        """Write vocab.json, merges.txt and their configuration in transformers' layout."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        start, end, unknown = (self.tokens[i] for i in (self.start, self.end, self.unknown))
        special = {"bos_token": start, "eos_token": end, "unk_token": unknown, "pad_token": end}
        config = special | {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "errors": "replace",
                            "do_lower_case": True, "add_prefix_space": False}
        texts = {
            "vocab.json": json.dumps(self.ids, ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges),
            "special_tokens_map.json": json.dumps(special, indent=2) + "\n",
            "tokenizer_config.json": json.dumps(config, indent=2) + "\n",
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")


def by_rank(merges):
    """A vocabulary in CLIP's order: byte symbols, the same at a word's end, merges, start, end."""
    symbols = list(BYTE_SYMBOLS.values())
    tokens = (*symbols, *(s + SUFFIX for s in symbols), *(a + b for a, b in merges), *SPECIALS["openai"])
    return Vocabulary(tokens, tuple(merges), len(tokens) - 2, len(tokens) - 1, len(tokens) - 1)


def _read_bytes(path):
    """Content of a file, decompressed when it is gzip's."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file: a vocabulary is bpe_simple_vocab_16e6.txt.gz, vocab.json with "
                                "merges.txt beside it, or tokenizer.json")
    try:
        with path.open("rb") as f:
            packed = f.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as f:
            data = f.read(LARGEST_FILE + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise ValueError(f"{path} is a damaged or cut-short gzip file ({e})") from None
    if len(data) > LARGEST_FILE:
        raise ValueError(f"{path} holds more than {LARGEST_FILE} bytes: that is no vocabulary")
    return data


def _read_text(path):
    try:
        return _read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as e:
        raise ValueError(f"{path} is not UTF-8 text ({e})") from None


def _read_json(path):
    try:
        data = json.loads(_read_text(path))
    except (json.JSONDecodeError, RecursionError) as e:
        raise ValueError(f"{path} is not valid JSON, perhaps cut short ({e})") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold a JSON object, got {type(data).__name__}")
    return data


def _parse_merges(text, path):
    """The pairs of a merge file, line by line; the header is the caller's."""
    merges = []
    for line in text.split("\n"):
        pair = line.split()
        if len(pair) != 2:
            raise ValueError(f"{path}: merge {len(merges) + 1} must be two symbols with a blank between, got "
                             f"{line[:60]!r}; is the file cut short?")
        merges.append(tuple(pair))
    return merges


def _check_merges(merges, tokens, path):
    """Each side of a merge and what it makes must be tokens."""
    for n, (a, b) in enumerate(merges, 1):
        for token in (a, b, a + b):
            if token not in tokens:
                raise ValueError(f"{path}: merge {n} ({a[:40]!r} {b[:40]!r}) needs {token[:80]!r}, which is no token: "
                                 "the file is damaged or belongs to another vocabulary")


def _read_merge_file(path):
    """CLIP's own layout: a header line, then merges by rank; ids follow from the ranks."""
    header, _, rest = _read_text(path).partition("\n")
    if "#version" not in header:
        raise ValueError(f"{path} does not begin with a '#version' line: it is no merge file of CLIP's layout")
    lines = rest.split("\n", CLIP_MERGES)[:CLIP_MERGES]
    merges = _parse_merges("\n".join(lines).rstrip("\r\n"), path)
    known = {s + end for s in BYTE_SYMBOLS.values() for end in ("", SUFFIX)} | set(SPECIALS["openai"])
    for n, (a, b) in enumerate(merges, 1):
        if a not in known or b not in known or a + b in known:
            raise ValueError(f"{path}: merge {n} ({a[:40]!r} {b[:40]!r}) does not join two earlier tokens into a new "
                             "one; the file is damaged or cut short")
        known.add(a + b)
    return by_rank(merges)


def _token_name(value):
    """A special token of a configuration file: its text, or an object that holds it."""
    return value.get("content") if isinstance(value, dict) else value


def _assemble(ids, merges, config, path, own):
    """A vocabulary from token -> id; own: tokens that merges should account for."""
    if not all(type(i) is int for i in ids.values()) or sorted(ids.values()) != list(range(len(ids))) or len(ids) < 3:
        raise ValueError(f"{path}: the ids of {len(ids)} tokens must be 0..{max(len(ids), 3) - 1}, each once")
    _check_merges(merges, ids, path)
    tokens = tuple(sorted(ids, key=ids.__getitem__))
    symbols = {s + end for s in BYTE_SYMBOLS.values() for end in ("", SUFFIX)}
    if symbols <= ids.keys():
        lost = own - symbols - {a + b for a, b in merges}
        lost = [t for t in lost if not t.startswith("<")]
        if lost:
            raise ValueError(f"{path}: no merge makes {len(lost)} of its tokens, such as {min(lost)!r}: the merges are "
                             f"cut short ({len(merges)} are there) or belong to another vocabulary")

    def special(key, choices, default):
        names = [_token_name(config.get(key)), *choices]
        return next((ids[n] for n in names if isinstance(n, str) and n in ids), default)

    starts, ends = zip(*SPECIALS.values(), strict=True)
    start = special("bos_token", starts, len(ids) - 2)
    end = special("eos_token", ends, len(ids) - 1)
    if start == end:
        raise ValueError(f"{path}: start and end are the same token {tokens[end]!r}")
    return Vocabulary(tokens, tuple(merges), start, end, special("unk_token", ("<unk>",), end))


def _config_beside(path):
    """Names of the special tokens, where a configuration file beside a vocabulary tells them."""
    config = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if path.with_name(name).is_file():
            config = _read_json(path.with_name(name)) | config
    return config


def _read_vocab_json(path, data):
    merges_path = path.with_name("merges.txt")
    if not merges_path.is_file():
        raise FileNotFoundError(f"{path} needs merges.txt beside it")
    text = _read_text(merges_path)
    if text.startswith("#version"):
        text = text.partition("\n")[2]
    merges = _parse_merges(text.rstrip("\r\n"), merges_path) if text.strip() else []
    return _assemble(data, merges, _config_beside(path), path, set(data))


def _read_tokenizer_json(path, data):
    """The layout of transformers' fast tokenizers."""
    model = data.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE" or not isinstance(model.get("vocab"), dict) \
            or not isinstance(model.get("merges"), list) or model.get("end_of_word_suffix") != SUFFIX \
            or model.get("continuing_subword_prefix"):
        raise ValueError(f"{path} is not a tokenizer of CLIP's kind: model must be BPE with vocab, merges and "
                         f"end_of_word_suffix {SUFFIX!r}")
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) if isinstance(m, list) else () for m in
              model["merges"]]
    for n, m in enumerate(merges, 1):
        if len(m) != 2 or not all(isinstance(s, str) for s in m):
            raise ValueError(f"{path}: merge {n} must be two symbols, got {model['merges'][n - 1]!r}")
    ids = dict(model["vocab"])
    for token in data.get("added_tokens") or []:
        if not isinstance(token, dict) or not isinstance(token.get("content"), str) or ids.setdefault(
                token["content"], token.get("id")) != token.get("id"):
            raise ValueError(f"{path}: added token {token!r} disagrees with the vocabulary")
    config = _config_beside(path)
    config.setdefault("unk_token", model.get("unk_token"))
    return _assemble(ids, merges, config, path, set(model["vocab"]))


def read(path):
    """The vocabulary of one file; the name and content tell which kind it is."""
    path = Path(path)
    if path.is_dir():
        return read_folder(path)
    if path.name == "merges.txt" and path.with_name("vocab.json").is_file():
        path = path.with_name("vocab.json")
    if path.suffix != ".json":
        return _read_merge_file(path)
    data = _read_json(path)
    is_layout = path.name == "tokenizer.json" or isinstance(data.get("model"), dict)  # "model" is a token, too
    return _read_tokenizer_json(path, data) if is_layout else _read_vocab_json(path, data)


def read_folder(folder):
    """The vocabulary beside a checkpoint."""
    folder = Path(folder)
    for name in FILES:
        if (folder / name).is_file():
            return read(folder / name)
    raise FileNotFoundError(f"no tokenizer in {folder}: looked for {', '.join(FILES)}; give one with "
                            "Tokenizer.from_file(path)")


def learn_merges(words, count):
    """The merges that join the most frequent pair, again and again.

    Parameters
    ----------
    words : Counter of bytes
        How often each word occurs; its bytes are ids of byte symbols.
    count : int
        Merges wanted; fewer come when every word is one token.

    Returns
    -------
    list of (str, str)
        Ties go to the pair that sorts first. A pair whose join is a token already stays apart.

    References
    ----------
    Sennrich et al., Neural machine translation of rare words with subword units. ACL 2016.
    """
    symbols = list(BYTE_SYMBOLS.values())
    rows, weight = [], []
    for word, n in sorted(words.items()):
        row = [symbols[i] for i in word]
        row[-1] += SUFFIX
        rows.append(row)
        weight.append(n)
    total, places = Counter(), defaultdict(set)
    for i, row in enumerate(rows):
        for pair in pairwise(row):
            total[pair] += weight[i]
            places[pair].add(i)
    heap = [(-n, pair) for pair, n in total.items()]
    heapq.heapify(heap)
    merges, known = [], set()
    while heap and len(merges) < count:
        n, pair = heapq.heappop(heap)
        joined = pair[0] + pair[1]
        if -n != total[pair] or n == 0 or joined in known:
            continue  # counted anew since, or a token by another way
        merges.append(pair)
        known.add(joined)
        changed = set()
        for i in places.pop(pair):
            for old in pairwise(rows[i]):
                total[old] -= weight[i]
                changed.add(old)
            rows[i] = _join(rows[i], pair, joined)
            for new in pairwise(rows[i]):
                total[new] += weight[i]
                places[new].add(i)
                changed.add(new)
        for p in changed - {pair}:
            heapq.heappush(heap, (-total[p], p))
    return merges


def _join(row, pair, joined):
    """The row with each occurrence of the pair joined, from left to right."""
    out, i = [], 0
    while i < len(row):
        if i + 1 < len(row) and (row[i], row[i + 1]) == pair:
            out.append(joined)
            i += 2
        else:
            out.append(row[i])
            i += 1
    return out
