"""Writes networks of PyTorch as its own exporters write them, with inputs and PyTorch's outputs.

    python pytorch.py FOLDER

Each case is a folder in FOLDER with model.onnx or model.safetensors, x.npy [rows, inputs], y.npy
[rows, outputs] and j.npy [rows, outputs, inputs], PyTorch's own Jacobians, as it rounds them; FOLDER/cases.tsv and FOLDER/meant.tsv list them as `cases.py` does. Every network is
written by the older exporter, which traces, and by the newer one, which goes through torch.export; those
that differ in more than the activation by the newer one also with the weights beside the file.

What the newer exporter notes about where in the source each node comes from is taken out: it is paths of
the machine.
"""

import logging
import os
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import onnx
import torch
from torch import nn

logging.disable(logging.WARNING)

folder = sys.argv[1]
cases, meant = [], []
generator = np.random.default_rng(5)

# PyTorch computes in f32; so do the differences between its kernels and the plain formulas.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}


class Scaled(nn.Module):
    """Inputs and outputs scaled by numbers that are saved with the network."""

    def __init__(self, inside, inputs, outputs):
        super().__init__()
        self.inside = inside
        self.register_buffer("mean", torch.linspace(-1.0, 2.0, inputs))
        self.register_buffer("deviation", torch.linspace(0.7, 3.0, inputs))
        self.register_buffer("scale", torch.linspace(0.2, 5.0, outputs))

    def forward(self, x):
        return self.inside((x - self.mean) / self.deviation) * self.scale


class Past(nn.Module):
    """A residual block."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, x):
        return x + self.inside(x)


class Heads(nn.Module):
    """Two heads, side by side in one output."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.first, self.second = nn.Linear(8, 2), nn.Linear(8, 3)

    def forward(self, x):
        shared = self.body(x)
        return torch.cat([self.first(shared), torch.sigmoid(self.second(shared))], dim=-1)


class Policy(Heads):
    """Two heads, each an output."""

    def forward(self, x):
        shared = self.body(x)
        return self.first(shared), torch.softmax(self.second(shared), dim=-1)


class Dynamics(nn.Module):
    """The next state of a state and a control, which are two inputs."""

    def __init__(self):
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 4))

    def forward(self, state, control):
        return state + self.inside(torch.cat([state, control], dim=1))


def mlp(activation, middle=()):
    return nn.Sequential(nn.Linear(4, 8), *middle, activation, nn.Linear(8, 8), activation, nn.Linear(8, 3))


def networks():
    activations = {
        "Tanh": nn.Tanh(), "ReLU": nn.ReLU(), "GELU": nn.GELU(), "GELU tanh": nn.GELU(approximate="tanh"), "SiLU": nn.SiLU(),
        "Mish": nn.Mish(), "ELU": nn.ELU(0.7), "SELU": nn.SELU(), "Softplus": nn.Softplus(), "LeakyReLU": nn.LeakyReLU(0.2),
        "Sigmoid": nn.Sigmoid(), "Softsign": nn.Softsign(), "Hardtanh": nn.Hardtanh(-0.4, 0.6), "ReLU6": nn.ReLU6(),
        "Hardsigmoid": nn.Hardsigmoid(), "Hardswish": nn.Hardswish(), "PReLU": nn.PReLU(8),
    }
    for name, activation in activations.items():
        yield f"MLP {name}", mlp(activation), [4], ["y"]
    yield "LayerNorm", mlp(nn.Tanh(), [nn.LayerNorm(8)]), [4], ["y"]
    batch = nn.BatchNorm1d(8)
    with torch.no_grad():
        batch.running_mean.copy_(torch.linspace(-1.0, 1.0, 8))
        batch.running_var.copy_(torch.linspace(0.5, 2.0, 8))
    yield "BatchNorm1d", mlp(nn.ReLU(), [batch]), [4], ["y"]
    yield "Dropout", mlp(nn.ReLU(), [nn.Dropout(0.3)]), [4], ["y"]
    yield "softmax", nn.Sequential(mlp(nn.Tanh()), nn.Softmax(dim=-1)), [4], ["y"]
    blocks = [Past(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))) for _ in range(2)]
    yield "residual blocks", nn.Sequential(nn.Linear(4, 8), *blocks, nn.Linear(8, 3)), [4], ["y"]
    yield "two heads in one output", Heads(), [4], ["y"]
    yield "two heads", Policy(), [4], ["action", "value"]
    yield "scaled by buffers", Scaled(mlp(nn.Tanh()), 4, 3), [4], ["y"]
    yield "dynamics of two inputs", Dynamics(), [4, 2], ["y"]
    yield "MLP Tanh in float64", mlp(nn.Tanh()).double(), [4], ["y"]


