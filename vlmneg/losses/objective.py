"""Objectives: weighted sums of named terms, computed by the tile engine of the C core.

>>> import vlmneg as vn
>>> vn.losses.names()
['infonce', 'intra', 'itc', 'negclip', 'own']
>>> vn.losses.negclip() + 0.2 * vn.losses.infonce()
itc() + 0.2 * itc(negatives='none')

Every term of the core is a function of this module, with its parameters as keywords: ``itc(negatives="own")``.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import _core
from .arrays import floats, integer, mask, numbers, row_numbers

if typing.TYPE_CHECKING:
    from .negatives.embed import Embed

__all__ = ["Objective", "Parameter", "Result", "Term", "get", "infonce", "names", "negclip"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a term.

    Attributes
    ----------
    name : str
    choices : tuple of str or None
        The values that it takes; None: a number.
    start : float or str
        Its value unless one is given.
    low, high : float
        Its range.
    doc : str
        What it does.
    """

    name: str
    choices: tuple[str, ...] | None
    start: float | str
    low: float
    high: float
    doc: str

    def check(self, value: Any, term: str) -> float | str:
        """Refuse what is out of range.

        Parameters
        ----------
        value : float or str
        term : str
            Whose parameter it is, for the message.

        Returns
        -------
        float or str
            The value.
        """
        if self.choices is not None:
            if value in self.choices:
                return typing.cast(str, value)
            raise ValueError(f"{self.name} of {term} must be one of {', '.join(map(repr, self.choices))}, "
                             f"got {value!r}{_nearest(value, self.choices)}")
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{self.name} of {term} must be a number in {self.range}, got {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} of {term} must be in {self.range}, got {value!r}")
        return float(value)

    def number(self, value: float | str) -> float:
        """The value as the core takes it.

        Parameters
        ----------
        value : float or str

        Returns
        -------
        float
        """
        return float(self.choices.index(typing.cast(str, value))) if self.choices is not None else float(value)

    @property
    def range(self) -> str:
        """The admitted values, for people."""
        return f"[{self.low:g}, {self.high:g}]" if self.choices is None else "{" + ", ".join(self.choices) + "}"


_SETS = ("image", "text", "neg_text", "neg_image")


def _read_terms() -> dict[str, tuple[str, tuple[Parameter, ...]]]:
    terms = {}
    for name, doc, params, _ in _core.loss_terms():
        read = []
        for key, choices, start, low, high, text in params:
            names = tuple(choices.split("|")) if choices else None
            read.append(Parameter(key, names, names[int(start)] if names else start, low, high, text))
        terms[name] = (doc, tuple(read))
    return terms


_TERMS = _read_terms()


def _nearest(word: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(word), known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Term:
    """One summand of an objective.

    Parameters
    ----------
    name : str
        A term of the core; see `names`.
    weight : float in [0, 1e6], default 1
    params : mapping, default all start values
        Values by parameter name; missing ones start as the term says.

    Raises
    ------
    ValueError, TypeError
        For an unknown name or parameter, with the nearest one; for a value outside its range.

    Examples
    --------
    >>> Term("itc", 0.5, {"negatives": "own"}).params["duplicates"]
    'mask'
    """

    name: str
    weight: float = 1.0
    params: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in _TERMS:
            raise ValueError(f"there is no term {self.name!r}{_nearest(self.name, list(_TERMS))} "
                             f"(terms: {', '.join(sorted(_TERMS))})")
        known = {p.name: p for p in _TERMS[self.name][1]}
        for key in self.params:
            if key not in known:
                raise ValueError(f"{self.name} has no parameter {key!r}{_nearest(key, list(known))} "
                                 f"(it has {', '.join(f'{p.name} in {p.range}' for p in known.values())})")
        object.__setattr__(self, "weight", _check_weight(self.weight))
        object.__setattr__(self, "params", {key: p.check(self.params.get(key, p.start), self.name)
                                            for key, p in known.items()})

    def __repr__(self) -> str:
        changed = [p for p in _TERMS[self.name][1] if self.params[p.name] != p.start]
        text = f"{self.name}({', '.join(f'{p.name}={self.params[p.name]!r}' for p in changed)})"
        return text if self.weight == 1 else f"{self.weight:g} * {text}"

    def _use(self) -> tuple[int, float, tuple[float, ...]]:
        return (list(_TERMS).index(self.name), self.weight,
                tuple(p.number(self.params[p.name]) for p in _TERMS[self.name][1]))


    def reads(self) -> set[tuple[str, str]]:
        """The pairs of sets whose cosines the term reads: of "image", "text", "neg_text" and "neg_image".

        Examples
        --------
        >>> sorted(Term("own", 1.0, {"anchor": "text"}).reads())
        [('text', 'image'), ('text', 'neg_image')]
        """
        place, _, values = self._use()
        return {(_SETS[rows], _SETS[cols]) for rows, cols, param, value in _core.loss_terms()[place][3]
                if param < 0 or values[param] == value}


def _check_weight(weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float, np.integer, np.floating)):
        raise TypeError(f"a weight must be a number in [0, 1e6], got {weight!r}")
    if not 0 <= weight <= 1e6:
        raise ValueError(f"a weight must be in [0, 1e6], got {weight!r}")
    return float(weight)


