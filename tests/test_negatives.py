"""Text negatives: twin, rules of validity, same bits for any split, real captions."""

import collections
import csv
import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vlmneg as vn
from vlmneg import _core
from vlmneg.negatives import key, text
from vlmneg.reference import negatives as twin
from vlmneg.reference.text import key as twin_key

CAPTIONS = [
    "A man riding a horse near a woman and a dog on the beach.",
    "Two black dogs and a white cat are sitting on a red couch",
    "An orange cat laying next to a small laptop.",
    "a group of people standing in front of an airplane",
    "A stop sign on the left side of a street light",
    "AN ELEPHANT WALKS BEHIND A SHORT TREE AND A SHORT FENCE",
    "Three sheep and a sheep under the bridge; an apple on top of an oven.",
    "The tall giraffe slowly eats leaves while the zebra quickly drinks water.",
    "An orange, a grey orange car and orange juice, far from the bored woman's red-haired friend",
    "A little boy's hot dog near two teddy bears, over a traffic light",
    "Señor Niño's café—a “red” bus 🚌 beside a blue bicycle",
    "", "   ", "a", "dog", "###", "the <mask> dog and a red cat",
    "a man and a woman", "a cat, a dog and a bird", "a big red ball", "black and white",
    "the dog's toys  and\ta red\nball on the cat's bed",
]
MIX = text.swap(k=2) + text.replace(k=2)
NAMES = vn.negatives.names("text")


def both(captions, slots, avoid=None, taken=None, seed=0, rows=None, order=None):
    """What the core and the twin make, checked to be equal."""
    rows = np.arange(len(captions), dtype=np.uint64) if rows is None else rows
    args = (tuple(captions), avoid, taken, rows, seed, tuple(slots), None, None, order)
    texts, reasons, kinds, places, counts, _ = _core.text_draw(*args)
    expected = twin.draw(*args, *TABLES)
    assert texts == expected[0]
    assert reasons.tolist() == expected[1]
    valid = reasons == 0
    where = [[[tuple(p) for p in places[i, k, :counts[i, k]].tolist()] if valid[i, k] else []
              for k in range(valid.shape[1])] for i in range(len(captions))]
    assert where == expected[3]
    assert (kinds[valid] == np.array(expected[2], np.uint8).reshape(kinds.shape)[valid]).all()
    return texts, reasons, kinds


ROW, WORD = np.zeros(1, np.uint64), np.array([0, 1, ord('N'), -1], np.int32)
TABLES = _core.text_listed(), _core.text_lexicon(), _core.text_keywords(), _core.text_phrases()
PUT = "|".join(key(k) for k, *_ in TABLES[2][2])     # words that replace puts in
SLOTS = [(0, 63, 0, 0), (0, 63, 0, 1), (1, 15, 0, 2), (1, 15, 0, 3), (1, 8, 1, 4), (0, 32, 0, 5), (1, 7, 0, 6),
         (1, 16, 0, 7), (1, 32, 0, 8), (1, 64, 0, 9), (1, 128 | 256 | 512, 0, 10), (1, 1024, 0, 11), (1, 1024, 1, 12),
         (1, 2048, 0, 13), (1, 4096, 0, 14), (1, 8191, 1, 15)]


def i64(*values):
    return np.array(values, np.int64)


def test_twin():
    for seed in (0, 2**64 - 1):
        both(CAPTIONS, SLOTS, seed=seed)
    avoid = tuple(tuple(CAPTIONS[i - 3:i]) for i in range(len(CAPTIONS)))
    first, reasons, _ = both(CAPTIONS, SLOTS, avoid=avoid)
    rows = np.arange(len(CAPTIONS), dtype=np.uint64) + 2**40
    both(CAPTIONS, SLOTS, avoid=avoid, taken=tuple(map(tuple, first)), rows=rows)
    assert set(reasons.ravel().tolist()) >= {0, 1, 3, 4}


WORDS = st.sampled_from([w for w, *_ in _core.text_lexicon()] + [k for k, *_ in _core.text_keywords()[1]] +
                        ["running", "bigger", "unicorns", "café", "a", "an", "the", "and", "of", "A", "RED", "Man"])
