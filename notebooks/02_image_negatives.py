# %% [markdown]
# # Hard negatives of pictures
#
# A hard negative of a picture has one thing changed, so that its caption is no longer true. The edits are made in C, from
# masks of objects where they need them, and leave every pixel outside their region as it was. This notebook runs on
# procedural scenes; photographs with COCO's masks go the same way. It needs no download.

# %%
import numpy as np

import vlmneg as vn
from vlmneg import negatives
from vlmneg.negatives import image

world = vn.data.scenes(400, seed=3, size=128)
scenes = [world[i] for i in range(60)]
images = [s.image for s in scenes]
objects = [s.objects for s in scenes]
captions = [s.captions for s in scenes]
scenes[17].captions[0], scenes[17].objects

# %% [markdown]
# ## An edit
#
# An edit is an object with parameters and a number of variants `k`, called with pictures, a seed and what is in the
# pictures. The result shows itself, the changed region outlined. Given captions too, each variant gets the one that is
# true of it, where the annotation is clear enough to say so.

# %%
image.recolour(k=3)(images[:4], seed=1, objects=objects[:4], captions=captions[:4])

# %% [markdown]
# Edits are found by name. They can be added, which gives the slots of both, and mixed, which draws one for each slot.

# %%
print(negatives.names("image"))
several = image.swap() + image.exchange_colours() + image.remove() + image.mirror()
result = several(images, seed=0, objects=objects, captions=captions)
result.sheet(n=4, seed=1, side=150)

# %% [markdown]
# ## What was done, and when it counts
#
# `edits` says what was changed, `region` where. A variant is valid only if enough of the picture changes, strongly
# enough, and no earlier slot of the row looks the same; otherwise the slot holds the source and a reason.

# %%
row = next(i for i in range(len(result)) if result.valid[i].sum() == 3)
for kind, edit, reason in zip(result.kind[row], result.edits[row], result.reason[row]):
    print(f"{kind:17} {edit or reason}")
outside = result.region[row][0] == 0
print("outside the region unchanged:", np.array_equal(result.image[row][0][outside], result.images[row][outside]))
print({kind: f"{share:.0%}" for kind, share in zip(several.kinds, result.valid.mean(0))})

# %% [markdown]
# ## Quadruples
#
# Two pictures and two captions, each caption true of its own picture alone: the form of Winoground, from one call. Where
# the old caption might still be true, as after recolouring one of two red stars, there is none.

# %%
found = result.quadruples()
print(len(found), "of", int(result.valid.sum()), "valid variants have their caption")
for kind in several.kinds:
    q = next(q for q in found if q.kind == kind)
    print(f"{kind:17} {q.caption_0}\n{'':17} {q.caption_1}")

# %% [markdown]
# Scenes know the truth, so this can be checked: exchanging two objects must say what the data's own exact negative says.

# %%
swapped = [q for q in found if q.kind == "swap"]
agree = [q.caption_1 == dict(scenes[q.row].negatives)["relation_swap"] for q in swapped]
print(f"{sum(agree)} of {len(agree)} agree")

# %% [markdown]
# ## Two pictures
#
# Some edits take from a second picture: its background, or an object.

# %%
others = [(images[i + 1], objects[i + 1]) for i in range(4)]
two = image.background(min_change=5, variation=0) + image.paste() + image.replace()
two(images[:4], seed=2, objects=objects[:4], captions=captions[:4], others=others).sheet(n=4, side=150)

# %% [markdown]
# ## Masks
#
# `vn.data.Objects` takes masks, boxes, polygons and COCO's run-length codes. For photographs, `vn.data.coco` reads them:
#
# ```python
# photos = vn.data.coco("captions_val2017.json", "val2017", instances="instances_val2017.json")
# some = [photos[i] for i in range(8)]
# image.remove()([s.image for s in some], objects=[s.objects for s in some], captions=[s.captions for s in some])
# ```

# %%
garden = vn.data.Objects(["pond", "path"], [[[10, 60, 50, 40, 90, 60, 60, 90]], (90, 10, 20, 110)], (128, 128))
print(garden.areas, garden.boxes.tolist())
green = np.full((128, 128, 3), (60, 150, 70), np.uint8)
green[garden.masks[0] != 0] = 40, 90, 200
image.recolour(k=2, colours=("red", "brown"))([green], objects=[garden])
