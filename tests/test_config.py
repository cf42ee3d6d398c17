"""ClipConfig: what it holds, derives and refuses."""

import json

import numpy as np
import pytest
from peers import ODD

from vlmneg.config import ClipConfig


def test_config_refuses():
    for change, words in (
        ({"embed": 0}, "embed must be in"), ({"embed": 10**9}, "embed must be in"),
        ({"patch": 31}, "multiple of patch"),
        ({"image_heads": 7}, "multiple of image_heads"), ({"text_activation": "relu"}, '"quick_gelu" or "gelu"'),
        ({"context": 1}, "at least 2"), ({"vocab": 10, "end": 12}, "end must be a token id"),
        ({"std": (1, 0, 1)}, "positive"),
        ({"start": 5, "end": 5}, "two different"), ({"mean": (1, 2, float("nan"))}, "finite"),
        ({"image_witdh": 3}, "did you mean 'image_width'"), ({"xyz": 3}, "the fields are"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            ClipConfig.vit_b_32(**change)
    for change in ({"embed": 2.0}, {"embed": True}, {"embed": "2"}, {"mean": 3}, {"std": (1, 2)}, {"vocab": None}):
        with pytest.raises(TypeError, match=next(iter(change))):
            ClipConfig.vit_b_32(**change)
    with pytest.raises(TypeError, match="dictionary"):
        ClipConfig.from_dict([])
    with pytest.raises(AttributeError):
        ODD.embed = 3


def test_config_is_a_value():
    assert ClipConfig.vit_l_14().parameters == 427_616_513 and ClipConfig.vit_b_16().parameters == 149_620_737
    assert ClipConfig.from_dict(json.loads(json.dumps(ODD.to_dict()))) == ODD
    assert hash(ClipConfig.tiny(embed=np.int64(64))) == hash(ClipConfig.tiny())
    assert ClipConfig.tiny(vocab=100).end == 99 and ClipConfig.tiny(vocab=100, start=1, end=2).end == 2
    assert ODD.replace(end=5).replace(vocab=60).end == 5