SENTENCES = st.lists(st.tuples(WORDS, st.sampled_from([" ", " ", " ", ", ", "-", "  ", "’", "'s "])), max_size=12).map(
    lambda parts: "".join(w + gap for w, gap in parts))


@settings(max_examples=60, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=3), st.integers(0, 2**64 - 1))
def test_twin_on_made_up_sentences(captions, seed):
    both(captions, SLOTS[:4] + SLOTS[7:], seed=seed)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_any_unicode(captions):
    both(captions, SLOTS[:4] + SLOTS[9:])
    check_rules(captions, MIX(captions))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_the_two_keys_agree_on_ascii(caption):
    assert " ".join(twin_key(caption.encode())) == key(caption)


def test_no_word_is_parted():
    from vlmneg.reference.text import is_letter
    assert not [hex(c) for c in range(0x110000) if chr(c).isalnum() and not is_letter(chr(c))]


def words(caption):
    return sorted(re.findall(r"\S+", key(caption)))


def check_rules(captions, r, avoid=None):
    """What must hold of every result."""
    assert r.valid.shape == (len(captions), len(r.text[0])) and r.valid.dtype == np.uint8
    for i, caption in enumerate(captions):
        seen = {key(caption), *map(key, avoid[i] if avoid else ())}
        for made, valid, kind, reason in zip(r.text[i], r.valid[i], r.kind[i], r.reason[i], strict=True):
            made.encode()
            assert bool(reason) == (not valid)
            if not valid:
                assert made == caption and kind in NAMES
                continue
            assert key(made) and key(made) not in seen
            seen.add(key(made))
            if kind.startswith("swap_"):
                assert words(made) == words(caption)
            else:
                assert_one_span(caption, made, kind)


def assert_one_span(caption, made, kind):
    """Words are equal but for one stretch of at most three and the article before it."""
    a, b = key(caption).split(), key(made).split()
    head = next(i for i, (x, y) in enumerate(zip(a + [""], b + [""], strict=False)) if x != y)
    while a and b and len(a) > head and len(b) > head and a[-1] == b[-1]:
        a.pop(), b.pop()
    old, new = a[head:], b[head:]
    if old and new and old[0] in ("a", "an") and new[0] in ("a", "an"):
        old, new = old[1:], new[1:]
    assert len(old) <= 4 and len(new) <= 3, (caption, made)
    assert kind.removeprefix("replace_") in text.replace.CONCEPTS
    assert " ".join(new) in PUT or kind == "replace_number", made


def real_captions(shared):
    """Captions of the photographs with the other true captions of each, and captions nobody looked at."""
    captions, avoid = [], []
    for name in ("captions.json", "train_captions.json"):
        of = collections.defaultdict(list)
        for a in json.loads((shared / "coco" / name).read_text())["annotations"]:
            of[a["image_id"]].append(a["caption"])
        for group in of.values():
            captions += group
            avoid += [group[:i] + group[i + 1:] for i in range(len(group))]
    with open(shared / "golden" / "bivlc_vit_b_32.csv", newline="") as f:
        other = sorted({row["caption"] for row in csv.DictReader(f)})
    return captions, avoid, other


def test_real_captions(shared):
    captions, avoid, other = real_captions(shared)
    r = MIX(captions, avoid=avoid)
    check_rules(captions, r, avoid)
    assert r.valid.any(1).mean() >= 0.95
    r = MIX(other)
    check_rules(other, r)
    assert r.valid.any(1).mean() >= 0.95
    both(other[:40], SLOTS[:4])


@pytest.mark.parametrize("concept", text.replace.CONCEPTS)
def test_every_concept_on_real_captions(shared, concept):
    captions, avoid, other = real_captions(shared)
    bit = 1 << text.replace.CONCEPTS.index(concept)
    both(captions[:25], [(1, bit, 0, 0), (1, bit, 1, 1)], avoid=tuple(map(tuple, avoid[:25])))
    g = text.replace(k=3, concept=concept)
    r = g(captions, avoid=avoid)
    check_rules(captions, r, avoid)
    assert {k for row, ok in zip(r.kind, r.valid, strict=True) for k, v in zip(row, ok, strict=True) if v} == {
        f"replace_{concept}"}
    assert all(len(e) <= 1 for row in r.edits for e in row)
    assert [g([c], avoid=[a]).text[0] for c, a in zip(captions[:20], avoid, strict=False)] == r.text[:20]
    if concept == "noun":
        assert r.valid[:, 0].mean() > 0.99 and g(other).valid[:, 0].mean() > 0.99


