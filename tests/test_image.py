"""Pictures: the resize against Pillow byte for byte, the tensor against Pillow and NumPy, boxes against the twin."""

import hashlib
import io
import threading

import numpy as np
import PIL
import pytest
from PIL import Image

import vlmneg as vn
from vlmneg import _core
from vlmneg.config import MEAN, STD
from vlmneg.reference import images as twin

BICUBIC = Image.Resampling.BICUBIC
SIZES = (1, 2, 3, 17, 50, 100, 223, 224, 225, 226, 227, 333, 447, 448, 449, 640, 1001)
VERSION = tuple(int(part) for part in PIL.__version__.split(".")[:2])
INSTALLED = "pillow13" if VERSION >= (13, 0) else "pillow12" if VERSION >= (12, 2) else "horizontal"


def noise(shape, seed=0, hard=False):
    rng = np.random.default_rng([seed, *shape])
    return rng.integers(0, 2, shape, np.uint8) * 255 if hard else rng.integers(0, 256, shape, np.uint8)


def target(height, width, size):
    """(w, h) as torchvision computes it."""
    short, long = sorted((height, width))
    long = int(size * long / short)
    return (size, long) if width <= height else (long, size)


def pillow(image, size):
    """OpenAI's order: resize, centre crop, RGB."""
    w, h = target(image.height, image.width, size)
    top, left = round((h - size) / 2), round((w - size) / 2)
    return np.asarray(image.resize((w, h), BICUBIC).crop((left, top, left + size, top + size)).convert("RGB"))


def odd_images():
    """One picture of each mode and shape that trips programs."""
    rgb = Image.fromarray(noise((61, 83, 3)))
    clear = rgb.quantize(32)
    clear.info["transparency"] = 3
    rgba = Image.fromarray(noise((70, 45, 4)))
    odd = {
        "palette": rgb.quantize(64), "palette, transparent": clear, "1-bit": rgb.convert("1"), "grey": rgb.convert("L"),
        "grey, alpha": rgba.convert("LA"), "alpha": rgba, "CMYK": rgb.convert("CMYK"), "YCbCr": rgb.convert("YCbCr"),
        "HSV": rgb.convert("HSV"), "LAB": Image.frombytes("LAB", (83, 61), noise((61, 83, 3)).tobytes()),
        "float": Image.fromarray(noise((40, 30)).astype(np.float32)),
        "int": Image.fromarray(noise((40, 30)).astype(np.int32) * 7),
        "16-bit": Image.fromarray(noise((40, 90)).astype(np.uint16) * 257),
        "1 x 1": Image.fromarray(noise((1, 1, 3))), "1 x 1 alpha": Image.fromarray(noise((1, 1, 4))),
        "tall alpha": Image.fromarray(noise((400, 60, 4))),
        "tall palette": Image.fromarray(noise((400, 60, 3))).quantize(9),
        "tall float": Image.fromarray(noise((400, 60)).astype(np.float32)),
    }  # fmt: skip
    if VERSION < (11, 0):
        del odd["16-bit"]  # which Pillow could not filter
    return odd


ODD = odd_images()


@pytest.mark.parametrize("name", ODD)
def test_modes(name):
    image = ODD[name]
    for size in (1, 17, 32, 64):
        want = image.resize(target(image.height, image.width, size), BICUBIC)
        got = vn.images.resize(image, size)
        assert got.dtype == np.asarray(want).dtype
        np.testing.assert_array_equal(got, np.asarray(want))
        tensor = vn.images.preprocess([image], size)[0]
        np.testing.assert_array_equal(tensor, twin.normalise(pillow(image, size), MEAN, STD))
        first = vn.images.preprocess(image, size, convert_first=True)[0]
        np.testing.assert_array_equal(first, twin.normalise(pillow(image.convert("RGB"), size), MEAN, STD))


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("size", [32, 64, 224, 336])
def test_noise(size, hard):
    rng = np.random.default_rng(size)
    pairs = [(h, w) for h in SIZES for w in SIZES if max(h, w) <= 60 * min(h, w) and h * w < 450_000]
    for i in rng.choice(len(pairs), 24, replace=False):
        pixels = noise((*pairs[i], 3), hard=hard)
        want = pillow(Image.fromarray(pixels), size)
        np.testing.assert_array_equal(vn.images.preprocess(pixels, size)[0], twin.normalise(want, MEAN, STD))


