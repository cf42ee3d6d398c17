# Types of the C core, which csrc/py holds.

from collections.abc import Callable, Sequence
from typing import Any, final

from numpy import float32, float64, int32, int64, uint8, uint32, uint64
from numpy.typing import NDArray

# core
def set_threads(n: int, /) -> int: ...
def threads() -> int: ...
def philox(seed: int, row: int, draw: int, stream: int, /) -> tuple[int, int, int, int]: ...
def philox_rows(seed: int, rows: NDArray[uint64], draw: int, stream: int, /) -> NDArray[uint32]: ...

# scenes
def scene_draw(
    seed: int, rows: NDArray[int64], edit: int, size: int, /
) -> tuple[NDArray[uint8], NDArray[uint8], NDArray[uint8]]: ...
def scene_say(seed: int, rows: NDArray[int64], edit: int, /) -> list[Any]: ...
def scene_objects(seed: int, row: int, edit: int, /) -> list[tuple[Any, ...]] | None: ...
def scene_edits() -> tuple[str, ...]: ...

# levels
def set_level(name: str, /) -> None: ...
def level() -> str: ...
def levels() -> list[str]: ...
def open_blas(path: str | None, /) -> None: ...
def blas() -> tuple[str, str]: ...
def gemm(a: NDArray[float32], b: NDArray[float32], ta: int, tb: int, builtin: int, /) -> NDArray[float32]: ...

# model
@final
class Model:
    def __new__(cls, sizes: tuple[int, ...], /) -> Model: ...
    def weights(self) -> NDArray[float32]: ...
    def gradients(self) -> NDArray[float32]: ...
    def tensors(self) -> list[tuple[str, tuple[int, ...], int]]: ...
    def start(self, seed: int, /) -> None: ...
    def reserve(self, images: int, captions: int, tokens: int, keep: int, rows: int, /) -> int: ...
    def encode(
        self,
        x: NDArray[float32] | None,
        ids: NDArray[int32] | None,
        offsets: NDArray[int32] | None,
        keep: int,
        normalize: int,
        tokens: int,
        /,
    ) -> tuple[Any, Any, Any, Any]: ...
    def backward(
        self,
        dimage: NDArray[float32] | None,
        dtext: NDArray[float32] | None,
        add: int,
        dpatches: NDArray[float32] | None,
        dtokens: NDArray[float32] | None,
        /,
    ) -> None: ...

# optim
def square_sum(x: NDArray[float32], /) -> float: ...
def adamw(
    weights: NDArray[float32],
    m: Any,
    v: Any,
    gradients: NDArray[float32],
    spans: NDArray[int64],
    rates: NDArray[float32],
    beta1: float,
    beta2: float,
    eps: float,
    gain: float,
    t: int,
    l2: int,
    /,
) -> None: ...

# ops: arguments as in csrc/vn_backend.h, outputs first
def linear_forward(*args: Any) -> None: ...
def linear_backward(*args: Any) -> None: ...
def project_forward(*args: Any) -> None: ...
def project_backward(*args: Any) -> None: ...
def act_forward(*args: Any) -> None: ...
def layernorm_forward(*args: Any) -> None: ...
def layernorm_backward(*args: Any) -> None: ...
def embed_forward(*args: Any) -> None: ...
def embed_backward(*args: Any) -> None: ...
def patchify_forward(*args: Any) -> None: ...
def tokens_forward(*args: Any) -> None: ...
def tokens_backward(*args: Any) -> None: ...
def rows_gather(*args: Any) -> None: ...
def rows_scatter(*args: Any) -> None: ...
def rows_zero(*args: Any) -> None: ...
def l2norm_forward(*args: Any) -> None: ...
def l2norm_backward(*args: Any) -> None: ...
def attention_forward(*args: Any) -> None: ...
def attention_backward(*args: Any) -> None: ...
def pool_forward(*args: Any) -> None: ...
def pool_backward(*args: Any) -> None: ...

# scores
def score_pairs(
    image: NDArray[float32], text: NDArray[float32], i: NDArray[int32], j: NDArray[int32], /
) -> NDArray[float32]: ...
def score_ranks(
    query: NDArray[float32], gallery: NDArray[float32], best: NDArray[float32], /
) -> tuple[NDArray[int64], NDArray[int64]]: ...
def resample(x: NDArray[float64], draws: int, seed: int, /) -> NDArray[float64]: ...

# text
@final
class Tokenizer:
    def __new__(
        cls,
        symbol: NDArray[int32],
        merge: NDArray[int32],
        vocab: int,
        start: int,
        end: int,
        unknown: int,
        start_text: str | None,
        end_text: str | None,
        fold: bool,
    ) -> Tokenizer: ...
    def rows(
        self, texts: Sequence[str], context: int, clean: Callable[[str], bytes], /
    ) -> tuple[NDArray[int32], int]: ...
    def pack(
        self, texts: Sequence[str], context: int, clean: Callable[[str], bytes], /
    ) -> tuple[NDArray[int32], NDArray[int32], int]: ...

# annotate
def text_annotate(
    captions: tuple[str, ...], tags: NDArray[int32] | None, begin: NDArray[int64] | None, /
) -> tuple[NDArray[int32], NDArray[int64]]: ...
def text_lexicon_hash() -> int: ...

