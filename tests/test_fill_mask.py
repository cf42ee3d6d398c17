"""Negatives of a masked language model: a tiny random BERT, and a stand-in that says what a test wants."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_llm import check
from test_negatives import CAPTIONS

import vlmneg as vn
from vlmneg import _core
from vlmneg.negatives import text
from vlmneg.negatives.text.writing import tagged

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def vocabulary():
    lines = _core.text_lexicon()
    words = [w for w, kinds, _, _ in lines if w.isalpha() and kinds[0] in "NVAP"]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "##ing", "a", "an", "the", ".", ",",
            *dict.fromkeys(words)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fill-mask model on disk."""
    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(vocabulary()), encoding="utf-8")
    tokenizer = transformers.BertTokenizerFast(str(path / "vocab.txt"))
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(tokenizer) + 3, hidden_size=32, num_hidden_layers=1,
                                     num_attention_heads=2, intermediate_size=32, max_position_embeddings=48,
                                     initializer_range=0.5)
    transformers.BertForMaskedLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return (transformers.AutoModelForMaskedLM.from_pretrained(folder),
            transformers.AutoTokenizer.from_pretrained(folder))


def saying(parameters, words):
    """The generator, with a model that says these words everywhere."""
    made = text.fill_mask(model="none", **parameters)
    made._filler = lambda places: [list(words) for _ in places]
    return made


def one_span(caption, made):
    """What a replace negative must be: one word of one class for another, apart from an article before it."""
    words = [(caption[w.start:w.stop].lower(), w.kind, w.form) for w in tagged([caption])[0]]
    other = [(made[w.start:w.stop].lower(), w.kind, w.form) for w in tagged([made])[0]]
    different = [(a, b) for a, b in zip(words, other, strict=True) if a != b]
    content = [pair for pair in different if pair[0][1] != "D"]
    assert len(content) == 1 and len(different) <= 2
    assert content[0][0][1] == content[0][1][1], "class stays"


def test_real_model(loaded, folder):
    g = text.fill_mask(k=3, model=loaded, top=300)
    r = g(CAPTIONS, seed=3)
    check(r)
    enough = [i for i, c in enumerate(CAPTIONS) if len(c.split()) > 6 and c.isascii()]
    assert r.valid[enough].mean() > 0.9
    for caption, row, valid, kinds in zip(CAPTIONS, r.text, r.valid, r.kind, strict=True):
        for made, ok, kind in zip(row, valid, kinds, strict=True):
            if ok:
                one_span(caption, made)
                assert kind in ("fill_mask_noun", "fill_mask_verb", "fill_mask_adjective")
    assert g(CAPTIONS, seed=3).text == r.text != g(CAPTIONS, seed=3, visit=1).text
    assert [g([c], seed=3).text[0] for c in CAPTIONS[:6]] == r.text[:6], "row by row equals batch"
    alone = text.fill_mask(k=3, model=folder, top=300, batch_size=1)
    assert alone(CAPTIONS[:6], seed=3).text == r.text[:6], "a folder gives the same as its model"
    edits = r.edits[0][0]
    assert len(edits) == 1 and CAPTIONS[0][edits[0].start:edits[0].stop] == edits[0].old


def test_the_fills_are_the_models(loaded):
    """The best word is that of transformers' own pipeline, among whole words."""
    from vlmneg.negatives.text.fill_mask import Filler

    caption = "a man riding a horse near the beach"
    said = Filler(loaded, 5, None, 4)([(caption, 15, 20), (caption, 2, 5)])
    pipe = transformers.pipeline("fill-mask", model=loaded[0], tokenizer=loaded[1], top_k=40, device="cpu")
    for words, covered in zip(said, ("a man riding a [MASK] near the beach", "a [MASK] riding a horse near the beach"),
                              strict=True):
        theirs = [p["token_str"] for p in pipe(covered)]
        assert words == [w for w in theirs if w.isalpha() and len(w) > 1][:5] and len(words) == 5


