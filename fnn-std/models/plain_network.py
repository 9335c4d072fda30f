"""What the two training scripts share: the network, its training, and the files made from it.

A network is a list of layers (weight, bias, activation name), weight being [out, in] as in PyTorch.
Everything here computes in float64; a float32 model is rounded once, when training is over.
"""

import json
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import mpmath
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from safetensors.numpy import save
from scipy.optimize import minimize


def mish(x):
    """x * tanh(log(1 + exp(x))), written so that no exponential overflows and nothing cancels.

    With q = exp(-|x|), tanh(log(1 + exp(x))) is a ratio of sums of positive terms on either side of 0.
    """
    positive = x >= 0
    q = jnp.exp(jnp.where(positive, -x, x))
    above = jnp.where(positive, 1 + 2 * q, q * (q + 2))
    below = above + jnp.where(positive, 2 * q * q, 2)
    return x * (above / below)


ACTIVATIONS = {"mish": mish, "tanh": jnp.tanh, "identity": lambda x: x}


def forward(weights, activations, x):
    """The network's output for one input vector, or for a batch of them in rows."""
    for (weight, bias), activation in zip(weights, activations):
        x = ACTIVATIONS[activation](x @ weight.T + bias)
    return x


def initial_weights(sizes, rng):
    """Random weights with variance 1 / fan-in and zero biases, for layers of the given sizes."""
    return [
        (rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), np.zeros(n_out))
        for n_in, n_out in zip(sizes[:-1], sizes[1:])
    ]


def train(weights, activations, data, validation, rng, adam_epochs, batch, learning_rate, lbfgs_steps):
    """Minimises the mean squared error: Adam with a cosine decay first, then L-BFGS on all the data.

    `data` and `validation` are pairs (inputs, targets), already normalised; rows of `data` beyond a
    whole number of batches sit out. Adam finds the basin;
    L-BFGS, which sees the whole data set and its curvature, then takes the error down much further.
    """
    inputs, targets = (jnp.asarray(a) for a in data)
    count = len(inputs) // batch * batch
    start = time.time()

    def loss(weights, x, y):
        return jnp.mean((forward(weights, activations, x) - y) ** 2)

    validation_loss = jax.jit(lambda weights: loss(weights, *validation))
    schedule = optax.cosine_decay_schedule(learning_rate, adam_epochs * (count // batch))
    adam = optax.adam(schedule)

    @jax.jit
    def epoch(weights, state, order):
        def step(carry, rows):
            weights, state = carry
            gradient = jax.grad(loss)(weights, inputs[rows], targets[rows])
            change, state = adam.update(gradient, state)
            return (optax.apply_updates(weights, change), state), None

        return jax.lax.scan(step, (weights, state), order)[0]

    weights = jax.tree.map(jnp.asarray, weights)
    state = adam.init(weights)
    for number in range(1, adam_epochs + 1):
        order = rng.permutation(len(inputs))[:count].reshape(-1, batch)
        weights, state = epoch(weights, state, order)
        if number % 250 == 0:
            print(f"Adam epoch {number}: validation {validation_loss(weights):.3e}, {time.time() - start:.0f} s", flush=True)

    flat, unravel = ravel_pytree(weights)
    batches = [a[:count].reshape(-1, batch, a.shape[1]) for a in (inputs, targets)]

    @jax.jit
    def value_and_gradient(flat):
        # Batch by batch, which is several times faster than all at once: a batch stays in the cache.
        def add(total, pair):
            return jax.tree.map(jnp.add, total, jax.value_and_grad(lambda f: loss(unravel(f), *pair))(flat)), None

        total = jax.lax.scan(add, (0.0, jnp.zeros_like(flat)), batches)[0]
        return jax.tree.map(lambda t: t / len(batches[0]), total)

    steps = 0

    def objective(flat):
        value, gradient = value_and_gradient(flat)
        return float(value), np.asarray(gradient)

    def progress(flat):
        nonlocal steps
        steps += 1
        if steps % 500 == 0:
            print(f"L-BFGS step {steps}: validation {validation_loss(unravel(flat)):.3e}, {time.time() - start:.0f} s", flush=True)

    # The tolerances are switched off: the number of steps alone decides when training ends.
    options = {"maxiter": lbfgs_steps, "maxfun": 2 * lbfgs_steps, "maxcor": 100, "ftol": 0, "gtol": 0}
    result = minimize(objective, np.asarray(flat), jac=True, method="L-BFGS-B", callback=progress, options=options)
    print(f"training took {time.time() - start:.0f} s, {steps} L-BFGS steps, final loss {result.fun:.3e}")
    return [(np.asarray(w), np.asarray(b)) for w, b in unravel(jnp.asarray(result.x))]


def fold(weights, input_mean, input_scale, output_mean, output_scale):
    """Takes the normalisation into the first and the last layer, so the network maps plain quantities.

    The last activation must be the identity.
    """
    (first, first_bias), *_ = weights
    weights = [(first / input_scale, first_bias - first @ (input_mean / input_scale)), *weights[1:]]
    *_, (last, last_bias) = weights
    return [*weights[:-1], (last * output_scale[:, None], last_bias * output_scale + output_mean)]


def exact_jacobian(weights, activations, x):
    """The Jacobian at one input, by the chain rule in 50-digit arithmetic: a check on the one from JAX."""

    def mish_derivative(x):
        softplus = mpmath.log1p(mpmath.exp(x))
        return mpmath.tanh(softplus) + x * mpmath.sech(softplus) ** 2 / (1 + mpmath.exp(-x))

    pairs = {
        "mish": (lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), mish_derivative),
        "tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
        "identity": (lambda x: x, lambda x: mpmath.mpf(1)),
    }
    with mpmath.workdps(50):
        a = mpmath.matrix(x.tolist())
        jacobian = mpmath.eye(len(x))
        for (weight, bias), activation in zip(weights, activations):
            value, derivative = pairs[activation]
            weight = mpmath.matrix(weight.tolist())
            z = weight * a + mpmath.matrix(bias.tolist())
            a = z.apply(value)
            jacobian = mpmath.diag([derivative(v) for v in z]) * (weight * jacobian)
        return np.array(jacobian.tolist(), dtype=np.float64)


def safetensors_bytes(tensors, metadata):
    """The bytes of a safetensors file, the same on every run: the library shuffles the metadata's order."""
    data = save(tensors, metadata)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length]) | {"__metadata__": metadata}
    return data[:8] + json.dumps(header, separators=(",", ":")).encode().ljust(length) + data[8 + length :]


