"""Writes models from several frameworks, with inputs and what onnxruntime makes of them, or, of opset 6,
which it does not run, the evaluator of the onnx package.

    python cases.py FOLDER OPERATORS

Each case is a folder in FOLDER with model.onnx, x.npy [rows, inputs] and y.npy [rows, outputs];
FOLDER/cases.tsv lists them with the error that is allowed, relative to the largest output, and the
name of the output where there are several; OPERATORS lists the operators that are read, to choose
from the test data of the onnx package. FOLDER/meant.tsv lists framework, what is tried and
whether it is to be read or refused.

The graphs "like PyTorch" are arranged here as its exporters arrange them, since its packages are several
gigabytes large; `pytorch.py` asks PyTorch itself.
"""

import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore")

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

F32 = 1e-5  # onnxruntime computes in f32; wide sums and activations lose some units in the last place.
F16 = 1e-2

random = np.random.default_rng(4)
folder = sys.argv[1]
cases, meant, without = [], [], []


def write(framework, name, model, x, y, tolerance, output="", is_read=True, data=None):
    case = f"{framework} {name}".replace(" ", "_").replace("/", "_")
    place = os.path.join(folder, case)
    os.makedirs(place, exist_ok=True)
    path = os.path.join(place, "model.onnx")
    if data:
        onnx.save(model, path, save_as_external_data=True, location=data, size_threshold=0)
    else:
        with open(path, "wb") as file:
            file.write(model if isinstance(model, bytes) else model.SerializeToString())
    np.save(os.path.join(place, "x.npy"), x)
    np.save(os.path.join(place, "y.npy"), y)
    cases.append(f"{case}\t{tolerance}\t{output}")
    meant.append(f"{case}\t{framework}\t{name}\t{'read' if is_read else 'refused'}")


def missing(framework, name, error):
    """The framework writes no file of this, or none that onnxruntime runs."""
    without.append(f"{framework}\t{name}")
    print(f"{framework}: no {name}: {error}", file=sys.stderr)


