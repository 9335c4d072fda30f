"""Makes the files of this folder: models as Keras, NumPy and h5py write them, inputs, and the
outputs that the framework computed for them.

    pip install keras==3.15.1 jax==0.10.2 h5py==3.16.0 numpy==2.4.6
    python make.py

With `--errors` (and scipy) it prints the largest errors of the activations instead, in units of
2⁻²⁴ max(|f|, 1/8); with `--schema` (and jsonschema) it compares the examples in JSON with their
schema.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"

import h5py
import keras
import numpy as np
from keras import layers

HERE = Path(__file__).parent
ROWS = 16

random = np.random.default_rng(4)


def fill(model):
    """Gives every variable that training would change a value that training could give it."""
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, (keras.Sequential, keras.Model, layers.Normalization)):
            continue
        for variable in layer.weights:
            scale = 1.5 / np.sqrt(variable.shape[0]) if len(variable.shape) == 2 else 0.5
            value = scale * random.standard_normal(variable.shape)
            if variable.name in ("gamma", "moving_variance"):
                value = np.exp(value)
            variable.assign(value)


def inputs(size, offset=0.0, scale=1.0):
    return (offset + scale * random.standard_normal((ROWS, size))).astype("float32")


def pack(name):
    """Writes the archive anew with compression, which Keras reads but does not write: an HDF5 file
    of small tensors is mostly zeros."""
    path = HERE / "keras" / f"{name}.keras"
    with ZipFile(path) as old:
        entries = [(entry, old.read(entry)) for entry in old.namelist()]
    with ZipFile(path, "w", ZIP_DEFLATED) as new:
        for entry, data in entries:
            new.writestr(entry, data)


def save(name, model, x, formats=("keras",)):
    y = model.predict(x, verbose=0)
    y = np.concatenate(y, axis=1) if isinstance(y, list) else y
    x = np.concatenate(x, axis=1) if isinstance(x, list) else x
    np.save(HERE / "keras" / f"{name}.x.npy", x)
    np.save(HERE / "keras" / f"{name}.y.npy", y)
    for format in formats:
        model.save(HERE / "keras" / f"{name}.{format}")


def sequential():
    """Everything that a chain has; the inputs are temperatures and pressures."""
    x = inputs(2) * [12.0, 3e3] + [293.0, 1.01e5]
    x = x.astype("float32")
    normalization = layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential(
        [
            layers.Input((2,)),
            normalization,
            layers.Dense(8, activation="mish"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(7, use_bias=False),
            layers.LeakyReLU(negative_slope=0.15),
            layers.GaussianNoise(0.1),
            layers.Dense(5, activation="gelu"),
            layers.LayerNormalization(),
            layers.Dense(3),
            layers.Activation("tanh"),
            layers.Rescaling(scale=2.5, offset=-0.5),
        ]
    )
    fill(model)
    save("sequential", model, x, ["keras", "h5"])
    pack("sequential")


def functional():
    """Two inputs, two towers, a residual block, two heads."""
    position = layers.Input((3,), name="position")
    speed = layers.Input((2,), name="speed")
    a = layers.Dense(4, activation="tanh", name="tower_a")(position)
    b = layers.Dense(4, activation="silu", name="tower_b")(speed)
    joined = layers.Concatenate(name="joined")([a, b])
    shared = layers.Dense(8, activation="softplus", name="shared")
    h = shared(joined)
    g = layers.Dense(6, activation="relu", name="inner")(h)
    g = layers.Dense(8, name="back")(g)
    h = layers.Add(name="residual")([h, g])
    h = shared(h)
    sums = layers.Add(name="sum")([layers.Dense(4, name="p")(h), layers.Dense(4, name="q")(h), a])
    mean = layers.Dense(2, name="mean")(sums)
    gate = layers.Dense(3, activation="softmax", name="gate")(h)
    model = keras.Model([position, speed], [mean, gate], name="policy")
    fill(model)
    save("functional", model, [inputs(3), inputs(2)])
    pack("functional")


ACTIVATIONS = [
    "linear", "mish", "tanh", "sigmoid", "softplus", "silu", "gelu", "relu", "leaky_relu", "elu",
    "selu", "softsign", "hard_sigmoid", "hard_silu",
]  # fmt: skip


def activations():
    """All activations by name and as layers, a branch each."""
    x = layers.Input((3,))
    branches = [layers.Dense(2, activation=name)(x) for name in ACTIVATIONS]
    branches += [
        layer(layers.Dense(2)(x))
        for layer in [
            layers.ReLU(), layers.ReLU(negative_slope=0.1), layers.ELU(alpha=0.7),
            layers.LeakyReLU(), layers.Softmax(), layers.Activation("swish"),
        ]
    ]  # fmt: skip
    model = keras.Model(x, layers.Concatenate()(branches))
    fill(model)
    save("activations", model, inputs(3, scale=2.0))
    pack("activations")


def joins():
    """Layers that join others, and activations with numbers of their own, at both ends."""
    x = layers.Input((3,))
    a = layers.Dense(4, activation="tanh")(x)
    b = layers.Dense(4)(x)
    gated = layers.Multiply(name="gated")([b, layers.Activation("sigmoid")(b)])
    difference = layers.Subtract(name="difference")([a, gated])
    mean = layers.Average(name="mean")([a, b, difference])
    slopes = layers.PReLU(name="slopes")(layers.Dense(4)(mean))
    held = layers.ReLU(max_value=1.0, name="held")(layers.Dense(4)(x))
    last = layers.Dense(5, name="last")(layers.Concatenate()([slopes, held, mean]))
    model = keras.Model(x, last)
    fill(model)
    save("joins", model, inputs(3, scale=2.0))
    pack("joins")


def nested():
    """Models as layers of a model."""
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(5, activation="elu"), layers.Dense(4)])
    x = layers.Input((4,))
    y = layers.Dense(4, activation="tanh")(x)
    block = keras.Model(x, layers.Add()([x, y]))
    model = keras.Sequential(
        [
            layers.Input((2, 2)),
            layers.Flatten(),
            layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 9.0, 0.25]),
            inner,
            block,
            layers.Dense(2),
            layers.Reshape((2,)),
        ]
    )
    fill(model)
    x = inputs(4)
    y = model.predict(x.reshape(-1, 2, 2), verbose=0)
    np.save(HERE / "keras" / "nested.x.npy", x)
    np.save(HERE / "keras" / "nested.y.npy", y)
    model.save(HERE / "keras" / "nested.keras")
    pack("nested")


def double():
    """A model in double precision, which has to be asked for before anything is computed. The
    outputs are NumPy's: Keras multiplies matrices of f64 in f32 here."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = keras.Sequential(
        [layers.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)]
    )
    fill(model)
    x = inputs(3).astype("float64")
    save("double", model, x)
    w = model.get_weights()
    y = np.tanh(x @ w[0] + w[1]) @ w[2] + w[3]
    assert np.abs(y - np.load(HERE / "keras" / "double.y.npy")).max() < 1e-6
    np.save(HERE / "keras" / "double.y.npy", y)