# negatives
def text_draw(
    captions: tuple[str, ...],
    avoid: tuple[tuple[str, ...], ...] | None,
    taken: tuple[tuple[str, ...], ...] | None,
    rows: NDArray[uint64],
    seed: int,
    slots: tuple[tuple[int, int, int, int], ...],
    words: NDArray[int32] | None,
    offsets: NDArray[int64] | None,
    order: NDArray[uint8] | None,
    /,
) -> tuple[list[list[str]], NDArray[uint8], NDArray[uint8], NDArray[int32], NDArray[uint8], NDArray[uint8]]: ...
def text_apply(caption: str, edits: tuple[tuple[int, int, str], ...], /) -> str: ...
def text_words(caption: str, /) -> list[tuple[str, str, int]]: ...
def text_listed() -> list[tuple[str, str, list[str], int]]: ...
def text_lexicon() -> list[tuple[str, str, str, int]]: ...
def text_keywords() -> tuple[list[tuple[str, int, int]], list[tuple[str, int, int, int]],
                             list[tuple[str, int, int, int, int, int]]]: ...
def text_phrases() -> list[tuple[str, str, int]]: ...

# image
def image_resize(picture: NDArray[uint8], plan: NDArray[int64], order: int, /) -> NDArray[uint8]: ...
def image_tensor(
    pictures: tuple[NDArray[uint8], ...],
    plans: NDArray[int64],
    mirror: NDArray[uint8],
    table: NDArray[float32],
    order: int,
    /,
) -> NDArray[float32]: ...
def image_boxes(
    sizes: NDArray[int64], scale: NDArray[float64], ratio: NDArray[float64], seed: int, rows: NDArray[uint64], /
) -> tuple[NDArray[int64], NDArray[uint8]]: ...

# image negatives
def image_draw(
    pictures: tuple[NDArray[uint8], ...],
    objects: tuple[tuple[tuple[NDArray[uint8], int, int, int, int, int], ...], ...],
    others: tuple[NDArray[uint8] | None, ...],
    other_objects: tuple[tuple[tuple[NDArray[uint8], int, int, int, int, int], ...], ...],
    rows: NDArray[uint64],
    seed: int,
    slots: tuple[tuple[int, ...], ...],
    /,
) -> tuple[
    list[list[NDArray[uint8]]], list[list[NDArray[uint8]]], NDArray[uint8], NDArray[uint8], NDArray[int32]
]: ...
def image_listed() -> list[tuple[str, str, list[str], list[str], int]]: ...

# masks
def mask_polygons(
    points: NDArray[float64], parts: NDArray[int64], objects: NDArray[int64], height: int, width: int, /
) -> NDArray[uint8]: ...
def mask_runs(runs: NDArray[int64], objects: NDArray[int64], height: int, width: int, /) -> NDArray[uint8]: ...
def mask_unpack(text: bytes, /) -> NDArray[int64]: ...

# local
def local_forward(
    score: NDArray[float32],
    mean: NDArray[float32],
    patches: NDArray[float32],
    tokens: NDArray[float32],
    offsets: NDArray[int32],
    live: NDArray[uint8] | None,
    scale: float,
    threshold: int,
    length_norm: int,
    /,
) -> None: ...
def local_backward(
    dpatches: NDArray[float32],
    dtokens: NDArray[float32],
    score: NDArray[float32],
    mean: NDArray[float32],
    dscore: NDArray[float32],
    patches: NDArray[float32],
    tokens: NDArray[float32],
    offsets: NDArray[int32],
    live: NDArray[uint8] | None,
    scale: float,
    threshold: int,
    length_norm: int,
    /,
) -> float: ...

# losses
_Made = tuple[int, NDArray[uint64], tuple[tuple[int, int, int, tuple[float, float, float], int, int, float], ...]]

@final
class Loss:
    def __new__(cls, terms: tuple[tuple[int, float, tuple[float, ...]], ...], /) -> Loss: ...
    def run(
        self,
        sets: tuple[NDArray[float32] | None, ...],
        valid: tuple[NDArray[uint8] | None, ...],
        rows: NDArray[uint8] | None,
        group: NDArray[int64] | None,
        text_key: NDArray[int64] | None,
        neg_key: NDArray[int64] | None,
        made: _Made | None,
        scale: float,
        bias: float,
        state: tuple[NDArray[float32] | None, ...],
        notes: NDArray[float64] | None,
        gradients: tuple[NDArray[float32] | None, ...] | None,
        tile: tuple[int, int] | None,
        /,
    ) -> tuple[float, tuple[float, ...], float, float, float, int, int, int]: ...

def loss_terms() -> list[
    tuple[
        str,
        str,
        list[tuple[str, str | None, float, float, float, str]],
        list[tuple[int, int, int, int, int, int]],
        int,
        int,
    ]
]: ...

# made rows
def made_listed() -> list[tuple[str, str, int]]: ...
def made_rows(
    image: NDArray[float32],
    text: NDArray[float32],
    neg_text: NDArray[float32] | None,
    valid: NDArray[uint8] | None,
    group: NDArray[int64] | None,
    text_key: NDArray[int64] | None,
    made: _Made,
    /,
) -> tuple[NDArray[float32], NDArray[uint8], NDArray[float32], NDArray[int32]]: ...
def made_backward(
    image: NDArray[float32],
    text: NDArray[float32],
    neg_text: NDArray[float32] | None,
    valid: NDArray[uint8] | None,
    group: NDArray[int64] | None,
    text_key: NDArray[int64] | None,
    made: _Made,
    drows: NDArray[float32],
    dimage: NDArray[float32],
    dtext: NDArray[float32],
    dneg_text: NDArray[float32] | None,
    /,
) -> None: ...
def made_cosines(
    image: NDArray[float32],
    text: NDArray[float32],
    neg_text: NDArray[float32] | None,
    valid: NDArray[uint8] | None,
    group: NDArray[int64] | None,
    text_key: NDArray[int64] | None,
    made: _Made,
    anchor: int,
    /,
) -> NDArray[float32]: ...
