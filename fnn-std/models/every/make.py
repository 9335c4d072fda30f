"""Makes a network with every activation, random weights and odd widths, and awkward inputs.

It has learnt nothing: `cargo xtask firmware` replays it on the board, in f32 and f64, since the
trained models hold two activations only. `tests/activations.rs` holds the list to the library's.
"""

import numpy as np
from safetensors.numpy import save_file

ACTIVATIONS = (
    "mish,tanh,sigmoid,softplus,silu,gelu,gelu_tanh,relu,leaky_relu(0.1),elu(1.5),selu,softsign,"
    "hard_sigmoid,hard_swish,clip(-2:3),identity"
)
WIDTHS = [3, 33, 17, 5, 9, 31, 7, 15, 21, 6, 13, 11, 19, 8, 12, 10, 4]

random = np.random.default_rng(1)
tensors = {}
for layer, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:])):
    # Spread enough that both branches of each activation are taken.
    weight = random.normal(size=(outputs, inputs)) * 3 / np.sqrt(inputs)
    tensors[f"{layer}.weight"] = weight.astype(np.float32)
    tensors[f"{layer}.bias"] = random.normal(size=outputs).astype(np.float32)
save_file(tensors, "every.safetensors", metadata={"activations": ACTIVATIONS})

ordinary = random.normal(size=(10, 3)) * [0.1, 1, 10]
awkward = [
    [0, 0, 0],
    [-0.0, -0.0, -0.0],
    [1e-40, -1e-40, 1e-45],
    [1e-30, -1e-38, 1e-20],
    [100, -100, 30],
    [1e30, -1e30, 1e25],
]
np.save("inputs.npy", np.vstack([ordinary, awkward]).astype(np.float32))
