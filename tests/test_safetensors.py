"""The safetensors reader: what it refuses, what it accepts, and that the reference reader refuses no less."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vlmneg.checkpoints import safetensors


def file_of(header, data=b"", length=None):
    """Bytes of a safetensors file with this header (object, text or bytes)."""
    if isinstance(header, dict):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype="F32", shape=(1,), begin=0, end=4, **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


NAN = struct.pack("<f", np.nan)
HOSTILE = {
    "empty": b"",
    "seven bytes": b"\x02" + b"\0" * 6,
    "header past the end": file_of("{}", length=3),
    "huge header": file_of("{}", length=2**63),
    "header over the limit": file_of("{}", length=100_000_001),
    "no JSON": file_of("{"),
    "no UTF-8": file_of(b'{"\xff": 1}'),
    "no object": file_of("[]"),
    "number": file_of("3"),
    "NaN in JSON": file_of('{"__metadata__": NaN}'),
    "deep nesting": file_of("[" * 200_000),
    "deep nesting inside": file_of('{"a": ' + "[" * 200_000),
    "huge integer": file_of('{"a": ' + "9" * 10_000 + "}"),
    "something after the object": file_of("{} x"),
    "trailing data": file_of({"a": entry()}, b"\0" * 5),
    "missing data": file_of({"a": entry()}, b"\0" * 3),
    "data without tensors": file_of({}, b"\0"),
    "first offset not 0": file_of({"a": entry(begin=4, end=8)}, b"\0" * 8),
    "gap": file_of({"a": entry(), "b": entry(begin=5, end=9)}, b"\0" * 9),
    "overlap": file_of({"a": entry(shape=[2], end=8), "b": entry(begin=4, end=8)}, b"\0" * 8),
    "twice the same bytes": file_of({"a": entry(), "b": entry()}, b"\0" * 4),
    "end before begin": file_of({"a": entry(shape=[0]), "b": entry(begin=4, end=0)}, b"\0" * 4),
    "shape and bytes differ": file_of({"a": entry(shape=[2])}, b"\0" * 4),
    "product overflows": file_of({"a": entry(shape=[2**32, 2**32], end=0)}),
    "product overflows to a match": file_of({"a": entry(shape=[2**62 + 1])}, b"\0" * 4),
    "overflow beside a zero": file_of({"a": entry(shape=[0, 2**62, 2**62], end=0)}),
    "negative dimension": file_of({"a": entry(shape=[-1, -1])}, b"\0" * 4),
    "negative offset": file_of({"a": entry(begin=-4, end=0)}, b"\0" * 4),
    "fractional dimension": file_of({"a": entry(shape=[1.0])}, b"\0" * 4),
    "true as dimension": file_of({"a": entry(shape=[True])}, b"\0" * 4),
    "text as dimension": file_of({"a": entry(shape=["1"])}, b"\0" * 4),
    "shape no list": file_of({"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}}, b"\0" * 4),
    "three offsets": file_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, b"\0" * 4),
    "unknown dtype": file_of({"a": entry("F33")}, b"\0" * 4),
    "dtype no text": file_of({"a": entry(4)}, b"\0" * 4),
    "dtype a list": file_of({"a": entry([])}, b"\0" * 4),
    "missing dtype": file_of({"a": {"shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
    "missing shape": file_of({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, b"\0" * 4),
    "missing offsets": file_of({"a": {"dtype": "F32", "shape": [1]}}, b"\0" * 4),
    "entry no object": file_of({"a": 4}),
    "metadata no text": file_of({"__metadata__": {"a": 1}}),
    "metadata no object": file_of({"__metadata__": "a"}),
    "same name twice": file_of(f'{{"a": {json.dumps(entry())}, "a": {json.dumps(entry())}}}', b"\0" * 4),
    "same field twice": file_of('{"a": {"dtype": "F32", "dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}'),
    "metadata twice": file_of('{"__metadata__": {}, "__metadata__": {}}'),
    "long name": file_of({"a" * 513: entry()}, b"\0" * 4),
    "half a surrogate": file_of(f'{{"\\ud800": {json.dumps(entry())}}}', b"\0" * 4),
    "nine dimensions": file_of({"a": entry(shape=[1] * 9)}, b"\0" * 4),
    "not read: F8": file_of({"a": entry("F8_E4M3", [4])}, b"\0" * 4),
    "not read: BOOL": file_of({"a": entry("BOOL", [4])}, b"\0" * 4),
    "NaN": file_of({"a": entry()}, NAN),
    "infinite F16": file_of({"a": entry("F16", [2])}, b"\0\0\0\x7c"),
    "NaN BF16": file_of({"a": entry("BF16", [2])}, b"\0\0\xc1\x7f"),
}  # fmt: skip
BEYOND_THE_REFERENCE = {
    "overflow beside a zero", "same name twice", "metadata twice", "long name", "nine dimensions", "not read: F8",
    "not read: BOOL", "NaN", "infinite F16", "NaN BF16",
}  # fmt: skip


def reference_reads(path):
    """Whether the reference reader takes the file."""
    try:
        with safe_open(path, "np") as file:
            for name in file.keys():
                file.get_slice(name)
    except SafetensorError:
        return False
    return True


def test_too_many_tensors_are_refused(tmp_path, monkeypatch):
    assert safetensors.MAX_TENSORS == 100_000
    monkeypatch.setattr(safetensors, "MAX_TENSORS", 2)
    for count in (2, 3):
        save_file({str(i): np.zeros(1, np.float32) for i in range(count)}, tmp_path / "x.safetensors")
        if count == 2:
            safetensors.read(tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="holds 3 tensors"):
        safetensors.read(tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path, name):
    path = tmp_path / "x.safetensors"
    path.write_bytes(HOSTILE[name])
    tracemalloc.start()
    with pytest.raises(ValueError) as error:
        safetensors.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * len(HOSTILE[name]) + 1_000_000
    assert len(str(error.value)) < 400
    assert type(error.value) is ValueError
    if name not in BEYOND_THE_REFERENCE:
        assert not reference_reads(path), "the reference reader takes this file"


ACCEPTED = {
    "no tensors": (file_of({}), {}),
    "blanks around the header": (file_of("  {} \n\t "), {}),
    "extra fields": (file_of({"a": entry(note=[-1, {}])}, b"\0" * 4), {"a": (1,)}),
    "scalar": (file_of({"a": entry(shape=[])}, b"\0" * 4), {"a": ()}),
    "zero sizes at one offset": (
        file_of({"a": entry(shape=[0], end=0), "b": entry(shape=[3, 0], end=0), "c": entry()}, b"\0" * 4),
        {"a": (0,), "b": (3, 0), "c": (1,)},
    ),
    "names not in offset order": (
        file_of({"b": entry(begin=4, end=8), "a": entry()}, b"\0" * 8),
        {"a": (1,), "b": (1,)},
    ),
    "unaligned": (
        file_of({"a": entry("F16", [1], 0, 2), "b": entry(begin=2, end=6)}, b"\0" * 6),
        {"a": (1,), "b": (1,)},
    ),
    "metadata": (file_of({"__metadata__": {"a": "b"}}), {}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_files_are_accepted(tmp_path, name):
    content, shapes = ACCEPTED[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    tensors, metadata = safetensors.read(path)
    assert {n: x.shape for n, x in tensors.items()} == shapes and reference_reads(path)
    assert metadata == ({"a": "b"} if name == "metadata" else {})


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.write(
        path, {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(1, np.float32)}, {"format": "pt"}
    )
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError):
            safetensors.read(path)
    path.write_bytes(whole)
    assert safetensors.read(path)[0]["b"] == 1


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutations_are_refused_where_the_reference_refuses(tmp_path_factory, data):
    header = {"a": entry("F16", [3], 0, 6), "b": entry("F32", [2, 1], 6, 14), "__metadata__": {"k": "v"}}
    whole = bytearray(file_of(header, bytes(range(14))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "delete", "digit"]))
        if kind == "delete":
            del whole[place]
        elif kind == "insert":
            whole.insert(place, data.draw(st.integers(0, 255)))
        else:
            whole[place] = data.draw(st.integers(0, 255) if kind == "set" else st.sampled_from(b'0123456789-."{}[],: '))
    path = tmp_path_factory.getbasetemp() / "mutation.safetensors"
    path.write_bytes(whole)
    try:
        ours = {n: x.shape for n, x in safetensors.read(path)[0].items()}
    except ValueError:
        return
    assert reference_reads(path)
    with safe_open(path, "np") as file:
        assert ours == {n: tuple(file.get_slice(n).get_shape()) for n in file.keys()}


@given(bits=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=50))
@settings(max_examples=50, deadline=None)
def test_half_types_are_exact(tmp_path_factory, bits):
    raw = np.array(bits, "<u2")
    path = tmp_path_factory.getbasetemp() / "half.safetensors"
    for dtype, want in (
        ("F16", raw.view("<f2").astype(np.float32)),
        ("BF16", (raw.astype(np.uint32) << 16).view(np.float32)),
    ):
        path.write_bytes(file_of({"a": entry(dtype, [len(bits)], 0, 2 * len(bits))}, raw.tobytes()))
        if np.isfinite(want).all():
            got = safetensors.read(path)[0]["a"]
            assert got.dtype == np.float32 and np.array_equal(got.view(np.int32), want.view(np.int32))
        else:
            with pytest.raises(ValueError, match="'a' holds NaN or infinity"):
                safetensors.read(path)


def test_read_agrees_with_the_package(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {
        "d": rng.normal(size=(3, 5)), "f": rng.normal(size=(7,)).astype(np.float32), "i": np.arange(4)[None],
        "h": rng.normal(size=(2, 2, 3)).astype(np.float16), "s": np.float32(2), "z": np.zeros((0, 3), np.float32),
    }  # fmt: skip
    save_file({n: np.asarray(x) for n, x in tensors.items()}, tmp_path / "x.safetensors")
    got, _ = safetensors.read(tmp_path / "x.safetensors")
    assert got.keys() == tensors.keys() and not got["f"].flags.writeable
    for name, x in tensors.items():
        assert np.array_equal(got[name], x if name == "i" else np.asarray(x, np.float32)), name


def test_equal_models_make_equal_files(tmp_path):
    tensors = {"b": np.arange(3, dtype=np.float32), "a": np.ones((2, 2), np.float32)}
    metadata = {str(i): "ü\n\x1f\x7f😀" * i for i in range(8)}
    for name in "xyz":
        safetensors.write(tmp_path / name, tensors, metadata)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes() == (tmp_path / "z").read_bytes()
    with safe_open(tmp_path / "x", "np") as file:
        assert file.metadata() == metadata and np.array_equal(file.get_tensor("a"), tensors["a"])