def test_same_bits_for_any_split_and_threads():
    captions = [f"{c} {i}" for i in range(20) for c in CAPTIONS]
    avoid = [[f"{c} cats"] for c in captions]
    mix = MIX + text.replace(k=2, concept=text.replace.CONCEPTS) + vn.negatives.mix(text.swap(), text.replace())
    try:
        results = []
        for threads in (1, 2, 4):
            vn.set_num_threads(threads)
            results.append(mix(captions, seed=7, visit=3, avoid=avoid))
    finally:
        vn.set_num_threads(0)
    one = results[0]
    assert all(r.text == one.text and r.reason == one.reason and r.kind == one.kind for r in results)
    for i in range(0, len(captions), 7):
        row = mix(captions[i:i + 1], seed=7, visit=3, avoid=avoid[i:i + 1])
        assert row.text[0] == one.text[i] and row.reason[0] == one.reason[i]
    back = mix(captions[::-1], seed=7, visit=3, avoid=avoid[::-1])
    assert back.text[::-1] == one.text


def test_seed_visit_and_ids_matter():
    def made(**more):
        return text.swap(k=1)(CAPTIONS[:2] * 20, **more).text
    assert made() == made(seed=0, visit=0)
    assert made(seed=1) != made() and made(visit=1) != made()
    ids = made(ids=np.arange(40))
    assert len({row[0] for row in ids[::2]}) > 1  # the same caption under other ids
    assert len({row[0] for row in made()[::2]}) == 1


def test_sums_number_their_slots_and_do_not_repeat():
    caption = ["A red ball and a blue cube under the table"]
    once = text.replace(k=4, concept="color")
    twice = text.replace(k=2, concept="color") + text.replace(k=2, concept="color")
    assert twice(caption).text == once(caption).text
    assert len(set(once(caption).text[0])) == 4
    sample = SimpleNamespace(captions=(caption[0],), negatives=tuple(("made", t) for t in once(caption).text[0]))
    r = (text.exact(k=4) + once + text.exact(k=1))(caption, samples=[sample])
    texts = [t for t, v in zip(r.text[0], r.valid[0], strict=True) if v]
    assert r.kind[0][:4] == ["made"] * 4 and len(set(texts)) == len(texts) and r.reason[0][-1] == "REPEAT"


@pytest.mark.parametrize("caption, kinds, never", [
    ("a cat and a dog", None, "a dog"),
    ("a big red ball", "adjective", "red big"),
    ("a black and white cat", "adjective", "white and black"),
    ("a cat, a dog and a bird", "noun", "bird"),
    ("a man next to a woman", None, ""),
])
def test_symmetric(caption, kinds, never):
    r = text.swap(k=1, kinds=kinds)([caption])
    assert r.reason == [["SYMMETRIC"]] and r.text == [[caption]] and r.kind == [["swap"]]