def legacy():
    """The file that Keras 2 writes for a model, as its format is documented: other names of
    configuration, numbered node lists, `alpha`. h5py writes it in the newest version of HDF5, in
    compressed chunks and with strings of variable length, which Keras never does."""
    w = [random.standard_normal(shape).astype("float32") for shape in [(3, 4), 4, (4, 4), 4, (8, 2)]]
    dense = lambda name, units, activation, bias: {
        "class_name": "Dense",
        "name": name,
        "config": {"name": name, "trainable": True, "dtype": "float32", "units": units,
                   "activation": activation, "use_bias": bias},
    }  # fmt: skip
    node = lambda *names: [[[name, 0, 0, {}] for name in names]]
    config = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "trainable": True,
            "layers": [
                {"class_name": "InputLayer", "name": "input_1", "inbound_nodes": [],
                 "config": {"batch_input_shape": [None, 3], "dtype": "float32", "name": "input_1"}},
                {**dense("dense", 4, "tanh", True), "inbound_nodes": node("input_1")},
                {**dense("dense_1", 4, "linear", True), "inbound_nodes": node("dense")},
                {"class_name": "LeakyReLU", "name": "leaky_re_lu",
                 "config": {"name": "leaky_re_lu", "alpha": 0.3}, "inbound_nodes": node("dense_1")},
                {"class_name": "Concatenate", "name": "concatenate",
                 "config": {"name": "concatenate", "axis": -1},
                 "inbound_nodes": node("dense", "leaky_re_lu")},
                {**dense("dense_2", 2, "linear", False), "inbound_nodes": node("concatenate")},
            ],
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["dense_2", 0, 0]],
        },
    }  # fmt: skip
    with h5py.File(HERE / "keras" / "legacy.h5", "w", libver="latest") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        names = ["input_1", "dense", "dense_1", "leaky_re_lu", "concatenate", "dense_2"]
        group.attrs["layer_names"] = names
        tensors = {"dense": w[0:2], "dense_1": w[2:4], "dense_2": w[4:5]}
        for name in names:
            layer = group.create_group(name)
            held = list(zip(["kernel:0", "bias:0"], tensors.get(name, [])))
            layer.attrs["weight_names"] = np.array([f"{name}/{n}".encode() for n, _ in held], dtype="S32")
            for n, numbers in held:
                layer.create_dataset(f"{name}/{n}", data=numbers, chunks=True, compression="gzip", shuffle=True)
    x = inputs(3)
    h = np.tanh(x @ w[0] + w[1])
    g = h @ w[2] + w[3]
    y = np.concatenate([h, np.where(g > 0, g, np.float32(0.3) * g)], axis=1) @ w[4]
    np.save(HERE / "keras" / "legacy.x.npy", x)
    np.save(HERE / "keras" / "legacy.y.npy", y)