def test_byte_pairs(tmp_path):
    """A model of RoBERTa's kind, whose tokens carry the blank before them: only those that begin a word are words."""
    tokenizers = pytest.importorskip("tokenizers")
    bpe = tokenizers.ByteLevelBPETokenizer()
    lines = [" ".join(vocabulary()[12 + i:24 + i]) for i in range(0, 3000, 12)]
    bpe.train_from_iterator([*CAPTIONS, *lines * 3], vocab_size=2500, min_frequency=2,
                            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False)
    bpe.save_model(str(tmp_path))
    tokenizer = transformers.RobertaTokenizerFast(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    torch.manual_seed(0)
    model = transformers.RobertaForMaskedLM(transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, initializer_range=0.5))
    g = text.fill_mask(k=2, model=(model, tokenizer), top=400)
    r = g(CAPTIONS[:8], seed=1)
    check(r)
    assert r.valid.mean() > 0.8
    for caption, row, valid in zip(CAPTIONS, r.text, r.valid, strict=False):
        for made, ok in zip(row, valid, strict=True):
            if ok:
                one_span(caption, made)
    words = {w for w in g._filler.words if w}
    assert "dog" in words and all(w.isalpha() for w in words) and len(words) < len(tokenizer)
    assert not g(["the " * 60 + "cat"]).valid.any(), "behind the last place that the model knows"


def test_cache(loaded, tmp_path, monkeypatch):
    path = tmp_path / "c.jsonl"
    first = text.fill_mask(k=2, model=loaded, top=100, cache=path)(CAPTIONS, seed=1)
    again = text.fill_mask(k=2, model=loaded, top=100, cache=path)
    runs = []
    run = type(again._filler)._run
    monkeypatch.setattr(type(again._filler), "_run", lambda self, texts: runs.append(texts) or run(self, texts))
    assert again(CAPTIONS, seed=1).text == first.text and runs == []
    again(["a small dog"])
    assert [t for texts in runs for t in texts if "[MASK]" not in t] == [] and runs
    runs.clear()
    line = json.loads(path.read_text().splitlines()[0])
    assert line["key"]["kind"] == "fill_mask" and "[MASK]" in line["key"]["prompt"] and len(line["key"]["version"]) == 8
    model = transformers.BertForMaskedLM(loaded[0].config)
    text.fill_mask(k=2, model=(model, loaded[1]), top=100, cache=path)(CAPTIONS, seed=1)
    assert runs, "other weights are another model"


@pytest.mark.parametrize(("words", "made"), [
    (["cat", "horse"], "A horse sits on an old sofa."),           # the covered word itself is passed over
    (["cats", "horse"], "A horse sits on an old sofa."),          # another number
    (["runs", "red", "horse"], "A horse sits on an old sofa."),   # another class
    (["Horse", "Bob", "elephant"], "An elephant sits on an old sofa."),  # names; the article follows
    (["sofa", "dog", "horse"], "A horse sits on an old sofa."),   # mentioned, here and in another caption
    (["##s", "x y", "horse"], "A horse sits on an old sofa."),
])
def test_rules(words, made):
    g = saying({"k": 1, "kinds": "noun"}, [w for w in words if w.isalpha()])
    r = g(["A cat sits on an old sofa."], seed=SEED, avoid=[["two dogs"]])
    assert r.text == [[made]] and r.kind == [["fill_mask_noun"]]


def first_word_seed():
    """A seed under which the first noun is covered first."""
    for seed in range(20):
        if saying({"k": 1, "kinds": "noun"}, ["horse"])(["A cat sits on an old sofa."], seed=seed).text[0][0][2] == "h":
            return seed


SEED = first_word_seed()


def test_nothing_fits():
    g = saying({"k": 2, "kinds": "noun"}, ["dog"])
    r = g(["A cat"], avoid=[["a dog"]])
    assert r.reason == [["ABSENT", "ABSENT"]] and r.text == [["A cat", "A cat"]]
    assert saying({"k": 1}, ["cat"])(["A cat"]).reason == [["EMPTY"]]
    assert saying({"k": 1}, [])(["A cat"]).reason == [["EMPTY"]]
    assert saying({"k": 1}, ["dog"])(["", ]).reason == [["EMPTY"]]
    assert not saying({"k": 1}, ["dog"])(["a <mask> cat", "a ### cat", "the cat's"]).valid.any()
    r = saying({"k": 3, "kinds": "noun"}, ["dog", "horse"])(["a cat"])
    assert sorted(r.text[0][:2]) == ["a dog", "a horse"] and r.reason[0][2] == "REPEAT"
    r = saying({"k": 1, "kinds": "noun"}, ["dog"])(["a cat"], avoid=[["A DOG!"]])
    assert r.reason == [["ABSENT"]]


