# %% [markdown]
# # Hard negatives of captions
#
# A hard negative of a caption keeps its words, or all but one, and says something that is false of the picture. This
# notebook makes them, looks at them, mixes them, and adds a generator of its own. It needs no download.

# %%
import numpy as np

import vlmneg as vn
from vlmneg import negatives
from vlmneg.negatives import text

captions = ["A black dog sits next to a white cat on a red sofa.",
            "Two men in blue shirts ride an elephant behind a small tree.",
            "A woman holding an umbrella walks her dog across the street.",
            "a large wooden table with a vase of flowers on top of it"]

# %% [markdown]
# ## Generators
#
# A generator is an object: it has parameters, a number of variants `k`, and is called with captions and a seed. The
# result shows itself: new words are marked, what stood there is struck out. A slot where no rule found a negative says
# why, and its `valid` is 0.

# %%
(text.swap(k=2) + text.replace(k=2))(captions, seed=0)

# %% [markdown]
# Generators are found by name, and so are the recipes of papers: one TOML file each.

# %%
print(negatives.names("text"))
print(negatives.recipes())
negatives.recipe("negclip")(captions)

# %% [markdown]
# ## What was changed, and where
#
# Each edit says which characters of the caption became which characters of the negative.

# %%
result = text.replace(k=1, concept="color")(captions[:1])
print(result.text[0][0])
result.edits[0][0]

# %% [markdown]
# ## Rules
#
# A negative is valid only if it says something new: not what the caption says, nor another true caption of the image,
# nor an earlier slot of the row. `avoid` hands in the other true captions. Here one colour after another turns out to be
# true as well.

# %%
caption = "A red ball"
avoid = []
for _ in range(4):
    made = text.replace(k=1, concept="color")([caption], avoid=[avoid])
    print(made.text[0][0] if made.valid[0, 0] else made.reason[0][0])
    avoid.append(made.text[0][0])

# %% [markdown]
# ## Mixing
#
# `a + b` gives the slots of both. `mix` draws each slot from one of several generators, by weight; where that one has no
# negative, the next is asked.

# %%
mixed = negatives.mix(text.swap(), text.replace(), weights=(3, 1), k=1)
kinds = [kind for visit in range(200) for row in mixed(captions, visit=visit).kind for kind in row]
for kind, count in zip(*np.unique(kinds, return_counts=True)):
    print(f"{kind:20} {count}")

# %% [markdown]
# ## Every epoch sees others, and every machine sees the same
#
# Random numbers are a function of the seed, the visit (in training the epoch), the caption and the slot. Batches and
# threads change nothing.

# %%
for visit in range(3):
    print(text.swap(k=1)(captions[:2], visit=visit).text)
whole = text.swap(k=1)(captions, visit=2).text
assert whole == [text.swap(k=1)([c], visit=2).text[0] for c in captions]

# %% [markdown]
# ## Annotate once, perturb at every step
#
# Generators read word classes, not strings. The built-in tagger is fast enough for every step; another one (TextBlob,
# spaCy, your own) reads each caption once, and its annotations are kept.

# %%
annotations = negatives.annotate(captions, tagger="lexicon")
print(annotations.read(captions[0]))
text.swap(k=1, kinds="adjective")(captions, annotations=annotations)

# %% [markdown]
# ## A generator of your own
#
# A class with `draw` is enough. The decorator makes it known by name, so that recipes and the command line can use it;
# an installed package does the same by an entry point.


# %%
@negatives.register("text")
class upside_down(negatives.Negatives):
    """Says the opposite, politely."""

    name = "upside_down"

    def __init__(self, *, k=1):
        super().__init__(k=k)

    def draw(self, request, taken, first):
        """Slots of this generator: texts, kinds and codes (0: valid)."""
        made = [[f"Anything but {c[0].lower()}{c[1:]}"] * self.k for c in request.captions]
        return made, [["politeness"] * self.k for _ in made], np.zeros((len(made), self.k), np.uint8)


negatives.recipe(["text.upside_down", {"name": "text.swap", "k": 1}])(captions[:2])

# %% [markdown]
# ## In training
#
# Hand a generator to `vlmneg.train`, or name it in a run's TOML file. For files, `vlmneg negatives captions.json --recipe
# negclip --out negatives.jsonl` does what this notebook did.

# %%
world = vn.data.scenes(64, seed=0, size=32)
tokenizer = vn.Tokenizer.learn(world.captions(), 700)
config = vn.ClipConfig.tiny(image_size=32, vocab=tokenizer.vocab_size, start=tokenizer.start, end=tokenizer.end)
model = vn.Clip(config, seed=0, tokenizer=tokenizer)
for record in vn.train(model, world, "negclip", text.replace(k=1) + text.exact(k=2), batch=16, steps=3, lr=1e-3):
    print(f"step {record.step}: loss {record.loss:.3f}, {record.accuracy:.2f} of the negatives scored below the caption")
