# %% [markdown]
# # Your own term: first in NumPy, then in C
#
# You have an idea for a loss. This notebook takes one from a formula to a term of the core in three steps: a small Python
# class that trains a model, a check that its gradients are right, and forty lines of C that the engine runs over tiles,
# with masks, threads and every instruction level taken care of.
#
# The idea: a **soft margin**. A picture should prefer its caption to each of its own negatives by a margin of cosines, and
# a negative near the edge should count more than one far beyond it:
#
#     L_i = 1/n_i sum over own negatives k of  tau log(1 + exp((m + c_ik - c_ii) / tau))
#
# with c_ik = v_i.t-_ik, c_ii = v_i.t_i; averaged over the samples that have a negative.

# %%
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

import vlmneg as vn
from vlmneg import losses, show

# %% [markdown]
# ## 1. In NumPy
#
# Whatever has `on` and `needs` is an objective: `Clip.loss` and `vlmneg.train` take it. It gets unit rows and returns the
# loss with its gradients by those rows; what it does not use lands in `**others`.


# %%
class SoftMargin:
    needs = frozenset({"neg_text"})

    def __init__(self, margin=0.2, tau=0.05):
        self.margin, self.tau = margin, tau

    def on(self, *, image, text, neg_text=None, valid=None, **others):
        v, t = image.astype(float), text.astype(float)
        n = np.zeros((len(v), 0, v.shape[1])) if neg_text is None else neg_text.astype(float)
        m = np.ones(n.shape[:2]) if valid is None else valid.astype(float)
        n = np.where(m[:, :, None] > 0, n, 0)                     # invalid slots may hold anything, NaN too
        x = (self.margin + np.einsum("be,bke->bk", v, n) - (v * t).sum(1)[:, None]) / self.tau
        share = m / np.maximum(m.sum(1, keepdims=True), 1) / max(m.any(1).sum(), 1)
        loss = float((share * self.tau * np.logaddexp(0, x)).sum())
        g = share / (1 + np.exp(-x))                              # dL/dc_ik; dL/dc_ii is minus its sum
        own = g.sum(1)[:, None]
        return losses.Result(loss, {"soft_margin": loss}, len(v), None,
                             dimage=(np.einsum("bk,bke->be", g, n) - own * t).astype(np.float32),
                             dtext=(-own * v).astype(np.float32),
                             dneg_text=(g[:, :, None] * v[:, None]).astype(np.float32), dlog_scale=0.0, dscale=0.0)


# %% [markdown]
# ## 2. Are the gradients right?
#
# Move each number a little and see. The class computes in float64, so differences agree to many digits.


# %%
def unit(*shape, rng=np.random.default_rng(0)):
    x = rng.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


rows = {"image": unit(4, 6), "text": unit(4, 6), "neg_text": unit(4, 3, 6),
        "valid": np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0], [1, 1, 0]], np.uint8)}
term = SoftMargin()
r, worst = term.on(**rows), 0.0
for name in ("image", "text", "neg_text"):
    wide = {key: x.astype(float) if x.dtype == np.float32 else x for key, x in rows.items()}
    for place in np.ndindex(rows[name].shape):
        sides = []
        for step in (1e-6, -1e-6):
            moved = wide[name].copy()
            moved[place] += step
            sides.append(term.on(**{**wide, name: moved}).loss)
        worst = max(worst, abs((sides[0] - sides[1]) / 2e-6 - getattr(r, "d" + name)[place]))
print(f"largest difference: {worst:.1e}")

# %% [markdown]
# ## It trains
#
# By itself it knows nothing of other pictures, so it joins InfoNCE. Objectives of the core add up with `+`; beside one of
# your own, a few lines do the same.


# %%
class Both:
    def __init__(self, first, second, weight):
        self.parts, self.needs = ((first, 1.0), (second, weight)), first.needs | second.needs

    def on(self, **rows):
        results = [(part.on(**rows), w) for part, w in self.parts]
        total = {name: sum(w * getattr(r, name) for r, w in results if getattr(r, name) is not None)
                 for name in ("loss", "dimage", "dtext", "dlog_scale", "dscale")}
        negatives = [w * r.dneg_text for r, w in results if r.dneg_text is not None]
        terms = {key: x for r, _ in results for key, x in r.terms.items()}
        return losses.Result(terms=terms, rows=results[0][0].rows, accuracy=results[0][0].accuracy,
                             dneg_text=sum(negatives) if negatives else None, **total)


# %%
world = vn.data.scenes(1000, seed=0)
tokenizer = vn.Tokenizer.learn(world.captions(), 700)
config = vn.ClipConfig.tiny(vocab=tokenizer.vocab_size, image_size=64, patch=32, image_heads=4, text_heads=4)
lines = {}
for name, objective in (("InfoNCE alone", losses.clip()), ("with the soft margin", Both(losses.clip(), term, 2.0))):
    model = vn.Clip(config, seed=0, tokenizer=tokenizer)
    records = list(vn.train(model, world, objective, vn.negatives.text.exact(k=2), batch=32, steps=150, lr=1e-3,
                            augment=False, seed=0))
    accuracy = np.convolve([r.accuracy or 0.5 for r in records], np.ones(25) / 25, "valid")
    lines[name] = list(enumerate(accuracy.tolist(), 25))
