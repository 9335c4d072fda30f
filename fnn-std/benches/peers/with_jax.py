"""Evaluates the networks with JAX on two processors: python with_jax.py FOLDER

It reads a line and answers with one:
    evaluate NETWORK PRECISION INDEX       value and Jacobian, row by row, at the input with this number
    time NETWORK PRECISION EVALUATIONS     nanoseconds of one evaluation of one input
    batch NETWORK PRECISION INPUTS         nanoseconds of one evaluation of so many inputs, in a batch
"""

import functools
import os
import sys
import time

# Before JAX counts them.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import jax
import jax.numpy as jnp
import numpy as np

import networks

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

ACTIVATIONS = {"mish": jax.nn.mish, "silu": jax.nn.silu, "tanh": jnp.tanh}
FORMATS = {"f32": np.float32, "f64": np.float64}
NETWORKS = networks.read(sys.argv[1])


def functions(name, precision):
    """Value and Jacobian of one input, accumulated forward and in reverse."""
    network, number = NETWORKS[name], FORMATS[precision]
    layers = [(jnp.asarray(a, number), jnp.asarray(b, number)) for a, b in network.layers]

    def value(x):
        y = x
        for weight, bias in layers[:-1]:
            y = ACTIVATIONS[network.activation](weight @ y + bias)
        weight, bias = layers[-1]
        y = weight @ y + bias
        return y, y

    return [jax.jacfwd(value, has_aux=True), jax.jacrev(value, has_aux=True)]


@functools.cache
def points(name, precision):
    return [jnp.asarray(x, FORMATS[precision]) for x in NETWORKS[name].points]


def seconds(function, points, evaluations):
    start = time.perf_counter()
    for k in range(evaluations):
        jax.block_until_ready(function(points[k % len(points)]))
    return (time.perf_counter() - start) / evaluations


def faster(functions, points, evaluations):
    """The function that takes the least time, compiled for these points."""

    def least(function):
        function(points[0])
        return min(seconds(function, points, evaluations) for _ in range(5))

    return min(functions, key=least)


@functools.cache
def one(name, precision):
    compiled = [jax.jit(f) for f in functions(name, precision)]
    return faster(compiled, points(name, precision), 20)


@functools.cache
def batch(name, precision, inputs):
    compiled = [jax.jit(jax.vmap(f)) for f in functions(name, precision)]
    rows = jnp.resize(jnp.stack(points(name, precision)), (inputs, NETWORKS[name].inputs))
    return faster(compiled, [rows], 1), [rows]


def answer(request, name, precision, number):
    number = int(number)
    if request == "evaluate":
        jacobian, value = one(name, precision)(points(name, precision)[number])
        numbers = np.concatenate([np.ravel(value), np.ravel(jacobian)])
        return " ".join(repr(float(x)) for x in numbers)
    if request == "time":
        return 1e9 * seconds(one(name, precision), points(name, precision), number)
    function, rows = batch(name, precision, number)
    return 1e9 * seconds(function, rows, 1) / number


print(jax.__version__, flush=True)
for line in sys.stdin:
    print(answer(*line.split()), flush=True)
