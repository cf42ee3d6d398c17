"""Models of transformers and diffusers as plug-ins: nothing is imported or loaded before the first call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vlmneg.gnm.plugins import Boxes, Dropped, Tags, Unavailable
from vlmneg.gnm.rewriting import head_of, phrases


class _Model:
    """A model and its processor: a name to load them by, or the two themselves."""

    classes: tuple[str, str] = ("", "")     # of transformers: model, processor

    def __init__(self, model: Any, processor: Any, device: str | None, **parameters: Any) -> None:
        if isinstance(model, str) == (processor is not None):
            raise TypeError("give a model's name or folder, or a model together with its processor")
        self.model, self.processor, self.device, self.parameters = model, processor, device, parameters
        known = model if isinstance(model, str) else getattr(getattr(model, "config", None), "_name_or_path", "")
        self.name = f"{type(self).__name__}:{known or type(model).__name__}"
        self.settings = parameters

    @property
    def version(self) -> str:
        """That of the library which runs the model."""
        return self._library().__version__

    def _library(self) -> Any:
        return _import("transformers")

    def _ready(self) -> tuple[Any, Any, Any]:
        """torch, model, processor; loaded on the first call."""
        torch, library = _import("torch"), self._library()
        self.device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        if isinstance(self.model, str):
            name = self.model               # the model first: where there is no network, it is the faster to say so
            model = _load(name, getattr(library, self.classes[0]).from_pretrained).eval().to(self.device)
            self.processor = _load(name, getattr(library, self.classes[1]).from_pretrained)
            self.model = model
        return torch, self.model, self.processor

    def _run(self, inputs: Any, **options: Any) -> Any:
        torch, model, _ = self._ready()
        with torch.inference_mode():
            return model(**inputs.to(self.device), **options)


class BlipTagger(_Model):
    """BLIP writes a caption; the heads of its noun phrases are the tags.

    The paper's Tag2Text is not in transformers; a callable around it takes this one's place.

    Parameters
    ----------
    model : str or BlipForConditionalGeneration
        Name or folder, or a model, then with its processor.
    processor : BlipProcessor, optional
    device : str, optional
        Default: a GPU where there is one.
    words : int
        Longest caption, in tokens.
    """

    classes = ("BlipForConditionalGeneration", "BlipProcessor")

    def __init__(self, model: Any = "Salesforce/blip-image-captioning-large", processor: Any = None,
                 device: str | None = None, *, words: int = 30) -> None:
        super().__init__(model, processor, device, words=words)

    def __call__(self, picture: Any) -> Tags:
        torch, model, processor = self._ready()
        with torch.inference_mode():
            ids = model.generate(**processor(images=picture, return_tensors="pt").to(self.device),
                                 max_new_tokens=self.parameters["words"], num_beams=1, do_sample=False)
        caption = processor.decode(ids[0], skip_special_tokens=True).strip()
        return Tags(tuple(dict.fromkeys(head_of(caption[a:b]) for a, b in phrases(caption))), caption)


class GroundingDino(_Model):
    """Grounding DINO.

    Parameters
    ----------
    model : str or GroundingDinoForObjectDetection
    processor : GroundingDinoProcessor, optional
    device : str, optional
    box_threshold : float
        Boxes need a score above this.
    text_threshold : float
        Words with a score above this are a box's phrase.
    """

    classes = ("GroundingDinoForObjectDetection", "GroundingDinoProcessor")

    def __init__(self, model: Any = "IDEA-Research/grounding-dino-tiny", processor: Any = None,
                 device: str | None = None, *, box_threshold: float = 0.35, text_threshold: float = 0.25) -> None:
        super().__init__(model, processor, device, box_threshold=box_threshold, text_threshold=text_threshold)

    def __call__(self, picture: Any, wanted: Sequence[str]) -> Boxes:
        processor = self._ready()[2]
        inputs = processor(images=picture, text=". ".join(p.lower() for p in wanted) + ".", return_tensors="pt")
        found = processor.post_process_grounded_object_detection(
            self._run(inputs), inputs["input_ids"], threshold=self.parameters["box_threshold"],
            text_threshold=self.parameters["text_threshold"], target_sizes=[picture.size[::-1]])[0]
        names = [_meant(label, wanted) for label in found["text_labels"]]
        kept = [i for i, name in enumerate(names) if name is not None]
        return Boxes(found["boxes"].cpu().numpy()[kept], found["scores"].cpu().numpy()[kept],
                     tuple(names[i] for i in kept))


class Sam(_Model):
    """Segment Anything, one mask a box.

    Parameters
    ----------
    model : str or SamModel
    processor : SamProcessor, optional
    device : str, optional
    """

    classes = ("SamModel", "SamProcessor")

    def __init__(self, model: Any = "facebook/sam-vit-huge", processor: Any = None, device: str | None = None) -> None:
        super().__init__(model, processor, device)

    def __call__(self, picture: Any, box: Sequence[float]) -> np.ndarray:
        processor = self._ready()[2]
        inputs = processor(picture, input_boxes=[[[float(x) for x in box]]], return_tensors="pt")
        sizes = inputs["original_sizes"], inputs["reshaped_input_sizes"]
        out = self._run(inputs, multimask_output=False)
        return processor.post_process_masks(out.pred_masks.cpu(), *(s.cpu() for s in sizes))[0][0, 0].numpy()


class BlipMatcher(_Model):
    """The logit of "match" of BLIP's image-text matching head.

    Parameters
    ----------
    model : str or BlipForImageTextRetrieval
    processor : BlipProcessor, optional
    device : str, optional
    """

    classes = ("BlipForImageTextRetrieval", "BlipProcessor")

    def __init__(self, model: Any = "Salesforce/blip-itm-large-coco", processor: Any = None,
                 device: str | None = None) -> None:
        super().__init__(model, processor, device)

    def __call__(self, picture: Any, caption: str) -> float:
        processor = self._ready()[2]
        inputs = processor(images=picture, text=caption, return_tensors="pt", truncation=True)
        return float(self._run(inputs, use_itm_head=True).itm_score[0, 1])


class Diffusion(_Model):
    """An inpainting pipeline of diffusers; half precision on a GPU.

    Parameters
    ----------
    model : str or pipeline
        Name or folder, or a pipeline such as StableDiffusionInpaintPipeline.
    device : str, optional
    steps : int
    guidance : float
    """

    def __init__(self, model: Any = "stabilityai/stable-diffusion-2-inpainting", device: str | None = None, *,
                 steps: int = 100, guidance: float = 7.5) -> None:
        super().__init__(model, None if isinstance(model, str) else model, device, steps=steps, guidance=guidance)

    def _library(self) -> Any:
        return _import("diffusers")

    def _ready(self) -> tuple[Any, Any, Any]:
        torch = _import("torch")
        if isinstance(self.model, str):
            self.device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            precision = torch.float16 if self.device.startswith("cuda") else torch.float32
            make = self._library().AutoPipelineForInpainting.from_pretrained
            self.model = _load(self.model, make, torch_dtype=precision).to(self.device)
            self.model.set_progress_bar_config(disable=True)
        return torch, self.model, None

    def __call__(self, picture: Any, mask: np.ndarray, prompt: str, seed: int) -> Any:
        from PIL import Image

        torch, model, _ = self._ready()
        out = model(prompt=prompt, image=picture, mask_image=Image.fromarray(np.asarray(mask, np.uint8) * 255),
                    height=picture.height, width=picture.width, num_inference_steps=self.parameters["steps"],
                    guidance_scale=self.parameters["guidance"], generator=torch.Generator("cpu").manual_seed(seed))
        if any(getattr(out, "nsfw_content_detected", None) or ()):
            raise Dropped("taken out by the painter's safety checker")
        return out.images[0]


DEFAULTS = {"tagger": BlipTagger, "grounder": GroundingDino, "segmenter": Sam, "inpainter": Diffusion,
            "matcher": BlipMatcher}


def default(name: str) -> Any:
    """The plug-in that a run uses where none is given.

    Parameters
    ----------
    name : str
        "tagger", "grounder", "segmenter", "inpainter" or "matcher".

    Returns
    -------
    callable

    Examples
    --------
    >>> default("inpainter").parameters
    {'steps': 100, 'guidance': 7.5}
    """
    if name not in DEFAULTS:
        raise ValueError(f"there is no default {name!r}; there are {', '.join(DEFAULTS)}")
    return DEFAULTS[name]()


def _import(name):
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"models of pictures need {name}: pip install 'vlmneg[image]' ({error})") from None


def _load(name, make, **options):
    try:
        return make(name, **options)
    except (OSError, ValueError) as error:
        raise Unavailable(f"the model {name} cannot be loaded: {str(error).splitlines()[0]}") from error


def _meant(label, wanted):
    """The phrase that a detector's label, some of its words, stands for."""
    words = set(label.lower().split())
    shared = [len(words & set(p.lower().split())) / max(len(p.split()), 1) for p in wanted]
    best = int(np.argmax(shared)) if shared else 0
    return wanted[best] if shared and shared[best] > 0 else None
