"""The edits of `bench.image_ours` as one writes them with OpenCV: of the object that ours drew, and nothing else."""

import cv2
import numpy as np

from bench.image_negatives import photographs
from bench.step import timed

HUES = {"red": 0, "orange": 15, "yellow": 30, "green": 60, "blue": 120, "purple": 142, "pink": 165, "brown": 12}
VALUES = {"black": 38, "white": 230, "grey": 128, "brown": 102}
rng = np.random.default_rng(0)
images, objects, done = [], [], {}


def start():
    cv2.setNumThreads(1)
    for pictures, masks in [photographs()]:
        images.extend(pictures)
        objects.extend(masks)
    return f"OpenCV {cv2.__version__}, NumPy {np.__version__}, 1 thread"


def blend(image, made, mask):
    """Over a soft mask, inside its box."""
    x, y, w, h = cv2.boundingRect(mask)
    part = np.s_[max(y - 1, 0):y + h + 1, max(x - 1, 0):x + w + 1]
    alpha = cv2.blur(mask[part].astype(np.float32), (3, 3))[..., None]
    out = image.copy()
    out[part] = image[part] + (made(image[part]).astype(np.float32) - image[part]) * alpha + 0.5
    return out


def grey(image, masks, edit):
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def blur(image, masks, edit):
    return cv2.GaussianBlur(image, (0, 0), edit["radius"] + 0.5)


def recolour(image, masks, edit):
    def made(part):
        hsv = cv2.cvtColor(part, cv2.COLOR_RGB2HSV)
        if edit["new"] in VALUES:
            hsv[..., 2] = (hsv[..., 2] + 5.0 * VALUES[edit["new"]]) / 6 + 0.5
        if edit["new"] in HUES:
            hsv[..., 0] = HUES[edit["new"]]
            hsv[..., 1] = np.maximum(hsv[..., 1], 90)
        else:
            hsv[..., 1] = 0
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return blend(image, made, masks[edit["object"]])


def remove(image, masks, edit):
    mask = masks[edit["object"]]
    grow = max(1, int(0.03 * np.sqrt(mask.sum())))
    hole = cv2.dilate(mask, np.ones((2 * grow + 3, 2 * grow + 3), np.uint8))
    return cv2.inpaint(image, hole, 3, cv2.INPAINT_TELEA)


def shuffle_patches(image, masks, edit):
    h, w = image.shape[0] // 4, image.shape[1] // 4
    out, order = image.copy(), rng.permutation(16)
    for to, at in enumerate(order):
        out[to // 4 * h:(to // 4 + 1) * h, to % 4 * w:(to % 4 + 1) * w] = image[
            at // 4 * h:(at // 4 + 1) * h, at % 4 * w:(at % 4 + 1) * w]
    return out


def draw(name):
    rows = zip(images, objects, done[name], strict=True)
    return [globals()[name](*row) if row[2] is not None else None for row in rows]


def take(name, theirs, edits):
    """Edits to make, and how far ours are from those: the median over pictures of the mean difference."""
    done[name] = [e if e or name in ("grey", "shuffle_patches") else None for e in edits]
    if name == "shuffle_patches":
        return 0.0  # another order
    pairs = zip(theirs, draw(name), strict=True)
    return float(np.median([np.abs(a.astype(int) - b).mean() for a, b in pairs if b is not None]))


def seconds(name):
    return timed(lambda: draw(name))