@pytest.mark.slow
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("size", [32, 64, 224, 336])
def test_noise_all_sizes(size, hard):
    for height in SIZES:
        for width in SIZES:
            if max(height, width) <= 60 * min(height, width):
                pixels = noise((height, width, 3), hard=hard)
                want = np.asarray(Image.fromarray(pixels).resize(target(height, width, size), BICUBIC))
                np.testing.assert_array_equal(vn.images.resize(pixels, size), want)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3000, 17), (17, 3000), (1, 7), (2, 3)])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_extreme_shapes(shape, channels):
    pixels = noise(shape + channels)
    for size in (1, 5, 20):
        image = Image.fromarray(pixels[..., 0] if channels == (1,) else pixels)
        want = np.asarray(image.resize(target(*shape, size), BICUBIC))
        got = vn.images.resize(pixels, size)
        assert got.ndim == pixels.ndim and got.dtype == np.uint8
        np.testing.assert_array_equal(got, want[..., None] if channels == (1,) else want)
    if channels == (3,) and max(shape) < 3000:
        assert vn.images.preprocess(pixels, 224).shape == (1, 3, 224, 224)


def test_random_sizes():
    rng = np.random.default_rng(1)
    for i in range(120):
        height, width = (int(x) for x in rng.integers(1, 260, 2))
        height *= 1 + 7 * (i % 3 == 0)  # tall ones show the order of the passes
        pixels, size = noise((height, width, 3), i, hard=i % 2 == 0), int(rng.integers(1, 90))
        want = np.asarray(Image.fromarray(pixels).resize(target(height, width, size), BICUBIC))
        np.testing.assert_array_equal(vn.images.resize(pixels, size), want)


@pytest.mark.parametrize("order", ["horizontal", "pillow12", "pillow13"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 7, 1), (210, 2, 3), (17, 3, 3), (33, 17, 1), (90, 20, 3), (65, 9, 3)])
def test_twin(shape, order):
    pixels = noise(shape, 5)
    for size in (1, 2, 3, 7, 17, 33):
        w, h = target(*shape[:2], size)
        np.testing.assert_array_equal(vn.images.resize(pixels, size, order=order), twin.resize(pixels, h, w, order))
        if shape[2] == 3:
            got = vn.images.preprocess(pixels, size, order=order)[0]
            np.testing.assert_array_equal(got, twin.preprocess(pixels, size, MEAN, STD, order))


# the first shows the rule of Pillow 13, the second those of 12 and 13
@pytest.mark.parametrize("shape, size", [((300, 40), 30), ((1210, 12), 6), ((1200, 12), 6)])
def test_order(shape, size):
    """Each rule, whichever Pillow is installed: one pass of Pillow at a time."""
    pixels = noise((*shape, 3), 2)
    image, w, h = Image.fromarray(pixels), *target(*shape, size)
    horizontal = np.asarray(image.resize((w, shape[0]), BICUBIC).resize((w, h), BICUBIC))
    vertical = np.asarray(image.resize((shape[1], h), BICUBIC).resize((w, h), BICUBIC))
    assert (horizontal != vertical).any()
    want = {"horizontal": horizontal, "pillow12": vertical if shape[0] == 1210 else horizontal, "pillow13": vertical}
    for order, pixels_wanted in want.items():
        np.testing.assert_array_equal(vn.images.resize(pixels, size, order=order), pixels_wanted)
        opaque = vn.images.resize(image.convert("RGBA"), size, order=order)
        np.testing.assert_array_equal(opaque[..., :3], pixels_wanted)
        grey = Image.fromarray(pixels[..., 0].astype(np.float32))
        passes = [(w, shape[0]), (w, h)] if pixels_wanted is horizontal else [(shape[1], h), (w, h)]
        floats = grey.resize(passes[0], BICUBIC).resize(passes[1], BICUBIC)
        np.testing.assert_array_equal(vn.images.resize(grey, size, order=order), np.asarray(floats))
    np.testing.assert_array_equal(vn.images.resize(pixels, size), want[INSTALLED])


