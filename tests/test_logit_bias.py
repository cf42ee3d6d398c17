"""The learned bias beside the scale: made, saved and loaded in each layout, trained, and told apart from plain CLIP."""

import json

import numpy as np
import peers
import pytest

import vlmneg as vn
from vlmneg import experiment
from vlmneg.checkpoints import safetensors

BIASED = peers.ODD.replace(logit_bias=True)


class Sigmoid:
    """The pairwise sigmoid loss in NumPy, an objective of the caller's own (arXiv:2303.15343)."""

    needs = frozenset({"bias"})

    def on(self, *, image, text, scale, bias, **others):
        x, y = image.astype(float), text.astype(float)
        b = len(x)
        label = 2 * np.eye(b) - 1
        cosines = x @ y.T
        margin = label * (scale * cosines + bias)
        loss = np.logaddexp(0, -margin).sum() / b
        dz = -label / (1 + np.exp(margin)) / b
        return Answer(loss, scale * dz @ y, scale * dz.T @ x, scale * (dz * cosines).sum(), dz.sum())


class Answer:
    accuracy = None

    def __init__(self, loss, dimage, dtext, dlog_scale, dbias):
        self.loss, self.terms, self.dimage, self.dtext = loss, {"sigmoid": loss}, dimage, dtext
        self.dlog_scale, self.dbias = dlog_scale, dbias


