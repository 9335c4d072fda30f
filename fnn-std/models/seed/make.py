"""Makes the network of fnn-embedded/firmware/peers/seed.rs as a model, to the bit.

It has learnt nothing: `cargo xtask firmware` and `cargo xtask size` take the networks that they
replay and weigh from models.
"""

import numpy as np
from safetensors.numpy import save_file

WIDTHS = [4, 32, 32, 32, 32, 32, 3]

state = 1


def numbers(*shape):
    """Multiples of 2⁻²⁴ from −½ to ½, row by row: the generator of seed.rs."""
    global state
    array = np.empty(shape, np.float32)
    for i in range(array.size):
        state = (state * 1664525 + 1013904223) % 2**32
        array.flat[i] = ((state >> 8) - 2**23) / 2**24
    return array


layers = range(len(WIDTHS) - 1)
weight, bias = {}, {}
# The order of seed.rs: the weights of all hidden layers come before their biases.
for group in [layers[:1], layers[1:-1], layers[-1:]]:
    for layer in group:
        weight[layer] = numbers(WIDTHS[layer + 1], WIDTHS[layer])
    for layer in group:
        bias[layer] = numbers(WIDTHS[layer + 1])

tensors = {}
for layer in layers:
    tensors[f"{layer}.weight"] = weight[layer]
    tensors[f"{layer}.bias"] = bias[layer]
activations = ",".join(["mish"] * (len(WIDTHS) - 2) + ["identity"])
save_file(tensors, "seed.safetensors", metadata={"activations": activations})

# The first one is that of `cargo xtask firmware --peer`, whose counts are found again.
inputs = [[0.5, -0.25, 0.125, 1.0], *np.random.default_rng(1).normal(size=(7, 4))]
np.save("inputs.npy", np.array(inputs, np.float32))