@dataclass(frozen=True, eq=False)
class Result:
    """What an objective says of a batch.

    Attributes
    ----------
    loss : float
    terms : dict of str to float
        Unweighted value of each term; the second of one name is called name_2.
    rows : int
        Samples in the mean.
    accuracy : float or None
        Share of valid negatives whose cosine with their own image is below the true caption's; a tie counts as wrong.
        None when there is no valid negative.
    dimage, dtext : ndarray of shape (B, E), float32, or None without backward
    dneg_text, dneg_image : ndarray of shape (B, K, E), (B, M, E), float32, or None; 0 in invalid slots
    dlog_scale, dscale : float or None
        Derivatives by the logarithm of the scale, as checkpoints store it, and by the scale.
    """

    loss: float
    terms: dict[str, float]
    rows: int
    accuracy: float | None
    dimage: np.ndarray | None = None
    dtext: np.ndarray | None = None
    dneg_text: np.ndarray | None = None
    dneg_image: np.ndarray | None = None
    dlog_scale: float | None = None
    dscale: float | None = None


class Objective:
    """A weighted sum of terms over cosines between image and caption embeddings.

    Objectives add and scale: ``negclip() + 0.2 * infonce()``; ``repr`` writes that back.

    Parameters
    ----------
    terms : sequence of Term
        At least one, at most 16.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.eye(2, dtype=np.float32)
    >>> r = infonce().on(image=v, text=v, scale=1.0)
    >>> round(r.loss, 4), r.rows
    (0.3133, 2)
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        if not all(isinstance(t, Term) for t in self.terms):
            raise TypeError("an objective is made of Term objects; see vlmneg.losses.get")
        if not 1 <= len(self.terms) <= 16:
            raise ValueError(f"an objective has 1 to 16 terms, got {len(self.terms)}")
        self._core = _core.Loss(tuple(t._use() for t in self.terms))

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))

    def __eq__(self, other: object) -> bool:
        return self.terms == other.terms if isinstance(other, Objective) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, factor: float) -> Objective:
        if isinstance(factor, Objective):
            return NotImplemented
        factor = _check_weight(factor)
        return Objective([Term(t.name, factor * t.weight, t.params) for t in self.terms])

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[Any, ...]:
        return Objective, (self.terms,)

    def labels(self) -> list[str]:
        """Names of the terms, numbered from the second of a name on."""
        found: list[str] = []
        for t in self.terms:
            count = sum(u.name == t.name for u in self.terms[: len(found)])
            found.append(t.name if count == 0 else f"{t.name}_{count + 1}")
        return found

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """The form that TOML files and checkpoints hold; `from_dict` reads it.

        Examples
        --------
        >>> (0.5 * infonce()).to_dict()["terms"][0]["weight"]
        0.5
        """
        return {"terms": [{"name": t.name, "weight": t.weight, **t.params} for t in self.terms]}

    @classmethod
    def from_dict(cls, value: Any) -> Objective:
        """Read an objective from its TOML form.

        Parameters
        ----------
        value : str, mapping or sequence
            A name; a table with ``name``, perhaps ``weight``, and parameters; a list of these; or ``{"terms": list}``.

        Returns
        -------
        Objective

        Raises
        ------
        ValueError, TypeError
            For unknown names, with the nearest one, and values outside their range.

        Examples
        --------
        >>> Objective.from_dict([{"name": "negclip"}, {"name": "itc", "weight": 0.2, "negatives": "own"}])
        itc() + 0.2 * itc(negatives='own')
        """
        if isinstance(value, str):
            return get(value)
        if isinstance(value, Mapping) and "terms" in value:
            if len(value) > 1:
                raise ValueError(f"an objective with 'terms' has no other key, got {', '.join(map(repr, value))}")
            value = value["terms"]
        if isinstance(value, Mapping):
            if "name" not in value:
                raise ValueError(f"a term needs the key 'name', got {', '.join(map(repr, value)) or 'no key'}")
            params = {k: v for k, v in value.items() if k not in ("name", "weight")}
            return _check_weight(value.get("weight", 1.0)) * get(value["name"], **params)
        if not isinstance(value, Sequence) or not value:
            raise TypeError(f"an objective is a name, a table or a list of tables, got {value!r}")
        total = cls.from_dict(value[0])
        for part in value[1:]:
            total = total + cls.from_dict(part)
        return total

    def on(
        self,
        *,
        image: np.ndarray,
        text: np.ndarray,
        neg_text: np.ndarray | None = None,
        valid: np.ndarray | None = None,
        neg_image: np.ndarray | None = None,
        neg_image_valid: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        group: np.ndarray | None = None,
        text_key: np.ndarray | None = None,
        neg_key: np.ndarray | None = None,
        made: Embed | None = None,
        made_seed: int = 0,
        made_rows: Any = None,
        scale: float = 100.0,
        backward: bool = True,
        out: Mapping[str, np.ndarray] | None = None,
    ) -> Result:
        """Evaluate the objective, and its gradients, on embeddings.

        Rows should have length 1 (a row that is not finite or longer than 1e6 is refused); gradients treat them as
        free variables. Invalid slots and absent rows are never read: they may hold anything, NaN too.

        Parameters
        ----------
        image, text : ndarray of shape (B, E), float32
            Sample i is image[i] with its true caption text[i].
        neg_text : ndarray of shape (B, K, E), float32, optional
            K negative captions a sample; K may be 0.
        valid : ndarray of shape (B, K), uint8 or bool, optional
            1 where a slot holds a negative; default all.
        neg_image : ndarray of shape (B, M, E), float32, optional
            M negative images a sample: of a picture that shows something else.
        neg_image_valid : ndarray of shape (B, M), uint8 or bool, optional
            1 where a slot holds a negative image; default all.
        rows : ndarray of shape (B,), uint8 or bool, optional
            0 where a sample is padding; default all 1.
        group : ndarray of shape (B,), integer, optional
            Equal for samples of one picture: their captions are true for each other's image.
        text_key, neg_key : ndarray of shape (B,) and (B, K), integer, optional
            Equal for equal captions. A caption is true for image i when its key is that of a caption of i's group.
        made : embedding negatives, optional
            As from `vlmneg.negatives.embed`: further negatives after those given, of images or captions as they say.
            Their rows exist only while a tile is computed, and gradients flow through them as they say.
        made_seed : int in [0, 2**64), default 0
        made_rows : sequence of B int in [0, 2**64), optional
            Numbers of the samples, from which their random numbers follow; default 0 to B - 1.
        scale : float above 0, default 100
            exp(logit_scale).
        backward : bool, default True
            Whether to compute gradients too.
        out : mapping, optional
            Arrays for "dimage", "dtext", "dneg_text" and "dneg_image" to write into instead of new ones.

        Returns
        -------
        Result

        Raises
        ------
        ValueError, TypeError
            For shapes or types that do not fit, or values that are not finite; nothing is written then.

        Examples
        --------
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> unit = lambda *n: (x := rng.normal(size=n).astype("f4")) / np.linalg.norm(x, axis=-1, keepdims=True)
        >>> r = negclip().on(image=unit(4, 8), text=unit(4, 8), neg_text=unit(4, 3, 8), scale=10.0)
        >>> r.dneg_text.shape, list(r.terms)
        ((4, 3, 8), ['itc'])
        """
        image, text = floats(image, "image"), floats(text, "text")
        neg_text = None if neg_text is None else floats(neg_text, "neg_text")
        neg_image = None if neg_image is None else floats(neg_image, "neg_image")
        if neg_text is None and (valid is not None or neg_key is not None):
            raise ValueError("valid and neg_key describe neg_text, which is missing")
        if neg_image is None and neg_image_valid is not None:
            raise ValueError("neg_image_valid describes neg_image, which is missing")
        if neg_key is not None and text_key is None:
            raise ValueError("neg_key is compared with text_key, which is missing")
        slots = None
        if made is not None:
            self.check_made(made)
            slots = (integer(made_seed, "made_seed", 0, 2**64), row_numbers(made_rows, len(image)),
                     made.slots(neg_text))
        given = {"dimage": image, "dtext": text, "dneg_text": neg_text, "dneg_image": neg_image}
        gradients: dict[str, Any] = {name: _room(out, name, like) if backward else None for name, like in given.items()}
        loss, terms, dlog_scale, count, negatives, below = self._core.run(
            image, text, neg_text, mask(valid, "valid"), neg_image, mask(neg_image_valid, "neg_image_valid"),
            mask(rows, "rows"), numbers(group, "group"), numbers(text_key, "text_key"), numbers(neg_key, "neg_key"),
            slots, scale,
            *gradients.values(),
        )  # fmt: skip
        r = Result(loss, dict(zip(self.labels(), terms, strict=True)), count, below / negatives if negatives else None)
        if not backward:
            return r
        return replace(r, **gradients, dlog_scale=dlog_scale, dscale=dlog_scale / scale)

    def check_made(self, made: Any) -> None:
        """Refuse embedding negatives that no term reads, or that would teach nothing here.

        Parameters
        ----------
        made : embedding negatives
            As from `vlmneg.negatives.embed`.

        Raises
        ------
        ValueError, TypeError

        Examples
        --------
        >>> from vlmneg.negatives import embed
        >>> get("intra").check_made(embed.shift())
        >>> negclip().check_made(embed.shift())
        Traceback (most recent call last):
        ValueError: shift(...) makes negatives of the image side, which no term of itc() reads; ...
        """
        if not callable(getattr(made, "slots", None)):
            raise TypeError(f"made must be of vlmneg.negatives.embed, got {made!r:.80}")
        reads = set().union(*(t.reads() for t in self.terms))
        for part in made.parts:
            anchors = {rows for rows, cols in reads if cols == f"neg_{part.side}"}
            if not anchors:
                raise ValueError(f"{part!r} makes negatives of the {part.side} side, which no term of {self!r} reads; "
                                 + ("add intra() or itc(images=...)" if part.side == "image" else "add negclip()"))
            part.refuse(anchors)


_GRADIENTS = ("dimage", "dtext", "dneg_text", "dneg_image")


def _room(out: Mapping[str, np.ndarray] | None, name: str, like: np.ndarray | None) -> np.ndarray | None:
    for key in out or ():
        if key not in _GRADIENTS:
            raise ValueError(f"out has no place for {key!r}{_nearest(key, _GRADIENTS)}")
    if like is None:
        return None
    return out[name] if out and name in out else np.empty_like(like)


def infonce(**params: Any) -> Objective:
    """Symmetric InfoNCE, as CLIP trains: `itc` with ``negatives="none"``.

    Parameters
    ----------
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
    >>> infonce(duplicates="off")
    itc(negatives='none', duplicates='off')
    """
    return _one("itc", {"negatives": "none", **params})


def negclip(**params: Any) -> Objective:
    """InfoNCE whose images also see negative captions: `itc` with ``negatives="shared"``, or "own" on request.

    Parameters
    ----------
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
    return _one("itc", {"negatives": "shared", **params})