@pytest.mark.parametrize("caption, concept, expected", [
    ("a dog", "number", {f"{n} dogs" for n in "two three four five six seven eight nine ten".split()}),
    ("A knife is on the table", "number", None),
    ("one of the dogs", "number", None),
    ("there is a dog", "number", None),
    ("a man out with his dog", "number", None),
    ("a lot of dogs", "number", None),
    ("to the left of a dog", "relation", {"to the right of a dog", "from the left of a dog"}),
    ("a man out of the car", "relation", {"a man into the car"}),
    ("a cat in front of a dog", "relation", {"a cat behind a dog"}),
    ("a door with a window", "relation", {"a door without a window"}),
    ("covered with snow", "relation", None),
    ("a wooden house", "material", {f"a {m} house" for m in (
        "metal plastic glass stone brick leather paper concrete ceramic rubber fabric").split()}),
    ("a dog is wet", "state", {"a dog is dry"}),
    ("An empty street", "state", {"A full street"}),
    ("the man rides horses", "action", {f"the man {v} horses" for v in (
        "pushes pulls carries washes repairs paints").split()}),
    ("a dog sits", "action", {f"a dog {v}" for v in "stands lies kneels crouches sleeps".split()}),
    ("the happy dog", "attribute", {f"the {w} dog" for w in "sad angry scared bored calm surprised".split()}),
    ("the tennis court", "attribute", {f"the {w} court" for w in (
        "baseball soccer basketball football hockey volleyball golf cricket").split()}),
    ("a traffic light", "noun", {f"a {w}" for w in ("bench", "fire hydrant", "parking meter", "stop sign")}),
    ("people", "noun", {"dogs", "cats", "horses", "cows", "elephants", "bears", "sheep", "birds"}),
    ("a woman is bored", "color", None),
    ("a woman and her manor", "object", {"a man and her manor", "a boy and her manor", "a girl and her manor"}),
    ("an orange on the table", "color", None),
    ("a short man", "size", {"a tall man"}),
    ("a short rope", "size", {"a long rope"}),
    ("The man is short.", "size", {"The man is tall."}),
    ("the cat is on top of the car", "location", {"the cat is under the car"}),
    ("An upper shelf", "location", {"A lower shelf"}),
    ("A lower shelf", "location", {"An upper shelf"}),
    ("a bird flew far from the tree", "location", {"a bird flew near the tree"}),
    ("he is right behind us", "location", {"he is right in front of us"}),
    ("On the left side", "location", {"On the right side"}),
    ("people walk all over town", "location", None),
    ("a little bit", "size", None),
    ("the cat food", "object", None),
    ("a person", "object", None),
    ("Keyboards", "object", {"Tvs", "Laptops", "Remotes", "Cell phones"}),
])
def test_replace(caption, concept, expected):
    seen = set()
    for seed in range(120):
        r = text.replace(k=1, concept=concept)([caption], seed=seed)
        if expected is None:
            assert r.reason == [["EMPTY"]]
        else:
            seen.add(r.text[0][0])
    assert seen == (expected or set())


def test_replace_keeps_articles_number_and_case():
    made = {t for seed in range(60) for t in text.replace(k=1, concept="object")(["AN ELEPHANT"], seed=seed).text[0]}
    assert "A DOG" in made and all(t.startswith("A ") for t in made)
    made = {t for seed in range(60) for t in text.replace(k=1)(["A sheep"], seed=seed).text[0]}
    assert "An elephant" in made and "A cow" in made and not any(t.endswith("s") for t in made)
    made = {t for seed in range(60) for t in text.replace(k=1)(["two sheep"], seed=seed).text[0]}
    assert "two dogs" in made and all(t.endswith("s") for t in made)
    made = {t for seed in range(200) for t in text.replace(k=1, hardness="any")(["a dog"], seed=seed).text[0]}
    assert "a car" in made and not any("person" in t for t in made)


def test_replaced_object_is_not_mentioned_by_another_caption():
    names = ["a bicycle", "taxis", "motorcycles", "an airplane", "many buses", "a train", "a ship"]
    for seed in range(20):
        r = text.replace(k=1)(["A truck."], seed=seed, avoid=[names])
        assert r.reason[0][0] == "ABSENT"  # nothing of the supercategory is left
        r = text.replace(k=1)(["A truck."], seed=seed, avoid=[names[:6]])
        assert r.text[0][0] in ("A boat.", "A truck.")


def test_truth_is_never_a_negative():
    caption, truth = "a red ball", ["AN ORANGE ball!"]
    truth += [f"A {c.upper()} ball!" for c in "black white gray yellow green blue purple".split()]
    for seed in range(20):
        r = text.replace(k=3, concept="color")([caption], seed=seed, avoid=[truth])
        assert {t for t, v in zip(r.text[0], r.valid[0], strict=True) if v} <= {"a pink ball", "a brown ball"}
        assert not r.valid.all()


