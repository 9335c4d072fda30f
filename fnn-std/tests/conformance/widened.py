"""Evaluates ONNX files in f64: all their numbers as they are, and nothing rounded to f32 on the way.

    python widened.py FOLDER

For each case of FOLDER/cases.tsv, FOLDER/CASE/y64.npy gets the outputs [rows, outputs] that the evaluator
of the onnx package computes for the case's x.npy when every tensor, attribute and conversion in floating
point is turned into double. Cases that it does not evaluate are listed with the reason.
"""

import math
import os
import sys
import warnings

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

warnings.filterwarnings("ignore")

NARROW = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}


def tensor(narrow):
    """The tensor in double, in place."""
    if narrow.data_type in NARROW:
        name = narrow.name
        narrow.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(narrow).astype(np.float64), name))


def value_type(info):
    if info.type.HasField("tensor_type") and info.type.tensor_type.elem_type in NARROW:
        info.type.tensor_type.elem_type = TensorProto.DOUBLE


def node(one):
    for attribute in one.attribute:
        if one.op_type == "Cast" and attribute.name == "to" and attribute.i in NARROW:
            attribute.i = TensorProto.DOUBLE
        if attribute.type == AttributeProto.TENSOR:
            tensor(attribute.t)
        elif attribute.type == AttributeProto.GRAPH:
            graph(attribute.g)
        elif one.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            floats = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            value = numpy_helper.from_array(np.asarray(floats, np.float64))
            attribute.CopyFrom(helper.make_attribute("value", value))


def graph(one):
    for initializer in one.initializer:
        tensor(initializer)
    for info in [*one.input, *one.output, *one.value_info]:
        value_type(info)
    for inner in one.node:
        node(inner)


def widened(model):
    graph(model.graph)
    for function in model.functions:
        for inner in function.node:
            node(inner)
    return model


class Erf(OpRun):
    """The error function; that of the package rounds to f32."""

    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[np.float64])(x),)


class Gelu(OpRun):
    """Gelu by the formulas of the standard; the package composes it of its Erf and of constants in f32."""

    op_domain = ""

    def _run(self, x, approximate=None):
        if approximate == "tanh":
            return (0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),)
        return (0.5 * x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / np.sqrt(2))),)


def evaluate(path, x, output):
    """The outputs of one output of the graph, row by row, or of all of them one after the other."""
    model = widened(onnx.load(path))
    stored = {initializer.name for initializer in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in stored]
    shapes = [[d.dim_value or 1 for d in info.type.tensor_type.shape.dim] for info in inputs]
    evaluator = ReferenceEvaluator(model, new_ops=[Erf, Gelu])
    total = sum(int(np.prod(shape)) for shape in shapes)
    # Either all rows as the file declares them, or each by itself.
    rows = [x.reshape(-1)] if x.size == total else list(x)
    if rows[0].size != total:
        shapes = [[1, *shape[1:]] for shape in shapes]
        total = sum(int(np.prod(shape)) for shape in shapes)
        if rows[0].size != total:
            raise ValueError(f"rows of {rows[0].size} numbers, wanted {total}")
    results = []
    for row in rows:
        feed, start = {}, 0
        for info, shape in zip(inputs, shapes):
            size = int(np.prod(shape))
            feed[info.name] = row[start : start + size].reshape(shape).astype(np.float64)
            start += size
        parts = []
        for value in evaluator.run([output] if output else None, feed):
            if isinstance(value, list):  # a map for each row
                value = np.array([list(entry.values()) for entry in value])
            if np.asarray(value).dtype == np.float64:
                parts.append(np.asarray(value).reshape(-1))
            elif np.asarray(value).dtype.kind == "f":
                raise ValueError(f"the evaluator made {np.asarray(value).dtype}")
            if output is None:
                break
        results.append(np.concatenate(parts))
    return np.stack(results)


def main(folder):
    for line in open(os.path.join(folder, "cases.tsv")):
        name, _, output = (line.rstrip("\n").split("\t") + [""])[:3]
        path = os.path.join(folder, name, "model.onnx")
        if not os.path.exists(path):
            continue
        x = np.load(os.path.join(folder, name, "x.npy"))
        try:
            y = evaluate(path, x, output or None)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
            continue
        expected = np.load(os.path.join(folder, name, "y.npy"))
        if y.size == expected.size and not np.allclose(y.ravel(), expected.ravel(), 1e-2, 1e-2, True):
            # Test data of the onnx package that cases.py has turned.
            print(f"{name}: the rows of y.npy are arranged in another way", file=sys.stderr)
            continue
        np.save(os.path.join(folder, name, "y64.npy"), y)


if __name__ == "__main__":
    main(sys.argv[1])
