"""safetensors files: a strict reader that maps the file, and a writer that replaces it whole.

    8 bytes   header length N, little-endian
    N bytes   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {...}}
    the rest  the tensors, row-major, little-endian, without gap or overlap; offsets count from here

Everything is checked before anything is allocated; a file that breaks a rule is refused with a ValueError.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from vlmneg.checkpoints.files import atomic_file

MAX_HEADER = 100_000_000
MAX_TENSORS = 100_000
MAX_NAME = 512
MAX_DIMENSIONS = 8

# Bytes of one element, of every type whose elements are whole bytes.
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
_READ = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4"}


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All tensors of a safetensors file, floats as float32.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    tensors : dict of str to ndarray
        F64, F32, F16 and BF16 as float32, I64 and I32 as they are. Read-only; float32 stays in the mapped file.
    metadata : dict of str to str
        The header's ``__metadata__``.

    Raises
    ------
    ValueError
        When the file breaks a rule of the format, or holds another data type, NaN or infinity.
    """
    path = Path(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            header = _header(file, size)
            metadata = _metadata(header.pop("__metadata__", None))
            entries = _layout(header, size - file.tell())
        except ValueError as error:
            raise ValueError(f"{path.name} is not a valid safetensors file: {error}") from None
        data: Any = b""
        if entries[-1:] and entries[-1][4]:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = file.tell()
    tensors = {}
    for name, dtype, shape, begin, end in entries:
        tensors[name] = _tensor(data, name, dtype, shape, start + begin, end - begin)
    return tensors, metadata


def write(path: str | os.PathLike, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write tensors to a safetensors file: under a temporary name, synced, then renamed.

    Parameters
    ----------
    path : str or path
        The file to make or replace.
    tensors : dict of str to ndarray
        Row-major copies are written.
    metadata : dict of str to str
        The header's ``__metadata__``.
    """
    from safetensors.numpy import save_file

    with atomic_file(path) as temporary:
        save_file({name: np.ascontiguousarray(x).reshape(x.shape) for name, x in tensors.items()}, temporary, metadata)
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """The package writes metadata in a random order; in a fixed one, equal models make equal files."""
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(8)
        file.write(text.ljust(length))


def _header(file: Any, size: int) -> dict[str, Any]:
    if size < 8:
        raise ValueError(f"it has {size} bytes, and the header length alone takes 8")
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise ValueError(f"its header would have {length} bytes, more than the {MAX_HEADER} allowed")
    if length > size - 8:
        raise ValueError(f"its header would have {length} bytes, and only {size - 8} follow (is it cut off?)")
    try:
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("its header is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise ValueError(f"its header must be a JSON object, got {type(header).__name__}")
    return header


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in pairs:
        if name in out:
            raise ValueError(f"the name {name[:40]!r} occurs twice in its header")
        out[name] = value
    return out


def _constant(text: str) -> None:
    raise ValueError(f"its header is not JSON ({text} is no JSON number)")


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("__metadata__ must map strings to strings")
    return value


def _layout(header: dict[str, Any], room: int) -> list[tuple[str, str, tuple[int, ...], int, int]]:
    """(name, dtype, shape, begin, end) of every tensor by rising offset, once they fill the data without gap."""
    if len(header) > MAX_TENSORS:
        raise ValueError(f"it holds {len(header)} tensors, more than the {MAX_TENSORS} allowed")
    entries = [_entry(name, fields) for name, fields in header.items()]
    entries.sort(key=lambda entry: entry[3:])
    place = 0
    for name, _, _, begin, end in entries:
        if begin != place:
            raise ValueError(f"tensor {name!r} begins at byte {begin}, and the one before it ends at {place}")
        place = end
    if place != room:
        raise ValueError(f"its tensors take {place} bytes, and {room} bytes of data are there (is it cut off?)")
    return entries


def _entry(name: str, fields: Any) -> tuple[str, str, tuple[int, ...], int, int]:
    try:
        if len(name.encode("utf-8")) > MAX_NAME:
            raise ValueError(f"tensor name {name[:40]!r}... is longer than {MAX_NAME} bytes")
    except UnicodeEncodeError:
        raise ValueError(f"tensor name {name[:40]!r} is not Unicode text") from None
    if not isinstance(fields, dict) or not {"dtype", "shape", "data_offsets"} <= fields.keys():
        raise ValueError(f"tensor {name!r} must have dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BYTES:
        raise ValueError(f"tensor {name!r} has the unknown data type {dtype!r}")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"tensor {name!r} must have a shape of non-negative integers, got {shape!r:.80}")
    if len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"tensor {name!r} has {len(shape)} dimensions, more than the {MAX_DIMENSIONS} allowed")
    if math.prod(max(n, 1) for n in shape) * 8 >= 2**63:
        raise ValueError(f"tensor {name!r} has a shape that overflows: {shape!r:.80}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(n) is int and n >= 0 for n in offsets):
        raise ValueError(f"tensor {name!r} must have two non-negative data_offsets, got {offsets!r:.80}")
    begin, end = offsets
    if end - begin != math.prod(shape) * _BYTES[dtype]:
        raise ValueError(
            f"tensor {name!r} of type {dtype} and shape {shape} takes {math.prod(shape) * _BYTES[dtype]} bytes, "
            f"and its data_offsets {offsets} give it {end - begin}"
        )
    return name, dtype, tuple(shape), begin, end


def _tensor(data: Any, name: str, dtype: str, shape: tuple[int, ...], start: int, length: int) -> np.ndarray:
    if dtype not in _READ:
        raise ValueError(f"tensor {name!r} has data type {dtype}; weights are read from F64, F32, F16 and BF16")
    kind = np.dtype(_READ[dtype])
    count = length // kind.itemsize
    raw = np.frombuffer(data, kind, count, start) if count else np.empty(0, kind)
    if dtype in ("I64", "I32"):
        return raw.reshape(shape)
    if dtype == "BF16":  # the upper half of a float32
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        x = raw.astype(np.float32, copy=not raw.flags.aligned)
    if not is_finite(x):
        raise ValueError(f"tensor {name!r} holds NaN or infinity (as float32): the checkpoint is damaged")
    x.flags.writeable = False
    return x.reshape(shape)


def is_finite(x: np.ndarray) -> bool:
    """Whether an array holds neither NaN nor infinity; nothing is allocated."""
    return x.size == 0 or bool(np.isfinite(x.min()) and np.isfinite(x.max()))