_NAMED: dict[str, Callable[..., Objective]] = {"infonce": infonce, "negclip": negclip}


def _one(name: str, params: Mapping[str, Any]) -> Objective:
    return Objective([Term(name, 1.0, params)])


def names() -> list[str]:
    """Names that `get` takes: the terms of the core and named settings of them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "negclip" in names()
    True
    """
    return sorted([*_TERMS, *_NAMED])


def get(name: str, **params: Any) -> Objective:
    """An objective by name.

    Parameters
    ----------
    name : str
        One of `names`.
    **params
        Parameters of the term.

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
    if name in _NAMED:
        return _NAMED[name](**params)
    if name in _TERMS:
        return _one(name, params)
    raise ValueError(f"there is no objective {name!r}{_nearest(name, names())} (names: {', '.join(names())})")


def __getattr__(name: str) -> Callable[..., Objective]:
    if name not in _TERMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    doc, params = _TERMS[name]

    def term(**values: Any) -> Objective:
        return _one(name, values)

    lines = [f"{p.name} : {p.range}, default {p.start!r}\n        {p.doc[0].upper() + p.doc[1:]}." for p in params]
    term.__name__ = term.__qualname__ = name
    term.__doc__ = (f"{doc[0].upper() + doc[1:]}.\n\n    Parameters\n    ----------\n    "
                    + "\n    ".join(lines) + "\n\n    Returns\n    -------\n    Objective\n    ")
    term.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=p.start) for p in params])
    globals()[name] = term
    return term


def __dir__() -> Iterator[str]:
    return iter(sorted({*globals(), *_TERMS}))
