"""How much SSIMULACRA2 falls with the error of each DCT coefficient: the tables in `codec/tables.py`.

    python benchmarks/ssimulacra2_sensitivity.py --data PICTURES [--qualities 50 75 90] [--limit N]

The measure is written down once more in TensorFlow, which gives its gradient g with respect to the decoded pixels. Made
smaller by a share s, the error e of a coefficient would raise the score by s·(−g·e). Summed over all blocks and divided
by the sum of e², that is what one unit of squared error costs at this position. Chroma is taken at half the resolution,
as 4:2:0 has it. Printed are the tables for luma and chroma (geometric mean of Cb and Cr, of the qualities, and of both
directions), over the mean of luma.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from ssimulacra2 import ssimulacra2 as published

import codec
from codec import reference
from codec.transform import DCT_BASIS

SIGMA = 1.5
RADIUS = 5
SCALES = 6
LINEAR = 0.04045
"""Value of sRGB up to which its transfer function is a straight line (IEC 61966-2-1)."""
LEAST = 0.05
"""Least sensitivity, over the mean of luma: smaller ones are noise."""

_OFFSETS = np.arange(-RADIUS, RADIUS + 1)
_WINDOW = np.exp(-(_OFFSETS**2) / (2 * SIGMA**2))
GAUSSIAN = (_WINDOW / _WINDOW.sum()).astype(np.float32)
OPSIN = published.kOpsinAbsorbanceMatrix.reshape(3, 3).astype(np.float32)
BIAS = np.float32(published.kB0)
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def linear_light(rgb: tf.Tensor) -> tf.Tensor:
    """Undo the transfer function of sRGB, `[h,w,3]` in 0..255."""
    value = rgb / 255
    return tf.where(value <= LINEAR, value / 12.92, ((tf.maximum(value, LINEAR) + 0.055) / 1.055) ** 2.4)


def positive_xyb(light: tf.Tensor) -> tf.Tensor:
    """Turn linear light into the measure's three planes."""
    mixed = tf.maximum(tf.tensordot(light, tf.constant(OPSIN.T), 1) + BIAS, 1e-9)
    root = mixed ** (1 / 3) - np.cbrt(BIAS)
    x, y, b = (root[..., 0] - root[..., 1]) / 2, (root[..., 0] + root[..., 1]) / 2, root[..., 2]
    return tf.stack([14 * x + 0.42, y + 0.01, b - y + 0.55], -1)


def blur(planes: tf.Tensor) -> tf.Tensor:
    """Smooth `[h,w,c]` with the Gaussian window."""
    padded = tf.pad(planes, [[RADIUS, RADIUS], [RADIUS, RADIUS], [0, 0]], "SYMMETRIC")
    stack = tf.transpose(padded, [2, 0, 1])[..., None]
    stack = tf.nn.conv2d(stack, GAUSSIAN[:, None, None, None], 1, "VALID")
    stack = tf.nn.conv2d(stack, GAUSSIAN[None, :, None, None], 1, "VALID")
    return tf.transpose(stack[..., 0], [1, 2, 0])


def maps(original: tf.Tensor, copy: tf.Tensor) -> list[tf.Tensor]:
    """Return the maps of dissimilarity, of edges that were added and of edges that were lost, at one scale."""
    mean, copied, own, other, common = tf.split(
        blur(tf.concat([original, copy, original**2, copy**2, original * copy], -1)), 5, -1
    )
    structure = (2 * (common - mean * copied) + published.kC2) / (own - mean**2 + other - copied**2 + published.kC2)
    edges = (1 + tf.abs(copy - copied)) / (1 + tf.abs(original - mean)) - 1
    return [tf.nn.relu(1 - (1 - (mean - copied) ** 2) * structure), tf.nn.relu(edges), tf.nn.relu(-edges)]


def score(original: tf.Tensor, copy: tf.Tensor) -> tf.Tensor:
    """Return SSIMULACRA2 of two pictures `float32[h,w,3]` in 0..255."""
    scales = []
    light = [linear_light(original), linear_light(copy)]
    for scale in range(SCALES):
        if scale:
            light = [tf.nn.avg_pool2d(picture[None], 2, 2, "SAME")[0] for picture in light]
        scales.append(
            [
                (tf.reduce_mean(found, [0, 1]), (tf.reduce_mean(found**4, [0, 1]) + 1e-20) ** 0.25)
                for found in maps(*(positive_xyb(picture) for picture in light))
            ]
        )
    norms = [
        scales[scale][kind][norm][channel]
        for channel in range(3)
        for scale in range(SCALES)
        for norm in range(2)
        for kind in range(3)
    ]
    total = tf.tensordot(tf.stack(norms), tf.constant(published.weights, tf.float32), 1) * 0.9562382616834844
    total = 2.326765642916932 * total - 0.020884521182843837 * total**2 + 6.248496625763138e-05 * total**3
    return 100 - 10 * tf.maximum(total, 1e-6) ** 0.6276336467831387


def blocks(plane: np.ndarray) -> np.ndarray:
    """DCT coefficients `[rows,columns,8,8]` of the whole blocks of a plane."""
    height, width = (side // 8 * 8 for side in plane.shape)
    tiles = plane[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    return np.asarray(DCT_BASIS @ tiles @ DCT_BASIS.T)


def halved(plane: np.ndarray) -> np.ndarray:
    """Mean of each 2×2 samples."""
    height, width = (side // 2 for side in plane.shape)
    return np.asarray(plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3)))


def contributions(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Sums over the blocks of −g·e and of e², `[2,3,8,8]`, for the luma and chroma of a file of ours."""
    decoded = reference.decode(codec.encode(pixels, rate=codec.Quality(quality)).data)
    copy = tf.constant(decoded, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(copy)
        value = score(tf.constant(pixels, tf.float32), copy)
    gradient = tape.gradient(value, copy).numpy() @ np.linalg.inv(TO_YCC)
    error = (decoded.astype(float) - pixels) @ TO_YCC.T
    sums = np.zeros((2, 3, 8, 8))
    for channel in range(3):
        falls, errors = gradient[..., channel], error[..., channel]
        if channel:
            falls, errors = 4 * halved(falls), halved(errors)
        sums[0, channel] = -(blocks(falls) * blocks(errors)).sum(axis=(0, 1))
        sums[1, channel] = (blocks(errors) ** 2).sum(axis=(0, 1))
    return sums


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description="what SSIMULACRA2 makes of the error of each coefficient")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--qualities", type=int, nargs="+", default=[50, 75, 90])
    parser.add_argument("--limit", type=int, default=6)
    options = parser.parse_args()
    files = sorted(path for path in options.data.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
    if not files:
        parser.error(f"no pictures in {options.data}")
    files = files[:: max(1, len(files) // options.limit)][: options.limit]
    logs = []
    for quality in options.qualities:
        falls, squares = sum(contributions(np.asarray(Image.open(path).convert("RGB")), quality) for path in files)
        sensitivity = falls / squares
        logs.append(np.log(np.maximum(sensitivity / sensitivity[0].mean(), LEAST)))
    mean = np.mean(logs, axis=0)
    mean = (mean + mean.swapaxes(1, 2)) / 2
    for name, table in (("luma", mean[0]), ("chroma", mean[1:].mean(axis=0))):
        print(name)
        for row in np.exp(table):
            print(" ".join(f"{value:5.2f}" for value in row))


if __name__ == "__main__":
    main()