def test_order_digest():
    ramp = (np.arange(300 * 40 * 3) ** 2 % 251).astype(np.uint8).reshape(300, 40, 3)
    for order, digest in DIGESTS.items():
        assert hashlib.sha256(vn.images.resize(ramp, 30, order=order).tobytes()).hexdigest() == digest


DIGESTS = {
    "horizontal": "66a7efd2d89527745a1761efb6038998bc0cf16245b91c096b8adb8d1f54a7cc",
    "pillow13": "32abf579e29a2e28295d982a16441fd17bf74ee9cbe1dcf9c5975e2da2d37c20",
}


def test_table():
    assert hashlib.sha256(vn.images._table(MEAN, STD).astype("<f4").tobytes()).hexdigest() == (
        "5d23c0b115c373c73875b37dce36aa6a54af484dd4332d5f9d07d6ebecb20900"
    )


@pytest.mark.parametrize("margin", range(8))
def test_crop_margins(margin):
    for shape in ((50, 50 + margin, 3), (50 + margin, 50, 3)):
        pixels = noise(shape, margin)
        want = twin.normalise(pillow(Image.fromarray(pixels), 50), MEAN, STD)
        np.testing.assert_array_equal(vn.images.preprocess(pixels, 50)[0], want)
        start = {0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 5: 2, 6: 3, 7: 4}[margin]
        part = pixels[:, start : start + 50] if shape[0] == 50 else pixels[start : start + 50]
        np.testing.assert_array_equal(want, twin.normalise(part, MEAN, STD))


def test_photographs(shared):
    files = sorted((shared / "coco" / "images").iterdir())
    tensor, digest = vn.images.preprocess(files), hashlib.sha256()
    table = vn.images._table(MEAN, STD)
    for file, picture in zip(files, tensor, strict=True):
        image = Image.open(file)
        want = pillow(image, 224)
        np.testing.assert_array_equal(picture, twin.normalise(want, MEAN, STD))
        bytes_ = [np.searchsorted(row, channel) for row, channel in zip(table, picture, strict=True)]
        digest.update(np.stack(bytes_, -1).astype(np.uint8).tobytes())
    assert len(files) == 118
    assert digest.hexdigest() == "5892759d866f60a12aec1f4d7010f95d7006b8d09f5904e2c034feac839520bb"


def test_whole_photographs(shared):
    for file in sorted((shared / "coco" / "train_images").iterdir())[:12]:
        image = Image.open(file)
        want = np.asarray(image.resize(target(image.height, image.width, 224), BICUBIC))
        np.testing.assert_array_equal(vn.images.resize(file, 224), want)


def encode(image, **options):
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def test_decode(tmp_path):
    image = Image.fromarray(noise((20, 30, 3)))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(image, format="PNG", exif=exif)
    (tmp_path / "a.png").write_bytes(data)
    sources = [data, bytearray(data), io.BytesIO(data), tmp_path / "a.png", str(tmp_path / "a.png"), image,
               np.asarray(image), Image.open(tmp_path / "a.png")]  # fmt: skip
    for source in sources:
        np.testing.assert_array_equal(np.asarray(vn.images.decode(source)), np.asarray(image))  # and not rotated
    batch = vn.images.preprocess([data, tmp_path / "a.png", image, np.asarray(image)], 16)
    assert (batch == batch[0]).all()
    np.testing.assert_array_equal(vn.images.resize(data, 10), np.asarray(image.resize((15, 10), BICUBIC)))