def without_paths(model):
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]


def write(name, exporter, export, x, y, j, tolerance, output=""):
    case = f"{name}, {exporter}".replace(" ", "_")
    place = os.path.join(folder, case)
    os.makedirs(place)
    path = os.path.join(place, "model.onnx")
    export(path)
    if os.path.exists(path):
        model = onnx.load(path, load_external_data=False)
        without_paths(model)
        onnx.save(model, path)
    np.save(os.path.join(place, "x.npy"), x)
    np.save(os.path.join(place, "y.npy"), y)
    np.save(os.path.join(place, "j.npy"), j)
    cases.append(f"{case}\t{tolerance}\t{output}")
    meant.append(f"{case}\tPyTorch {torch.__version__.split('+')[0]}\t{name}\tread\t")


def exporters(network, inputs, names, outputs, has_external):
    rows = torch.export.Dim("N", min=2)
    common = {"input_names": names, "output_names": outputs}
    newer = {"dynamo": True, "dynamic_shapes": tuple({0: rows} for _ in inputs), "verbose": False, **common}
    older = {"dynamo": False, "dynamic_axes": {name: {0: "N"} for name in names}, **common}
    yield "older exporter", lambda path: torch.onnx.export(network, inputs, path, **older)
    yield "newer exporter", lambda path: torch.onnx.export(network, inputs, path, external_data=False, **newer)
    if has_external:
        yield "newer exporter with external data", lambda path: torch.onnx.export(network, inputs, path, external_data=True, **newer)


def first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


def jacobian(network, inputs):
    """That of the first output by all inputs, row by row, so that no row can be taken for another."""
    rows = []
    for row in zip(*(x.split(1) for x in inputs)):
        parts = torch.autograd.functional.jacobian(lambda *x: first(network(*x)), row)
        rows.append(torch.cat([part[0, :, 0] for part in parts], dim=1))
    return torch.stack(rows).numpy()


torch.manual_seed(3)
for name, network, sizes, outputs in networks():
    network.eval()
    kind = next(network.parameters()).dtype
    inputs = tuple(torch.tensor(generator.normal(size=(7, size))).to(kind) for size in sizes)
    with torch.no_grad():
        y = network(*inputs)
    y, j = first(y).double().numpy(), jacobian(network, inputs)
    x = torch.cat(inputs, dim=1).double().numpy()
    names = ["x", "u"][: len(sizes)]
    has_external = name == "MLP Tanh" or not name.startswith("MLP")
    for exporter, export in exporters(network, inputs, names, outputs, has_external):
        write(name, exporter, export, x, y, j, TOLERANCE[kind], outputs[0] if len(outputs) > 1 else "")
    if name in ("MLP Mish", "MLP Tanh in float64"):
        from safetensors.torch import save_file

        metadata = {"activations": {"MLP Mish": "mish,mish,identity"}.get(name, "tanh,tanh,identity")}
        save = lambda path: save_file(network.state_dict(), path.replace(".onnx", ".safetensors"), metadata)
        write(name, "safetensors", save, x, y, j, TOLERANCE[kind])

for name, lines in [("cases.tsv", cases), ("meant.tsv", meant)]:
    with open(os.path.join(folder, name), "w") as file:
        file.writelines(line + "\n" for line in lines)
