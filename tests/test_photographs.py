"""Training on real photographs and captions, by the command line."""

import json
import shutil

import pytest

import vlmneg as vn
from vlmneg import cli, experiment


def train(shared, out, *settings):
    coco = shared / "coco"
    assert cli.main(["train", "photos", f"data.captions={coco / 'captions.json'}", f"data.images={coco / 'images'}",
                     f"out={out}", *settings]) == 0
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_few_steps(shared, tmp_path):
    records = train(shared, tmp_path / "a", "train.steps=4", "train.augment=true")
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    assert all(0.5 < r["valid"] <= 1 and 0 < r["accuracy"] <= 1 and r["skipped"] == 0 for r in records)


@pytest.mark.slow
def test_photographs_are_learnt_by_heart(shared, tmp_path):
    records = train(shared, tmp_path / "a")
    assert records[-1]["accuracy"] > 0.9
    coco = shared / "coco"
    data = vn.data.coco(coco / "captions.json", coco / "images")
    figures = vn.evaluate(experiment.load_model(tmp_path / "a"), "retrieval", data=data)
    assert figures["i2t_r1"] >= 0.9 and figures["t2i_r1"] >= 0.9


@pytest.mark.slow
def test_from_a_large_checkpoint(shared, tmp_path):
    """ViT-B/32 with random weights in transformers' layout: one step of the command, from its folder."""
    vocabulary = shared / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    source = tmp_path / "vit"
    tokenizer = vn.Tokenizer.from_file(vocabulary)
    vn.Clip(vn.ClipConfig.vit_b_32(), seed=0, tokenizer=tokenizer).save_pretrained(source)
    (record,) = train(shared, tmp_path / "a", f"model.checkpoint={source}", "train.batch=8", "train.steps=1",
                      "train.lr=1e-5", "train.augment=true")
    shutil.rmtree(tmp_path)                 # gigabytes
    assert record["loss"] < 10 and record["grad_norm"] > 0