def test_decode_refuses(tmp_path, monkeypatch):
    good = encode(Image.fromarray(noise((64, 64, 3))), format="JPEG")
    for name, data in {"cut.jpg": good[: len(good) // 2], "text.jpg": b"no picture", "empty.png": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(vn.images.ImageError, match=name):
            vn.images.decode(tmp_path / name)
        with pytest.raises(vn.images.ImageError, match="bytes"):
            vn.images.decode(data)
    with pytest.raises(vn.images.ImageError, match="cut.jpg"):
        vn.images.preprocess([good, tmp_path / "cut.jpg", good, good])
    with pytest.raises(vn.images.ImageError, match="cut.jpg"):
        vn.images.resize(tmp_path / "cut.jpg", 32)
    with pytest.raises(vn.images.ImageError):
        vn.images.resize(Image.open(tmp_path / "cut.jpg"), 32)
    with pytest.raises(FileNotFoundError, match="missing.jpg"):
        vn.images.decode(tmp_path / "missing.jpg")
    with pytest.raises(TypeError, match="path, bytes"):
        vn.images.decode(3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(vn.images.ImageError, match="decompression bomb"):
        vn.images.decode(good)


def test_refuses():
    pixels = noise((8, 8, 3))
    for bad, error, match in [
        (pixels.astype(np.float32), TypeError, "uint8, got float32; scale"),
        (pixels.astype(np.int64), TypeError, "uint8, got int64"),
        (pixels[..., :2], ValueError, "C in 1, 3, 4"),
        (pixels[0, 0], ValueError, "must have shape"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, "at least one pixel"),
        (np.zeros((8, 0), np.uint8), ValueError, "at least one pixel"),
    ]:
        for call in (lambda x: vn.images.resize(x, 4), lambda x: vn.images.preprocess([x], 4), vn.images.decode):
            with pytest.raises(error, match=match):
                call(bad)
    for size, error in [(0, ValueError), (-3, ValueError), (16385, ValueError), (3.5, TypeError), (True, TypeError)]:
        for call in (lambda s: vn.images.resize(pixels, s), lambda s: vn.images.preprocess([pixels], s)):
            with pytest.raises(error, match="size must be"):
                call(size)
    with pytest.raises(ValueError, match="larger than"):
        vn.images.resize(np.zeros((1, 2000), np.uint8), 10000)
    for empty in ([], (), np.zeros((0, 8, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match="at least one picture"):
            vn.images.preprocess(empty)
    with pytest.raises(ValueError, match="std must be three finite numbers, all positive"):
        vn.images.preprocess(pixels, 4, std=(1, 0, 1))
    with pytest.raises(ValueError, match="mean must be three"):
        vn.images.preprocess(pixels, 4, mean=(np.nan, 0, 0))
    with pytest.raises(ValueError, match="order must be"):
        vn.images.resize(pixels, 4, order="vertical")
    with pytest.raises(TypeError, match="mean must be three numbers"):
        vn.images.preprocess(pixels, 4, mean=0.5)
    with pytest.raises(TypeError, match="scale must be two numbers"):
        vn.images.augment(pixels, 4, seed=0, rows=[0], scale="wide")
    for options, match in [
        ({"rows": [1, 2]}, "2 rows and 1 pictures"),
        ({"rows": [-1]}, "rows must be"),
        ({"rows": [0.5]}, "rows must be"),
        ({"rows": [2**64]}, "rows must be"),
        ({"rows": 3}, "rows must be"),
        ({"scale": (0, 1)}, "scale must be"),
        ({"scale": (0.5, 1.1)}, "scale must be"),
        ({"ratio": (2, 1)}, "ratio must be"),
        ({"ratio": (1, np.inf)}, "ratio must be"),
        ({"ratio": (np.nan, 1)}, "ratio must be"),
        ({"seed": -1}, "seed must be"),
    ]:
        with pytest.raises(ValueError, match=match):
            vn.images.augment([pixels], 4, **{"seed": 0, "rows": [0], **options})


def test_core_refuses():
    pixels, plan, table = noise((8, 8, 3)), np.array([4, 4, 0, 0, 4, 4]), np.zeros((3, 256), np.float32)
    for bad in (pixels[:, ::2], pixels[..., ::-1], noise((8, 8, 5))):
        with pytest.raises(ValueError, match="a picture|the rows of a picture"):
            _core.image_resize(bad, plan, 0)
    windows = [[4, 4, 0, 0, 5, 4], [4, 4, -1, 0, 4, 4], [0, 4, 0, 0, 0, 4], [4, 4, 0, 2, 4, 3], [4, 4, 2**62, 0, 4, 4]]
    for bad in windows:
        with pytest.raises(ValueError, match="window must lie"):
            _core.image_resize(pixels, np.array(bad), 0)
    with pytest.raises(ValueError, match="order must be"):
        _core.image_resize(pixels, plan, 3)
    with pytest.raises(TypeError, match="uint8 array"):
        _core.image_resize(pixels.tolist(), plan, 0)
    two = np.stack([plan, [4, 4, 0, 0, 3, 4]])
    with pytest.raises(ValueError, match="one size"):
        _core.image_tensor((pixels, pixels), two, np.zeros(2, np.uint8), table, 0)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        _core.image_tensor((noise((8, 8, 4)),), plan[None], np.zeros(1, np.uint8), table, 0)
    with pytest.raises(ValueError, match="a row for each picture"):
        _core.image_tensor((pixels,), two, np.zeros(2, np.uint8), table, 0)
    with pytest.raises(TypeError, match="at least one picture"):
        _core.image_tensor((), two[:0], np.zeros(0, np.uint8), table, 0)
    with pytest.raises(ValueError, match="sizes must be"):
        _core.image_boxes(np.array([[0, 3]]), np.ones(2), np.ones(2), 0, np.zeros(1, np.uint64))


def test_any_layout():
    """Crops, strides and read-only arrays are as good as fresh ones, and inputs stay as they were."""
    pixels = noise((60, 90, 3))
    before = pixels.copy()
    pixels.flags.writeable = False
    views = [pixels[3:40, 5:71], pixels[::2], pixels[:, ::2], pixels[::-1, ::-1], pixels.swapaxes(0, 1), pixels[..., 1]]
    for view in views:
        np.testing.assert_array_equal(vn.images.resize(view, 17), vn.images.resize(view.copy(), 17))
        np.testing.assert_array_equal(vn.images.preprocess(view, 17), vn.images.preprocess([view.copy()], 17))
    np.testing.assert_array_equal(pixels, before)
    batch = noise((3, 20, 30, 3))
    np.testing.assert_array_equal(vn.images.preprocess(batch, 8), vn.images.preprocess(list(batch), 8))


BOXES = [((0.9, 1.0), (3 / 4, 4 / 3)), ((0.08, 1.0), (3 / 4, 4 / 3)), ((1.0, 1.0), (1.0, 1.0)), ((0.5, 0.5), (0.1, 9))]


@pytest.mark.parametrize("scale, ratio", BOXES)
def test_boxes(scale, ratio):
    shapes = np.array([(1, 1), (1, 50), (50, 1), (480, 640), (640, 480), (17, 3), (300, 100), (1001, 1000)])
    for visit in range(6):
        rows = np.arange(len(shapes), dtype=np.uint64) + np.uint64(visit << 32)
        boxes, mirror = _core.image_boxes(shapes, np.array(scale), np.array(ratio), 2**63 + 5, rows)
        for (H, W), row, box, flag in zip(shapes.tolist(), rows.tolist(), boxes.tolist(), mirror, strict=True):
            assert tuple(box) == twin.box(H, W, scale, ratio, 2**63 + 5, row)
            assert flag == twin.mirror(2**63 + 5, row)
            top, left, h, w = box
            assert h > 0 and w > 0 and 0 <= top <= H - h and 0 <= left <= W - w


def test_box_spread():
    """On a square no try is refused: area is uniform, aspect log-uniform, place uniform, the mirror fair."""
    n = 4000
    boxes, mirror = _core.image_boxes(np.full((n, 2), 4000), np.array([0.3, 0.5]), np.array([0.5, 2.0]), 1,
                                      np.arange(n, dtype=np.uint64))  # fmt: skip
    top, left, h, w = boxes.T
    for sample, low, high in [
        (h * w / 4000**2, 0.3, 0.5), (np.log2(w / h), -1, 1), (top / (4000 - h), 0, 1), (left / (4000 - w), 0, 1),
    ]:  # fmt: skip
        counts = np.histogram(sample, 8, (low - 1e-3, high + 1e-3))[0]
        assert counts.sum() == n and abs(counts - n / 8).max() < 5 * np.sqrt(n / 8)
    assert abs(mirror.mean() - 0.5) < 0.04


@pytest.mark.parametrize("flip", [False, True])
def test_augment(flip):
    pictures = [noise((40, 60, 3), 1), noise((200, 30, 3), 2), noise((17, 17, 3), 3), noise((3, 90, 3), 4)]
    rows = [5, 1 << 32, 2**64 - 1, 9]
    got = vn.images.augment(pictures, 24, seed=7, rows=rows, scale=(0.4, 1), flip=flip)
    for pixels, row, picture in zip(pictures, rows, got, strict=True):
        top, left, h, w = twin.box(*pixels.shape[:2], (0.4, 1), (3 / 4, 4 / 3), 7, row)
        want = Image.fromarray(pixels).crop((left, top, left + w, top + h)).resize((24, 24), BICUBIC)
        want = np.asarray(want)[:, ::-1] if flip and twin.mirror(7, row) else np.asarray(want)
        np.testing.assert_array_equal(picture, twin.normalise(want, MEAN, STD))
        np.testing.assert_array_equal(
            picture, twin.augment(pixels, 24, 7, row, (0.4, 1), (3 / 4, 4 / 3), flip, MEAN, STD, INSTALLED)
        )


def test_augment_modes():
    names = list(ODD)
    got = vn.images.augment([ODD[n] for n in names], 16, seed=3, rows=range(len(names)))
    for row, name in enumerate(names):
        top, left, h, w = twin.box(ODD[name].height, ODD[name].width, (0.9, 1.0), (3 / 4, 4 / 3), 3, row)
        want = ODD[name].crop((left, top, left + w, top + h)).resize((16, 16), BICUBIC).convert("RGB")
        np.testing.assert_array_equal(got[row], twin.normalise(np.asarray(want), MEAN, STD), err_msg=name)


def test_same_bits():
    """Any number of threads, any split of the batch."""
    pictures = [noise((30 + 7 * i, 50 + 3 * i, 3), i) for i in range(9)] + [ODD["palette"], ODD["alpha"]]
    rows = list(range(11))
    results = []

    def both(pictures, rows):
        random = vn.images.augment(pictures, 33, seed=1, rows=rows, flip=True)
        return vn.images.preprocess(pictures, 33), random

    threads = _core.threads()
    try:
        for n in (1, 2, 4):
            _core.set_threads(n)
            results.append(both(pictures, rows))
    finally:
        _core.set_threads(threads)
    single = [both([picture], [row]) for picture, row in zip(pictures, rows, strict=True)]
    results.append(tuple(np.concatenate(x) for x in zip(*single, strict=True)))
    for plain, random in results[1:]:
        np.testing.assert_array_equal(plain, results[0][0])
        np.testing.assert_array_equal(random, results[0][1])


def test_python_threads(tmp_path):
    """Many callers at once, sharing one file that Pillow has not read yet."""
    Image.fromarray(noise((90, 120, 3))).save(tmp_path / "a.png")
    want = vn.images.preprocess(tmp_path / "a.png", 32)[0]
    lazy = Image.open(tmp_path / "a.png")
    assert (vn.images.preprocess([lazy] * 8, 32) == want).all()
    wrong = []

    def work():
        for _ in range(10):
            wrong.extend(p for p in vn.images.preprocess([tmp_path / "a.png"] * 3, 32) if (p != want).any())

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
