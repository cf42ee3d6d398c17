"""Annotations and taggers: twin, any tagger's output, the cache beside the data, damaged files, real captions."""

import builtins
import collections
import csv
import importlib.util
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vlmneg as vn
from vlmneg import _core
from vlmneg.checkpoints import safetensors
from vlmneg.negatives import annotate, annotations, taggers
from vlmneg.negatives.annotations import Annotations, cache_path
from vlmneg.reference import text as twin

ROOT = Path(__file__).parents[1]
CAPTIONS = [
    "A man riding a horse near a woman and a dog on the beach.",
    "THE DOG'S toys; it isn't a man’s red-haired “cat”",
    "Three sheep and a sheep in front of an old oven, which has been cleaned to shine",
    "Señor Niño's café—a “red” bus 🚌 beside a blue bicycle",
    "", " ... ", "dog " * 90,
]
LEXICON = _core.text_lexicon()
LINES = {line[0].encode(): line for line in LEXICON}
PLACE = {line[0]: i for i, line in enumerate(LEXICON)}
textblob = pytest.mark.skipif(importlib.util.find_spec("textblob") is None, reason="TextBlob is not installed")


def rows(captions, tags=None, begin=None):
    """What the core makes, as tuples by caption, checked to be what the twin makes."""
    words, offsets = _core.text_annotate(tuple(captions), tags, begin)
    made = [words[a:z].tolist() for a, z in zip(offsets[:-1], offsets[1:], strict=True)]
    for i, caption in enumerate(captions):
        said = () if tags is None else [(b, e, chr(k) if k else "") for b, e, k in tags[begin[i]:begin[i + 1]].tolist()]
        expected = [[w.begin, w.end, ord(w.kind) | w.form << 16, PLACE[w.lemma[0]] if w.lemma else -1]
                    for w in twin.tag(caption.encode(), LINES, said)]
        assert made[i] == expected, caption
    return made


def test_twin():
    made = rows(CAPTIONS)
    assert [len(m) for m in made] == [14, 9, 17, 10, 0, 0, 75]
    assert made == [rows([c])[0] for c in CAPTIONS]


WORDS = st.sampled_from([line[0] for line in LEXICON] + ["running", "unicorns", "café", "don't", "RED", "x-ray"])
SENTENCES = st.lists(st.tuples(WORDS, st.sampled_from([" ", " ", ", ", "-", "  ", "’"])), max_size=9).map(
    lambda parts: "".join(w + gap for w, gap in parts))
TAG = st.tuples(st.integers(0, 60), st.integers(0, 20), st.sampled_from([0, *map(ord, "NVARPDCMXUT")]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SENTENCES | st.text(max_size=40), st.lists(TAG, max_size=9)), min_size=1, max_size=3))
def test_twin_with_any_tags(cases):
    tags = [sorted((b, b + n, k) for b, n, k in said) for _, said in cases]
    begin = np.cumsum([0, *map(len, tags)])
    flat = np.array([t for said in tags for t in said], np.int32).reshape(-1, 3)
    rows([c for c, _ in cases], flat, begin)
    rows([c for c, _ in cases])


def test_same_bits_for_any_threads():
    captions = tuple(f"{c} {i}" for i in range(100) for c in CAPTIONS)
    try:
        made = []
        for threads in (1, 2, 4):
            vn.set_num_threads(threads)
            made.append(_core.text_annotate(captions, None, None))
    finally:
        vn.set_num_threads(0)
    assert all((m[0] == made[0][0]).all() and (m[1] == made[0][1]).all() for m in made)


@pytest.mark.parametrize("tags, begin", [
    ([[0, 1, 78]], [0, 1]), ([[0, 1, 78]], [1, 1, 1]), ([[0, 1, 78]], [0, 0, 0]), ([[0, 1, 78]], [0, 2, 1]),
    ([[0, 1, 78]], [0, -1, 1]), ([[-1, 1, 78]], [0, 1, 1]), ([[2, 1, 78]], [0, 1, 1]), ([[0, 1, 79]], [0, 1, 1]),
    ([[0, 1, 256 + 78]], [0, 1, 1]), ([[3, 4, 78], [0, 1, 78]], [0, 2, 2]),
])
def test_core_refuses_wrong_tags(tags, begin):
    with pytest.raises(ValueError, match="begin|tags"):
        _core.text_annotate(("a dog", "a cat"), np.array(tags, np.int32), np.array(begin))