def test_man_is_not_found_in_woman():
    r = saying({"k": 1, "kinds": "noun"}, ["boy"])(["a woman beside a man"] * 8, ids=range(8))
    assert {t for (t,) in r.text} == {"a boy beside a man", "a woman beside a boy"}


def test_capitals():
    r = saying({"k": 1, "kinds": "noun"}, ["Cats"])(["Dogs run"])
    assert r.text == [["Cats run"]]
    assert saying({"k": 1, "kinds": "noun"}, ["owls"])(["DOGS RUN"]).text == [["OWLS RUN"]]


def test_choose():
    captions = ["a cat"] * 20
    fills = ["dog", "horse", "bird", "cow"]
    best = saying({"k": 1, "kinds": "noun"}, fills)(captions, ids=range(20))
    some = saying({"k": 1, "kinds": "noun", "choose": "random"}, fills)(captions, ids=range(20))
    assert {t for (t,) in best.text} == {"a dog"}
    assert len({t for (t,) in some.text}) == 4


def test_lexicon():
    class Animals:
        name = "animals"

        def related(self, old, new, kind):
            return (old, new, kind) == ("cat", "dog", "N")

        def antonyms(self, word, kind):
            return {}

        siblings = antonyms

    assert saying({"k": 1, "lexicon": Animals()}, ["dog"])(["a cat"]).reason == [["SYNONYM"]]
    assert saying({"k": 1, "lexicon": Animals()}, ["dog", "cow"])(["a cat"]).text == [["a cow"]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(CAPTIONS), min_size=1, max_size=3),
       st.lists(st.text(min_size=1, max_size=8) | st.sampled_from(["dog", "red", "runs", "Éa"]), max_size=5))
def test_any_unicode(captions, fills):
    check(saying({"k": 2, "kinds": ("noun", "verb", "adjective", "preposition")}, fills)(captions))


def test_long_and_masked_captions(loaded):
    """Words behind the model's context, and a mask token in the caption itself, have no fills; nothing breaks."""
    g = text.fill_mask(k=2, model=loaded, top=300, kinds="noun")
    r = g(["the " * 60 + "cat", "a [MASK] and a cat", "a big cat"], seed=0)
    assert not r.valid[0].any() and r.valid[2].all()


def test_together(loaded):
    g = text.fill_mask(k=1, model=loaded, top=300)
    r = (text.swap(k=1) + g + text.fill_mask(k=1, model=loaded, top=300))(CAPTIONS[:9])
    check(r)
    mixed = vn.negatives.mix(text.swap(), g, weights=(1, 3), k=2)(CAPTIONS[:9])
    check(mixed)
    assert any(k.startswith("fill_mask") for row in mixed.kind for k in row)
    a = vn.negatives.annotate(CAPTIONS[:9])
    assert g(CAPTIONS[:9], annotations=a).text == g(CAPTIONS[:9]).text


def test_refusals(loaded, tmp_path, monkeypatch):
    for bad, words in (({"kinds": "joke"}, "kinds"), ({"choose": "x"}, "choose"), ({"top": 0}, "top"),
                       ({"batch_size": "3"}, "batch_size"), ({"lexicon": 3}, "lexicon"), ({"lexicon": "x"}, "lexicon")):
        with pytest.raises(ValueError, match=words):
            text.fill_mask(**{"model": "m", **bad})
    with pytest.raises(TypeError, match="model must be"):
        text.fill_mask(model=3)
    with pytest.raises(OSError, match="no fill-mask model"):
        text.fill_mask(model=tmp_path)(["a cat"])
    bare = transformers.AutoTokenizer.from_pretrained(loaded[1].name_or_path)
    bare.mask_token = None
    with pytest.raises(ValueError, match="no mask token"):
        text.fill_mask(model=(loaded[0], bare))(["a cat"])
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ImportError, match=r"vlmneg\[mlm\]"):
        text.fill_mask(model="m")(["a cat"])


def test_one_model_for_copies(loaded):
    g = text.fill_mask(k=3, model=loaded)
    assert g.one()._filler is g._filler and np.uint8(g.one().k) == 1