def run(framework, name, model, shape, tolerance=F32, output=None, is_read=True, data=None):
    """A model of one or several inputs, evaluated by onnxruntime row by row."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    shapes = shape if isinstance(shape, list) else [shape]
    types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
    rows, outputs = [], []
    wanted = [output] if output else [session.get_outputs()[0].name]
    for _ in range(7):
        feed, row = {}, []
        for info, one in zip(session.get_inputs(), shapes):
            values = random.normal(size=one).astype(types[info.type])
            feed[info.name] = values
            row.append(values.reshape(-1))
        y = session.run(wanted, feed)[0]
        if isinstance(y, list):  # a map for each row
            y = np.array([list(entry.values()) for entry in y])
        rows.append(np.concatenate(row))
        outputs.append(np.asarray(y).reshape(-1))
    x, y = np.stack(rows).astype(np.float64), np.stack(outputs).astype(np.float64)
    write(framework, name, model, x, y, tolerance, output or "", is_read, data)


# By hand.


def tensor(name, values, kind=np.float32):
    return numpy_helper.from_array(np.asarray(values, kind), name)


def weights(*shape):
    return random.normal(size=shape) / np.sqrt(shape[-1])


def graph(nodes, inputs, outputs, tensors=(), opset=17, functions=(), kind=TensorProto.FLOAT, ir=8):
    inputs = [helper.make_tensor_value_info(n, kind, s) for n, s in inputs]
    outputs = [helper.make_tensor_value_info(n, kind, s) for n, s in outputs]
    made = helper.make_graph(nodes, "graph", inputs, outputs, list(tensors))
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("local", 1)]
    return helper.make_model(made, opset_imports=sets, functions=list(functions), ir_version=ir)


node = helper.make_node


def chain(operators, opset=17, size=5, is_open=True):
    """A dense layer, then the operators, each (type, more inputs, attributes), then another one."""
    nodes = [node("Gemm", ["x", "W", "b"], ["v0"], transB=1)]
    for i, (operator, more, attributes) in enumerate(operators):
        nodes.append(node(operator, [f"v{i}", *more], [f"v{i + 1}"], **attributes))
    nodes.append(node("Gemm", [f"v{len(operators)}", "V", "c"], ["y"], transB=1))
    tensors = [tensor("W", weights(size, 4)), tensor("b", weights(size)), tensor("V", weights(3, size)), tensor("c", weights(3))]
    rows = "N" if is_open else 1
    return nodes, [("x", [rows, 4])], [("y", [rows, 3])], tensors


def old_additions():
    """Opset 6, whose additions say that and along which axis they repeat; onnxruntime starts at 7."""
    from onnx.reference import ReferenceEvaluator

    nodes = [
        node("Gemm", ["x", "W", "b"], ["a"], transB=1, broadcast=1), node("Mul", ["a", "s"], ["m"], broadcast=1, axis=1),
        node("Add", ["m", "t"], ["n"], broadcast=1), node("Clip", ["n"], ["c1"], min=-0.5, max=0.4),
        node("Gemm", ["c1", "V", "c"], ["y"], transB=1, broadcast=1),
    ]
    tensors = [
        tensor("W", weights(5, 4)), tensor("b", weights(5)), tensor("s", weights(5)), tensor("t", weights(5)),
        tensor("V", weights(3, 5)), tensor("c", weights(3)),
    ]
    model = graph(nodes, [("x", ["N", 4])], [("y", ["N", 3])], tensors, opset=6)
    x = random.normal(size=(7, 4)).astype(np.float32)
    [y] = ReferenceEvaluator(model).run(None, {"x": x})
    write("by hand", "opset 6, beside the onnx package's evaluator", model, x.astype(np.float64), y.astype(np.float64), F32)


def by_hand():
    activations = {
        "Relu": {}, "Tanh": {}, "Sigmoid": {}, "Softplus": {}, "Softsign": {}, "Elu": {"alpha": 0.7},
        "Selu": {}, "LeakyRelu": {"alpha": 0.2}, "Celu": {"alpha": 0.6}, "HardSigmoid": {},
        "HardSwish": {}, "Mish": {}, "Gelu": {"approximate": "tanh"}, "Abs": {}, "Neg": {}, "Identity": {},
    }
    for name, attributes in activations.items():
        opset = 20 if name == "Gelu" else 18
        parts = chain([(name, [], attributes)], opset)
        run("by hand", f"activation {name}", graph(*parts, opset=opset), (1, 4))
    parts = chain([("Gelu", [], {})], 20)
    run("by hand", "activation Gelu erf", graph(*parts, opset=20), (1, 4))
    parts = chain([("HardSigmoid", [], {"alpha": 1 / 6, "beta": 0.5})])
    run("by hand", "activation HardSigmoid of PyTorch", graph(*parts), (1, 4))
    old_additions()
    for opset in range(7, 24):
        clip = ("Clip", [], {"min": -0.5, "max": 0.4}) if opset < 11 else ("Clip", ["low", "high"], {})
        parts = chain([("Relu", [], {}), clip, ("Dropout", [], {})], opset)
        parts[3].extend([tensor("low", -0.5), tensor("high", 0.4)])
        run("by hand", f"opset {opset}", graph(*parts, opset=opset), (1, 4))
    for name, low, high in [("ReLU6", 0.0, 6.0), ("above", -0.3, None), ("below", None, 0.3)]:
        bounds = ["low" if low is not None else "", "high" if high is not None else ""]
        parts = chain([("Clip", bounds if high is not None else bounds[:1], {})])
        parts[3].extend([tensor("low", low or 0.0), tensor("high", high or 0.0)])
        run("by hand", f"clip {name}", graph(*parts), (1, 4))
    parts = chain([("Max", ["low"], {}), ("Min", ["high"], {})])
    parts[3].extend([tensor("low", -0.2), tensor("high", [0.1, 0.1, 0.3, 0.2, 0.2])])
    run("by hand", "clip by Min and Max", graph(*parts), (1, 4))

    # Scaling before and after.
    nodes = [
        node("Sub", ["x", "mean"], ["a"]), node("Div", ["a", "std"], ["b1"]),
        node("MatMul", ["b1", "W"], ["c1"]), node("Add", ["b", "c1"], ["d"]), node("Tanh", ["d"], ["e"]),
        node("MatMul", ["e", "V"], ["f"]), node("Mul", ["f", "scale"], ["g"]), node("Add", ["g", "mean2"], ["y"]),
    ]
    tensors = [
        tensor("mean", weights(1, 4)), tensor("std", np.abs(weights(4)) + 0.5), tensor("W", weights(4, 6)),
        tensor("b", weights(6)), tensor("V", weights(6, 2)), tensor("scale", weights(2)), tensor("mean2", weights(1, 2)),
    ]
    run("by hand", "normalised inputs and outputs", graph(nodes, [("x", ["N", 4])], [("y", ["N", 2])], tensors), (1, 4))
    half = [tensor(t.name, numpy_helper.to_array(t), np.float16) for t in tensors]
    run("by hand", "float16", graph(nodes, [("x", ["N", 4])], [("y", ["N", 2])], half, kind=TensorProto.FLOAT16), (1, 4), F16)
    double = [tensor(t.name, numpy_helper.to_array(t) / 3, np.float64) for t in tensors]
    run("by hand", "float64", graph(nodes, [("x", ["N", 4])], [("y", ["N", 2])], double, kind=TensorProto.DOUBLE), (1, 4), 1e-14)

    # Two towers, heads, residual, concatenation, splits.
    two = [
        node("MatMul", ["x", "W"], ["a"]), node("Relu", ["a"], ["b1"]), node("MatMul", ["u", "U"], ["c1"]),
        node("Tanh", ["c1"], ["d"]), node("Concat", ["b1", "d"], ["e"], axis=1), node("MatMul", ["e", "V"], ["y"]),
    ]
    tensors = [tensor("W", weights(3, 4)), tensor("U", weights(2, 3)), tensor("V", weights(7, 2))]
    run("by hand", "two inputs", graph(two, [("x", ["N", 3]), ("u", ["N", 2])], [("y", ["N", 2])], tensors), [(1, 3), (1, 2)])
    dynamics = [
        node("MatMul", ["x", "A"], ["a"]), node("MatMul", ["u", "B"], ["b1"]), node("Add", ["a", "b1"], ["c1"]),
        node("Add", ["c1", "bias"], ["d"]), node("Tanh", ["d"], ["e"]), node("Add", ["x", "e"], ["y"]),
    ]
    tensors = [tensor("A", weights(3, 3)), tensor("B", weights(2, 3)), tensor("bias", weights(3))]
    run("by hand", "residual dynamics of state and input", graph(dynamics, [("x", ["N", 3]), ("u", ["N", 2])], [("y", ["N", 3])], tensors), [(1, 3), (1, 2)])
    residual = chain([("Tanh", [], {})])
    residual[0].insert(2, node("MatMul", ["v1", "R"], ["r"]))
    residual[0].insert(3, node("Sigmoid", ["r"], ["s"]))
    residual[0].insert(4, node("Add", ["s", "v1"], ["t"]))
    residual[0][5].input[0] = "t"
    residual[3].append(tensor("R", weights(5, 5)))
    run("by hand", "residual", graph(*residual), (1, 4))
    heads = [
        node("Gemm", ["x", "W"], ["a"]), node("Split", ["a", "lengths"], ["p", "q"], axis=-1), node("Softmax", ["p"], ["first"]),
        node("Tanh", ["q"], ["second"]),
    ]
    tensors = [tensor("W", weights(4, 5)), tensor("lengths", [2, 3], np.int64)]
    both = graph(heads, [("x", ["N", 4])], [("first", ["N", 2]), ("second", ["N", 3])], tensors)
    run("by hand", "head first", both, (1, 4), output="first")
    run("by hand", "head second", both, (1, 4), output="second")
    dueling = [
        node("Gemm", ["x", "W"], ["h"]), node("Gemm", ["h", "V"], ["v"]), node("Gemm", ["h", "A"], ["a"]),
        node("ReduceMean", ["a"], ["m"], axes=[1], keepdims=1), node("Sub", ["a", "m"], ["n"]), node("Add", ["v", "n"], ["y"]),
    ]
    tensors = [tensor("W", weights(4, 5)), tensor("V", weights(5, 1)), tensor("A", weights(5, 3))]
    run("by hand", "dueling heads", graph(dueling, [("x", ["N", 4])], [("y", ["N", 3])], tensors), (1, 4))
    slices = [
        node("Slice", ["x", "s1", "e1", "axes"], ["a"]), node("Gather", ["x", "picked"], ["b1"], axis=1),
        node("Concat", ["b1", "a"], ["c1"], axis=-1), node("MatMul", ["c1", "W"], ["y"]),
    ]
    tensors = [tensor("s1", [1], np.int64), tensor("e1", [2**62], np.int64), tensor("axes", [-1], np.int64), tensor("picked", [3, 0], np.int64), tensor("W", weights(5, 2))]
    run("by hand", "slice and gather", graph(slices, [("x", ["N", 4])], [("y", ["N", 2])], tensors), (1, 4))

    # Columns, functions, transposition.
    columns = [node("MatMul", ["W", "x"], ["a"]), node("Add", ["a", "b"], ["c1"]), node("Tanh", ["c1"], ["d"]), node("Gemm", ["V", "d", "c"], ["y"])]
    tensors = [tensor("W", weights(4, 3)), tensor("b", weights(4, 1)), tensor("V", weights(2, 4)), tensor("c", weights(2, 1))]
    run("by hand", "columns", graph(columns, [("x", [3, 1])], [("y", [2, 1])], tensors), (3, 1))
    body = [node("MatMul", ["X", "W"], ["P"]), node("Add", ["P", "B"], ["Q"]), node("LeakyRelu", ["Q"], ["Y"])]
    attribute = onnx.AttributeProto()
    attribute.name, attribute.ref_attr_name, attribute.type = "alpha", "slope", onnx.AttributeProto.FLOAT
    body[2].attribute.append(attribute)
    function = helper.make_function("local", "Layer", ["X", "W", "B"], ["Y"], body, [helper.make_opsetid("", 17)], ["slope"])
    calls = [node("Layer", ["x", "W", "b"], ["h"], domain="local", slope=0.3), node("Layer", ["h", "V", "c"], ["y"], domain="local", slope=0.1)]
    tensors = [tensor("W", weights(4, 5)), tensor("b", weights(5)), tensor("V", weights(5, 2)), tensor("c", weights(2))]
    run("by hand", "functions", graph(calls, [("x", ["N", 4])], [("y", ["N", 2])], tensors, functions=[function]), (1, 4))

    # What is refused.
    for name, nodes, shape in [
        ("product of inputs", [node("Mul", ["x", "x2"], ["y"])], 4),
        ("Sin", [node("Sin", ["x"], ["y"])], 4),
        ("LSTM-like gate", [node("Sigmoid", ["x"], ["a"]), node("Tanh", ["x"], ["b1"]), node("Mul", ["a", "b1"], ["y"])], 4),
        ("LogSoftmax", [node("LogSoftmax", ["x"], ["y"])], 4),
    ]:
        inputs = [("x", ["N", 4]), ("x2", ["N", 4])] if name == "product of inputs" else [("x", ["N", 4])]
        run("by hand", name, graph(nodes, inputs, [("y", ["N", 4])]), [(1, 4)] * len(inputs), is_read=False)


def written_out():
    """Activations in parts, as PyTorch, TensorFlow and hands write them."""
    one, half, three, six = tensor("one", 1.0), tensor("half", 0.5), tensor("three", 3.0), tensor("six", 6.0)
    zero, root, minus = tensor("zero", 0.0), tensor("root", np.sqrt(2.0)), tensor("minus", -1.0)
    k, cubic = tensor("k", np.sqrt(2 / np.pi)), tensor("cubic", 0.044715)
    constants = [one, half, three, six, zero, root, minus, k, cubic, tensor("slope", 0.2)]
    parts = {
        "SiLU as x sigmoid(x)": [node("Sigmoid", ["x"], ["a"]), node("Mul", ["x", "a"], ["y"])],
        "SiLU as x / (1 + exp(-x))": [node("Neg", ["x"], ["a"]), node("Exp", ["a"], ["b"]), node("Add", ["b", "one"], ["c"]), node("Div", ["x", "c"], ["y"])],
        "Mish as x tanh(softplus(x))": [node("Softplus", ["x"], ["a"]), node("Tanh", ["a"], ["b"]), node("Mul", ["x", "b"], ["y"])],
        "Mish with log(1 + exp(x))": [node("Exp", ["x"], ["e"]), node("Add", ["one", "e"], ["s"]), node("Log", ["s"], ["a"]), node("Tanh", ["a"], ["b"]), node("Mul", ["b", "x"], ["y"])],
        "GELU of PyTorch": [node("Div", ["x", "root"], ["a"]), node("Erf", ["a"], ["b"]), node("Add", ["b", "one"], ["c"]), node("Mul", ["x", "c"], ["d"]), node("Mul", ["d", "half"], ["y"])],
        "GELU of TensorFlow": [node("Div", ["x", "root"], ["a"]), node("Erf", ["a"], ["b"]), node("Add", ["b", "one"], ["c"]), node("Mul", ["x", "half"], ["d"]), node("Mul", ["d", "c"], ["y"])],
        "tanh GELU with Pow": [node("Pow", ["x", "three"], ["a"]), node("Mul", ["a", "cubic"], ["b"]), node("Add", ["x", "b"], ["c"]), node("Mul", ["c", "k"], ["d"]), node("Tanh", ["d"], ["e"]), node("Add", ["e", "one"], ["f"]), node("Mul", ["x", "half"], ["g"]), node("Mul", ["g", "f"], ["y"])],
        "tanh GELU with Mul": [node("Mul", ["x", "x"], ["a"]), node("Mul", ["a", "x"], ["a3"]), node("Mul", ["cubic", "a3"], ["b"]), node("Add", ["b", "x"], ["c"]), node("Mul", ["k", "c"], ["d"]), node("Tanh", ["d"], ["e"]), node("Add", ["one", "e"], ["f"]), node("Mul", ["x", "f"], ["g"]), node("Mul", ["half", "g"], ["y"])],
        "tanh GELU factored": [node("Mul", ["x", "x"], ["a"]), node("Mul", ["a", "cubic"], ["b"]), node("Add", ["b", "one"], ["c"]), node("Mul", ["x", "c"], ["c2"]), node("Mul", ["k", "c2"], ["d"]), node("Tanh", ["d"], ["e"]), node("Add", ["one", "e"], ["f"]), node("Mul", ["x", "f"], ["g"]), node("Mul", ["half", "g"], ["y"])],
        "hard swish as x clip(x + 3) / 6": [node("Add", ["x", "three"], ["a"]), node("Clip", ["a", "zero", "six"], ["b"]), node("Mul", ["x", "b"], ["c"]), node("Div", ["c", "six"], ["y"])],
        "hard swish as x (clip(x + 3) / 6)": [node("Add", ["x", "three"], ["a"]), node("Clip", ["a", "zero", "six"], ["b"]), node("Div", ["b", "six"], ["c"]), node("Mul", ["c", "x"], ["y"])],
        "hard sigmoid as clip(x + 3) / 6": [node("Add", ["x", "three"], ["a"]), node("Clip", ["a", "zero", "six"], ["b"]), node("Div", ["b", "six"], ["y"])],
        "hard swish as x HardSigmoid(x)": [node("HardSigmoid", ["x"], ["a"], alpha=1 / 6), node("Mul", ["x", "a"], ["y"])],
        "softsign as x / (1 + |x|)": [node("Abs", ["x"], ["a"]), node("Add", ["one", "a"], ["b"]), node("Div", ["x", "b"], ["y"])],
        "sigmoid as 1 / (1 + exp(-x))": [node("Neg", ["x"], ["a"]), node("Exp", ["a"], ["b"]), node("Add", ["one", "b"], ["c"]), node("Reciprocal", ["c"], ["y"])],
        "sigmoid as 1 / (1 + exp(-x)) by Div": [node("Mul", ["x", "minus"], ["a"]), node("Exp", ["a"], ["b"]), node("Add", ["one", "b"], ["c"]), node("Div", ["one", "c"], ["y"])],
        "softplus as log(1 + exp(x))": [node("Exp", ["x"], ["a"]), node("Add", ["a", "one"], ["b"]), node("Log", ["b"], ["y"])],
        "ReLU6 as Min and Relu": [node("Relu", ["x"], ["a"]), node("Min", ["a", "six"], ["y"])],
        "ReLU as Max": [node("Max", ["zero", "x"], ["y"])],
        "leaky ReLU as Max": [node("Mul", ["x", "slope"], ["a"]), node("Max", ["a", "x"], ["y"])],
        "SiLU with factor": [node("Mul", ["x", "six"], ["a"]), node("Sigmoid", ["a"], ["b"]), node("Mul", ["x", "b"], ["y"])],
        "PReLU": [node("PRelu", ["x", "each"], ["y"])],
    }
    for name, nodes in parts.items():
        for place in ["alone", "between layers"]:
            made = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
            tensors = constants + [tensor("each", [0.1, 0.2, -0.3, 0.4])]
            if place == "between layers":
                for n in made:
                    n.input[:] = ["h" if i == "x" else i for i in n.input]
                    n.output[:] = ["z" if o == "y" else o for o in n.output]
                made = [node("Gemm", ["x", "W", "bias"], ["h"]), *made, node("MatMul", ["z", "V"], ["y"])]
                tensors = tensors + [tensor("W", weights(4, 4)), tensor("bias", weights(4)), tensor("V", weights(4, 4))]
            run("written out", f"{name} {place}", graph(made, [("x", ["N", 4])], [("y", ["N", 4])], tensors), (1, 4))
    axes = {"axes": [-1]}
    norm = [
        node("ReduceMean", ["x"], ["m"], **axes), node("Sub", ["x", "m"], ["d"]), node("Pow", ["d", "two"], ["s"]),
        node("ReduceMean", ["s"], ["v"], **axes), node("Add", ["v", "eps"], ["ve"]), node("Sqrt", ["ve"], ["r"]),
        node("Div", ["d", "r"], ["n"]), node("Mul", ["n", "gamma"], ["g"]), node("Add", ["g", "beta"], ["y"]),
    ]
    tensors = [tensor("two", 2.0), tensor("eps", 1e-5), tensor("gamma", weights(6)), tensor("beta", weights(6))]
    run("written out", "layer normalisation of PyTorch", graph(norm, [("x", ["N", 6])], [("y", ["N", 6])], tensors), (1, 6))
    norm = [
        node("ReduceMean", ["x"], ["m"], **axes), node("Sub", ["x", "m"], ["d"]), node("Mul", ["d", "d"], ["s"]),
        node("ReduceMean", ["s"], ["v"], **axes), node("Add", ["v", "eps"], ["ve"]), node("Sqrt", ["ve"], ["r"]),
        node("Reciprocal", ["r"], ["q"]), node("Mul", ["q", "gamma"], ["i"]), node("Mul", ["x", "i"], ["xi"]),
        node("Mul", ["m", "i"], ["mi"]), node("Sub", ["beta", "mi"], ["o"]), node("Add", ["xi", "o"], ["y"]),
    ]
    run("written out", "layer normalisation of TensorFlow", graph(norm, [("x", ["N", 6])], [("y", ["N", 6])], tensors), (1, 6))


def pytorch_and_matlab():
    """Graphs as these exporters arrange them."""
    mlp = [
        node("Constant", [], ["/Constant_output_0"], value=tensor("", [0.5, -0.5, 1.0, 2.0])),
        node("Sub", ["obs", "/Constant_output_0"], ["/Sub_output_0"], name="/Sub"),
        node("Flatten", ["/Sub_output_0"], ["/Flatten_output_0"], axis=1),
        node("Gemm", ["/Flatten_output_0", "net.0.weight", "net.0.bias"], ["/net/net.0/Gemm_output_0"], alpha=1.0, beta=1.0, transB=1),
        node("Sigmoid", ["/net/net.0/Gemm_output_0"], ["/net/net.1/Sigmoid_output_0"]),
        node("Mul", ["/net/net.0/Gemm_output_0", "/net/net.1/Sigmoid_output_0"], ["/net/net.1/Mul_output_0"]),
        node("LayerNormalization", ["/net/net.1/Mul_output_0", "net.2.weight", "net.2.bias"], ["n"], axis=-1, epsilon=1e-5),
        node("BatchNormalization", ["n", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], ["bn"], epsilon=1e-5, momentum=0.9),
        node("Dropout", ["bn", "ratio", "training"], ["dropped", "mask"]),
        node("Gemm", ["dropped", "net.3.weight", "net.3.bias"], ["action"], transB=1),
    ]
    tensors = [
        tensor("net.0.weight", weights(8, 4)), tensor("net.0.bias", weights(8)), tensor("net.2.weight", weights(8)),
        tensor("net.2.bias", weights(8)), tensor("bn.weight", weights(8)), tensor("bn.bias", weights(8)),
        tensor("bn.running_mean", weights(8)), tensor("bn.running_var", np.abs(weights(8)) + 0.3),
        tensor("net.3.weight", weights(2, 8)), tensor("net.3.bias", weights(2)), tensor("ratio", 0.1),
        tensor("training", False, np.bool_),
    ]
    model = graph(mlp, [("obs", ["batch", 4])], [("action", ["batch", 2])], tensors)
    run("like PyTorch", "MLP, older exporter", model, (1, 4))
    run("like PyTorch", "MLP, declared batch of 1", graph(mlp, [("obs", [1, 4])], [("action", [1, 2])], tensors), (1, 4))
    model = graph(mlp, [("obs", ["s0", 4])], [("action", ["s0", 2])], tensors, opset=18)
    run("like PyTorch", "MLP, external data of the newer exporter", model, (1, 4), data="model.onnx.data")
    reshape = [
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"], axis=0), node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "minus"], ["target"], axis=0), node("Reshape", ["x", "target"], ["flat"]),
        node("Gemm", ["flat", "W", "b"], ["y"], transB=1),
    ]
    tensors = [tensor("zero", 0, np.int64), tensor("axes", [0], np.int64), tensor("minus", [-1], np.int64), tensor("W", weights(3, 6)), tensor("b", weights(3))]
    run("like PyTorch", "view(x.size(0), -1)", graph(reshape, [("x", ["N", 2, 3])], [("y", ["N", 3])], tensors), (1, 2, 3))

    conv = [
        node("Sub", ["observation", "mean"], ["o"]),
        node("Conv", ["o", "fc1_W", "fc1_B"], ["fc1"], kernel_shape=[4, 1]), node("Relu", ["fc1"], ["relu"]),
        node("Conv", ["relu", "fc2_W", "fc2_B"], ["fc2"], kernel_shape=[1, 1]), node("Tanh", ["fc2"], ["tanh"]),
        node("Reshape", ["tanh", "shape"], ["flat"]), node("Mul", ["flat", "scale"], ["y"]),
    ]
    tensors = [
        tensor("mean", weights(1, 1, 4, 1)), tensor("fc1_W", weights(5, 1, 4, 1)), tensor("fc1_B", weights(5)), tensor("fc2_W", weights(2, 5, 1, 1)),
        tensor("fc2_B", weights(2)), tensor("shape", [1, 2], np.int64), tensor("scale", [2.0, 3.0]),
    ]
    run("MATLAB", "controller with convolutions", graph(conv, [("observation", [1, 1, 4, 1])], [("y", [1, 2])], tensors, opset=9), (1, 1, 4, 1))
    gemm = [
        node("Flatten", ["in"], ["f"]), node("MatMul", ["f", "W"], ["m"]), node("Add", ["m", "b"], ["a"]), node("Relu", ["a"], ["r"]),
        node("Gemm", ["r", "V", "c"], ["y"], transB=1),
    ]
    tensors = [tensor("W", weights(4, 5)), tensor("b", weights(5)), tensor("V", weights(2, 5)), tensor("c", weights(2))]
    run("MATLAB", "feature input", graph(gemm, [("in", ["N", 4])], [("y", ["N", 2])], tensors, opset=13), (1, 4))


# Frameworks.


def scikit_learn():
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    x = random.normal(size=(60, 4))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], 1)
    label = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    models = {}
    for activation in ["relu", "tanh", "logistic", "identity"]:
        models[f"MLPRegressor {activation}"] = MLPRegressor(hidden_layer_sizes=(8, 6), activation=activation, max_iter=30).fit(x, y)
    models["MLPRegressor one output"] = MLPRegressor(hidden_layer_sizes=(8,), max_iter=30).fit(x, y[:, 0])
    models["MLPClassifier three classes"] = MLPClassifier(hidden_layer_sizes=(8,), max_iter=30).fit(x, label)
    models["MLPClassifier two classes"] = MLPClassifier(hidden_layer_sizes=(8,), max_iter=30).fit(x, label > 0)
    for scaler in [StandardScaler(), MinMaxScaler(), MaxAbsScaler(), RobustScaler()]:
        name = f"{type(scaler).__name__} and MLPRegressor"
        models[name] = make_pipeline(scaler, MLPRegressor(hidden_layer_sizes=(8,), max_iter=30)).fit(x, y)
    models["LinearRegression"] = LinearRegression().fit(x, y)
    models["Ridge one output"] = Ridge().fit(x, y[:, 0])
    models["LogisticRegression"] = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, label)
    for name, model in models.items():
        for kind in [np.float32, np.float64]:
            is_classifier = hasattr(model, "predict_proba")
            shown = f"{name} {np.dtype(kind).name}"
            for zipmap in [False, True] if is_classifier else [None]:
                options = {} if zipmap is None else {"options": {"zipmap": zipmap}}
                if zipmap:
                    shown += " with map"
                try:
                    made = to_onnx(model, x[:1].astype(kind), **options)
                except Exception as error:
                    missing("scikit-learn", shown, error)
                    continue
                output = made.graph.output[1].name if is_classifier else None
                tolerance = 2e-5 if "Logistic" in name or kind == np.float32 else 1e-6
                try:
                    run("scikit-learn", shown, made, (1, 4), tolerance, output)
                except Exception as error:
                    missing("scikit-learn", shown, error)


def keras():
    import keras
    from keras import layers

    def sequential(*inside, shape=(4,)):
        return keras.Sequential([keras.Input(shape), *inside])

    models = {}
    for activation in ["relu", "tanh", "sigmoid", "softplus", "softsign", "elu", "selu", "silu", "gelu", "hard_sigmoid", "hard_swish", "leaky_relu", "relu6", "mish", "softmax", "exponential", "linear"]:
        models[f"Dense {activation}"] = sequential(layers.Dense(6, activation=activation), layers.Dense(3))
    models["gelu tanh"] = sequential(layers.Dense(6), layers.Activation(lambda x: keras.activations.gelu(x, approximate=True)), layers.Dense(3))
    normalization = layers.Normalization()
    normalization.adapt(random.normal(2.0, 3.0, size=(50, 4)).astype(np.float32))
    models["Normalization"] = sequential(normalization, layers.Dense(3, activation="tanh"))
    models["Rescaling"] = sequential(layers.Rescaling(1 / 255.0, offset=-0.5), layers.Dense(3))
    models["BatchNormalization"] = sequential(layers.Dense(6), layers.BatchNormalization(), layers.ReLU(), layers.Dense(3))
    models["LayerNormalization"] = sequential(layers.Dense(6), layers.LayerNormalization(), layers.Dense(3))
    models["Flatten, Reshape and Dropout"] = sequential(layers.Flatten(), layers.Reshape((8, 1)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(3), shape=(2, 4))
    models["ReLU with bounds"] = sequential(layers.Dense(6), layers.ReLU(max_value=2.0), layers.Dense(3))
    models["PReLU"] = sequential(layers.Dense(6), layers.PReLU(alpha_initializer="random_uniform"), layers.Dense(3))
    models["LeakyReLU"] = sequential(layers.Dense(6), layers.LeakyReLU(0.3), layers.Dense(3))
    models["Softmax"] = sequential(layers.Dense(3), layers.Softmax())
    models["no bias"] = sequential(layers.Dense(6, use_bias=False, activation="tanh"), layers.Dense(3, use_bias=False))
    a = keras.Input((4,))
    h = layers.Dense(6, activation="tanh")(a)
    models["residual"] = keras.Model(a, layers.Dense(3)(layers.Add()([h, layers.Dense(6, activation="relu")(h)])))
    models["concatenated branches"] = keras.Model(a, layers.Dense(3)(layers.Concatenate()([layers.Dense(5, activation="relu")(a), layers.Dense(2, activation="tanh")(a), a])))
    models["subtracted branches"] = keras.Model(a, layers.Subtract()([layers.Dense(3)(a), layers.Dense(3, activation="tanh")(a)]))
    b = keras.Input((2,))
    models["two inputs"] = keras.Model([a, b], layers.Dense(3)(layers.Concatenate()([layers.Dense(5, activation="relu")(a), layers.Dense(2, activation="tanh")(b)])))
    refused = {"Dense exponential"}
    models["multiplied branches"] = keras.Model(a, layers.Multiply()([layers.Dense(3)(a), layers.Dense(3)(a)]))
    models["Conv1D"] = sequential(layers.Conv1D(3, 2), layers.Flatten(), layers.Dense(2), shape=(6, 1))
    models["LSTM"] = sequential(layers.LSTM(3, unroll=True), layers.Dense(2), shape=(3, 2))
    refused |= {"multiplied branches", "Conv1D", "LSTM"}
    for name, model in models.items():
        for layer in model.layers:
            for weight in layer.weights:
                if "variance" not in weight.path and "count" not in weight.path and weight.dtype == "float32":
                    weight.assign(weight + 0.1 * random.normal(size=weight.shape))
        path = os.path.join(folder, "exported.onnx")
        shapes = [(1, *i.shape[1:]) for i in model.inputs]
        zeros = [np.zeros(shape, np.float32) for shape in shapes]
        model(zeros if len(zeros) > 1 else zeros[0])
        try:
            model.export(path, format="onnx", verbose=False)
        except Exception as error:
            missing("Keras", name, error)
            continue
        with open(path, "rb") as file:
            content = file.read()
        os.remove(path)
        try:
            run("Keras", name, content, shapes if len(shapes) > 1 else shapes[0], is_read=name not in refused)
        except Exception as error:
            missing("Keras", name, error)


# The test data of the onnx package.


def operators():
    from onnx.backend.test.case.node import collect_testcases

    claimed = set(open(sys.argv[2]).read().split())
    for test in sorted(collect_testcases(None), key=lambda test: test.name):
        model = test.model
        kinds = {(n.domain + "." if n.domain not in ("", "ai.onnx") else "") + n.op_type for n in model.graph.node}
        if len(kinds) != 1 or not kinds <= claimed or not test.data_sets:
            continue
        [main] = kinds
        values, outputs = test.data_sets[0]
        try:
            inputs = [numpy_helper.from_array(v, info.name) for v, info in zip(values, model.graph.input)]
        except Exception:  # a sequence or an optional value
            continue
        expected = outputs[0]
        if not isinstance(expected, np.ndarray):
            continue
        floats = [i for i, t in enumerate(inputs) if t.data_type in (1, 10, 11) and np.prod(t.dims) > 0]
        # The first one is the network's input; the others are its weights.
        first = floats[0] if floats else None
        if expected.dtype.kind != "f":
            continue
        if first is None or expected.size == 0:
            continue
        for i, value in enumerate(inputs):
            if i != first:
                model.graph.initializer.append(value)
        x = numpy_helper.to_array(inputs[first])
        # Rows in front, where the operator counts them along another axis.
        attributes = {a.name: helper.get_attribute_value(a) for a in model.graph.node[0].attribute}
        if main == "Transpose":
            order = attributes.get("perm", list(range(x.ndim))[::-1])
            expected = np.moveaxis(expected, list(order).index(0), 0)
        elif test.name == "test_expand_dim_changed":
            expected = np.moveaxis(expected, 1, 0)
        elif main == "Gemm" and attributes.get("transA"):
            x = x.T
        rows = x.shape[0] if x.ndim > 1 else 1
        if expected.size % rows:
            rows = 1
        if x.ndim == 1 and x.size > 1000:
            # So many entries of one row have a Jacobian that does not fit into memory.
            x, expected = x[:1000], expected[:1000]
            for info in [model.graph.input[first], model.graph.output[0]]:
                info.type.tensor_type.shape.dim[0].dim_value = 1000
        # Operators that only move entries are no layer by themselves.
        [only], made = model.graph.node, model.graph.output[0].name
        only.output[list(only.output).index(made)] = "inner"
        model.graph.node.append(node("Neg", ["inner"], [made]))
        expected = -expected
        del model.graph.output[1:]
        write(
            "onnx package", test.name.removeprefix("test_"), model, x.reshape(rows, -1).astype(np.float64),
            expected.reshape(rows, -1).astype(np.float64), F16 if expected.dtype == np.float16 else F32, "", None,
        )
        meant[-1] = f"{meant[-1].rsplit(chr(9), 1)[0]}\teither"
        kinds_of[meant[-1].split("\t")[0]] = main


kinds_of = {}
for make in [by_hand, written_out, pytorch_and_matlab, scikit_learn, keras, operators]:
    make()
with open(os.path.join(folder, "cases.tsv"), "w") as file:
    file.write("\n".join(cases) + "\n")
with open(os.path.join(folder, "without.tsv"), "w") as file:
    file.writelines(line + "\n" for line in without)
with open(os.path.join(folder, "meant.tsv"), "w") as file:
    for line in meant:
        file.write(line + "\t" + kinds_of.get(line.split("\t")[0], "") + "\n")
