"""Plug-ins around models: tiny random ones (slow: transformers and diffusers take their time to start), and a local
chat server.
"""

import json
import sys

import gnm_run
import numpy as np
import pytest
from chat_server import serve
from PIL import Image

import vlmneg as vn
from vlmneg.gnm import Dropped, Unavailable, models, standins, writer

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] . ? a red thing dog white and sofa [DEC] [ENC]".split()
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A word tokenizer of sixteen words."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch").manual_seed(0)
    path = tmp_path_factory.mktemp("bert") / "vocab.txt"
    path.write_text("\n".join(WORDS))
    return transformers.BertTokenizerFast(vocab=str(path)) if _takes("vocab", transformers.BertTokenizerFast) else \
        transformers.BertTokenizerFast(vocab_file=str(path))


def _takes(name, kind):
    import inspect

    return name in inspect.signature(kind.__init__).parameters


@pytest.fixture(scope="module")
def blip(bert):
    """Model configuration and processor of a tiny BLIP."""
    import transformers as t

    common = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = t.BlipConfig(
        text_config={**common, "vocab_size": len(WORDS), "encoder_hidden_size": 16, "intermediate_size": 16,
                     "projection_dim": 8, "max_position_embeddings": 32, "bos_token_id": 14, "eos_token_id": 3,
                     "sep_token_id": 3, "pad_token_id": 0},
        vision_config={**common, "intermediate_size": 16, "image_size": 32, "patch_size": 16}, projection_dim=8,
        image_text_hidden_size=8)
    processor = t.BlipProcessor(t.BlipImageProcessor(size={"height": 32, "width": 32}), bert)
    return config, processor


@pytest.mark.slow
def test_blip_matcher_and_tagger(blip):
    import torch
    import transformers as t

    config, processor = blip
    torch.manual_seed(1)
    matcher = models.BlipMatcher(t.BlipForImageTextRetrieval(config).eval(), processor)
    a, b = matcher(PICTURE, "a red dog"), matcher(PICTURE, "a white sofa")
    assert isinstance(a, float) and np.isfinite([a, b]).all() and a != b and matcher(PICTURE, "a red dog") == a
    torch.manual_seed(1)
    with torch.no_grad():
        raw = t.BlipForImageTextRetrieval(config).eval()(
            **processor(images=PICTURE, text="a red dog", return_tensors="pt"), use_itm_head=True).itm_score
    assert a == pytest.approx(float(raw[0, 1]), abs=1e-6)
    tagger = models.BlipTagger(t.BlipForConditionalGeneration(config).eval(), processor, words=6)
    tags = tagger(PICTURE)
    assert isinstance(tags.caption, str) and tagger(PICTURE) == tags
    assert all(tag in tags.caption for tag in tags.tags)


@pytest.mark.slow
def test_grounding_dino(bert):
    import transformers as t

    backbone = t.SwinConfig(image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
                            out_features=["stage2", "stage3", "stage4"])
    config = t.GroundingDinoConfig(
        backbone_config=backbone, text_config=t.BertConfig(vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1,
                                                           num_attention_heads=2, intermediate_size=16),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=8, encoder_n_points=2, decoder_n_points=2, max_text_len=32)
    model = t.GroundingDinoForObjectDetection(config).eval()
    processor = t.GroundingDinoProcessor(
        t.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}), bert)
    found = models.GroundingDino(model, processor, box_threshold=0.0, text_threshold=0.0)(PICTURE, ("red dog", "sofa"))
    assert len(found.boxes) == len(found.scores) == len(found.phrases) > 0
    assert set(found.phrases) <= {"red dog", "sofa"} and found.boxes.shape[1] == 4
    none = models.GroundingDino(model, processor, box_threshold=1.0)(PICTURE, ("red dog",))
    assert len(none.boxes) == len(none.phrases) == 0
    assert models._meant("dog", ("red dog", "sofa")) == "red dog" and models._meant("##x", ("dog",)) is None


