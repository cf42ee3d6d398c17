"""Generators of text negatives beyond swap and replace: twins, same bits for any split, and what each promises."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_negatives import CAPTIONS, SENTENCES, both, real_captions

import vlmneg as vn
from vlmneg import _core
from vlmneg.negatives import key, text

LINES = {name: i for i, (name, *_) in enumerate(_core.text_listed())}
GENERATORS = [text.shuffle(k=3), *(text.shuffle(k=1, kinds=kind) for kind in text.shuffle.KINDS),
              text.add(k=2), *(text.add(k=1, kinds=kind) for kind in text.add.KINDS),
              text.swap(k=1, kinds="attribute"), text.swap(k=1, kinds="relation"), text.swap(k=1, kinds="adjective"),
              *(text.exchange(k=1, kinds=kind) for kind in text.exchange.KINDS),
              *(text.positive(k=1, kinds=kind) for kind in text.positive.KINDS),
              text.negate(k=2), *(text.negate(k=1, kinds=kind) for kind in text.negate.KINDS)]
ALL = sum(GENERATORS[1:], GENERATORS[0])
SLOTS = [(LINES[g.name], *g.slot(), k) for k, g in enumerate(GENERATORS)]


def made(generator, caption, draws=60, avoid=None):
    """All that many seeds give."""
    rows = generator([caption] * draws, ids=np.arange(draws), avoid=None if avoid is None else [avoid] * draws)
    return {t for texts, valid in zip(rows.text, rows.valid, strict=True) for t, v in zip(texts, valid, strict=True)
            if v}


def test_twin():
    for seed in (0, 2**64 - 1):
        both(CAPTIONS, SLOTS, seed=seed)
    avoid = tuple(tuple(CAPTIONS[i - 3:i]) for i in range(len(CAPTIONS)))
    first, *_ = both(CAPTIONS, SLOTS, avoid=avoid)
    both(CAPTIONS, SLOTS, avoid=avoid, taken=tuple(map(tuple, first)), rows=np.arange(len(CAPTIONS), dtype=np.uint64))


@settings(max_examples=100, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=3), st.integers(0, 2**64 - 1))
def test_twin_on_made_up_sentences(captions, seed):
    both(captions, SLOTS, seed=seed)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_any_unicode(captions):
    both(captions, SLOTS)
    check(captions, ALL(captions))


def test_twin_on_real_captions(shared):
    *_, other = real_captions(shared)
    both(other[:60], SLOTS)


def test_same_bits_for_any_split_and_threads():
    captions = [f"{c} {i}" for i in range(20) for c in CAPTIONS]
    try:
        results = []
        for threads in (1, 4):
            vn.set_num_threads(threads)
            results.append(ALL(captions, seed=7, visit=3))
    finally:
        vn.set_num_threads(0)
    one, four = results
    assert four.text == one.text and four.reason == one.reason and four.kind == one.kind
    for i in range(0, len(captions), 9):
        row = ALL(captions[i:i + 1], seed=7, visit=3)
        assert row.text[0] == one.text[i] and row.reason[0] == one.reason[i] and row.edits[0] == one.edits[i]


def check(captions, r, avoid=None):
    """What must hold of every result."""
    for i, caption in enumerate(captions):
        seen = {key(caption), *map(key, avoid[i] if avoid else ())}
        for t, valid, kind, reason in zip(r.text[i], r.valid[i], r.kind[i], r.reason[i], strict=True):
            t.encode()
            assert bool(reason) == (not valid)
            if not valid:
                assert t == caption
                continue
            assert key(t) and key(t) not in seen
            seen.add(key(t))
            if kind.startswith("shuffle_"):
                assert words(t) == words(caption) and re.sub(r"\w+", "", caption).split() == re.sub(
                    r"\w+", "", t).split() or not caption.isascii() or "'" in caption or "-" in caption


def words(caption):
    return sorted(key(caption).split())


def test_real_captions(shared):
    captions, avoid, other = real_captions(shared)
    r = ALL(captions, avoid=avoid)
    check(captions, r, avoid)
    check(other, ALL(other))
    shuffled = text.shuffle(k=1)(captions, avoid=avoid)
    assert shuffled.valid.mean() > 0.99


def test_recipes_can_edit_what_sugarcrepe_edited(shared):
    coverage = runpy.run_path(str(Path(__file__).parents[1] / "bench" / "coverage.py"))["coverage"]
    share = {category: 1 - len(missed) / len(pairs)
             for category, _, pairs, missed in coverage(shared / "sugarcrepe", draws=128)}
    assert len(share) == 7 and min(share.values()) >= 0.8, share


def test_tables_of_phrases():
    phrases = _core.text_phrases()
    assert [p[0].encode() for p in phrases] == sorted(p[0].encode() for p in phrases)
    assert len(set(phrases)) == len(phrases)
    sets = {}
    for phrase, group, number in phrases:
        if group.startswith("SAME"):
            sets.setdefault((group, number), []).append(phrase)
    assert all(2 <= len(s) <= 8 for s in sets.values())


@pytest.mark.parametrize("kinds, expected", [
    ("nouns_adjectives", {"A black cat and a white dog", "A white cat and a black dog", "A black dog and a white cat"}),
    ("trigrams", {"and a black A white dog cat", "and a black cat A white dog", "A white dog cat and a black",
                  "cat and a black A white dog", "cat A white dog and a black"}),
    ("bigrams", None),
    ("within_trigrams", None),
    ("others", {"a white dog A and black cat", "A white dog a and black cat", "and white dog A a black cat",
                "and white dog a A black cat", "a white dog and A black cat"}),
])
def test_shuffle(kinds, expected):
    caption = "A white dog and a black cat"
    found = made(text.shuffle(k=1, kinds=kinds), caption, 300)
    assert all(key(t) != key(caption) for t in found)
    own = caption.split()
    if kinds == "bigrams":
        groups = [own[i:i + 2] for i in range(0, 7, 2)]
        assert len(found) == 23
        assert all(" ".join(g) in t for t in found for g in groups)
    elif kinds == "within_trigrams":
        assert len(found) == 35
        assert all(sorted(t.split()[i:i + 3]) == sorted(own[i:i + 3]) for t in found for i in (0, 3, 6))
    else:
        assert found == {t for t in expected if key(t) != key(caption)}


OBJECTS = [t for t, group, _ in _core.text_phrases() if group == "OBJECT"]


@pytest.mark.parametrize("caption, kinds, some, never", [
    ("A cat sits on a mat.", "object",
     {"A cat with an umbrella sits on a mat.", "An umbrella and a cat sit on a mat.", "A cat and a dog sit on a mat.",
      "A cat sits on a mat and an umbrella.", "A cat sits on a dog and a mat."}, "and a [aeio]|cat sits and"),
    ("The man who is tall was here", "object", {"The man with a kite who is tall was here"}, r"\band\b"),
    ("a group of people are near it", "object", {"a kite and a group of people are near it"}, "of an? "),
    ("people are standing outside", "object", {"people are standing outside with a kite"}, "standing with"),
    ("a young man", "attribute", {"a young smiling man", "a tired young man"}, "old|elderly|blue|wooden"),
    ("a big red bus", "attribute", {"a big old red bus", "a big red glass bus"}, "small|blue|big red old|old big"),
    ("AN APPLE", "attribute", {"A RED APPLE", "AN ORANGE APPLE"}, "[a-z]"),
    ("street lights", "attribute", {"huge street lights"}, "street (?!lights)"),
    ("a black and white dog", "attribute", set(), " "),
    ("it is very wet", "attribute", set(), " "),
])
def test_add(caption, kinds, some, never):
    found = made(text.add(k=1, kinds=kinds), caption, 1500)
    assert found >= some and not [t for t in found if re.search(never, t)]


def test_what_is_added_is_not_mentioned():
    truth = [f"a {o}" for o in OBJECTS if o not in ("boat", "couch")]
    assert made(text.add(k=1, kinds="object"), "the sofa", 900, truth) == {
        "the sofa and a boat", "the sofa with a boat", "a boat and the sofa"}
    assert "the sofa with a couch" not in made(text.add(k=1, kinds="object"), "the sofa", 2000)
    truth = ["red blue green yellow white black gray orange purple pink", "a big small large tiny huge one"]
    assert made(text.add(k=1, kinds="attribute"), "the dog", 200, truth) == {"the brown dog"}
    senses = {k for k, *_ in _core.text_keywords()[1]}
    assert len(set(OBJECTS)) == len(OBJECTS) and set(OBJECTS) <= senses


@pytest.mark.parametrize("caption, kinds, expected", [
    ("A dog on a sofa", "noun", {"No dog on a sofa", "A dog on no sofa"}),
    ("two dogs near trees", "noun", {"no dogs near trees", "two dogs near no trees"}),
    ("a group of people", "noun", {"no group of people"}),
    ("A DOG ON A MAT", "noun", {"NO DOG ON A MAT", "A DOG ON NO MAT"}),
    ("his dog", "noun", set()),
    ("A dog on a sofa", "exists", {"There is no dog on a sofa"}),
    ("Three dogs playing.", "exists", {"There are no dogs playing."}),
    ("Dogs on a sofa", "exists", {"There are no dogs on a sofa"}),
    ("A dog is on a sofa", "exists", set()),
    ("A dog is sitting", "verb", {"A dog is not sitting"}),
    ("A dog sits while it eats", "verb", {"A dog does not sit while it eats", "A dog sits while it does not eat"}),
    ("dogs sit", "verb", {"dogs do not sit"}),
    ("A man riding a horse", "verb", {"A man not riding a horse"}),
    ("A man carries it", "verb", {"A man does not carry it"}),
    ("Riding a horse", "verb", {"Not riding a horse"}),
    ("A dog is not sitting", "verb", set()),
    ("A dog with a hat", "with", {"A dog without a hat"}),
    ("a hill covered with snow", "with", set()),
    ("A dog without a hat", "remove", {"A dog with a hat"}),
    ("There is no elephant and no dogs", "remove",
     {"There is an elephant and no dogs", "There is no elephant and dogs"}),
    ("No dogs are here", "remove", {"Dogs are here"}),
    ("it isn't red, not big", "remove", {"it is red, not big", "it isn't red, big"}),
    ("A dog on a sofa.", "not_feature", {"This image does not feature a dog.", "This image does not feature a sofa."}),
])
def test_negate(caption, kinds, expected):
    assert made(text.negate(k=1, kinds=kinds), caption, 80) == expected


def test_negate_features():
    found = made(text.negate(k=1, kinds="features"), "A dog.", 900)
    assert len(found) == len(OBJECTS) - 1 and "This image features an umbrella." in found
    assert not any("dog." in t.replace("hot dog", "") for t in found)
    found = made(text.negate(k=1, kinds="but_not"), "a red sofa", 100)
    assert "this image features a cat, but not a red sofa" in found and all(t.endswith("not a red sofa") for t in found)


@pytest.mark.parametrize("caption, kinds, expected", [
    ("a wood chair near a red car", "attribute", {"a red chair near a wood car"}),
    ("a wood chair near a red car", "adjective", set()),
    ("two dogs near three old cats", "attribute", {"three dogs near two old cats"}),
    ("a big old red bus", "attribute", set()),
    ("a big old red bus", "adjective", set()),
    ("a black and white cat near a red car", "attribute",
     {"a red and white cat near a black car", "a black and red cat near a white car"}),
    ("a man on a street corner with a dog", "relation", {"a street corner on a man with a dog"}),
    ("a dog behind a dog on a cat", "relation", {"a cat behind a dog on a dog"}),
    ("a man and a woman on a sofa", "relation", {"a sofa and a woman on a man"}),
    ("a man on a sofa", "relation", set()),
])
def test_swap(caption, kinds, expected):
    assert made(text.swap(k=1, kinds=kinds), caption, 60) == expected


@pytest.mark.parametrize("caption, kinds, expected", [
    ("A red car near an old bus", "attribute", {"An old car near a red bus"}),
    ("A chubby man with an orange drink", "attribute", {"An orange man with a chubby drink"}),
    ("a big red car", "attribute", set()),
    ("People watch a man on a screen", "phrase",
     {"A man watches people on a screen", "A screen watches a man on people", "People watch a screen on a man"}),
    ("A woman is near pigeons.", "phrase", {"Pigeons are near a woman."}),
    ("An apple next to two dogs", "phrase", set()),
    ("An apple on two dogs", "phrase", {"Two dogs on an apple"}),
    ("Two dogs and a cat", "number", {"A dog and two cats"}),
    ("TWO DOGS AND AN OLD CAT", "number", {"A DOG AND TWO OLD CATS"}),
    ("a woman is with three oranges", "number", {"three women are with an orange"}),
    ("two cats and two dogs", "number", set()),
    ("the man who sits near two dogs", "phrase", set()),
    ("An orange car near a dog and the white cat", "transfer",
     {"A car near an orange dog and the white cat", "An orange car near a white dog and the cat"}),
    ("Small dogs on a bus", "transfer", {"Dogs on a small bus"}),
    ("a dog on a black and white sofa", "transfer", set()),
])
def test_exchange(caption, kinds, expected):
    assert made(text.exchange(k=1, kinds=kinds), caption, 60) == expected


@pytest.mark.parametrize("caption, kinds, expected", [
    ("A cat on a sofa", "synonym", {"A cat on a couch"}),
    ("An automobile next to the TV", "synonym",
     {"A car next to the TV", "An automobile beside the TV", "An automobile next to the TELEVISION"}),
    ("Two bikes", "synonym", {"Two bicycles"}),
    ("a photo booth", "synonym", set()),
    ("A cat and a dog", "reorder", {"A dog and a cat"}),
    ("An apple next to a dog on a bed", "reorder", {"A dog next to an apple on a bed"}),
    ("A man on a bench next to a dog", "reorder", set()),
    ("a bowl of apples and oranges", "reorder", {"a bowl of oranges and apples"}),
    ("a black cat and dog", "reorder", set()),
    ("a man and a woman in a dress", "reorder", set()),
    ("A cat sits on a sofa.", "front", {"On a sofa, a cat sits."}),
    ("people ride horses on the beach", "front", {"on the beach, people ride horses"}),
    ("A picture of a cat that sits on a sofa", "front", set()),
    ("A cat on a sofa", "front", set()),
])
def test_positive(caption, kinds, expected):
    assert made(text.positive(k=1, kinds=kinds), caption, 60) == expected


def test_shuffle_mends_nothing():
    found = made(text.shuffle(k=1, kinds="nouns_adjectives"), "AN APPLE on a Table, by a dog.", 200)
    assert found == {"AN Table on a APPLE, by a dog.", "AN Table on a dog, by a APPLE.",
                     "AN dog on a APPLE, by a Table.", "AN dog on a Table, by a APPLE.",
                     "AN APPLE on a dog, by a Table."}
    assert text.shuffle(k=1)(["dog"]).reason == [["EMPTY"]]
    assert text.shuffle(k=1)(["a dog, a dog"]).valid.tolist() == [[1]]
    assert text.shuffle(k=1, kinds="bigrams")(["a dog, a dog"]).reason == [["SAME"]]


def test_a_capital_name_behind_the_article_that_opens():
    assert text.swap(k=1, kinds="phrase")(["A Thai airways airplane at the Bangkok Airport terminal"]).text == [
        ["The Bangkok Airport terminal at a Thai airways airplane"]]
    assert text.swap(k=1, kinds="noun")(["A DOG ON A CAT"]).text == [["A CAT ON A DOG"]]


def test_any_words_that_are_handed_in():
    random, size = np.random.default_rng(0), len(_core.text_lexicon())
    pieces = ["a", "an", "dog", "é" * 30, "🚌", "x" * 200, "two", "people", "sits", "and", "with", "no", "red", "of"]
    for _ in range(60):
        spans, words, offsets, captions = random.integers(0, len(pieces), (8, 12)), [], [0], []
        for row in spans:
            at = 0
            for piece in (pieces[i].encode() for i in row):
                form = random.integers(0, 10) << 16 | ord(random.choice(list("NVARPDCMXUT")))
                words.append((at, at + len(piece), form, random.integers(-1, size)))
                at += len(piece) + 1
            offsets.append(len(words))
            captions.append(" ".join(pieces[i] for i in row))
        rows = np.arange(8, dtype=np.uint64)
        texts, reasons, *_ = _core.text_draw(tuple(captions), None, None, rows, 5, tuple(SLOTS),
                                             np.array(words, np.int32), np.array(offsets), None)
        assert all((t == c) == bool(r) for c, row, why in zip(captions, texts, reasons.tolist(), strict=True)
                   for t, r in zip(row, why, strict=True))


@pytest.mark.parametrize("generator", [text.negate(k=4), text.exchange(k=4), text.add(k=4), text.swap(k=4),
                                       text.replace(k=4), text.shuffle(k=4)], ids=lambda g: g.name)
def test_edits_tell_all_that_changed(generator, shared):
    captions = CAPTIONS + ["City dwellers walk by as a homeless man begs.", "Parked bikes on a sunny day.",
                           "Looking down at a bowl", *real_captions(shared)[0][:200]]
    made = generator(captions, seed=3)
    for caption, row, edits in zip(captions, made.text, made.edits, strict=True):
        for variant, places in zip(row, edits, strict=True):
            for e in reversed(places):
                assert variant[e.new_start:e.new_start + len(e.new)] == e.new
                caption_part = caption[e.start:e.stop]
                assert caption_part == e.old
                variant = variant[:e.new_start] + e.old + variant[e.new_start + len(e.new):]
            assert variant == caption


@pytest.mark.parametrize("caption, never", [("A woman holds a cup", "carries"), ("a picture of a man", "painting")])
def test_what_may_be_true_all_the_same_is_not_put_in(caption, never):
    make = text.replace(k=16, concept=("action", "noun"))
    made = {variant for seed in range(40) for variant in make([caption], seed=seed).text[0]}
    assert len(made) > 5 and not any(never in variant for variant in made)