def batch(config, b=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((b, 3, config.image_size, config.image_size)).astype(np.float32)
    return x, [[config.start, *rng.integers(1, config.vocab - 2, 4), config.end] for _ in range(b)]


def test_a_biased_model_is_the_same_otherwise():
    plain = vn.Clip(peers.ODD, seed=3)
    assert plain.logit_bias is None and "logit_bias" not in plain.state_dict()
    biased = vn.Clip(BIASED, seed=3)
    assert float(biased.logit_bias) == -10 and list(biased.state_dict()) == list(BIASED.tensors())
    assert all((biased.state_dict()[n] == w).all() for n, w in plain.state_dict().items())
    made = plain.with_bias(-3.5)
    assert float(made.logit_bias) == -3.5 and made.config == BIASED and plain.logit_bias is None
    x, ids = batch(peers.ODD)
    assert made.loss(x, ids).loss == plain.loss(x, ids).loss
    with pytest.raises(ValueError, match="logit_bias holds NaN"):
        plain.with_bias(float("nan"))
    with pytest.raises(TypeError, match="True or False"):
        peers.ODD.replace(logit_bias=-10)


def test_gradient_and_steps():
    """The gradient by the bias is what differences say; AdamW moves the bias without decaying or clamping it."""
    model = vn.Clip(BIASED, seed=1)
    model.logit_scale[...] = np.log(10)
    x, ids = batch(BIASED)
    first = model.loss(x, ids, objective=Sigmoid(), backward=True)
    gradient = {n: float(model.gradients()[n]) for n in ("logit_bias", "logit_scale")}
    for name, want in gradient.items():
        sides = []
        for h in (1e-2, -1e-2):
            model.state_dict()[name][...] += np.float32(h)
            sides.append(model.loss(x, ids, objective=Sigmoid()).loss)
            model.state_dict()[name][...] -= np.float32(h)
        assert np.isclose((sides[0] - sides[1]) / 2e-2, want, rtol=1e-2, atol=1e-5), name
    optimizer = vn.optim.AdamW(lr=0.01, weight_decay=0.5)
    for _ in range(20):
        result = model.loss(x, ids, objective=Sigmoid(), backward=True)
        optimizer.update(model)
    assert result.loss < first.loss and -10 < float(model.logit_bias) < -9
    still = vn.optim.AdamW(lr=0.0, weight_decay=0.5)
    before = float(model.logit_bias)
    still.update(model)
    assert float(model.logit_bias) == before
    model.loss(x, ids, backward=True)  # InfoNCE has none
    assert float(model.gradients()["logit_bias"]) == 0
    with pytest.raises(ValueError, match="with_bias"):
        vn.Clip(peers.ODD).loss(x, ids, objective=Sigmoid())


def test_the_sigmoid_term_is_that_loss():
    """The core's term gives the value and every gradient of the formula in NumPy, the bias's too."""
    model = vn.Clip(BIASED, seed=1)
    model.logit_scale[...], model.logit_bias[...] = np.log(8), -3
    x, ids = batch(BIASED)
    seen = []
    for objective in (Sigmoid(), "sigmoid"):
        loss = model.loss(x, ids, objective=objective, backward=True).loss
        seen.append((loss, {n: g.copy() for n, g in model.gradients().items()}))
    assert seen[1][0] == pytest.approx(seen[0][0], rel=1e-6)
    largest = max(np.linalg.norm(g) for g in seen[0][1].values())
    for name, g in seen[1][1].items():
        want = seen[0][1][name]
        assert np.linalg.norm(g - want) < 1e-5 * max(np.linalg.norm(want), 0.01 * largest), name
    with pytest.raises(ValueError, match=r"model\.logit_bias=-10"):
        vn.Clip(peers.ODD).loss(x, ids, objective="sigmoid")


@pytest.mark.parametrize("layout", ["transformers", "open_clip"])
def test_saved_and_loaded(tmp_path, layout):
    config = BIASED.replace(image_activation="gelu", text_activation="gelu")
    model = vn.Clip(config, seed=2)
    model.logit_bias[...] = -7.25
    model.save_pretrained(tmp_path / "a", layout=layout)
    again = vn.Clip.from_pretrained(tmp_path / "a")
    assert again.config == config and float(again.logit_bias) == -7.25
    assert all((again.state_dict()[n] == w).all() for n, w in model.state_dict().items())
    other = "open_clip" if layout == "transformers" else "transformers"
    again.save_pretrained(tmp_path / "b", layout=other)
    assert float(vn.Clip.from_pretrained(tmp_path / "b").logit_bias) == -7.25
    vn.Clip(peers.ODD).save_pretrained(tmp_path / "plain", layout=layout)
    assert vn.Clip.from_pretrained(tmp_path / "plain").logit_bias is None


def test_files_without_our_record(tmp_path):
    """The tensor alone says that there is a bias; a file that claims one and lacks it, or the reverse, is refused."""
    model = vn.Clip(BIASED, seed=2)
    for layout, weights in (("transformers", "model.safetensors"), ("open_clip", "open_clip_model.safetensors")):
        folder = tmp_path / layout
        model.save_pretrained(folder, layout=layout)
        tensors = {n: np.array(x) for n, x in safetensors.read(folder / weights)[0].items()}
        tensors["logit_bias"] = tensors["logit_bias"].reshape(1)
        safetensors.write(folder / weights, tensors, {})
        assert float(vn.Clip.from_pretrained(folder).logit_bias) == -10
        del tensors["logit_bias"]
        safetensors.write(folder / weights, tensors, {})
        with pytest.raises(ValueError, match="logit_bias = True"):
            vn.Clip.from_pretrained(folder)
    edited = tmp_path / "open_clip" / "open_clip_config.json"
    text = json.loads(edited.read_text())
    del text["model_cfg"]["init_logit_bias"]
    edited.write_text(json.dumps(text))
    assert vn.Clip.from_pretrained(tmp_path / "open_clip").logit_bias is None


def test_open_clip_loads_it(tmp_path):
    """open_clip builds the model from our configuration and takes our weights strictly, the bias too."""
    peers.transformers_clip(peers.ODD)  # skips where it is missing, and comes before open_clip's stand-ins
    torch = pytest.importorskip("torch")
    package = peers.open_clip()
    from safetensors.torch import load_file

    model = vn.Clip(BIASED, seed=4)
    model.logit_bias[...] = -6.5
    model.save_pretrained(tmp_path, layout="open_clip")
    fields = json.loads((tmp_path / "open_clip_config.json").read_text())["model_cfg"]
    peer = package.model.CLIP(**fields)
    peer.load_state_dict(load_file(tmp_path / "open_clip_model.safetensors"), strict=True)
    assert peer.logit_bias.item() == -6.5
    x, ids = batch(BIASED)
    with torch.no_grad():
        got = peer.encode_image(torch.tensor(x), normalize=True).numpy()
    assert np.abs(got - model.encode_image(x, normalize=True)).max() < 1e-6
    assert len(ids) == len(x)


def test_settings_say_where_scale_and_bias_start(tmp_path):
    data = vn.data.scenes(8, seed=0)
    table = {"vocab": 560, "logit_bias": -10, "logit_scale": 10}
    new = experiment.make_model(table, data, seed=0)
    assert float(new.logit_bias) == -10 and np.isclose(np.exp(new.logit_scale), 10)
    new.logit_bias[...] = -4
    new.save_pretrained(tmp_path / "biased")
    experiment.make_model({"vocab": 560}, data, seed=0).save_pretrained(tmp_path / "plain")
    for folder, bias in (("biased", -4.0), ("plain", None)):
        as_it_is = experiment.make_model({"checkpoint": str(tmp_path / folder)}, data, seed=0)
        assert (None if as_it_is.logit_bias is None else float(as_it_is.logit_bias)) == bias
        changed = experiment.make_model({"checkpoint": str(tmp_path / folder), "logit_bias": -2.5}, data, seed=0)
        assert float(changed.logit_bias) == -2.5
    for wrong in ({"logit_bias": "a"}, {"logit_bias": True}, {"logit_scale": 0.5}, {"logit_scale": 101}):
        with pytest.raises(vn.settings.SettingsError, match=f"model.{next(iter(wrong))} must be"):
            experiment.make_model({"vocab": 560, **wrong}, data, seed=0)


def test_a_run_goes_on_with_its_bias(tmp_path):
    """Training moves the bias, its checkpoints hold it, and a resumed run reaches the same bits."""
    data = vn.data.scenes(16, seed=0)
    table = {"vocab": 560, "image_size": 32, "logit_bias": -10, "logit_scale": 10}

    def run(out, **options):
        model = experiment.make_model(table, data, seed=0)
        list(vn.train(model, data, Sigmoid(), batch=8, lr=1e-2, schedule="constant", out=out, **options))
        return {n: w.copy() for n, w in model.state_dict().items()}

    whole = run(tmp_path / "a", steps=4)
    run(tmp_path / "b", steps=2)
    again = run(tmp_path / "b", steps=4, resume=True)
    assert all((again[n] == w).all() for n, w in whole.items()) and float(whole["logit_bias"]) != -10
