"""Edits that move objects: equal to their twins, and on photographs with real masks what they say they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_image_negatives import LOOSE, check_twin, masks, picture

from vlmneg.negatives import image as edits

MAKERS = {
    "swap": edits.swap(k=2),
    "swap loose": edits.swap(k=3, grow=0.2, feather=0, **LOOSE),
    "exchange_colours": edits.exchange_colours(k=3, **LOOSE),
    "move": edits.move(k=2),
    "move loose": edits.move(k=3, mirror=False, feather=3, **LOOSE),
    "mirror": edits.mirror(k=2),
    "duplicate": edits.duplicate(k=2),
    "duplicate loose": edits.duplicate(k=3, feather=0, **LOOSE),
    "resize": edits.resize(k=4, **LOOSE),
    "bigger": edits.resize(k=2, to="bigger", feather=2, **LOOSE),
    "smaller": edits.resize(k=2, to="smaller"),
    "background": edits.background(k=2, **LOOSE),
    "paste": edits.paste(k=3, **LOOSE),
    "replace": edits.replace(k=3, **LOOSE),
}
SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (7, 7), (17, 3), (13, 17), (24, 31)]


def blocks(h, w, seed=0):
    """Two coloured blocks left and right, one small."""
    image, out = picture(h, w, seed) // 4, []
    for number, (top, left) in enumerate(((h // 3, 0), (h // 2, 2 * w // 3), (0, w // 2))):
        mask = np.zeros((h, w), np.uint8)
        mask[top:top + max(h // 3, 1), left:left + max(w // (4 + number), 1)] = 1
        image[mask != 0] = np.clip(np.eye(3)[number] * 200 + 20, 0, 255)
        out.append(mask)
    return image, out


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_equals_twin(name, size):
    for seed in range(2):
        image, objects = blocks(*size, seed)
        other = blocks(9, 14, seed + 5)
        check_twin(MAKERS[name], image, objects, other, seed)
        check_twin(MAKERS[name], image, masks(*size, seed), other, seed)
        check_twin(MAKERS[name], image, [], None, seed)


@pytest.mark.parametrize("name", MAKERS)
def test_makes_something(name):
    """The cases above are not all refusals."""
    made = [check_twin(MAKERS[name], *blocks(24, 31, seed), blocks(20, 24, seed + 5), seed) for seed in range(3)]
    assert sum(int(m.valid.sum()) for m in made) >= 2


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_equals_twin_anywhere(data):
    h, w = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    image = np.frombuffer(data.draw(st.binary(min_size=3 * h * w, max_size=3 * h * w)), np.uint8).reshape(h, w, 3)
    boxes = data.draw(st.lists(st.tuples(*[st.integers(0, 11)] * 4), max_size=4))
    objects = []
    for top, left, bottom, right in boxes:
        objects.append(np.zeros((h, w), np.uint8))
        objects[-1][min(top, bottom):max(top, bottom), min(left, right):max(left, right) + 1] = 1
    name, seed = data.draw(st.sampled_from(sorted(MAKERS))), data.draw(st.integers(0, 2**64 - 1))
    check_twin(MAKERS[name], image, objects, blocks(5, 8, 3), seed, data.draw(st.integers(0, 2**32 - 1)))
