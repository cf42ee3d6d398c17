"""Objectives by name: the terms of the core, and the sums of them that papers train with.

``compat="released"`` gives what a paper's released code computes, where that differs from what the paper means; each
function says how. Released codes don't know which captions are true for another picture of the batch, so all of them
have ``duplicates="off"``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from vlmneg.arrays import flag

from .objective import Objective
from .term import TERMS, Term, check_weight, nearest

COMPAT = ("corrected", "released")


def clip(compat: str = "corrected", **params: Any) -> Objective:
    """Symmetric InfoNCE, as CLIP trains: `itc` with ``negatives="none"``.

    Parameters
    ----------
    compat : {"corrected", "released"}
    **params
        Parameters of `itc`.

    Returns
    -------
    Objective

    References
    ----------
    Radford et al., Learning transferable visual models from natural language supervision. arXiv:2103.00020.

    Examples
    --------
    >>> clip()
    itc(negatives='none')
    """
    return _one("itc", {"negatives": "none", **_plain(compat), **params})


def infonce(**params: Any) -> Objective:
    """The same as `clip`, under its other name.

    Parameters
    ----------
    **params
        Of `clip`.

    Returns
    -------
    Objective

    Examples
    --------
    >>> infonce(duplicates="off")
    itc(negatives='none', duplicates='off')
    """
    return clip(**params)


def gnm(compat: str = "corrected") -> Objective:
    """GNM-CLIP's loss: that of `clip`. What is new is the batch, which `vlmneg.gnm.GroupSampler` composes.

    Parameters
    ----------
    compat : {"corrected", "released"}
        Released: no duplicates are masked, though a photograph and its variations may meet.

    Returns
    -------
    Objective

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining, WACV 2024. arXiv:2311.03964.

    Examples
    --------
    >>> gnm(compat="released")
    itc(negatives='none', duplicates='off')
    """
    return clip(compat)


def negclip(compat: str = "corrected", **params: Any) -> Objective:
    """InfoNCE whose images also see negative captions: `itc` with ``negatives="shared"``, or "own" on request.

    Parameters
    ----------
    compat : {"corrected", "released"}
    **params
        Parameters of `itc`.

    Returns
    -------
    Objective

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. arXiv:2210.01936.

    Examples
    --------
    >>> negclip(negatives="own")
    itc(negatives='own')
    """
    return _one("itc", {"negatives": "shared", **_plain(compat), **params})


def roesch(negatives: str = "shared", compat: str = "corrected") -> Objective:
    """Roesch et al.: InfoNCE whose images also see captions with one keyword replaced.

    Parameters
    ----------
    negatives : {"shared", "own"}
        Which of them an image sees; the paper does not say.
    compat : "corrected"

    Returns
    -------
    Objective

    Raises
    ------
    ValueError
        For ``compat="released"``: no training code is public.

    References
    ----------
    Roesch et al., Enhancing conceptual understanding in multimodal contrastive learning through hard negative samples,
    ALVR 2024. arXiv:2403.02875.

    Examples
    --------
    >>> roesch(negatives="own")
    itc(negatives='own')
    """
    if compat != "corrected":
        _plain(compat)
        raise ValueError("roesch has no released behaviour: its training code is not public; leave compat out")
    return negclip(negatives=negatives)


def tsvlc(neg_weight: float = 1.0, in_contrastive: bool = True, compat: str = "corrected") -> Objective:
    """TSVLC: InfoNCE with negative captions, and each image's choice among its own.

    Parameters
    ----------
    neg_weight : float
        Weight of that choice, `own`.
    in_contrastive : bool
        Whether the batch's negative captions are also candidates of InfoNCE.
    compat : {"corrected", "released"}

    Returns
    -------
    Objective

    References
    ----------
    Doveh et al., Teaching structured vision and language concepts to vision and language models, CVPR 2023.
    arXiv:2211.11733.

    Examples
    --------
    >>> tsvlc()
    itc() + own()
    """
    plain = _plain(compat)
    return (_one("itc", {"negatives": "shared" if flag(in_contrastive, "in_contrastive of tsvlc") else "none", **plain})
            + neg_weight * _one("own", plain))


def dac(neg_weight: float = 1.0, mil_weight: float = 1.0, bag_weight: float = 0.0,
        compat: str = "corrected") -> Objective:
    """DAC: TSVLC, and a bag of true sentences for each image (`mil`), which `pos_text` holds.

    Parameters
    ----------
    neg_weight, mil_weight : float
    bag_weight : float
        Of the image's choice of its own bag against its own negatives; 0 leaves that out.
    compat : {"corrected", "released"}
        Released: the own bag stands twice among the candidates, which bounds the loss by log 2 from below, and a
        missing negative enters as logit 0.

    Returns
    -------
    Objective

    References
    ----------
    Doveh et al., Dense and aligned captions (DAC) promote compositional reasoning in VL models, NeurIPS 2023.
    arXiv:2305.19595.

    Examples
    --------
    >>> dac(compat="released")
    itc(duplicates='off') + own(invalid='zero', duplicates='off') + mil(own_bag='twice', duplicates='off')
    """
    plain = _plain(compat)
    own = {**plain, "invalid": "zero"} if plain else {}
    total = (_one("itc", plain) + neg_weight * _one("own", own)
             + mil_weight * _one("mil", {**plain, "own_bag": "twice"} if plain else {}))
    return total + bag_weight * _one("own", {"positive": "bag", **own}) if bag_weight else total


def ce_clip(cmr: float = 0.2, imc: float = 0.3, bound: float = 10, margin: str = "mean", intra: str = "none",
            compat: str = "corrected") -> Objective:
    """CE-CLIP: NegCLIP's loss, a hinge with adaptive margins (CMR) and a loss among captions (IMC).

    Parameters
    ----------
    cmr, imc : float
        Weights of the two.
    bound : float
        Largest margin, in logits.
    margin : {"mean", "max", "fixed"}
        What margins follow; see `rank`.
    intra : {"none", "self", "cross"}
        The positive of IMC: none as in the paper's equation, or one that bounds it; see `intra`.
    compat : {"corrected", "released"}
        Released: invalid negatives stay in the softmax; the hinge is averaged over all slots; margins follow the
        released rule and start anew each epoch; IMC is a cross-entropy whose target is the first negative of the first
        sample.

    Returns
    -------
    Objective

    References
    ----------
    Zhang et al., Contrasting intra-modal and ranking cross-modal hard negatives to enhance visio-linguistic
    compositional understanding, CVPR 2024. arXiv:2306.08832.

    Examples
    --------
    >>> ce_clip()
    itc() + 0.2 * rank() + 0.3 * intra(modality='text', positive='none')
    """
    if _plain(compat):
        return (_one("itc", OPEN) + cmr * _hinge(bound, margin, "released_keep")
                + imc * _one("column", {"target": "first", **OPEN}))
    return (_one("itc", {}) + cmr * _one("rank", {"bound": bound, "margin": margin})
            + imc * _one("intra", {"modality": "text", "positive": intra}))


def ahnpl(bound: float = 10, margin: str = "mean", w_img: float = 1.0, pos_margin: str = "off",
          compat: str = "corrected") -> Objective:
    """AHNPL: NegCLIP's loss, a hinge with adaptive margins, and a loss inside each modality.

    The image term contrasts an image with itself moved by what each negative caption changes in the text, v_i + t-_ik -
    t_i, the texts being constants.

    Parameters
    ----------
    bound : float
        Largest margin, in logits.
    margin : {"mean", "max", "fixed"}
        What margins follow; see `rank`.
    w_img : float
        Weight of the image term beside the text term.
    pos_margin : {"off", "batch_mean"}
        Whether true pairs are also pulled over the mean true logit of the step before.
    compat : {"corrected", "released"}
        Released: invalid negatives stay in the softmax; the hinge is averaged over all slots; margins follow the
        released rule, start anew each epoch, and a type without a valid slot goes to the bound; both terms inside a
        modality are cross-entropies whose target is column i of all negatives; the positive margin does nothing.

    Returns
    -------
    Objective

    References
    ----------
    Huang et al., Visual perturbation and adaptive hard negative contrastive learning for compositional reasoning in
    vision-language models, IJCAI 2025. arXiv:2505.15576.

    Examples
    --------
    >>> ahnpl(bound=5)
    itc() + 0.2 * rank(bound=5.0) + 0.2 * intra(modality='text', scale=10.0) + 0.2 * intra(modality='shifted')
    """
    if pos_margin not in ("off", "batch_mean"):
        raise ValueError(f"pos_margin of ahnpl must be one of 'off', 'batch_mean', got {pos_margin!r}")
    if _plain(compat):
        return (_one("itc", OPEN) + 0.2 * _hinge(bound, margin, "released")
                + 0.2 * _one("column", {"modality": "text", **OPEN})
                + 0.2 * check_weight(w_img) * _one("column", {"modality": "image", **OPEN}))
    total = (_one("itc", {}) + 0.2 * _one("rank", {"bound": bound, "margin": margin})
             + 0.2 * _one("intra", {"modality": "text", "scale": 10.0})
             + 0.2 * check_weight(w_img) * _one("intra", {"modality": "shifted"}))
    return total + 0.2 * _one("pos", {"margin": "batch_mean"}) if pos_margin == "batch_mean" else total


def tripletclip(compat: str = "corrected") -> Objective:
    """TripletCLIP: NegCLIP's loss, and the same with negative images and their captions in the place of the pairs.

    Slot k of `neg_text` is the caption of slot k of `neg_image`; slots that lack one of the two stay out of the second
    half.

    Parameters
    ----------
    compat : {"corrected", "released"}

    Returns
    -------
    Objective

    References
    ----------
    Patel et al., TripletCLIP: improving compositional reasoning of CLIP via synthetic vision-language negatives,
    NeurIPS 2024. arXiv:2411.02545.

    Examples
    --------
    >>> tripletclip()
    itc() + mirror()
    """
    plain = _plain(compat)
    return _one("itc", plain) + _one("mirror", plain)


def siglip(negatives: str = "none", compat: str = "corrected") -> Objective:
    """SigLIP's pairwise sigmoid loss, perhaps with negative captions, all of them labelled -1.

    Parameters
    ----------
    negatives : {"none", "own", "shared"}
    compat : {"corrected", "released"}

    Returns
    -------
    Objective

    References
    ----------
    Zhai et al., Sigmoid loss for language image pre-training, ICCV 2023. arXiv:2303.15343.

    Examples
    --------
    >>> siglip("shared")
    sigmoid()
    """
    return _one("sigmoid", {"negatives": negatives, **_plain(compat)})


def fsc(global_weight: float = 0.5, local_weight: float = 0.2, gamma: float = 2.0, smoothing: float = 0.02,
        compat: str = "corrected") -> Objective:
    """FSC-CLIP: InfoNCE, and a focal, smoothed choice among own captions, of whole images and of patches and words.

    Parameters
    ----------
    global_weight, local_weight : float
        Of `focal` and `local`; 0 leaves a term out.
    gamma : float
        How much less a clear choice counts.
    smoothing : float
        Share of the target that is spread over all candidates.
    compat : {"corrected", "released"}
        Released: an invalid slot of a sample that has a valid one enters as logit 0.

    Returns
    -------
    Objective

    References
    ----------
    Oh et al., Preserving multi-modal capabilities of pre-trained VLMs for improving vision-linguistic compositionality,
    EMNLP 2024. arXiv:2410.05210.

    Examples
    --------
    >>> fsc(local_weight=0)
    itc(negatives='none') + 0.5 * focal()
    """
    plain = _plain(compat)
    options = {"gamma": gamma, "smoothing": smoothing, **({**plain, "invalid": "zero"} if plain else {})}
    total = _one("itc", {"negatives": "none", **plain})
    for name, weight in (("focal", global_weight), ("local", local_weight)):
        total = total + weight * _one(name, options) if weight else total
    return total


OPEN = {"duplicates": "off", "validity": "off"}


def _hinge(bound: float, margin: str, rule: str) -> Objective:
    return _one("rank", {"bound": bound, "margin": margin, "rule": rule, "reduce": "all", "reset": "epoch",
                         "duplicates": "off"})


def _plain(compat: str) -> dict[str, str]:
    """What every released code has in common; nothing for the corrected form."""
    if compat not in COMPAT:
        raise ValueError(f"compat must be one of {', '.join(map(repr, COMPAT))}, got {compat!r}"
                         f"{nearest(compat, COMPAT)}")
    return {"duplicates": "off"} if compat == "released" else {}


NAMED: dict[str, Callable[..., Objective]] = {
    f.__name__: f for f in (ahnpl, ce_clip, clip, dac, fsc, gnm, infonce, negclip, roesch, siglip, tripletclip, tsvlc)}


def _one(name: str, params: Mapping[str, Any]) -> Objective:
    return Objective([Term(name, 1.0, params)])


def names() -> list[str]:
    """Names that `get` takes: the terms of the core, and the objectives of papers.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "negclip" in names()
    True
    """
    return sorted([*TERMS, *NAMED])


def get(name: str, **params: Any) -> Objective:
    """An objective by name.

    Parameters
    ----------
    name : str
        One of `names`.
    **params
        Parameters of the term or of the function of that name.

    Returns
    -------
    Objective

    Raises
    ------
    ValueError, TypeError
        For an unknown name or parameter, with the nearest one; for a value outside its range.

    Examples
    --------
    >>> get("itc", negatives="own", image_to_text=1, text_to_image=0)
    itc(negatives='own', image_to_text=1.0, text_to_image=0.0)
    """
    if not isinstance(name, str):
        raise TypeError(f"an objective's name must be a string, got {name!r:.80}")
    if name in TERMS:
        return _one(name, params)
    if name not in NAMED:
        raise ValueError(f"there is no objective {name!r}{nearest(name, names())} (names: {', '.join(names())})")
    known = inspect.signature(NAMED[name]).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for key in params:
            if key not in known:
                raise ValueError(f"{name} has no parameter {key!r}{nearest(key, list(known))} "
                                 f"(it has {', '.join(known)})")
    return NAMED[name](**params)
