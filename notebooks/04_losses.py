# %% [markdown]
# # What each loss pulls and pushes
#
# Embeddings of a CLIP are points on a sphere, and a loss moves them. In two dimensions the sphere is a circle, and what a
# loss does can be drawn: points are images, captions and negatives, arrows say where each would go. An objective is a
# weighted sum of named terms; here they are one by one. It takes a few seconds.

# %%
import numpy as np

import vlmneg as vn
from vlmneg import losses, show

losses.names()

# %% [markdown]
# ## A batch on the circle
#
# Three pictures with their captions, a negative caption and a negative picture of each. Every sample has a region of its
# own; captions lie a little beside their pictures, negatives a little further on.


# %%
def at(*degrees):
    """Points on the circle."""
    a = np.radians(degrees)
    return np.stack([np.cos(a), np.sin(a)], -1).astype(np.float32)


batch = {"image": at(0, 100, 225), "text": at(18, 122, 250)}
negative = {"neg_text": at(33, 140, 272)[:, None], "neg_image": at(-22, 80, 200)[:, None]}
true = {"pos_text": at(8, -8, 112, 90, 238, 215).reshape(3, 2, 2)}
teacher = {"teacher_image": at(5, 95, 230), "teacher_text": at(10, 112, 240)}
SETS = {"images": "image", "captions": "text", "false captions": "neg_text", "false pictures": "neg_image",
        "further captions": "pos_text"}


def look(objective, title=None, longest=0.45, **rows):
    """Points, and arrows along the circle against the gradient."""
    r = objective.on(**rows, scale=5.0, bias=-2.0 if "bias" in objective.needs else 0.0)
    points = {says: rows[name].reshape(-1, 2) for says, name in SETS.items() if name in rows}
    moves = {}
    for says, x in points.items():
        d = -getattr(r, "d" + SETS[says]).reshape(-1, 2)
        moves[says] = d - (d * x).sum(1, keepdims=True) * x
    size = longest / max(np.abs(np.concatenate(list(moves.values()))).max(), 1e-6)
    arrows = [(p, p + size * d) for says, x in points.items() for p, d in zip(x, moves[says])
              if np.abs(d * size).max() > 0.02]
    return show.plane(points, arrows, title=f"{title or repr(objective)}: {r.loss:.3f}", width=430)


# %% [markdown]
# ## Inside the batch: `itc`, `sigmoid`, `hinge`
#
# `itc`, the loss of CLIP: a softmax over the batch in both directions. Each caption is drawn to its picture and away from
# the others. With negative captions as further candidates (NegCLIP) pictures also move away from those, and they are
# pushed off.

# %%
show.beside([look(losses.clip(), **batch), look(losses.negclip(), **batch, neg_text=negative["neg_text"])])

# %% [markdown]
# `sigmoid` (SigLIP) asks each pair by itself: does this caption fit that picture? `hinge` stops when a pair stands out by
# its margin: points that are right get no arrow.

# %%
show.beside([look(losses.sigmoid(negatives="none"), **batch), look(losses.hinge(margin=1.2), **batch)])

# %% [markdown]
# ## Own negatives: `own`, `focal`, `rank`, `triplet`
#
# These see one sample at a time: a picture, its caption, its negatives. `own` is a softmax among them, `focal` the same
# where clear cases count less, `triplet` a hinge with a fixed margin of cosines, `rank` one in logits whose margin adapts.

# %%
own = {**batch, "neg_text": negative["neg_text"]}
show.beside([look(losses.own(), **own), look(losses.focal(), **own)])

# %%
rank = losses.rank()
before = look(rank, "rank, margin 0", **own)
rank.on(**own, scale=5.0).advance()
show.beside([before, look(rank, "rank, margin after a step", **own)])

# %% [markdown]
# The margin of each type of negative follows the mean gap in the batch, up to a bound: a wider gap asks for a wider one.
# It is a state, not a weight: it moves on `advance()` alone, and a training run keeps it in its checkpoints.

# %%
margins = losses.get("rank", bound=3)
for angle in (33, 45, 60, 90, 120):
    rows = {**batch, "neg_text": at(angle, 122 + angle - 18, 250 + angle - 18)[:, None]}
    margins.on(**rows, scale=5.0, types=["noun"]).advance()
    print(f"negatives {angle - 18:3d} degrees off: margin {margins.margins()['noun']:.2f}")

# %% [markdown]
# ## Inside one modality: `intra`
#
# A caption moves away from its own negatives, or a picture from its own. The positive is the row itself, so the push
# fades once they are apart. Without one (`positive="none"`, CE-CLIP's equation) it never does. `"shifted"` is AHNPL's
# image term: a picture against itself, moved by what the negative changes in the caption; the captions stay.

# %%
show.beside([look(losses.intra(modality="text"), **own), look(losses.intra(modality="text", positive="none"), **own)])

# %%
show.beside([look(losses.intra(modality="image"), **batch, neg_image=negative["neg_image"]),
             look(losses.intra(modality="shifted"), **own)])

# %% [markdown]
# ## Negative pictures: `mirror`
#
# TripletCLIP's second half: negative pictures and their captions are pairs themselves, true captions further candidates.

# %%
show.beside([look(losses.own(anchor="text"), **batch, neg_image=negative["neg_image"]),
             look(losses.mirror(), **batch, **negative)])

# %% [markdown]
# ## More that is true, and a teacher: `mil`, `align`, `distil`
#
# `mil` (DAC) draws a picture to a bag of captions, whichever of them fits. `align` draws captions to where a frozen
# teacher has them, `distil` to how the teacher distributes them over the batch.

# %%
show.beside([look(losses.mil(), **batch, **true), look(losses.align(between="text_pos"), **batch, **true)])

# %%
show.beside([look(losses.align(), **batch, **teacher), look(losses.distil(), **batch, **teacher)])

# %% [markdown]
# ## Spread: `uniform`
#
# Rows of one modality repel each other, whatever they belong to.

# %%
show.beside([look(losses.uniform(), **batch), look(losses.uniform(modality="image"), **batch)])

# %% [markdown]
# ## As released
#
# Released code sometimes does something else than its paper. AHNPL's and CE-CLIP's terms inside a modality are
# cross-entropies whose target is a fixed column of all negatives (`column`), nearly always a negative of another sample:
# captions are drawn *to* a negative. `compat="released"` gives that, for those who want to reproduce it; without it you
# get what was meant.

# %%
show.beside([look(losses.intra(modality="text"), "as meant", **own), look(losses.column(), "as released", **own)])

# %%
print(losses.ahnpl())
print(losses.ahnpl(compat="released"))

# %% [markdown]
# ## Twins
#
# When the same photograph, or the same caption, stands twice in a batch, the second is no negative of the first. Say what
# belongs together with `group` (and `text_key`, `neg_key`), and it is left out; `duplicates="soft"` makes it a second
# target, `"off"` is plain CLIP.

# %%
same = {"image": at(0, 100, 5), "text": at(18, 122, 24)}
show.beside([look(losses.clip(duplicates="off"), "not told", **same),
             look(losses.clip(), "told", **same, group=np.array([0, 1, 0]))])

# %% [markdown]
# ## Sums
#
# An objective is a sum; `repr` says it back, and so does TOML. Each block of cosines is computed once, however many terms
# read it, and the sum of the terms is the objective.

# %%
objective = losses.itc() + 0.2 * losses.rank() + 0.05 * losses.uniform()
r = objective.on(**own, scale=5.0)
print(objective, r.terms)
print(r.loss, sum(w * x for w, x in zip((1, 0.2, 0.05), r.terms.values())))
look(objective, "the sum", **own)
