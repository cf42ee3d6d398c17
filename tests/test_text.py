"""The tokenizer: ids of CLIP's published tokenizers, its twin, vocabulary files, learning, hostile input."""

import csv
import gzip
import hashlib
import importlib.util
import json
import pickle
import random
import subprocess
import sys
import unicodedata
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

import vlmneg as vn
from vlmneg import _core, cleaning, tokenizer, vocabulary
from vlmneg.reference import tokenizer as twin

ROOT = Path(__file__).parents[1]
HAS_FTFY = importlib.util.find_spec("ftfy") is not None
needs_ftfy = pytest.mark.skipif(not HAS_FTFY, reason="ftfy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:.*special token", "ignore:without ftfy")


@pytest.fixture(scope="session")
def merge_file():
    """CLIP's merge file, from the real data or an installed open_clip."""
    path = SHARED / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    if path.is_file():
        return path
    spec = importlib.util.find_spec("open_clip")
    if spec is None:
        pytest.skip("no bpe_simple_vocab_16e6.txt.gz: neither real data nor open_clip is here")
    return Path(spec.submodule_search_locations[0]) / path.name


@pytest.fixture(scope="session")
def clip(merge_file):
    return vn.Tokenizer.from_file(merge_file)


@pytest.fixture(scope="session")
def openai(merge_file):
    return vn.Tokenizer.from_file(merge_file, specials="openai")


@pytest.fixture(scope="session")
def hugging(merge_file):
    return vn.Tokenizer.from_file(merge_file, cleaning="transformers")


