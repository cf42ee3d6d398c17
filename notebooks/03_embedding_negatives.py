# %% [markdown]
# # Embedding negatives
#
# A negative caption changes a few words. What would a picture look like that fits the changed caption? Nobody has to
# draw it: in the joint space, the difference of the two captions is a direction, and the image can be moved along it.
# This notebook makes negatives out of embeddings alone: the **shift**, and two simpler kinds, **interpolate** and
# **gaussian**. It takes under a minute.

# %%
import numpy as np

import vlmneg as vn
from vlmneg import losses, show
from vlmneg.negatives import embed

# %% [markdown]
# ## A small model that has learned something
#
# Embeddings of an untrained model mean nothing, so we train a small CLIP on procedural scenes first.

# %%
world = vn.data.scenes(2000, seed=0)
tokenizer = vn.Tokenizer.learn(world.captions(), 700)
config = vn.ClipConfig.tiny(vocab=tokenizer.vocab_size, image_size=64, patch=32, image_heads=4, text_heads=4)
model = vn.Clip(config, seed=0, tokenizer=tokenizer)
records = list(vn.train(model, world, "negclip", vn.negatives.text.exact(k=2), batch=32, steps=240, lr=1e-3,
                        augment=False, seed=0))
records[-1]

# %% [markdown]
# ## The rows of a batch
#
# Sixteen scenes that the model has not seen, a caption of each, and up to three captions that are false of it. Slots that
# hold none are marked in `valid` and never read.

# %%
scenes = [vn.data.scenes(16, seed=1)[i] for i in range(16)]
captions = [s.captions[0] for s in scenes]
false = vn.negatives.text.exact(k=3)(captions, samples=scenes)
rows = {
    "image": model.encode_image(model.preprocess([s.image for s in scenes]), normalize=True),
    "text": model.encode_text(captions, normalize=True),
    "neg_text": model.encode_text(sum(false.text, []), normalize=True).reshape(16, 3, -1),
    "valid": false.valid,
}
full = int(np.argmax(false.valid.all(1)))
for text in (captions[full], *false.text[full]):
    print(text)

# %% [markdown]
# ## The shift
#
# `shift` moves image *i* by what the negative caption changes in the text: v- = v + f (t- - t). Below is the plane that
# shows most of one sample's rows. Captions and images lie apart, as they do in every CLIP, but the two kinds of arrows
# are parallel and equally long: what the words did to the caption is done to the image.

# %%
made = embed.shift()(**rows)


def flat(*parts):
    """Rows in the plane of their first two principal directions."""
    every = np.concatenate([p.reshape(-1, p.shape[-1]) for p in parts])
    axes = np.linalg.svd(every - every.mean(0), full_matrices=False)[2][:2]
    return [(p - every.mean(0)) @ axes.T for p in parts]


v, t, n, w = flat(*(x[full] for x in (rows["image"], rows["text"], rows["neg_text"], made.rows)))
show.plane({"caption": t, "false captions": n, "image": v, "shifted images": w},
           [(t, end) for end in n] + [(v, end) for end in w], title=captions[full])

# %% [markdown]
# ## Nothing has to be stored
#
# The cosine of an image with its own shifted image is a sum of cosines that the batch has anyway:
# v.v- = v.v + f (v.t- - v.t). So `cosines` makes no row, and an objective doesn't either.

# %%
by_rows = np.einsum("be,bke->bk", rows["image"], made.rows)
by_identity = embed.shift().cosines("image", **rows)
np.abs(by_rows - by_identity).max()

# %% [markdown]
# For the caption as anchor the same identity reads t.v- = t.v - f (1 - t.t-). The gap between the true and the shifted
# image does not depend on the image: there would be nothing for the image tower to learn. vlmneg says so.

# %%
try:
    embed.shift().cosines("text", **rows)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Interpolate and gaussian
#
# `interpolate` takes a caption between a false one and the true one: the smaller its share mu of the false one, the harder
# it is to tell from the true caption. `gaussian` goes off in a random direction, as far as `sigma` says, whatever the
# width of the space.

# %%
many = {name: np.repeat(x[full:full + 1], 60, 0) for name, x in rows.items()}     # one sample, sixty draws of mu
mixed = embed.interpolate(low=0.0)
near, mu = mixed.cosines("text", **many), mixed(**many).mu
lines = {f"false caption {k + 1}": sorted(zip(mu[:, k].tolist(), near[:, k].tolist(), strict=True)) for k in range(3)}
noise = [(s, float(embed.gaussian(sigma=s, k=8).cosines("image", **rows).mean())) for s in np.linspace(0, 2, 9)]
show.beside([show.curves(lines, title="interpolate: cosine with the true caption", x_name="mu", low=0.8),
             show.curves({"around images": noise}, title="gaussian: cosine with the image", x_name="sigma")])

# %% [markdown]
# ## In an objective
#
# Given negatives and made ones go into any objective: `made` says what to make, and gradients flow back through it.
# `intra` asks an image to stay nearer to itself than to its shifted versions. With the texts held constant, as here, this
# equals choosing the true caption among the sample's own, `own`, and the two values agree.

# %%
shifted = losses.intra().on(**rows, made=embed.shift(), scale=20.0)
own = losses.own().on(**rows, scale=20.0)
print(f"intra {shifted.loss:.6f}   own {own.loss:.6f}   texts get a gradient: {bool(shifted.dtext.any())}")

# %% [markdown]
# In training, add them to the negative captions. Everything else is as before: the same seed gives the same bits.

# %%
objective = losses.negclip() + 0.2 * losses.intra() + 0.2 * losses.intra(modality="text")
negatives = vn.negatives.text.exact(k=2) + embed.shift() + embed.interpolate(low=0.7)
records = list(vn.train(model, world, objective, negatives, batch=32, steps=120, lr=3e-4, augment=False, seed=1))
terms = {"images": "intra", "captions": "intra_2"}
smooth = {name: [np.mean([r.terms[term] for r in records[i:i + 10]]) for i in range(0, 120, 10)]
          for name, term in terms.items()}
show.curves({name: list(zip(range(10, 130, 10), values, strict=True)) for name, values in smooth.items()},
            title="Inside one modality: loss against made negatives")