show.curves(lines, title="negatives of the batch told apart")

# %% [markdown]
# ## 3. In C
#
# A term of the core says which cosines it reads and what one sample's own cells cost. The engine hands it the cells that
# it may see, one sample after another on all threads, and turns dL/dc into gradients of rows. It averages and weighs, so
# this file has no loop over a batch, no mask and no matrix. `csrc/vn_term.h` is the contract; terms over whole blocks of
# cosines, such as `csrc/losses/itc.c`, have `stat` and `grad` of one cell instead of `own`.

# %%
SOURCE = r"""
/* soft_margin: a pair's cosine should be above its own negatives' by a margin, softly.
 *   L_i = 1/n sum_k tau log(1 + exp((m + c_ik - c_ii) / tau)),  c_ik = v_i.t-_ik */
#include "../vn_term.h"

static const vn_param params[] = {
    {"margin", NULL, 0.2, 0, 2, "by which a pair should be above"},
    {"tau", NULL, 0.05, 0.001, 10, "how soft the edge is"},
    VN_END_PARAMS,
};

enum { PAIR, NEGATIVES };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 0, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN, 0, 0, 0, 0},
    VN_END_READS,
};
"""

# %%
SOURCE += r"""
static float
own(const vn_sample *s, const vn_term_args *a)
{
    float margin = a->param[0], tau = a->param[1], loss = 0.0f, share = 1.0f / (float)s->n[NEGATIVES];
    for (int64_t k = 0; k < s->n[NEGATIVES]; k++) {
        float x = (margin + s->c[NEGATIVES][k] - s->c[PAIR][0]) / tau;
        float g = share / (1.0f + vn_expf(-x));
        loss += share * tau * vn_softplusf(x);
        s->dc[NEGATIVES][k] += g;
        s->dc[PAIR][0] -= g;
    }
    return loss;
}

/* a scale of its own, 1: it speaks of cosines, so the logit scale gets no gradient */
static float
fixed(const float *param)
{
    (void)param;
    return 1.0f;
}

#define VN_TERM       soft_margin
#define VN_TERM_DOC   "pairs above own negatives by a soft margin of cosines"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
"""

# %% [markdown]
# In a checkout of vlmneg you would save this as `csrc/losses/soft_margin.c`, add the line `VN_TERM(soft_margin)` to
# `csrc/vn_registry.def`, write the NumPy form into `vlmneg/reference/losses/` and its cases into the tests
# (`docs/adding.md`), and build. Here a copy of the sources is changed and built, which leaves yours alone.

# %%
root = pathlib.Path(vn.__file__).parents[1]
found = (root / "csrc" / "vn_registry.def").exists() and (root / "setup.py").exists()
copy = pathlib.Path(tempfile.mkdtemp()) / "vlmneg"
if found:
    left = shutil.ignore_patterns(".git", "runs", "*.egg-info", "__pycache__", ".*_cache", "notebooks")
    shutil.copytree(root, copy, ignore=left)
    (copy / "csrc" / "losses" / "soft_margin.c").write_text(SOURCE.lstrip())
    registry = copy / "csrc" / "vn_registry.def"
    registry.write_text(registry.read_text().replace("VN_TERM(itc)\n", "VN_TERM(itc)\nVN_TERM(soft_margin)\n"))
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "build_blas"]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    print("built" if built.returncode == 0 else built.stderr[-2000:])
else:
    print("this vlmneg was installed without its sources: clone the repository, pip install -e . and run this again")

# %% [markdown]
# ## The same numbers
#
# The new core runs in a process of its own, on the rows from above.

# %%
CHECK = """
import numpy as np
import vlmneg as vn
rows = dict(np.load("rows.npz"))
objective = vn.losses.soft_margin()
r = objective.on(**rows)
np.savez("result.npz", loss=r.loss, dimage=r.dimage, dtext=r.dtext, dneg_text=r.dneg_text)
print(objective, "+", vn.losses.clip(), "=", (vn.losses.clip() + 0.5 * objective))
"""
if found:
    np.savez(copy / "rows.npz", **rows)
    ran = subprocess.run([sys.executable, "-c", CHECK], cwd=copy, capture_output=True, text=True)
    print(ran.stdout or ran.stderr[-2000:])
    got = np.load(copy / "result.npz")
    print(f"loss {r.loss:.6f} in NumPy, {float(got['loss']):.6f} in C")
    for name in ("dimage", "dtext", "dneg_text"):
        print(name, "differs by at most", f"{np.abs(got[name] - getattr(r, name)).max():.1e}")
    shutil.rmtree(copy.parent)

# %% [markdown]
# From here on it is a term like any other: it adds and scales, stands in TOML files and recipes, trains with
# `accumulate`, takes embedding negatives, and gives the same bits for any number of threads.
