"""Edits of generators in Python are written by the core's rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_negatives import CAPTIONS, SENTENCES, WORDS

from vlmneg import _core
from vlmneg.negatives import text
from vlmneg.negatives.text.writing import has_form, listed, rewritten, stands_alone, tagged
from vlmneg.reference.negatives.sentence import Edit, Sentence, apply

LEXICON = {line[0].encode(): line for line in _core.text_lexicon()}


def borders(caption):
    return [len(caption[:i].encode()) for i in range(len(caption) + 1)]


@settings(max_examples=150, deadline=None)
@given(SENTENCES | st.text(max_size=40) | st.sampled_from(CAPTIONS), st.data())
def test_twin(caption, data):
    if "<mask>" in caption or "###" in caption:
        return
    at = sorted(data.draw(st.lists(st.sampled_from(borders(caption)), min_size=2, max_size=6)))
    edits = tuple((a, b, data.draw(WORDS | st.text(max_size=8)))
                  for a, b in zip(at[::2], at[1::2], strict=False))
    expected = apply(Sentence(caption.encode(), [], LEXICON, []), [Edit(a, b, t.encode()) for a, b, t in edits], False)
    made = expected[0]
    assert made is None or _core.text_apply(caption, edits) == made.decode()
    if made is None:
        assert len(_core.text_apply(caption, edits).encode()) > len(caption.encode()) + 64


@pytest.mark.parametrize(("caption", "edits", "words"), [
    ("é", ((1, 2, "a"),), "part a character"), ("ab", ((1, 2, "a"), (1, 2, "b")), "begin must be"),
    ("ab", ((0, 3, "a"),), "end must be"), ("ab", ((1, 0, "a"),), "end must be"), ("ab", ((-1, 0, "a"),), "begin must"),
    ("ab", ((0, 1),), r"\(begin, end, str\)"), ("ab", ((0, 1, b"a"),), "begin, end, str"), ("ab", [], "tuple"),
    (b"ab", (), "caption must be a str"), ("a" * 80, tuple((i, i, "b") for i in range(76)), "at most 75")])
def test_refusals(caption, edits, words):
    with pytest.raises((TypeError, ValueError), match=words):
        _core.text_apply(caption, edits)


@pytest.mark.parametrize(("caption", "number", "new", "made"), [
    ("An apple on a table.", 1, "pear", "A pear on a table."), ("A CAT SITS", 1, "owl", "AN OWL SITS"),
    ("Dogs run", 0, "cats", "Cats run"), ("Niño's café — a red dog", 4, "dog", "Niño's café — a red dog")])
def test_rewritten(caption, number, new, made):
    assert rewritten(caption, tagged([caption])[0][number], new) == made


def test_words():
    for caption, row in zip(CAPTIONS, tagged(CAPTIONS), strict=True):
        assert [caption[w.start:w.stop] for w in row] == [w for w, *_ in _core.text_words(caption)]
        assert [(w.kind, w.form) for w in row] == [(k, f) for _, k, f in _core.text_words(caption)]
    caption = "the red-haired man's dog_house is_red here"
    alone = [caption[w.start:w.stop] for w in tagged([caption])[0] if stands_alone(caption, w)]
    assert "here" in alone and not {"red", "haired", "man", "house"} & set(alone)


def test_annotations_are_used():
    from vlmneg.negatives import annotate
    from vlmneg.negatives.text.writing import words_of

    class Odd:
        name, version = "odd", "1"

        def __call__(self, captions):
            return [[(2, 5, "VB")] for _ in captions]

    a = annotate(["a dog sits", "a café bar"], tagger=Odd())
    request = text.swap()._request(["a café bar", "a dog sits"], 0, 0, None, None, None, a)
    assert [w.kind for w in words_of(request)[1]][1] == "V"
    assert [caption[w.start:w.stop] for caption, row in zip(request.captions, words_of(request), strict=True)
            for w in row] == ["a", "café", "bar", "a", "dog", "sits"]


def test_bases_and_forms():
    caption = "two men ride bigger older broken bikes with sheep quickly"
    words = tagged([caption])[0]
    bases = [listed(w.lemma, caption[w.start:w.stop]) for w in words]
    assert bases == ["two", "man", "ride", "big", "older", "broken", "bike", "with", "sheep", "quickly"]
    assert [has_form(caption, w) for w in words] == [True, True, True, False, False, True, True, True, True, True]
