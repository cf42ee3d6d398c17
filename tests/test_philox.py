"""Philox against its published answers and its twin."""

import numpy as np
import pytest

from vlmneg import _core
from vlmneg.reference.philox import philox

# kat_vectors of Random123: counter, key, answer
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_published_answers(counter, key, answer):
    draw, stream, low, high = counter
    seed, row = key[0] | key[1] << 32, low | high << 32
    assert _core.philox(seed, row, draw, stream) == answer
    assert tuple(philox(seed, row, draw, stream)) == answer


def test_twin():
    rng = np.random.default_rng(0)
    for seed, row in rng.integers(0, 2**63, (20, 2)):
        where = [int(seed), int(row), *map(int, rng.integers(0, 2**32, 2))]
        assert _core.philox(*where) == tuple(philox(*where))