# taggers


class Fixed:
    """Says what it was told."""

    name, version = "fixed", "7"

    def __init__(self, *said):
        self.said = said

    def __call__(self, captions):
        return list(self.said)


def classes(caption, *tags, tagger=None):
    """Letters of the words, when these (word, tag) are said."""
    said, at = [], 0
    for word, tag in tags:
        at = caption.index(word, at)
        said.append((at, at + len(word), tag))
    a = annotate([caption], tagger or Fixed(said))
    return "".join(letter for _, letter in a.read(caption))


def test_a_tagger_decides_open_classes_only():
    assert classes("a red light", ("red", "NN"), ("light", "VERB")) == "DNV"
    said = ("a", "NN"), ("is", "VBZ"), ("to", "IN"), ("cars", "NNS")
    assert classes("a dog is running to the cars", *said) == "DNXVPDN"
    assert classes("New York city", ("New York", "NNP"), ("city", "JJ")) == "NNA"
    assert classes("a well-known dog", ("well", "RB"), ("-", "HYPH"), ("known", "VBN")) == "DVN"
    assert classes("the dog's toy", ("dog", "NN"), ("'s", "POS"), ("toy", "JJ")) == "DDA"
    assert classes("two cats next to it", ("next", "JJ"), ("to", "TO")) == "MNPPU"
    a = annotate(["an apple and a pear of mine"], Fixed([(0, 27, "NN")]))
    forms = (a.words[:, 2] >> 16).tolist()
    assert forms == [7, 0, 9, 6, 0, 8, 0]


def test_forms_follow_the_class():
    said = [(0, 5, "NNS"), (6, 12, "VBZ"), (13, 20, "VBG"), (21, 26, "NNS")]
    a = annotate(["walks zaggles jumping sheep"], Fixed(said))
    assert [(chr(k & 0xFFFF), k >> 16) for k in a.words[:, 2].tolist()] == [("N", 1), ("V", 3), ("V", 4), ("N", 1)]
    lemmas = [LEXICON[i][0] if i >= 0 else None for i in a.words[:, 3].tolist()]
    assert lemmas == ["walk", None, "jump", "sheep"]


def test_letters_of_tags():
    said = ("NNP-PERS", "PRP$", "X", "-LRB-", "''", ",", "", "_SP")
    assert [taggers.letter(t) for t in said] == ["N", "D"] + [""] * 6
    assert set(taggers.PENN.values()) | set(taggers.UNIVERSAL.values()) == {*"NVARPDCMXUT", ""}
    with pytest.raises(ValueError, match="'NOUNS' is neither"):
        taggers.letter("NOUNS")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=50), st.data())
def test_align(text, data):
    """Tokens that were cut from a text, with blanks put in and taken out, are found where they stand."""
    letters = [i for i, c in enumerate(text) if not c.isspace()]
    starts = sorted(data.draw(st.sets(st.sampled_from(letters)))) if letters else []
    tokens, places = [], []
    for a, z in zip(starts, [*starts, len(text)][1:], strict=True):
        stop = a + len(text[a:z].rstrip())
        tokens.append(data.draw(st.sampled_from(["", " "])).join(text[a:stop].split()))
        places.append((a, stop))
    if len(starts) and starts[0] == letters[0]:
        assert taggers.align(text, tokens) == places
    assert taggers.align("a dog", ["a", "cat", "", "dog"]) == [(0, 1), None, None, (2, 5)]


@textblob
@pytest.mark.parametrize("caption", [
    "Don't sit, the man's “café” has a red-haired cat... :- ) at 3/4 ( ! ) o'clock; e.g. U.S. [naïve] $5.00!?",
    "it’s\u00a0a\tdog\n\nin the END-OF-SENTENCE house's  'old' kitchen & bath / spa 🙂 <3", "", "   ", "a",
])
def test_textblob_places(caption):
    """Every letter that TextBlob kept has a place, and the places hold what was tagged."""
    (said,) = taggers.get("textblob")([caption])
    tagged = taggers.TextBlob()._tagger.tag(caption)
    assert [t for *_, t in said] == [t for _, t in tagged]
    for (start, stop, _), (token, _) in zip(said, tagged, strict=True):
        assert "".join(caption[start:stop].split()) == token.replace(" ", "")
    assert all(a[1] <= b[0] for a, b in zip(said, said[1:], strict=False))