@pytest.fixture(scope="session")
def open_clip(merge_file):
    """open_clip's own tokenizer, from its file alone: the package wants torchvision."""
    for name in ("open_clip", "torch", "ftfy", "regex"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    folder = importlib.util.find_spec("open_clip").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", Path(folder) / "tokenizer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SimpleTokenizer(str(merge_file))


@pytest.fixture(scope="session")
def small():
    """A vocabulary that needs no file."""
    return vn.Tokenizer.learn(WORDS + ["it's we've they'll 1234 ... !!!", "naïve café привет мир"] * 3, 700)


WORDS = ["a photo of the red cube on a blue ball", "the dogs are running", "two lowest newest widest cats"]


def row(tok, text):
    """All ids of one text, without start and end."""
    ids = tok(text, context=max(2, 4 * len(text.encode("utf-8", "replace")) + 64))[0].tolist()
    last = max(i for i, x in enumerate(ids) if x == tok.end)
    return ids[1:last]


def packed(tok, texts):
    """Ids without start and end, text by text, through pack."""
    ids, offsets = tok.pack(texts, context=1 << 20)
    return [ids[a + 1 : b - 1].tolist() for a, b in zip(offsets, offsets[1:], strict=False)]


# text, ids in OpenAI's tokenizer, in open_clip's, in transformers' (None: as OpenAI's)
GOLDEN = [
    ("", "", None, None),
    ("hello world", "3306 1002", None, None),
    ("Hello World!", "3306 1002 256", None, None),
    ("a photo of a cat", "320 1125 539 320 2368", None, None),
    ("a red cube on a blue ball", "320 736 11353 525 320 1746 1069", None, None),
    ("A cat's toy, don't we've", "320 2368 568 5988 267 847 713 649 1200", None, None),
    ("1234", "272 273 274 275", None, None),
    ("1st", "272 545", None, None),
    ("$5.00", "259 276 269 271 271", None, None),
    ("...", "678", None, None),
    ("…", "959", None, None),
    ("a_b", "320 318 321", None, None),
    ("C++", "322 19056", None, None),
    ("!", "256", None, None),
    ("café", "15304", None, None),
    ("cafe\u0301", "15304", None, None),
    ("naïve", "1097 35689 563", None, None),
    ("straße", "1894 127 253 324", None, None),
    ("日本語", "39121 44353 34002 508", None, None),
    ("🙂", "14860", None, None),
    ("हिन्दी", "29446 26721 26090 19389 29552 25751", None, None),
    ("İstanbul", "328 16384 11231", None, None),
    ("x²", "343 41175", None, None),
    ("\u212a", "330", None, None),
    ("a\tb\nc  d", "320 321 322 323", None, None),
    ("a\u00a0b", "320 321", None, None),
    ("a\u3000b", "320 321", None, None),
    ("a\x00b", "3937", None, "320 444 321"),
    ("a\x1cb", "3937", None, "320 472 321"),
    ("\x1b[31mred\x1b[0m", "736", None, "differs"),
    ("a &amp; b", "320 261 321", None, "320 261 6259 282 321"),
    ("AT&T", "536 261 339", None, None),
    ("&lt;b&gt;", "283 321 285", None, "differs"),
    ("&amp;amp;amp;lt;", "283", None, "differs"),
    ("&copy 2020", "5811 273 271 273 271", None, "differs"),
    ("&#128;", "6309", None, "differs"),
    ("&notit;", "126 361 585 282", None, "differs"),
    ("a<b &amp;amp;amp;lt;", "320 283 321 261 6259 282 3333 282", None, "differs"),
    ("ΟΔΟΣ", "138 123 138 112 138 123 139 480", None, "138 123 138 112 138 123 139 481"),
    ("ﬁne", "3797", None, "differs"),
    ("ｆｕｌｌ ｗｉｄｔｈ", "1476 23571", None, "differs"),
    ("it’s", "585 568", None, "differs"),
    ("“quoted” ‘text’", "257 27706 257 713 20072 262", None, "differs"),
    ("Ã©", "4166", None, "127 352 5811"),
    ("'ſ", "6 129 379", None, "262 129 379"),
    ("x\u0345y", "343 344", None, "343 137 483 344"),
    ("<|endoftext|>", "49407", "27 347 40786 4160 91 285", None),
    ("a <|endoftext|> b", "320 49407 321", "320 27 347 40786 4160 91 285 321", None),
    ("a<|STARTOFTEXT|>b", "320 49406 321", "320 27 347 993 6659 4160 91 285 321",
     "320 27 347 993 6659 4160 91 285 321"),
    ("!<|endoftext|>!", "0 27 347 40786 4160 91 29 256", None, "256 49407 256"),
    ("<start_of_text> a", "283 1572 318 539 318 4160 285 320", "49406 320", None),
]
if not HAS_FTFY:
    GOLDEN = [g for g in GOLDEN if g[0].isascii() and "&" not in g[0]]


@pytest.mark.parametrize("text, ids, open_clip_ids, hf", GOLDEN)
def test_published_ids(clip, openai, hugging, text, ids, open_clip_ids, hf):
    def numbers(other):
        return [int(i) for i in (ids if other is None else other).split()]

    assert row(openai, text) == numbers(None)
    assert row(clip, text) == numbers(open_clip_ids)
    if hf == "differs":
        assert row(hugging, text) != numbers(None)
    else:
        assert row(hugging, text) == numbers(hf)


@needs_ftfy
def test_real_captions(clip, hugging, shared):
    """13,391 distinct captions, with the hash of the ids that all three published tokenizers give."""
    texts = set()
    for name in ("captions.json", "train_captions.json"):
        texts |= {a["caption"] for a in json.loads((shared / "coco" / name).read_text())["annotations"]}
    for path in sorted((shared / "golden").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as f:
            texts |= {r[k] for r in csv.DictReader(f) for k in ("caption", "negative_caption")}
    assert len(texts) == 13_391
    texts = sorted(texts)
    for tok in (clip, hugging):
        rows = packed(tok, texts)
        assert max(map(len, rows)) + 2 == 52
        lines = "".join(",".join(map(str, r)) + "\n" for r in rows)
        assert hashlib.sha256(lines.encode()).hexdigest() == \
            "b9d4e65d2c46f56b64c5870037404c8a791a8b2e191f212717754cba72b9b077"


SNIPPETS = """&amp; &lt; &gt; &#39; &quot; &nbsp; &copy &notit; &#128; &#x1F600; &amp;amp;lt; &#0; &#xD800; &#27;
&NewLine; <b> </b> <br/> 🙂 👨‍👩‍👧 🇩🇪 é e\u0301 ſ 'ſ 's 'LL 're İ ΟΔΟΣ Σ ß ﬁ ﬆ “ ” ’ … \u0345 x\u0345y
हिन्दी 日本語 한국어 العربية <start_of_text> <END_OF_TEXT> <ſtart_of_text> <|startoftext|> <|endoftext|> <|ENDOFTEXT|>
Ã© â€™ 1234 ½ Ⅻ ² ٣ don't we've !? a_b C++ $5.00 ǅ ﷺ & ; ' < [31m""".split()
SNIPPETS += ["\x00", "\x1b[31m", "\x1b[", "\x1b[1;3x", "\x1b\x1b[m", "\x1c", "\x7f", "\x85", "\u3000", "\u2028",
             "\ufeff", "\u200b", "\U0001d400", "\ud800", "\udc00", "\ue000", "\U0010ffff", "\u1e9e", "\u212a", "\r\n",
             "\r", "\t", "\n", "\x0b", "\x0c", "  ", " "]


def random_text(r):
    """A string of one of five kinds: ASCII, words, snippets, any code points, a mix."""
    n = r.choice([0, 1, 2, 3, 5, 8, 13, 30])
    words = " ".join(WORDS).split()
    match r.randrange(5):
        case 0:
            return "".join(chr(r.randrange(128)) for _ in range(3 * n))
        case 1:
            return " ".join(r.choice(words if r.random() < 0.8 else SNIPPETS) for _ in range(n))
        case 2:
            return "".join(r.choice(words if r.random() < 0.5 else SNIPPETS) for _ in range(n))
        case 3:
            top = r.choice([0x250, 0x600, 0x3000, 0x10000, 0x110000])
            return "".join(chr(r.randrange(top)) for _ in range(n))
    return "".join(r.choice([chr(r.randrange(32, 127)), r.choice(SNIPPETS), " ", "'", "<", "&"]) for _ in range(2 * n))


def long_texts(r):
    letters = "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10_000))
    return [letters, "a" * 10_000, "ab" * 5_000, "!" * 10_000, "é" * 10_000, "lowest " * 1_500, "&" * 10_000]


@needs_ftfy
def test_equals_open_clip(clip, open_clip):
    r = random.Random(5)
    texts = [random_text(r) for _ in range(4_000)] + long_texts(r)
    theirs = open_clip(texts).numpy()
    ours = clip(texts)
    assert [t for t, same in zip(texts, (ours == theirs).all(1), strict=True) if not same] == []
    for text, ids in zip(texts[-107:], packed(clip, texts[-107:]), strict=True):
        whole = [*open_clip.encode(text), 49407]
        assert ids == whole[: whole.index(49407)]


@needs_ftfy
def test_equals_open_clip_on_every_character(clip, open_clip):
    pytest.importorskip("regex")
    step = 97  # all of them take a minute; the offset of two runs is another
    texts = [f"a{chr(c)}{chr(c)}b1" for c in range(0, 0x110000, step) if not 0xD800 <= c < 0xE000]
    assert np.array_equal(clip(texts, context=77), open_clip(texts).numpy())


def test_unicode_tables():
    regex = pytest.importorskip("regex")
    spec = importlib.util.spec_from_file_location("unicode_tables", ROOT / "tests" / "golden" / "unicode_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stored = (ROOT / "csrc" / "text" / "vn_unicode.h").read_text()
    made = module.header()
    if stored.splitlines()[0] != made.splitlines()[0]:
        pytest.skip(f"regex {regex.__version__} holds another Unicode than the tables")
    assert stored.split("*/")[1].strip() == made.split("*/")[1].strip()


@pytest.fixture(scope="session")
def clip_tokenizer(hugging, tmp_path_factory):
    """transformers' CLIPTokenizer, reading what Tokenizer.save wrote."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("saved")
    hugging.save(folder)
    return transformers.CLIPTokenizer.from_pretrained(str(folder))


def test_equals_transformers(hugging, clip_tokenizer):
    """Apart from characters that one side's Unicode does not know yet."""
    r = random.Random(6)
    texts = ["".join(c for c in random_text(r) if unicodedata.category(c) not in ("Cs", "Cn")) for _ in range(3_000)]
    texts += [t for t in long_texts(r)]
    theirs = clip_tokenizer(texts, truncation=True, max_length=77, padding="max_length")["input_ids"]
    ours = hugging(texts)
    for text, a, b in zip(texts, ours.tolist(), theirs, strict=True):
        n = a.index(49407) + 1
        assert a[:n] == b[:n], text


def test_saved_folder_is_readable(clip, clip_tokenizer, tmp_path):
    assert len(clip_tokenizer) == clip.vocab_size
    assert clip_tokenizer.bos_token_id == clip.start and clip_tokenizer.eos_token_id == clip.end
    clip_tokenizer.save_pretrained(str(tmp_path))
    assert (tmp_path / "tokenizer.json").is_file()
    again = vn.Tokenizer.from_folder(tmp_path)
    assert again.hash == clip.hash


# the twin


def characters():
    """Characters that this Python's Unicode knows."""
    return st.characters(codec="utf-8", exclude_categories=("Cs", "Cn"))


@settings(max_examples=300, deadline=None)
@given(st.text(characters() | st.sampled_from(" '<>|sſ\u0345ab1!"), max_size=60), st.booleans())
def test_twin(text, fold):
    text = text.lower()
    tok = _SMALL.setdefault("tok", vn.Tokenizer.learn(WORDS, 600))
    core = _core.Tokenizer(tok.vocabulary.symbols, tok.vocabulary.merge_ids, tok.vocab_size, tok.start, tok.end,
                           tok.end, "<start_of_text>", "<end_of_text>", fold)
    # the & makes the core ask for cleaned bytes, also for ASCII
    ids = core.rows([text + "&"], 4_000, lambda t: t[:-1].encode())[0][0].tolist()
    expected = twin.encode(text, tok.vocabulary.ids, tok.vocabulary.merges, vocabulary.BYTE_SYMBOLS,
                           ("<start_of_text>", "<end_of_text>"), fold)
    assert ids[: len(expected) + 2] == [tok.start, *expected, tok.end]
    assert not any(ids[len(expected) + 2 :])


_SMALL: dict = {}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("\x1b [ 3 ; m Z \x00 \n \x1c \x7f \x0c a".split(" ") + [" "]), max_size=30))
def test_ascii_cleaning(parts):
    text = "".join(parts)
    tok = _SMALL.setdefault("tok", vn.Tokenizer.learn(WORDS, 600))
    expected = twin.encode(twin.clean(text), tok.vocabulary.ids, tok.vocabulary.merges, vocabulary.BYTE_SYMBOLS)
    assert row(tok, text) == expected
    if HAS_FTFY:
        import ftfy

        assert twin.clean(text).split() == ftfy.fix_text(text).lower().split()


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 63, 64, 65, 66, 129, 1_000])
@pytest.mark.parametrize("letters", ["a", "ab", "lowest", "é"])
def test_lengths(small, n, letters):
    """Both ways of merging and the table of words, around their borders."""
    text = (letters * n)[:n]
    expected = twin.encode(text, small.vocabulary.ids, small.vocabulary.merges, vocabulary.BYTE_SYMBOLS)
    assert row(small, text) == expected
    r = random.Random(n)
    text = "".join(r.choice("lowestandriu") for _ in range(n))
    expected = twin.encode(text, small.vocabulary.ids, small.vocabulary.merges, vocabulary.BYTE_SYMBOLS)
    assert row(small, text) == expected