def test_unicode_case_and_composition_are_truth_too():
    caption = "a cat by a CAFÉ under a dog"
    plain = text.swap(k=1, kinds="noun")([caption])
    assert plain.valid.all()
    r = text.swap(k=1, kinds="noun")([caption], avoid=[[plain.text[0][0].replace("CAFÉ", "cafe\u0301")]])
    assert r.reason == [["SAME"]] and r.text == [[caption]]


def test_swap_keeps_capital_and_articles():
    for seed in range(30):
        made = text.swap(k=1)(["A small dog watches the old cat eat an apple."], seed=seed).text[0][0]
        assert made[0].isupper() and made.endswith(".") and made[1:] == made[1:].lower()
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", made.lower())


def test_tokens():
    tokenizer = vn.Tokenizer.learn(["dog red blue white black car tree under a"] * 9, 600)
    captions = ["a red car", "dog " * 75 + "and a red car under a tree", "a red dog " + "dog " * 90]
    g = text.replace(k=2, concept="color")
    assert g(captions).valid.tolist() == [[1, 1], [0, 0], [1, 1]]  # words beyond the 75th are never edited
    r = g(captions, tokenizer=tokenizer)
    assert r.valid.tolist() == [[1, 1], [0, 0], [1, 1]]
    r = g(captions, tokenizer=lambda texts: tokenizer(texts, context=3))
    assert r.reason == [["TOKENS"] * 2, ["EMPTY"] * 2, ["TOKENS"] * 2]
    assert r.text[0] == captions[:1] * 2 and not r.valid.any() and r.kind[0] == ["replace"] * 2


def test_exact():
    negatives = tuple((f"kind{i % 2}", f"a thing {i}") for i in range(6)) + (("kind0", "A true thing!"), ("kind0", ""))
    s = SimpleNamespace(captions=("a true thing", "it is true"), negatives=negatives)
    g = text.exact(k=3)
    r = g(["it is true"], samples=[s])
    assert r.valid.all() and len(set(r.text[0])) == 3 and set(zip(r.kind[0], r.text[0], strict=True)) <= set(negatives)
    assert len({tuple(g(["it is true"], visit=v, samples=[s]).text[0]) for v in range(10)}) > 3
    r = text.exact(k=8)(["it is true"], samples=[s])
    assert r.valid.sum() == 6 and r.valid[0, :6].all() and r.text[0][7] == "it is true"
    r = text.exact(k=4, kinds="kind1")(["it is true"], samples=[s])
    assert r.kind[0] == ["kind1"] * 3 + ["exact"] and r.reason[0] == ["", "", "", "EMPTY"]
    with pytest.raises(ValueError, match="samples"):
        g(["a"])


def test_weights_may_be_an_array():
    mixed = vn.negatives.mix(text.swap(), text.replace(), weights=np.array([3, 1]))
    assert mixed == vn.negatives.mix(text.swap(), text.replace(), weights=(3, 1.0)) and "(3, 1)" in repr(mixed)


def test_objects():
    assert text.swap(k=2) == text.swap(k=2) != text.swap(k=3)
    assert MIX == text.swap(k=2) + text.replace(k=2) and hash(MIX) == hash(text.swap(k=2) + text.replace(k=2))
    assert MIX.k == 4 and MIX.kinds == ("swap", "swap", "replace", "replace")
    assert eval(repr(MIX), {"swap": text.swap, "replace": text.replace}) == MIX
    assert vn.negatives.get("replace", k=1, concept="size") == text.replace(k=1, concept="size")
    assert set(vn.negatives.names("text")) >= {"exact", *(name for name, *_ in _core.text_listed())}
    shown = repr(MIX(CAPTIONS[:2]))
    assert CAPTIONS[1] in shown and "swap_" in shown