@textblob
@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_textblob_takes_any_text(caption):
    a = annotate([caption], "textblob")
    own = annotate([caption])
    assert (a.words[:, :2] == own.words[:, :2]).all()  # words are the core's, whatever tokens a tagger makes


@textblob
def test_textblob():
    a = annotate(["Two men are standing by a parked car."], "textblob")
    assert "".join(k for _, k in a.read("Two men are standing by a parked car.")) == "MNXVPDVN"
    assert re.fullmatch(r"\d+\.\d+\.\d+", a.version)


def test_spacy():
    spacy = pytest.importorskip("spacy")

    @spacy.language.Language.component("tiny_rules")
    def tiny_rules(doc):
        for token in doc:
            token.tag_ = {"a": "DT", "on": "IN", "'s": "POS"}.get(token.lower_, "JJ" if token.lower_ == "red" else "NN")
        return doc

    nlp = spacy.blank("en")
    nlp.add_pipe("tiny_rules")
    caption = "a red bus's “jumping” dog  on naïve"
    a = annotate([caption], taggers.Spacy(nlp))
    assert "".join(k for _, k in a.read(caption)) == "DADNNPN"
    assert a.tagger == "spacy:en_pipeline" and a.version == nlp.meta["version"]
    with pytest.raises(ValueError, match="none of them is a tagger"):
        annotate([caption], taggers.Spacy(spacy.blank("en")))
    with pytest.raises(ValueError, match="python -m spacy download en_core_web_nothing"):
        annotate([caption], "spacy:en_core_web_nothing")


def test_spacy_by_path(tmp_path):
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("attribute_ruler").add([[{"LOWER": "dog"}]], {"TAG": "NN"})
    nlp.to_disk(tmp_path / "dogs")
    assert classes("a brave dog", tagger=f"spacy:{tmp_path / 'dogs'}") == "DAN"