def test_long_pieces_are_not_quadratic(small):
    import time

    def seconds(n):
        r = random.Random(0)
        text = "".join(r.choice("lowestandriu") for _ in range(n))
        start = time.perf_counter()
        small(text)
        return time.perf_counter() - start

    seconds(10_000)
    assert seconds(1_000_000) < 4.0  # a square would take an hour


# rows


@pytest.mark.parametrize("context", [2, 3, 5, 8, 77])
def test_truncation(small, context):
    text = "a red cube on a blue ball"
    whole = [small.start, *row(small, text), small.end]
    expected = whole if len(whole) <= context else [*whole[: context - 1], small.end]
    ids = small([text, ""], context=context)
    assert ids.shape == (2, context) and ids.dtype == np.int32
    assert ids[0].tolist() == expected + [0] * (context - len(expected))
    assert ids[1].tolist() == [small.start, small.end] + [0] * (context - 2)
    packed_ids, offsets = small.pack([text, ""], context=context)
    assert packed_ids.dtype == offsets.dtype == np.int32
    assert offsets.tolist() == [0, len(expected), len(expected) + 2]
    assert packed_ids.tolist() == [*expected, small.start, small.end]


def test_pack_ends_at_the_first_end_token(small):
    text = "red <end_of_text> cube"
    ids = small(text)[0].tolist()
    packed_ids, offsets = small.pack([text, "red"])
    assert ids.count(small.end) == 2
    assert packed_ids[: offsets[1]].tolist() == ids[: ids.index(small.end) + 1]


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 700])
def test_threads(small, n):
    r = random.Random(n)
    texts = [random_text(r) for _ in range(n)]
    expected = np.concatenate([small(t, context=20) for t in texts])
    before = vn.num_threads()
    try:
        for threads in (1, 2, 4):
            vn.set_num_threads(threads)
            assert np.array_equal(small(texts, context=20), expected)
            ids, offsets = small.pack(texts, context=20)
            assert np.array_equal(small.pack(tuple(texts), context=20)[0], ids) and offsets[-1] == len(ids)
    finally:
        vn.set_num_threads(before)


