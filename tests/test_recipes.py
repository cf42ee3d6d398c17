"""Each recipe on photographs: ten steps with a ViT-B/32, gone on with halfway to the same bits, state included."""

import json
import shutil

import numpy as np
import pytest

from vlmneg.experiment import train_from
from vlmneg.runs import checkpoints, latest_checkpoint
from vlmneg.settings import recipes, run_settings, settled

OWN_MODEL = ("photos", "scenes")        # these start from scratch with sizes of their own


def run(name, coco, out, compat, **options):
    """Records of a recipe on photographs, with weights that a seed gives."""
    assignments = [f"data.captions={coco / 'captions.json'}", f"data.images={coco / 'images'}",
                   f"data.instances={coco / 'instances.json'}", "data.kind=coco", "model=vit_b_32", f"out={out}",
                   "train.batch=3", "train.steps=10", "train.save_every=5", "train.lr=1e-5", "train.warmup=2",
                   f"compat={compat}"]
    if name == "gnm":
        assignments.append("compose.n=10")      # pairs a step, which it counts itself
    return train_from(run_settings(settled(name, assignments)), **options)


def state_and_bits(folder):
    checkpoint = latest_checkpoint(folder)
    files = {path.name: path.read_bytes() for path in checkpoint.iterdir() if path.suffix == ".safetensors"}
    return json.loads((checkpoint / "state.json").read_text())["objective"], files


@pytest.fixture
def folder(tmp_path):
    """Emptied afterwards: a checkpoint of a ViT-B/32 with its moments takes more than a gigabyte."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in recipes() if name not in OWN_MODEL])
def test_ten_steps_on_photographs(name, shared, folder):
    coco, compat = shared / "coco", "released" if name in ("gnm", "ce_clip") else "corrected"
    whole = list(run(name, coco, folder / "whole", compat))
    assert [r.step for r in whole] == list(range(1, 11)) and all(np.isfinite(r.loss) for r in whole)
    assert whole[0].grad_norm > 0
    shutil.copytree(folder / "whole", folder / "parts", ignore=lambda _, names: {"step-000010"} & set(names))
    rest = list(run(name, coco, folder / "parts", compat, resume=True))
    assert [r.step for r in rest] == list(range(6, 11))
    assert [r.loss for r in rest] == [r.loss for r in whole[5:]]
    assert [c.name for c in checkpoints(folder / "parts")] == ["step-000005", "step-000010"]
    state, files = state_and_bits(folder / "whole")
    other_state, other_files = state_and_bits(folder / "parts")
    assert state == other_state and files == other_files
    if name in ("ahnpl", "ce_clip"):
        assert any(theta > 0 for term in state.values() for theta in term["theta"])