def hostile():
    """HDF5 files that want more than they hold: 10¹² numbers that were never written, and weights
    in another file."""
    config = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Dense", "config": {"name": "dense", "batch_input_shape": [None, 3],
             "units": 4, "activation": "linear", "use_bias": False}},
        ],
    }  # fmt: skip
    for name in ["claims", "elsewhere"]:
        with h5py.File(HERE / "keras" / f"{name}.h5", "w", libver="latest") as file:
            file.attrs["keras_version"] = "2.15.0"
            file.attrs["model_config"] = json.dumps(config)
            group = file.create_group("model_weights/dense")
            group.attrs["weight_names"] = np.array([b"dense/kernel:0"])
            if name == "claims":
                group.create_dataset(
                    "dense/kernel:0", (10**6, 10**6), "float32", chunks=(256, 256), compression="gzip"
                )
            else:
                group["dense/kernel:0"] = h5py.ExternalLink("legacy.h5", "model_weights/dense/dense/kernel:0")


def named():
    """Weights alone, as NumPy writes them: a net of 3 inputs, 4 and 4 neurons, 2 outputs."""
    folder = HERE / "npz"
    folder.mkdir(exist_ok=True)
    sizes = [3, 4, 4, 2]
    w = [random.standard_normal((n, m)).astype("float32") for m, n in zip(sizes, sizes[1:])]
    b = [random.standard_normal(n).astype("float32") for n in sizes[1:]]
    pairs = lambda w, b: {k + str(i): v for k, vs in (("W", w), ("b", b)) for i, v in enumerate(vs, 9)}
    np.savez(folder / "numbered.npz", **pairs(w, b))
    transposed = [np.ascontiguousarray(v.T) for v in w]
    np.savez_compressed(folder / "positional.npz", *[v for pair in zip(transposed, b) for v in pair])
    columns = [v[:, None] for v in b]
    np.savez(folder / "fortran.npz", **pairs([np.asfortranarray(v) for v in w], columns))
    x = inputs(3)
    y = x
    for wi, bi, f in zip(w, b, [np.tanh, np.tanh, lambda z: z]):
        y = f(y @ wi.T + bi)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)


def errors():
    import jax
    from scipy import special

    near = random.standard_normal(200_000)
    z = np.concatenate([np.linspace(-20, 20, 400_001), near]).astype("float32")
    x = z.astype("float64")
    softplus = np.logaddexp(0, x)
    expm1 = np.expm1(np.minimum(x, 0))
    hard = np.clip(x / 6 + 0.5, 0, 1)
    exact = {
        "mish": x * np.tanh(softplus),
        "tanh": np.tanh(x),
        "sigmoid": special.expit(x),
        "softplus": softplus,
        "silu": x * special.expit(x),
        "gelu": x * special.ndtr(x),
        "leaky_relu": np.where(x > 0, x, 0.2 * x),
        "elu": np.where(x > 0, x, expm1),
        "selu": 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * expm1),
        "softsign": x / (1 + abs(x)),
        "hard_sigmoid": hard,
        "hard_silu": x * hard,
    }
    for name, f in exact.items():
        found = np.asarray(jax.jit(getattr(keras.activations, name))(z)).astype("float64")
        error = abs(found - f) / (2.0**-24 * np.maximum(abs(f), 1 / 8))
        print(f"{name:13} {error.max():5.2f} at {z[error.argmax()]:.4f}")


def schema():
    from jsonschema import Draft202012Validator

    wanted = json.loads((HERE / "../../model.schema.json").read_text())
    Draft202012Validator.check_schema(wanted)
    for path in sorted((HERE / "json").glob("*.json")):
        Draft202012Validator(wanted).validate(json.loads(path.read_text()))
        print(f"{path.name} fits the schema")


if __name__ == "__main__":
    if "--double" in sys.argv:
        sys.exit(double())
    if "--schema" in sys.argv:
        sys.exit(schema())
    if "--errors" in sys.argv:
        sys.exit(errors())
    (HERE / "keras").mkdir(exist_ok=True)
    named()
    sequential()
    functional()
    activations()
    nested()
    legacy()
    hostile()
    joins()
    subprocess.run([sys.executable, __file__, "--double"], env=os.environ | {"JAX_ENABLE_X64": "1"}, check=True)