def test_python_threads(small):
    """The call keeps its texts alive while other threads change the list."""
    r = random.Random(0)
    texts = [random_text(r) for _ in range(300)]
    expected = small(texts)

    def work(_):
        mine = list(texts)
        ids = small(mine)
        mine.clear()
        return np.array_equal(ids, expected)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(20)))


@pytest.mark.parametrize("method", ["ftfy", "basic", "transformers"])
@pytest.mark.parametrize("specials", ["openclip", "openai", "text"])
def test_hostile_text(small, method, specials):
    """Lone surrogates, NUL, non-characters: ids within the vocabulary, never an error."""
    if method == "ftfy" and not HAS_FTFY:
        pytest.skip("ftfy is not installed")
    tok = tokenizer.Tokenizer(small.vocabulary, cleaning=method, specials=specials)
    texts = ["\ud800", "a\udfffb", "\ud83d\ude00", "\x00", "\x00" * 300, "\ufffe\uffff", "\U0010ffff" * 100, "\x1b",
             "\x1b[", "\x1b[1", "&#xD800;", "&#x110000;", "&#99999999999999999999;", "<end_of_text>" * 50,
             "\u0345" * 40]
    ids = tok(texts)
    assert ids.min() >= 0 and ids.max() < tok.vocab_size
    assert (ids[:, 0] == tok.start).all() and (ids == tok.end).any(1).all()
    assert tok("\ud83d\ude00").tolist() == tok("😀").tolist()