def write_files(folder, name, weights, activations, input_names, output_names, inputs):
    """Writes NAME.safetensors, inputs.npy, value.npy and jacobian.npy; returns the reference values.

    Weights and inputs come in the model's own type. The reference widens them to float64, so it is
    the exact answer for the numbers stored in the files, up to float64 rounding.
    """
    folder = Path(folder)
    tensors = {}
    for layer, (weight, bias) in enumerate(weights):
        # The activations take the odd numbers, as modules of PyTorch's nn.Sequential do.
        tensors[f"{2 * layer}.weight"] = np.ascontiguousarray(weight)
        tensors[f"{2 * layer}.bias"] = np.ascontiguousarray(bias)
    metadata = {
        "activations": ",".join(activations),
        "inputs": ",".join(input_names),
        "outputs": ",".join(output_names),
    }
    (folder / f"{name}.safetensors").write_bytes(safetensors_bytes(tensors, metadata))

    wide = jax.tree.map(lambda a: jnp.asarray(a, dtype=jnp.float64), weights)
    wide_inputs = jnp.asarray(inputs, dtype=jnp.float64)
    network = lambda x: forward(wide, activations, x)
    value = np.asarray(jax.vmap(network)(wide_inputs))
    jacobian = np.asarray(jax.vmap(jax.jacfwd(network))(wide_inputs))
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "value.npy", value)
    np.save(folder / "jacobian.npy", jacobian)

    worst = 0.0
    for sample in range(0, len(inputs), len(inputs) // 5):
        exact = exact_jacobian(wide, activations, np.asarray(wide_inputs[sample]))
        largest = np.abs(exact).max(axis=1, keepdims=True)
        worst = max(worst, (np.abs(jacobian[sample] - exact) / largest).max())
    print(f"Jacobian from JAX against 50 digits: largest difference {worst:.1e} of its row's largest entry")
    return value, jacobian


def print_errors(names, predicted, truth, before):
    """Prints the held-out errors per output; `before` is the guess that nothing changes over the step."""
    print("| output | RMSE | max error | 1 − R² | RMSE, nothing changes | ratio |")
    print("|---|---|---|---|---|---|")
    for i, name in enumerate(names):
        error = predicted[:, i] - truth[:, i]
        rmse = np.sqrt(np.mean(error**2))
        trivial = np.sqrt(np.mean((before[:, i] - truth[:, i]) ** 2))
        unexplained = np.mean(error**2) / np.var(truth[:, i])
        print(f"| {name} | {rmse:.2e} | {np.abs(error).max():.2e} | {unexplained:.1e} | {trivial:.2e} | {trivial / rmse:.0f} |")
