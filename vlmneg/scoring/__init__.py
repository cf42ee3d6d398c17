"""Metric code: what counts as right, and means with intervals. Knows neither models nor files.

From scores to credit: `caption_choice`, `image_choice`, `two_by_two`, and `ranks` with `recall` for retrieval. From a
table of examples to figures: `summarise`. Nothing here needs a model, so any table of scores or of right and wrong
answers can be averaged, with the same rules for ties and the same intervals as `vlmneg.evaluate`.

Examples
--------
>>> from vlmneg import scoring
>>> rows = [{"subset": "swap_obj", "image": "a.jpg", "scores": (0.31, 0.29)},
...         {"subset": "swap_obj", "image": "b.jpg", "scores": (0.25, 0.25)},
...         {"subset": "add_att", "image": "b.jpg", "correct": "1"}]
>>> figures = scoring.summarise(rows, bootstrap=0)
>>> [(name, round(f.value, 4), f.ties) for name, f in figures.items()]
[('swap_obj', 0.5, 1), ('add_att', 1.0, 0), ('micro', 0.6667, 1), ('macro', 0.75, 1)]
"""

from .means import Figure, summarise
from .rules import TIES, Credit, Row, caption_choice, image_choice, ranks, recall, recalls, two_by_two

__all__ = ["TIES", "Credit", "Figure", "Row", "caption_choice", "image_choice", "ranks", "recall", "recalls",
           "summarise", "two_by_two"]
