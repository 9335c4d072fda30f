"""Writes layers.json, a network with every kind of layer, some of them in each other, and
inputs.csv. It is not trained: it shows that the device has the bits of the desk.

    python make.py
"""

import json
import math
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent


def number(x):
    """The number of f32 nearest to x."""
    return struct.unpack("f", struct.pack("f", x))[0]


def numbers(count, seed):
    return [number(math.sin(0.61 * (k * k + 7 * k + 13 * seed + 1))) for k in range(count)]


def dense(inputs, outputs, seed, activation):
    weight = [numbers(inputs, seed + 3 * i) for i in range(outputs)]
    bias = numbers(outputs, seed + 1)
    return {"dense": {"weight": weight, "bias": bias, "activation": activation}}


def affine(size, seed, activation):
    scale, shift = numbers(size, seed), numbers(size, seed + 5)
    return {"affine": {"scale": scale, "shift": shift, "activation": activation}}


def layer_norm(size, seed):
    scale, shift = numbers(size, seed), numbers(size, seed + 1)
    return {"layer_norm": {"scale": scale, "shift": shift, "epsilon": number(1e-5)}}


def select(inputs, first, count):
    return {"select": {"inputs": inputs, "range": [first, first + count]}}


def residual(*layers):
    return {"residual": {"layers": list(layers)}}


def concat(*branches):
    return {"concat": {"branches": list(branches)}}


LAYERS = [
    affine(6, 1, "identity"),
    residual(dense(6, 4, 2, "mish"), dense(4, 6, 3, "tanh")),
    layer_norm(6, 4),
    concat(
        [select(6, 1, 3), dense(3, 5, 6, "silu")],
        [select(6, 0, 6)],
        [residual(residual(affine(6, 7, "tanh")))],
    ),
    residual(dense(17, 17, 8, "clip(-0.5:1)")),
    residual(dense(17, 17, 9, "clip(-0.5:1)")),
    dense(17, 4, 10, "identity"),
    {"softmax": {"size": 4}},
    affine(4, 11, "softplus"),
]

if __name__ == "__main__":
    model = {"version": 1, "precision": "f32", "layers": LAYERS}
    (FOLDER / "layers.json").write_text(json.dumps(model, indent=1) + "\n")
    rows = [numbers(6, 100 + row) for row in range(16)]
    text = "".join(",".join(map(repr, row)) + "\n" for row in rows)
    (FOLDER / "inputs.csv").write_text(text)