@pytest.mark.parametrize("name, package", [("textblob", "textblob"), ("spacy:en_core_web_sm", "spacy")])
def test_missing_packages(name, package, monkeypatch):
    plain = builtins.__import__

    def without(module, *args, **kwargs):
        if module.split(".")[0] == package:
            raise ImportError(module)
        return plain(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'vlmneg\[tagger\]'"):
        taggers.get(name)


@pytest.mark.parametrize("tagger, error, sentence", [
    ("nltk", ValueError, "there is no tagger 'nltk'"),
    ("spacy", ValueError, "spacy:en_core_web_sm"),
    (3, TypeError, "a tagger must have a name"),
    (type("T", (), {"name": "t", "version": "1"})(), TypeError, "callable"),
    (type("T", (), {"name": "t", "version": 1, "__call__": len})(), TypeError, "version"),
    (Fixed(), ValueError, "list of 1 rows"),
    (Fixed([(0, 1)]), ValueError, r"\(start, stop, tag\)"),
    (Fixed([(0, 99, "NN")]), ValueError, "5 characters"),
    (Fixed([(3, 2, "NN")]), ValueError, "5 characters"),
    (Fixed([(0, 1, "NOUNISH")]), ValueError, "'NOUNISH' is neither"),
    (Fixed([(0, 1, None)]), ValueError, r"\(start, stop, tag\)"),
    (Fixed(None), ValueError, r"\(start, stop, tag\)"),
])
def test_wrong_taggers(tagger, error, sentence):
    with pytest.raises(error, match=sentence):
        annotate(["a dog"], tagger)


def test_lexicon_speaks_the_protocol():
    """Its own tags, handed back to the core, give what it gives itself."""
    made = taggers.Lexicon()(CAPTIONS)
    assert made[3][1] == (6, 12, "DET") and made[4] == []
    again = annotate(CAPTIONS, Fixed(*taggers.Lexicon()(CAPTIONS)))
    assert isinstance(Fixed(), taggers.Tagger)
    own = annotate(CAPTIONS)
    assert (again.words == own.words).all() and (again.offsets == own.offsets).all()


# annotations


def equal(a, b):
    return (np.array_equal(a.words, b.words) and np.array_equal(a.offsets, b.offsets)
            and np.array_equal(a.hashes, b.hashes)
            and (a.tagger, a.version, a.lexicon) == (b.tagger, b.version, b.lexicon))


def test_rows_belong_to_captions():
    captions = [*CAPTIONS, CAPTIONS[1], "", CAPTIONS[0]]
    a = annotate(captions)
    words, offsets = _core.text_annotate(tuple(captions), None, None)
    assert (a.words == words).all() and (a.offsets == offsets).all() and len(a) == len(captions)
    assert a.of(captions) is a
    assert equal(a.of(CAPTIONS), annotate(CAPTIONS))
    back = a.of(CAPTIONS[::-1])
    assert equal(back, annotate(CAPTIONS[::-1]))
    with pytest.raises(ValueError, match=r"captions\[1\], 'a new one', was not annotated.*annotate\(captions, 'lex"):
        a.of(["", "a new one"])
    with pytest.raises(TypeError, match="list of str"):
        a.of("a dog")


@pytest.mark.parametrize("captions, error, sentence", [
    ([], ValueError, "empty"), ("a dog", TypeError, "list of str"), ([3], TypeError, r"captions\[0\]"),
    (["\ud800"], ValueError, "surrogate"),
])
def test_wrong_captions(captions, error, sentence):
    with pytest.raises(error, match=sentence):
        annotate(captions)


def test_save_and_load(tmp_path):
    a = annotate(CAPTIONS)
    a.save(tmp_path / "a.safetensors")
    b = Annotations.load(tmp_path / "a.safetensors")
    assert equal(a, b) and not b.words.flags.writeable
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    from safetensors.numpy import load_file
    assert (load_file(tmp_path / "a.safetensors")["words"] == a.words).all()
    annotate([""]).save(tmp_path / "a.safetensors")  # replaced while the old one is mapped
    assert equal(a, b)
    assert len(Annotations.load(tmp_path / "a.safetensors").words) == 0
    with pytest.raises(FileNotFoundError):
        Annotations.load(tmp_path / "none")


class Counting(taggers.Lexicon):
    """The built-in tagger, counting captions; it may stop before one."""

    name = "counting"

    def __init__(self, version="1", stop=None):
        self.version, self.stop, self.seen = version, stop, []

    def __call__(self, captions):
        if self.stop in captions:
            raise KeyboardInterrupt
        self.seen += captions
        return super().__call__(captions)


def test_cache(tmp_path, caplog):
    data = tmp_path / "captions.json"
    path = tmp_path / "captions.json.counting-1.annotations.safetensors"
    tagger = Counting()
    a = annotate(CAPTIONS[:3] + CAPTIONS[:1], tagger, cache=data)
    assert tagger.seen == CAPTIONS[:3] and [p.name for p in tmp_path.iterdir()] == [path.name]
    assert equal(a, annotate(CAPTIONS[:3] + CAPTIONS[:1], Counting()))
    before = path.stat()
    assert equal(annotate(CAPTIONS[2:0:-1], tagger, cache=str(data)), annotate(CAPTIONS[2:0:-1], Counting()))
    assert tagger.seen == CAPTIONS[:3] and path.stat().st_mtime_ns == before.st_mtime_ns
    b = annotate(CAPTIONS, tagger, cache=data)
    assert tagger.seen == CAPTIONS and equal(b, annotate(CAPTIONS, Counting()))
    assert len(Annotations.load(path)) == len(CAPTIONS)
    newer = Counting(version="2")
    annotate(CAPTIONS, newer, cache=data)
    assert newer.seen == CAPTIONS and len(list(tmp_path.iterdir())) == 2
    assert not caplog.records
    assert cache_path(data, Fixed()).name == "captions.json.fixed-7.annotations.safetensors"
    assert cache_path("x", type("T", (), {"name": "a:b/c", "version": "1", "__call__": len})()).name == \
        "x.a_b_c-1.annotations.safetensors"


def test_unusable_caches_are_made_again(tmp_path, caplog, monkeypatch):
    path = cache_path(tmp_path / "c", Counting())
    annotate(CAPTIONS, Counting(), cache=tmp_path / "c")
    whole = path.read_bytes()
    for damage in (b"", whole[:-5], b"x" * 5000, whole.replace(b"annotations 1", b"annotations 9"),
                   whole.replace(b'"counting"', b'"curating"')):
        path.write_bytes(damage)
        tagger = Counting()
        with caplog.at_level(logging.WARNING, "vlmneg"):
            a = annotate(CAPTIONS, tagger, cache=tmp_path / "c")
        assert tagger.seen == CAPTIONS and path.read_bytes() == whole and equal(a, annotate(CAPTIONS, Counting()))
        assert "made again" in caplog.records[-1].getMessage()
    monkeypatch.setattr(annotations, "lexicon_version", lambda: "0" * 16)
    with pytest.raises(ValueError, match="was made with lexicon"):
        Annotations.load(path)
    tagger = Counting()
    assert annotate(CAPTIONS, tagger, cache=tmp_path / "c").lexicon == "0" * 16 and tagger.seen == CAPTIONS


def test_an_interruption_keeps_what_is_done(tmp_path):
    captions = [f"a dog and {i} cats" for i in range(3000)]
    first = Counting(stop=captions[2500])
    with pytest.raises(KeyboardInterrupt):
        annotate(captions, first, cache=tmp_path / "c", progress=True)
    assert len(first.seen) == 2048
    second = Counting()
    a = annotate(captions, second, cache=tmp_path / "c")
    assert second.seen == captions[2048:] and equal(a, annotate(captions, Counting()))
    assert len(list(tmp_path.iterdir())) == 1


def test_an_interrupted_write_leaves_nothing_half(tmp_path, monkeypatch):
    captions = [f"a dog and {i} cats" for i in range(3000)]
    write, calls = annotations._Writer._write, []

    def interrupted(self, x, dtype, checksum):
        calls.append(dtype)
        made = write(self, x, dtype, checksum)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return made

    monkeypatch.setattr(annotations._Writer, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        annotate(captions, Counting(), cache=tmp_path / "c")
    again = Counting()
    a = annotate(captions, again, cache=tmp_path / "c")
    assert again.seen == captions[1024:] and equal(a, annotate(captions, Counting()))


def test_a_cache_needs_a_folder(tmp_path):
    with pytest.raises(ValueError, match="folder that exists"):
        annotate(["a"], cache=tmp_path / "no" / "c.json")


@pytest.mark.parametrize("change", [
    lambda t: t.pop("words"), lambda t: t.pop("hashes"), lambda t: t.update(words=t["words"][:, :3]),
    lambda t: t.update(offsets=t["offsets"][:-1]), lambda t: t.update(hashes=t["hashes"][:-1]),
    lambda t: t["offsets"].__setitem__(1, 90), lambda t: t["offsets"].__setitem__(1, -1),
    lambda t: t["words"].__setitem__((0, 0), -1), lambda t: t["words"].__setitem__((0, 1), 0),
    lambda t: t["words"].__setitem__((1, 0), 0), lambda t: t["words"].__setitem__((0, 2), ord("Q")),
    lambda t: t["words"].__setitem__((0, 2), 78 | 10 << 16), lambda t: t["words"].__setitem__((0, 2), -1),
    lambda t: t["words"].__setitem__((0, 3), len(LEXICON)), lambda t: t["words"].__setitem__((0, 3), -2),
    lambda t: t.update(words=np.repeat(t["words"][:1], 80, 0), offsets=np.array([0, 80]), hashes=t["hashes"][:1]),
    lambda t: t.update(words=t["words"].astype(np.int64)),
])
def test_hostile_files(change, tmp_path):
    a = annotate(CAPTIONS)
    tensors = {"words": a.words.copy(), "offsets": a.offsets.copy(), "hashes": a.hashes.copy()}
    change(tensors)
    metadata = {"format": annotations.FORMAT, "tagger": "lexicon", "version": "1", "lexicon": a.lexicon}
    metadata["checksum"] = str(annotations._checksum(tensors, metadata))
    safetensors.write(tmp_path / "a.safetensors", tensors, metadata)
    with pytest.raises(ValueError, match="a.safetensors is damaged: .*delete it"):
        Annotations.load(tmp_path / "a.safetensors")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 9999), st.integers(0, 255))