@pytest.mark.parametrize("call, error, sentence", [
    (lambda: MIX([]), ValueError, "empty"),
    (lambda: MIX("a dog"), TypeError, "list of str"),
    (lambda: MIX(["a", 3]), TypeError, r"captions\[1\]"),
    (lambda: MIX(["a", "\ud800"]), ValueError, "surrogate"),
    (lambda: MIX(["a"], avoid=[]), ValueError, "avoid must have one item"),
    (lambda: MIX(["a"], avoid=["a dog"]), TypeError, r"avoid\[0\]"),
    (lambda: MIX(["a"], samples=[3]), TypeError, "Sample"),
    (lambda: MIX(["a"], annotations=3), TypeError, "annotate gives, got int"),
    (lambda: MIX(["a"], tokenizer=lambda texts: np.zeros((1, 3))), ValueError, r"tokenizer must give an array"),
    (lambda: MIX(["a red dog"], tokenizer=lambda texts: None), ValueError, r"tokenizer must give an array"),
    (lambda: vn.negatives.mix(text.swap(), text.replace(), weights=3), ValueError, "above 0"),
    (lambda: vn.negatives.mix(text.swap(), text.replace(), weights=(1, "x")), ValueError, "above 0"),
    (lambda: vn.negatives.mix(text.swap(), text.replace(), weights=(5e-324, 1e308)), ValueError, "above 0"),
    (lambda: MIX(["a"], ids=[1, 2]), ValueError, "ids"),
    (lambda: MIX(["a"], ids=[-1]), ValueError, "ids"),
    (lambda: MIX(["a"], ids=[0.5]), TypeError, "ids"),
    (lambda: MIX(["a"], seed=-1), ValueError, "seed"),
    (lambda: MIX(["a"], seed=1.0), TypeError, "seed"),
    (lambda: MIX(["a"], visit=2**32), ValueError, "visit"),
    (lambda: text.swap(k=0), ValueError, "k must be in"),
    (lambda: text.swap(k=17), ValueError, "k must be in"),
    (lambda: text.swap(k=1.5), TypeError, "k must be an integer"),
    (lambda: text.swap(kinds="nouns"), ValueError, "adjective"),
    (lambda: text.replace(concept="shape"), ValueError, "color"),
    (lambda: text.replace(hardness="hard"), ValueError, "hardness"),
    (lambda: vn.negatives.get("swop"), ValueError, "text.exact"),
    (lambda: _core.text_draw(("a",), None, None, np.zeros(2, np.uint64), 0, (), None, None, None), ValueError, "rows"),
    (lambda: _core.text_draw(("a",), None, None, ROW, 0, ((99, 0, 0, 0),), None, None, None), ValueError, "no text"),
    (lambda: _core.text_draw(("a",), None, None, ROW, 0, (), WORD[None], None, None), TypeError, "together"),
    (lambda: _core.text_draw(("a",), None, None, ROW, 0, (), WORD[None], i64(0, 2), None), ValueError, "offsets"),
    (lambda: _core.text_draw(("é",), None, None, ROW, 0, (), WORD[None], i64(0, 1), None), ValueError, "annotate"),
    (lambda: _core.text_draw(("",), None, None, ROW, 0, (), WORD[None], i64(0, 1), None), ValueError, "annotate"),
    (lambda: text.swap(k=2).one() and vn.negatives.mix(text.swap()), ValueError, "at least two"),
    (lambda: vn.negatives.mix(text.swap(), text.replace() + text.swap()), TypeError, "single"),
    (lambda: vn.negatives.mix(text.swap(), text.replace(), weights=(1, 0)), ValueError, "above 0"),
    (lambda: vn.negatives.register("sound"), ValueError, "modality"),
])
def test_errors(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_tables_are_sorted_and_consistent():
    lexicon, keywords = _core.text_lexicon(), _core.text_keywords()
    texts = [t.encode() for t, *_ in lexicon]
    assert texts == sorted(set(texts)) and max(map(len, texts)) <= 31
    groups, found, put = keywords
    assert [k[0].encode() for k in found] == sorted(k[0].encode() for k in found)
    assert len(set(found)) == len(found) and len(set(put)) == len(put)
    for word, kinds, lemma, _ in lexicon:
        assert set(kinds) <= set("NVARPDCMXUTh") and kinds[0] != "h" and len(kinds) <= 5, word
        assert lemma != word
    for group in {p[1] for p in put}:           # whatever is put in has another beside it
        for form in {p[4] for p in put if p[1] == group}:
            senses = {p[2] for p in put if p[1] == group and p[4] == form}
            assert len(senses) > 1 or groups[group][0][:3] == "TO_" or form == 5, groups[group]


@pytest.mark.parametrize("caption, classes", [
    ("A man walks down the street", "DNVPDN"),
    ("street signs on a pole", "NNPDN"),
    ("Two dogs are playing in the park", "MNXVPDN"),
    ("A parked car is next to the stop sign", "DANXPPDNN"),
    ("the orange cat eats an orange", "DANVDN"),
    ("people watch a game", "NVDN"),
])
def test_tagger(caption, classes):
    assert "".join(k for _, k, _ in _core.text_words(caption)) == classes


def test_edits_say_what_was_changed_where():
    for r in (MIX(CAPTIONS), vn.negatives.mix(text.swap(), text.replace(), k=3)(CAPTIONS)):
        for i, caption in enumerate(CAPTIONS):
            for k, made in enumerate(r.text[i]):
                rebuilt, at = "", 0
                for e in r.edits[i][k]:
                    assert caption[e.start:e.stop] == e.old
                    rebuilt += caption[at:e.start]
                    assert len(rebuilt) == e.new_start
                    rebuilt, at = rebuilt + e.new, e.stop
                assert r.valid[i, k] == bool(r.edits[i][k])
                if r.valid[i, k] and not caption[:1].isupper():     # a capital may move with the opening of the text
                    assert rebuilt + caption[at:] == made


def test_twin_of_a_mixture():
    order = np.random.default_rng(0).permuted(np.tile(np.arange(3, dtype=np.uint8), (len(CAPTIONS), 2, 1)), axis=2)
    slots = [(0, 63, 0, 0), (1, 15, 0, 0), (1, 4096, 0, 0), (0, 63, 0, 1), (1, 15, 0, 1), (1, 4096, 0, 1)]
    _, reasons, kinds = both(CAPTIONS, slots, order=order)
    assert reasons.shape == (len(CAPTIONS), 2) and (reasons == 0).any() and (reasons != 0).any()
    for wrong in (order[:, :1], order[:-1], order + 1):
        with pytest.raises(ValueError):
            both(CAPTIONS, slots, order=np.ascontiguousarray(wrong))


def test_mix_takes_every_generator_and_falls_back():
    swap, replace = text.swap(kinds="adjective"), text.replace(concept="color")
    captions = [f"a big dog and the red car of a small man number {i}" for i in range(200)]
    kinds = [row[0] for row in vn.negatives.mix(swap, replace, weights=(3, 1))(captions).kind]
    assert 0.6 < kinds.count("swap_adjective") / 200 < 0.9 and kinds.count("replace_color") > 20
    alone = vn.negatives.mix(swap, replace, weights=(1000, 1), k=2)(["a red ball"])
    assert alone.valid.tolist() == [[1, 1]] and set(alone.kind[0]) == {"replace_color"}
    assert alone.text[0][0] != alone.text[0][1]
    all_rows = vn.negatives.mix(swap, replace, k=2)(captions)
    assert [vn.negatives.mix(swap, replace, k=2)([c]).text[0] for c in captions[:9]] == all_rows.text[:9]


def test_words_that_are_handed_in():
    captions = ("a red dog", "two men")
    words = np.array([[2, 5, ord("A"), -1], [6, 9, ord("N"), -1], [4, 7, ord("N"), -1]], np.int32)
    offsets = np.array([0, 2, 3])
    rows, slots = np.zeros(2, np.uint64), ((1, 1, 0, 0),)
    texts, reasons, *_ = _core.text_draw(captions, None, None, rows, 0, slots, words, offsets, None)
    assert reasons.tolist() == [[0], [1]] and texts[0][0].endswith(" dog")
    words[0, 2] = ord("N")      # as a noun, "red" is still a colour word; as a determiner it isn't looked at
    words[0, 2] = ord("D")
    assert _core.text_draw(captions, None, None, rows, 0, slots, words, offsets, None)[1].tolist() == [[1], [1]]


@pytest.mark.parametrize("form", range(10))
@pytest.mark.parametrize("kind", "NVARPDCMXUT")
def test_any_words_that_are_handed_in(kind, form):
    captions = ("a dog rides two red wooden people in front of the sheep",)
    words = [[m.start(), m.end(), ord(kind) | form << 16, -1] for m in re.finditer(r"\w+", captions[0])]
    texts, reasons, *_ = _core.text_draw(captions, None, None, ROW, 0, tuple(SLOTS), np.array(words, np.int32),
                                         i64(0, len(words)), None)
    assert all(made != captions[0] for made, r in zip(texts[0], reasons[0].tolist(), strict=True) if r == 0)


def test_annotations_take_the_taggers_place():
    captions = ["a red dog and the blue bird of a big man", "two black cats behind a white car"]
    g = text.swap(k=2) + text.replace(k=2)
    made = vn.negatives.annotate(captions)
    assert g(captions, annotations=made).text == g(captions).text == g.annotated(made)(captions).text
    assert vn.negatives.mix(text.swap(), text.replace(), k=2).annotated(made)(captions[::-1]).text == vn.negatives.mix(
        text.swap(), text.replace(), k=2)(captions[::-1]).text
    with pytest.raises(ValueError, match="not annotated"):
        g.annotated(made)(["a third caption"])

    class blind:
        name, version = "blind", "1"

        def __call__(self, captions):
            return [[(m.start(), m.end(), "DT") for m in re.finditer(r"\w+", c)] for c in captions]

    assert not g.annotated(vn.negatives.annotate(captions, blind()))(captions).valid.any()


def test_names_of_annotated_objects_are_never_put_in():
    caption = "a dog on a sofa"
    animals = ("cat", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "bird")
    sample = SimpleNamespace(captions=(caption,), negatives=(), objects=SimpleNamespace(names=animals[1:]))
    g = text.replace(k=1, concept="object")
    for visit in range(40):
        made = g([caption], samples=[sample], visit=visit)
        assert not set(key(made.text[0][0]).split()) & set(animals[1:])


def test_keywords_are_what_the_lists_say():
    script = runpy.run_path(str(Path(__file__).parents[1] / "csrc" / "negatives" / "words" / "lists.py"))
    assert (script["HERE"] / "keywords.def").read_text() == script["tables"](script["read"]())


@pytest.mark.slow
def test_memory_is_flat_over_a_million_captions():
    """Batches of a stream of captions, each with negatives: what is in use after 100,000 is in use after a million."""
    import tracemalloc
    g, in_use = text.swap(k=2) + text.replace(k=2, concept=text.replace.CONCEPTS), []
    resource = pytest.importorskip("resource")
    tracemalloc.start()
    try:
        for batch in range(1000):
            captions = [f"a red dog number {batch} and {i} cats sit on the big couch under a tree" for i in range(1000)]
            assert g(captions).valid.all(1).mean() > 0.9
            if batch in (99, 999):
                in_use.append((tracemalloc.get_traced_memory()[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    finally:
        tracemalloc.stop()
    assert in_use[1][0] < in_use[0][0] + 2**20          # bytes of Python objects
    assert in_use[1][1] < in_use[0][1] + 2**14          # KiB of the process at its largest


def test_no_word_is_put_behind_itself():
    captions = ["a train is on the tracks near a train station", "a very very big dog and a small cat",
                "two empty bottles and a bottle on a tennis court with a tennis player"]
    g = text.swap(k=4) + text.replace(k=4)
    for visit in range(60):
        for i, row in enumerate(g(captions, visit=visit).text):
            for made in row:
                words = key(made).split()
                assert [a for a, b in zip(words, words[1:], strict=False) if a == b] == ["very"] * (i == 1), made


@pytest.mark.parametrize("caption, becomes", [
    ("a man walks up the hill", "a man walks down the hill"), ("a close up of a cat", None),
    ("boats lined up on the shore", None)])
def test_up_is_a_place_before_one_only(caption, becomes):
    made = [text.replace(k=1, concept="relation")([caption], visit=v).text[0][0] for v in range(30)]
    assert becomes in made if becomes else not [m for m in made if "down" in m.split()]