@pytest.mark.slow
def test_sam():
    t = pytest.importorskip("transformers")
    config = t.SamConfig(
        vision_config={"hidden_size": 16, "output_channels": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 64, "patch_size": 8, "window_size": 4, "global_attn_indexes": [0], "mlp_dim": 16,
                       "num_pos_feats": 4},
        prompt_encoder_config={"hidden_size": 8, "image_size": 64, "patch_size": 8, "image_embedding_size": 8},
        mask_decoder_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 16,
                             "iou_head_hidden_dim": 8})
    processor = t.SamProcessor(t.SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
                                                   mask_size={"longest_edge": 16},
                                                   mask_pad_size={"height": 16, "width": 16}))
    segment = models.Sam(t.SamModel(config).eval(), processor)
    mask = segment(PICTURE, (5.0, 5.0, 40.0, 30.0))
    assert mask.shape == (50, 70) and mask.dtype == bool
    assert np.array_equal(mask, segment(PICTURE, (5.0, 5.0, 40.0, 30.0)))


@pytest.fixture(scope="module")
def pipe(bert, tmp_path_factory):
    """A tiny random Stable Diffusion inpainting pipeline."""
    d = pytest.importorskip("diffusers")
    import torch
    import transformers as t

    torch.manual_seed(0)
    unet = d.UNet2DConditionModel(block_out_channels=(8, 8), layers_per_block=1, sample_size=8, in_channels=9,
                                  out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                                  up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16,
                                  attention_head_dim=2, norm_num_groups=4)
    vae = d.AutoencoderKL(block_out_channels=[8, 8], in_channels=3, out_channels=3, latent_channels=4,
                          norm_num_groups=4, down_block_types=["DownEncoderBlock2D"] * 2,
                          up_block_types=["UpDecoderBlock2D"] * 2)
    text = t.CLIPTextModel(t.CLIPTextConfig(vocab_size=len(WORDS), hidden_size=16, intermediate_size=16, bos_token_id=2,
                                            eos_token_id=3, num_hidden_layers=1, num_attention_heads=2,
                                            max_position_embeddings=16))
    bert.model_max_length = 16
    made = d.StableDiffusionInpaintPipeline(
        vae=vae, text_encoder=text, tokenizer=bert, unet=unet,
        scheduler=d.PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.slow
def test_diffusion(pipe):
    picture = PICTURE.resize((64, 64))
    mask = np.zeros((64, 64), bool)
    mask[10:40, 10:40] = True
    paint = models.Diffusion(pipe, steps=2)
    a = paint(picture, mask, "a red dog", 7)
    assert a.size == (64, 64) and a.mode == "RGB"
    again, other = (paint(picture, mask, "a red dog", seed) for seed in (7, 8))
    assert a.tobytes() == again.tobytes() != other.tobytes()
    assert paint.settings == {"steps": 2, "guidance": 7.5}


@pytest.mark.slow
def test_safety_checker_drops():
    class Checked:
        def __call__(self, **given):
            return type("Out", (), {"images": [PICTURE], "nsfw_content_detected": [True]})()

    pytest.importorskip("torch")
    with pytest.raises(Dropped, match="safety"):
        models.Diffusion(Checked())(PICTURE, np.ones((50, 70), bool), "x", 0)


@pytest.mark.slow
def test_whole_pipeline_of_tiny_models(blip, pipe, tmp_path):
    """Every stage by a model: random, but the run is whole, and repeats nothing."""
    import transformers as t

    plugins = {**standins.plugins(), "inpainter": models.Diffusion(pipe, steps=2),
               "matcher": models.BlipMatcher(t.BlipForImageTextRetrieval(blip[0]).eval(), blip[1])}
    given = {"settings": vn.gnm.Settings(size=64, min_area=-1, min_itm=-1e9), "progress": False}
    with serve(lambda body, n: answer(4)) as server:
        plugins["writer"] = writer.ChatWriter(server.url, "m")
        summary = vn.gnm.run(gnm_run.photographs(2), tmp_path, **plugins, **given)
        again = vn.gnm.run(gnm_run.photographs(2), tmp_path, **plugins, **given)
    assert summary.kept == again.kept == 8 and again.stages["inpaint"]["computed"] == 0


@pytest.mark.slow
def test_models_that_are_not_there(tmp_path):
    pytest.importorskip("transformers")
    plugins = {**standins.plugins(), "matcher": models.BlipMatcher(str(tmp_path / "none"))}
    with pytest.raises(Unavailable, match=r"the model .*none cannot be loaded"):
        vn.gnm.run(gnm_run.photographs(1), tmp_path / "out", **plugins, settings=vn.gnm.Settings(size=64))


def test_libraries_that_are_not_there(monkeypatch, tmp_path):
    """One sentence, at once, not one failure a picture."""
    for name in ("torch", "transformers", "diffusers"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"vlmneg\[image\]"):
        vn.gnm.run(gnm_run.photographs(2), tmp_path, writer=standins.Writer())
    with pytest.raises(ImportError, match=r"vlmneg\[image\]"):
        models.Sam()(PICTURE, (0, 0, 9, 9))
    with pytest.raises(TypeError, match="together with its processor"):
        models.Sam(object())


# ---- the writer

def answer(n, **changes):
    kinds = [{"long": f"a shiny blue thing, number {i}", "short": f"blue thing {i}", **changes} for i in range(n)]
    return json.dumps({"portrayals": kinds})


def test_writer_asks_and_reads():
    pytest.importorskip("httpx")
    with serve(lambda body, n: answer(4)) as server:
        write = writer.ChatWriter(server.url, "m", wait=0.01)
        made = write("a dog on a mat", "dog")
        assert [p.short for p in made] == [f"blue thing {i}" for i in range(4)]
        said = server.asked[0]["messages"]
        assert "exactly 4" in said[0]["content"] and said[1]["content"] == "Sentence: a dog on a mat\nItem: dog"
        assert server.asked[0]["response_format"]["json_schema"]["schema"]["properties"]["portrayals"]["minItems"] == 4


@pytest.mark.parametrize("text, kept", [
    ("```json\n" + answer(5) + "\n```", 4), ("I can't help with that.", None), (answer(3), None), ("", None),
    (answer(4, short=3), None), ("[1, 2]", None), ("{", None),
    ("1. A big red fox that sits (red fox)\n2. A cat (white cat)\n- An owl. (brown owl)\n4) A bear (black bear).", 4),
])  # fmt: skip
def test_writer_with_odd_answers(text, kept, tmp_path):
    pytest.importorskip("httpx")
    with serve(lambda body, n: text) as server:
        plugins = {**standins.plugins(), "writer": writer.ChatWriter(server.url, "m", wait=0.01, retries=0)}
        given = {"settings": vn.gnm.Settings(size=64, min_area=-1, min_itm=-99, max_failures=1.0)}
        summary = vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins, **given)
    stage = summary.stages["portrayals"]
    if kept:
        assert summary.stages["inpaint"]["computed"] == kept
    else:
        assert summary.kept == 0 and (stage["dropped"] or stage["failed"] == 1)


def test_a_server_that_is_down(tmp_path):
    pytest.importorskip("httpx")
    with serve(lambda body, n: "x") as server:
        url = server.url
    plugins = {**standins.plugins(), "writer": writer.ChatWriter(url, "m", wait=0.01, retries=1)}
    with pytest.raises((Unavailable, vn.gnm.PipelineError), match="127.0.0.1"):
        vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins, settings=vn.gnm.Settings(size=64))
    with serve(lambda body, n: answer(4)) as server:                # later it is up: only what is left is done
        plugins["writer"] = writer.ChatWriter(server.url, "m")
        summary = vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins, settings=vn.gnm.Settings(size=64, min_area=1))
    assert summary.stages["tags"]["computed"] == 0 and summary.stages["inpaint"]["computed"] == 4


def test_writer_refusals():
    with pytest.raises(TypeError, match="model is missing"):
        writer.ChatWriter("http://localhost:1/v1")
    with pytest.raises(TypeError, match="client must be"):
        writer.ChatWriter(3)