def test_any_changed_byte_is_refused(tmp_path_factory, place, byte):
    path = tmp_path_factory.mktemp("changed") / "a"
    whole = annotate(CAPTIONS)
    whole.save(path)
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] = byte
    path.write_bytes(raw)
    try:
        assert equal(Annotations.load(path), whole)  # the same byte, or a blank of the header
    except ValueError as error:
        assert str(error).startswith("a ")


def real_captions(shared):
    found = [a["caption"] for name in ("captions.json", "train_captions.json")
             for a in json.loads((shared / "coco" / name).read_text())["annotations"]]
    with open(shared / "golden" / "bivlc_vit_b_32.csv", newline="") as f:
        return found + [row["caption"] for row in csv.DictReader(f)]


def test_real_captions(shared, tmp_path):
    captions = real_captions(shared)
    a = annotate(captions, cache=tmp_path / "captions.json")
    for i in range(0, len(captions), 400):
        expected = [(w.begin, w.end, ord(w.kind) | w.form << 16) for w in twin.tag(captions[i].encode(), LINES)]
        assert a.words[a.offsets[i]:a.offsets[i + 1], :3].tolist() == [list(w) for w in expected]


# what the rules decide, by context; who changes a line here raises taggers.Lexicon.version, which caches are named by
RULES = {
    "a parked car is parked beside a dumpling": "DANXVPDN",
    "a man cuts bread while a cat drinks the water": "DNVNCDNVDN",
    "two lean people lean on a fence": "MANVPDN",
    "the remote control next to a round metal table": "DANPPDANN",
    "an orange cat and a red orange": "DANCDAN",
    "the orange and brown cat has an orange and a banana": "DACANVDNCDN",
    "two sheep walk to a barn to eat": "MNVPDNTV",
    "a walk-in closet in a two-story house with a t-shirt": "DANPDANPDN",
    "it's raining on the dog's toys": "UVPDDN",
    "the sports car turns right in front of her": "DNNVRPPPU",
    "several residential streets look empty at night": "DANVAPN",
}


