"""Captions that go with edited pictures: grammar, whole words, and silence where the annotation is not clear."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vlmneg as vn
from vlmneg.negatives import image as edits
from vlmneg.negatives.image import captions as rules

# each object is 10 x 10; left to right, or one above the other
ROW = [(2 + 20 * i, 20, 10, 10) for i in range(5)]
COLUMN = [(30, 2 + 20 * i, 10, 10) for i in range(5)]


def said(kind, edit, caption, names, shapes=ROW, crowd=None, other=None):
    """The new caption, or None."""
    objects = vn.data.Objects(names, shapes[:len(names)], (110, 110), crowd=crowd)
    others = other and vn.data.Objects([other], [ROW[0]], (110, 110))
    made = rules.say(kind, edit, [caption], objects, others)
    assert made is None or made[0] == caption
    return made and made[1]


def recoloured(caption, names, new="blue", m=0):
    return said("recolour", {"object": m, "new": new}, caption, names)


@pytest.mark.parametrize("caption, names, new, made", [
    ("A red bus.", ["bus"], "blue", "A blue bus."),
    ("A red bus.", ["bus"], "orange", "An orange bus."),
    ("An orange bus and a cat", ["bus", "cat"], "red", "A red bus and a cat"),
    ("a big red double decker bus", ["bus"], "grey", "a big gray double decker bus"),
    ("Red airliner on a runway", ["airplane"], "white", "White airliner on a runway"),
    ("A man in a red tie", ["person", "tie"], "blue", None),          # the man is edited, the tie is red
    ("A red bus and a red bus", ["bus"], "blue", None),               # which?
    ("A red bus", ["bus", "bus"], "blue", None),                      # another one may be red
    ("Two red buses", ["bus"], "blue", None),
    ("A red and white bus", ["bus"], "blue", None),
    ("A dark red bus", ["bus"], "blue", None),
    ("A red bus", ["bus"], "red", None),
    ("A gray bus", ["bus"], "grey", None),
    ("A red bus stop", ["bus"], "blue", None),                        # no bus
    ("A red minibuses sign", ["bus"], "blue", None),
    ("A red-striped bus", ["bus"], "blue", None),
    ("A red, old bus", ["bus"], "blue", None),
    ("A red dog bowl", ["dog"], "blue", None),
    ("A bus that is red", ["bus"], "blue", None),
    ("An orange next to a bus", ["bus"], "blue", None),
    ("A red hot dog", ["dog"], "blue", None),                         # a hot dog is no dog
    ("A red kite near some kites", ["kite"], "blue", None),
    ("A red cup and bowl", ["cup", "bowl"], "blue", None),
    ("A red cup and a bowl", ["cup", "bowl"], "blue", "A blue cup and a bowl"),
])  # fmt: skip
def test_recolour(caption, names, new, made):
    assert recoloured(caption, names, new) == made


def test_man_is_not_in_woman():
    assert recoloured("a red woman", ["man"]) is None and recoloured("a red womanly cat", ["man"]) is None
    assert said("remove", {"object": 0}, "A woman with a hat", ["man"]) is None
    assert said("remove", {"object": 0}, "A woman with a hat", ["person"]) == "No woman with a hat"
    assert said("remove", {"object": 0}, "A woman and a man", ["person"]) is None  # two persons in the caption


@pytest.mark.parametrize("caption, names, made", [
    ("A dog and a cat.", ["cat", "dog"], "A dog and no cat."),
    ("A dog with a small cat", ["cat", "dog"], "A dog with no small cat"),
    ("A cat sitting on a bed", ["cat", "bed"], "No cat sitting on a bed"),
    ("There is a cat on the bed", ["cat", "bed"], "There is no cat on the bed"),
    ("A CAT AND A DOG", ["dog"], "A CAT AND NO DOG"),
    ("A cat and a dog", ["cat", "dog"], None),        # "no cat and a dog" may deny both
    ("A bed with a cat, a dog and a bird", ["cat"], None),
    ("A bike between a cat and a dog", ["dog"], None),
    ("A cat and a dog are friends", ["dog"], None),
    ("A dog next to a cat", ["cat"], None),           # "next to no cat"
    ("A dog with its cat", ["cat"], None),
    ("A cat licking its paw", ["cat"], None),
    ("A cat and a kitten", ["cat"], None),
    ("A dog", ["cat"], None),
    ("A cat", ["cat", "cat"], None),
])  # fmt: skip
def test_remove(caption, names, made):
    assert said("remove", {"object": 0}, caption, names) == made


@pytest.mark.parametrize("kind, caption, n, made", [
    ("duplicate", "Two dogs on a bed", 2, "Three dogs on a bed"),
    ("remove", "Two small dogs on a bed", 2, "One small dog on a bed"),
    ("remove", "Two people riding horses", 2, "One person riding horses"),
    ("remove", "3 buses in a row", 3, "2 buses in a row"),
    ("duplicate", "One bus near a tree", 1, "Two buses near a tree"),
    ("remove", "Two buses", 2, "One bus"),
    ("duplicate", "A dog on a bed", 1, None),         # two dogs are a dog too
    ("duplicate", "Two dogs on a bed", 3, None),
    ("remove", "Two dogs run on a beach", 2, None),   # "one dog run"
    ("remove", "There are two dogs", 2, None),
    ("duplicate", "Two dogs with their owner", 2, None),
    ("duplicate", "Two dogs, one black", 2, None),
    ("duplicate", "Some dogs", 2, None),
])  # fmt: skip
def test_count(kind, caption, n, made):
    name = "person" if "people" in caption else "bus" if "bus" in caption else "dog"
    assert said(kind, {"object": 0}, caption, [name] * n) == made
    assert said(kind, {"object": 0}, caption, [name] * n, crowd=[False] * (n - 1) + [True]) is None


@pytest.mark.parametrize("caption, shapes, made", [
    ("A dog left of a cat", ROW, "A dog right of a cat"),
    ("A dog sitting to the left of a big cat.", ROW, "A dog sitting to the right of a big cat."),
    ("A cat is on the right of the dog", ROW, "A cat is on the left of the dog"),
    ("A dog right of a cat", ROW, None),              # it isn't
    ("A dog left of a cat", COLUMN, None),
    ("A dog above a cat", COLUMN, "A dog below a cat"),
    ("The cat under the dog", COLUMN, "The cat over the dog"),
    ("A dog above a cat", ROW, None),
    ("A dog and a cat", ROW, None),
    ("A dog on the bed left of a cat", ROW, None),
    ("A dog, left of a cat", ROW, None),
])  # fmt: skip
def test_swap(caption, shapes, made):
    assert said("swap", {"object": 0, "with": 1}, caption, ["dog", "cat"], shapes) == made
    assert said("swap", {"object": 0, "with": 1}, caption, ["dog", "cat", "cat"], shapes) is None


@pytest.mark.parametrize("caption, made", [
    ("A man on the left", "A man on the right"), ("A hat in his right hand", "A hat in his left hand"),
    ("A cat on the right side of a bed", "A cat on the left side of a bed"),
    ("A dog to the left of a cat", "A dog to the right of a cat"),
    ("A dog right next to a cat", None), ("A man who left", None), ("A right-handed man", None), ("A dog", None),
    ("A dog on the left and a cat on the right", None), ("It left the bright room", None),
])  # fmt: skip
def test_mirror(caption, made):
    assert said("mirror", {}, caption, ["dog"]) == made


@pytest.mark.parametrize("caption, right, made", [
    ("A dog on the left of the picture", 86, "A dog on the right of the picture"),
    ("A dog on the left", 86, "A dog on the right"), ("A dog on the right", 86, None),
    ("A dog left of a cat", 86, "A dog right of a cat"), ("A cat right of a dog", 86, "A cat left of a dog"),
    ("A dog left of a cat", 5, None), ("A cat on the left", 86, None), ("A dog on the left of a road", 86, None),
])  # fmt: skip
def test_move(caption, right, made):
    assert said("move", {"object": 0, "right": right}, caption, ["dog", "cat"]) == made


@pytest.mark.parametrize("kind, scale, caption, made", [
    ("smaller", 500, "A big brown dog", "A small brown dog"), ("bigger", 2000, "A big brown dog", None),
    ("bigger", 2000, "A tiny dog", "A huge dog"), ("smaller", 500, "A short dog", None),
    ("smaller", 500, "A dog in a big house", None), ("smaller", 500, "An old dog", None),
])  # fmt: skip
def test_resize(kind, scale, caption, made):
    assert said(kind, {"object": 0, "scale": scale}, caption, ["dog"]) == made


@pytest.mark.parametrize("caption, other, made", [
    ("A dog on a bed", "elephant", "An elephant on a bed"), ("An orange on a table", "apple", "An apple on a table"),
    ("A brown dog", "cat", None), ("A dog and a cat", "cat", None), ("Two dogs", "cat", None), ("A dog", "skis", None),
    ("A dog and its toy", "cat", None), ("A dog", "person", None), ("A dog's tail", "cat", None),
])  # fmt: skip
def test_replace(caption, other, made):
    name = "orange" if "orange" in caption.lower() else "dog"
    assert said("replace", {"object": 0, "other": 0}, caption, [name], other=other) == made


def test_exchange_colours():
    edit = {"object": 0, "with": 1, "old": "orange", "new": "grey"}
    one, two = "An orange dog and a gray cat", "A gray dog and an orange cat"
    assert said("exchange_colours", edit, one, ["dog", "cat"]) == two
    assert said("exchange_colours", edit, two, ["dog", "cat"]) is None
    assert said("exchange_colours", edit, "A dog and a gray cat", ["dog", "cat"]) is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from("a an the red big two dog dogs cat left right of on with and "
                                                      "no one orange is , . é ’s".split()), max_size=12).map(" ".join),
       st.sampled_from(sorted(rules.SAY)))
def test_any_text(caption, kind):
    """Nothing crashes; what comes out is another caption."""
    edit = {"object": 0, "with": 1, "old": "red", "new": "orange", "scale": 500, "right": 40, "other": 0}
    made = said(kind, edit, caption, ["dog", "cat"], other="zebra")
    assert made is None or vn.negatives.key(made) != vn.negatives.key(caption)


def test_true_captions_are_never_made():
    objects = vn.data.Objects(["bus"], [ROW[0]], (110, 110))
    edit = {"object": 0, "new": "blue"}
    assert rules.say("recolour", edit, ["A red bus", "a BLUE bus!"], objects) is None
    assert rules.say("recolour", edit, ["A red bus", "a big blue bus"], objects) is None
    assert rules.say("recolour", edit, ["A bus", "a red bus"], objects) == ("a red bus", "a blue bus")
    assert rules.say("recolour", edit, ["A red bus"], [np.ones((3, 3))]) is None


def test_quadruples_of_scenes():
    """What an edited scene is said to be is false of the scene itself, by the exact negatives of the data."""
    data = vn.data.scenes(60, seed=3)
    samples = list(data)
    make = edits.swap() + edits.exchange_colours() + edits.recolour(k=2) + edits.mirror() + edits.remove()
    made = make([s.image for s in samples], objects=[s.objects for s in samples],
                captions=[s.captions if i % 2 else s.captions[0] for i, s in enumerate(samples)])
    found = made.quadruples()
    assert {q.kind for q in found} == {"swap", "exchange_colours", "recolour", "mirror", "remove"} and len(found) > 60
    for q in found:
        assert q.caption_0 == samples[q.row].captions[0] and q.image_0 is made.images[q.row]
        assert q.caption_1 != q.caption_0 and not np.array_equal(q.image_0, q.image_1)
        exact = dict(samples[q.row].negatives)
        if q.kind == "swap":
            assert q.caption_1 == exact["relation_swap"]
        if q.kind == "exchange_colours" and "attribute_swap" in exact:
            words = [sorted({*c.split()} - {"a", "an"}) for c in (q.caption_0, q.caption_1)]
            assert words[0] == words[1]
    assert len(found) == sum(c is not None for row in made.caption for c in row)


def test_photographs_get_captions(shared):
    coco = shared / "coco"
    data = vn.data.coco(coco / "captions.json", coco / "images", coco / "instances.json")
    samples = [s for s in data if s.objects]
    make = edits.recolour(k=2) + edits.remove(k=2)
    made = make([s.image for s in samples], objects=[s.objects for s in samples],
                captions=[s.captions for s in samples])
    found = made.quadruples()
    assert len(found) >= 20
    for q in found:
        true = set(map(vn.negatives.key, samples[q.row].captions))
        assert q.caption_0 in samples[q.row].captions and vn.negatives.key(q.caption_1) not in true


@pytest.mark.parametrize("captions, words", [
    ("a dog", "one item a caption|list with one item"), ([], "one item"), ([[]], "at least one caption"),
    ([5], r"captions\[0\] must be"), ([["a", 3]], r"captions\[0\]\[1\] must be a str"), (["\ud800"], "surrogate"),
])  # fmt: skip
def test_refused_captions(captions, words):
    with pytest.raises((TypeError, ValueError), match=words):
        edits.mirror()([np.zeros((3, 4, 3), np.uint8)], captions=captions)