def test_transformers_special_spelled_in_capitals(hugging, clip_tokenizer):
    for text in ("a<|ENDOFTEXT|>!", "!<|ENDOFTEXT|>!", "<|EndOfText|><|StartOfText|>!", "1<|ENDOFTEXT|>'s"):
        assert [49406, *row(hugging, text), 49407] == clip_tokenizer(text)["input_ids"]


def test_specials(small):
    for name, (start, end) in vocabulary.SPECIALS.items():
        tok = tokenizer.Tokenizer(small.vocabulary, specials=name)
        assert row(tok, f"red {start.upper()} {end}") == [*row(tok, "red"), tok.start, tok.end]
        text = tokenizer.Tokenizer(small.vocabulary, specials="text")
        assert not {tok.start, tok.end} & set(row(text, f"red {start} {end}"))


def test_special_in_a_caption_warns_once(small):
    cleaning.SAID.discard("openclip")
    with pytest.warns(UserWarning, match="1 of the texts spell a special token .*specials='text'"):
        small(["a <end_of_text>", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(["a <end_of_text>", "b"])


def test_without_ftfy(small, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "ftfy" else find(name, *a))
    tok = tokenizer.Tokenizer(small.vocabulary)
    assert tok.cleaning == "basic"
    cleaning.SAID.discard("basic")
    with pytest.warns(UserWarning, match="without ftfy"):
        assert row(tok, "naïve &amp; café") == row(tok, "nai\u0308ve & cafe\u0301")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tok(["é", "&lt;"])
    assert row(tok, "a\x00b\x1b[31m é") == row(tok, "ab é")
    with pytest.raises(ImportError, match=r"vlmneg\[text\]"):
        tokenizer.Tokenizer(small.vocabulary, cleaning="ftfy")


def test_decode(small):
    ids = small("The  RED cube's naïve café!")[0]
    assert small.decode(ids) == "the red cube 's naïve café !"
    assert small.decode(ids.tolist()) == small.decode(ids)
    assert small.decode([]) == "" and small.decode([small.start, small.end, 0, 0]) == ""
    assert small.decode(small("</w>")[0]) == "</ w >"
    assert small.decode([127]) == "�"
    for bad in (ids[None], [0.5], [-1], [small.vocab_size], "abc"):
        with pytest.raises(ValueError, match="ids must be"):
            small.decode(bad)


def test_attributes_and_pickle(small):
    again = pickle.loads(pickle.dumps(small))
    assert again.hash == small.hash and (again.start, again.end) == (small.start, small.end)
    assert np.array_equal(again(WORDS), small(WORDS)) and again.cleaning == small.cleaning
    assert repr(vn.Tokenizer.learn(WORDS, 520)).startswith("Tokenizer(vocab_size=520, start=518, end=519, cleaning=")
    other = vn.Tokenizer.learn(WORDS, 600)
    assert other.hash != small.hash and len(small.hash) == 64
    if HAS_FTFY:
        from importlib.metadata import version

        assert small.cleaning == f"ftfy {version('ftfy')}"


# wrong input


@pytest.mark.parametrize("texts, error, match", [
    ([], ValueError, "texts is empty"),
    ((), ValueError, "texts is empty"),
    (b"a cat", TypeError, "got bytes; decode it first"),
    ([b"a cat"], TypeError, "text 0 must be a str, got bytes; decode it first"),
    (["a", None], TypeError, "text 1 must be a str, got NoneType"),
    (["a", ["b"]], TypeError, "text 1 must be a str, got list"),
    (None, TypeError, "texts must be a str or a list of str, got NoneType"),
    (5, TypeError, "texts must be a str or a list of str, got int"),
    ({"a"}, TypeError, "got set"),
])
def test_wrong_texts(small, texts, error, match):
    for call in (small, small.pack):
        with pytest.raises(error, match=match):
            call(texts)


@pytest.mark.parametrize("context, error", [(1, ValueError), (0, ValueError), (-3, ValueError), (2**31, ValueError),
                                            (2.5, TypeError), (None, TypeError), ("77", TypeError)])
def test_wrong_context(small, context, error):
    for call in (small, small.pack):
        with pytest.raises(error, match="context must be"):
            call(["a"], context=context)


def test_wrong_options(small):
    with pytest.raises(ValueError, match="cleaning must be"):
        tokenizer.Tokenizer(small.vocabulary, cleaning="lower")
    with pytest.raises(ValueError, match="specials must be"):
        tokenizer.Tokenizer(small.vocabulary, specials="hf")
    with pytest.raises(TypeError, match="from_file"):
        tokenizer.Tokenizer("vocab.json")


def test_core_checks():
    symbol, merge = np.arange(512, dtype=np.int32), np.array([[33, 256 + 33, 512]], np.int32)

    def make(**change):
        plan = dict(symbol=symbol, merge=merge, vocab=515, start=513, end=514, unknown=514, start_text=None,
                    end_text=None, fold=True) | change
        return _core.Tokenizer(**plan)

    assert make().rows(["!!"], 4, str.encode)[0].tolist() == [[513, 512, 514, 0]]
    for change, error in [({"vocab": 0}, ValueError), ({"vocab": 2**40}, ValueError), ({"start": 515}, ValueError),
                          ({"end": -1}, ValueError), ({"unknown": 600}, ValueError),
                          ({"end_text": "x" * 64}, ValueError), ({"symbol": symbol + 4}, ValueError),
                          ({"symbol": symbol - 2}, ValueError),
                          ({"merge": merge + 3}, ValueError), ({"merge": -merge}, ValueError),
                          ({"merge": merge[:, :2]}, ValueError), ({"symbol": symbol[:4]}, ValueError),
                          ({"merge": merge.astype(np.int64)}, TypeError)]:
        with pytest.raises(error):
            make(**change)
    with pytest.raises(ValueError, match="bytes"):
        make().rows(["é"], 4, lambda text: text)
    with pytest.raises(ZeroDivisionError):
        make().pack(["a", "é"], 4, lambda text: 1 / 0)
    # bytes that are no UTF-8 are encoded one by one
    ids = make().rows(["é"], 40, lambda text: b"\x80\xc3(\xf0\x9f\xf5\xed\xa0\x80\xe2\x82")[0]
    assert (ids >= 0).all() and (ids < 515).all()


# files


def write_merges(path, merges, header='"bpe_simple_vocab_16e6.txt#version: 0.2'):
    text = header + "\n" + "".join(f"{a} {b}\n" for a, b in merges)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_small_merge_files(small, tmp_path):
    merges = small.vocabulary.merges
    for name in ("bpe.txt.gz", "bpe.txt"):
        tok = vn.Tokenizer.from_file(write_merges(tmp_path / name, merges))
        assert tok.hash == small.hash
    text = (tmp_path / "bpe.txt").read_text()
    (tmp_path / "crlf.txt").write_bytes(text.replace("\n", "\r\n").encode())
    assert vn.Tokenizer.from_file(tmp_path / "crlf.txt").hash == small.hash


def test_clip_file_unpacked(clip, merge_file, tmp_path):
    (tmp_path / "bpe_simple_vocab_16e6.txt").write_bytes(gzip.decompress(merge_file.read_bytes()))
    assert vn.Tokenizer.from_folder(str(tmp_path)).hash == clip.hash
    assert (clip.vocab_size, clip.start, clip.end) == (49408, 49406, 49407)


def test_folder(small, tmp_path):
    small.save(tmp_path / "new" / "folder")
    tok = vn.Tokenizer.from_folder(tmp_path / "new" / "folder")
    assert tok.hash == small.hash and np.array_equal(tok(WORDS), small(WORDS))
    for name in ("vocab.json", "merges.txt", ""):
        assert vn.Tokenizer.from_file(tmp_path / "new" / "folder" / name).hash == small.hash
    with pytest.raises(FileNotFoundError, match=r"no tokenizer in .*looked for tokenizer\.json"):
        vn.Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize("strings", [True, False])
def test_tokenizer_json(small, tmp_path, strings):
    v = small.vocabulary
    merges = [f"{a} {b}" if strings else [a, b] for a, b in v.merges]
    words = {t: i for t, i in v.ids.items() if i < v.start}
    data = {"added_tokens": [{"id": i, "content": v.tokens[i]} for i in (v.start, v.end)],
            "model": {"type": "BPE", "vocab": words, "merges": merges, "end_of_word_suffix": "</w>",
                      "unk_token": "<|endoftext|>", "continuing_subword_prefix": ""}}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(data))
    assert vn.Tokenizer.from_folder(tmp_path).hash == small.hash

    def refuse(match, **change):
        path.write_text(json.dumps(data | {"model": data["model"] | change}))
        with pytest.raises(ValueError, match=match):
            vn.Tokenizer.from_file(path)

    refuse("not a tokenizer of CLIP's kind", type="Unigram")
    refuse("not a tokenizer of CLIP's kind", end_of_word_suffix=None)
    refuse("not a tokenizer of CLIP's kind", merges="a b")
    refuse("merge 1 must be two symbols", merges=["abc"])
    refuse("merge 1 must be two symbols", merges=[7])
    refuse("merge 1 must be two symbols", merges=[[1, 2]])
    refuse("merges are cut short", merges=merges[:-3])
    refuse("is no token", vocab={k if i != 520 else "zzz": i for k, i in words.items()})
    path.write_text(json.dumps({"model": 3}))
    with pytest.raises(ValueError, match="not a tokenizer of CLIP's kind"):
        vn.Tokenizer.from_file(path)
    path.write_text(json.dumps(data | {"added_tokens": [{"id": 3, "content": "<|endoftext|>"}, 5]}))
    with pytest.raises(ValueError, match="added token"):
        vn.Tokenizer.from_file(path)


def test_vocabulary_of_33(tmp_path):
    """Without bytes of its own for most text: those are the unknown token."""
    letters = "abcdefghijklm"
    tokens = [*letters, *(c + "</w>" for c in letters), "ab", "abc</w>", "bc</w>", "de", "<unk>", "<start>", "<end>"]
    (tmp_path / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\nab c</w>\nb c</w>\n")
    tok = vn.Tokenizer.from_folder(tmp_path)
    assert (tok.vocab_size, tok.start, tok.end) == (33, 31, 32)
    assert row(tok, "abc z dz") == [27, 30, 3, 30]
    config = {"eos_token": {"content": "<unk>"}, "bos_token": "<end>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tok = vn.Tokenizer.from_folder(tmp_path)
    assert (tok.start, tok.end) == (32, 30)


def test_small_vocabulary_in_transformers(small, tmp_path):
    transformers = pytest.importorskip("transformers")
    small.save(tmp_path)
    theirs = transformers.CLIPTokenizer.from_pretrained(str(tmp_path))
    for text in WORDS + ["привет, naïve café's 123", "unseen words"]:
        assert theirs(text)["input_ids"] == [small.start, *row(small, text), small.end]


def test_damaged_files(small, tmp_path):
    def refuse(name, data, match, error=ValueError):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(error, match=match):
            vn.Tokenizer.from_file(path)

    merges = small.vocabulary.merges
    good = write_merges(tmp_path / "good.gz", merges).read_bytes()
    text = gzip.decompress(good)
    refuse("cut.gz", good[:-20], "cut-short gzip")
    flipped = good[:60] + bytes([good[60] ^ 255]) + good[61:]
    refuse("flip.gz", flipped, "cut-short gzip|UTF-8|two symbols|earlier tokens")
    refuse("no_header.txt", text.partition(b"\n")[2], "#version")
    refuse("empty.txt", b"", "#version")
    refuse("only_header.txt", b"#version: 0.2\n", "merge 1 must be two symbols")
    refuse("cut.txt", text[:-4], "two symbols|earlier tokens")
    refuse("three.txt", b"#version\na b c\n", "merge 1 must be two symbols")
    refuse("blank.txt", b"#version\na b\n\nc d\n", "merge 2 must be two symbols")
    refuse("order.txt", b"#version\nab c\na b\n", "merge 1 .* earlier tokens")
    refuse("twice.txt", b"#version\na b\na b\n", "merge 2 .* new one")
    refuse("latin.txt", b"#version\n\xff \xfe\n", "not UTF-8")
    refuse("image.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "UTF-8|#version")
    refuse("vocab.json", b"{}", "merges.txt beside", FileNotFoundError)
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    for data, match in [(b"[1]", "JSON object"), (b"{", "not valid JSON"), (b"[" * 100_000, "not valid JSON"),
                        (b'{"a": 0, "c": 1, "d": 2}', "is no token")]:
        refuse("vocab.json", data, match)
    for ids in (b"{}", b'{"a": 0, "b": 1, "ab": 3}', b'{"a": 0, "b": 1, "ab": 1}', b'{"a": 0, "b": "1", "ab": 2}',
                b'{"a": 0, "b": true, "ab": 2}', b'{"a": 0, "b": 1.0, "ab": 2}', b'{"a": -1, "b": 0, "ab": 1}'):
        refuse("vocab.json", ids, "must be 0..2")
    with pytest.raises(FileNotFoundError, match="is not a file: a vocabulary is"):
        vn.Tokenizer.from_file(tmp_path / "nowhere.txt")


def test_mismatched_merges(small, tmp_path):
    small.save(tmp_path)
    lines = (tmp_path / "merges.txt").read_text().splitlines(keepends=True)
    (tmp_path / "merges.txt").write_text("".join(lines[:-5]))
    with pytest.raises(ValueError, match="no merge makes 5 of its tokens"):
        vn.Tokenizer.from_folder(tmp_path)
    (tmp_path / "merges.txt").write_text("".join([*lines, "q q\n"]))
    with pytest.raises(ValueError, match="belongs to another vocabulary"):
        vn.Tokenizer.from_folder(tmp_path)
    (tmp_path / "merges.txt").write_text("".join(lines[1:]))  # the header may be missing here
    assert vn.Tokenizer.from_folder(tmp_path).hash == small.hash


def test_find(small, tmp_path, monkeypatch):
    small.save(tmp_path)
    monkeypatch.setenv("VLMNEG_VOCAB", str(tmp_path))
    assert vn.Tokenizer.find().hash == small.hash
    monkeypatch.setenv("VLMNEG_VOCAB", str(tmp_path / "vocab.json"))
    assert vn.Tokenizer.find(specials="text").specials == "text"
    monkeypatch.delenv("VLMNEG_VOCAB")
    fake = tmp_path / "site" / "open_clip"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise ImportError('must not be imported')")
    write_merges(fake / "bpe_simple_vocab_16e6.txt.gz", small.vocabulary.merges)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    importlib.invalidate_caches()
    if "open_clip" not in sys.modules:
        assert vn.Tokenizer.find().hash == small.hash and "open_clip" not in sys.modules
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None)
    with pytest.raises(FileNotFoundError) as e:
        vn.Tokenizer.find(cleaning="basic")
    for way in ("from_file", "vocab.json", "tokenizer.json", "from_folder", "VLMNEG_VOCAB", "open-clip-torch", "learn"):
        assert way in str(e.value)


# learning


def test_learn_follows_the_definition():
    """Against counting all pairs anew for each merge."""
    captions = ["a red red cube", "two lowest newest cats", "the cat sat on the mat", "aaaa aaa aa"]
    tok = vn.Tokenizer.learn(captions, 535)
    rows = [[[*w[:-1], w[-1] + "</w>"] for w in c.split()] for c in captions]
    rows = [r for c in rows for r in c]
    known = set()
    for got in tok.vocabulary.merges:
        counts = {}
        for r in rows:
            for pair in zip(r, r[1:], strict=False):
                counts[pair] = counts.get(pair, 0) + 1
        best = min((p for p in counts if "".join(p) not in known), key=lambda p: (-counts[p], p))
        assert got == best
        known.add("".join(best))
        rows = [twin.merge(r, {best: 0}) for r in rows]
    assert tok.vocab_size == 535


def test_learn_is_deterministic_and_total():
    captions = WORDS * 3 + ["naïve café", "a <end_of_text> b"]
    tok = vn.Tokenizer.learn(captions, 600)
    assert vn.Tokenizer.learn(captions[::-1], 600).hash == tok.hash
    code = f"import vlmneg as vn; print(vn.Tokenizer.learn({captions!r}, 600).hash)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True,
                          cwd=ROOT)
    assert done.stdout.strip() == tok.hash
    assert vn.Tokenizer.learn(["a"], 514).vocab_size == 514
    full = vn.Tokenizer.learn(["red cube"], 10_000)
    assert full.vocab_size < 600 and len(row(full, "red cube")) == 2
    assert full.decode(full("日本語 🙂")[0]) == "日本語 🙂"
    assert vn.Tokenizer.learn([""], 600).vocab_size == 514


@pytest.mark.parametrize("size", [513, 0, -1, 600.0, True, None, "600"])
def test_learn_refuses_sizes(size):
    with pytest.raises(ValueError, match="size must be an integer of at least 514"):
        vn.Tokenizer.learn(["a"], size)


def test_learn_refuses_texts():
    with pytest.raises(ValueError, match="texts is empty"):
        vn.Tokenizer.learn([], 600)
    with pytest.raises(TypeError, match="text 1 must be a str"):
        vn.Tokenizer.learn(["a", 3], 600)