@pytest.mark.parametrize("caption", RULES)
def test_rules(caption):
    assert "".join(k for _, k in annotate([caption]).read(caption)) == RULES[caption]
    assert taggers.Lexicon.version == "1"


def test_negatives_from_annotations(shared):
    """Those of the built-in tagger change nothing; another tagger's give other negatives, valid ones."""
    captions = real_captions(shared)[:400]
    mix = vn.negatives.text.swap(k=2) + vn.negatives.text.replace(k=2)
    plain = mix(captions)
    assert mix(captions, annotations=annotate(captions[::-1])).text == plain.text
    verbs = Fixed(*([(0, len(c), "VERB")] for c in dict.fromkeys(captions)))
    made = mix(captions, annotations=annotate(captions, verbs))
    kinds = {kind for row, valid in zip(made.kind, made.valid, strict=True)
             for kind, v in zip(row, valid, strict=True) if v}
    assert kinds & {"swap_verb"} and not kinds & {"swap_noun", "swap_adjective", "replace_object"}


@textblob
def test_agrees_with_textblob(shared):
    spec = importlib.util.spec_from_file_location("bench_tagger", ROOT / "bench" / "tagger.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    total = collections.Counter()
    for name, captions in bench.real_captions().items():
        tally = bench.count(bench.compare(captions))
        share = {key: same / n for key, (same, n) in tally.items()}
        assert share["both"] >= 0.92 and share["without"] >= 0.94 and share["nouns"] >= 0.95, name
        total.update({key: n for key, (_, n) in tally.items()})
    assert total["both"] > 15_000


@pytest.mark.slow
def test_memory_is_flat_over_a_million_captions(tmp_path):
    """A chunk at a time: what grows is the list of captions and 24 bytes each, not their words."""
    import resource
    text = "a red dog and {} small cats sit on the old sofa near a big tree and two more dogs"
    captions = [text.format(i) for i in range(10**6)]
    annotate(captions[:1000], cache=tmp_path / "warm")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    a = annotate(captions, cache=tmp_path / "c")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert len(a) == 10**6 and len(a.words) == 20 * 10**6
    assert grown < a.words.nbytes + 200 * 10**6  # the mapped file, which the system may take back, and keys


@pytest.mark.parametrize("caption, kinds", [
    ("a man about to brush his teeth", "DNRTVDN"),
    ("a dog next to water", "DNPPN"),
    ("a vase has been placed on it", "DNXXVPU"),
    ("two women have stopped to pet the sheep", "MNXVTVDN"),
    ("a room has painted walls", "DNVAN"),
])
def test_auxiliaries_and_infinitives(caption, kinds):
    assert "".join(kind for _, kind in annotate([caption]).read(caption)) == kinds
