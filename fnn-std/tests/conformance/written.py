"""Checks the ONNX files that fnn writes, and evaluates them with onnxruntime.

    python written.py FOLDER

For each line of FOLDER/meant.tsv, of which the first field names a folder in FOLDER with model.onnx,
x.csv, y.csv and bound.csv, it prints the name, `passed` or `failed`, and why. All rows are evaluated at
once, then each by itself.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime

# Beside the bound, which is generous where layers follow each other: relative to the largest output
# of the row.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}


def result(place):
    path = os.path.join(place, "model.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [info] = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[info.type]
    x, y, bound = (np.loadtxt(os.path.join(place, name), delimiter=",", ndmin=2) for name in ["x.csv", "y.csv", "bound.csv"])
    [found] = session.run(None, {info.name: x.astype(kind)})
    if found.dtype != kind or found.shape != y.shape:
        return "failed", f"{found.dtype} {found.shape}, wanted {kind} {y.shape}"
    alone = [session.run(None, {info.name: row[None].astype(kind)})[0][0] for row in x]
    worst, share = 0.0, 0.0
    for values in [found, np.array(alone)]:
        # What overflows in exact arithmetic is left out.
        finite = np.isfinite(y) & np.isfinite(bound)
        if not finite[:-1].all():
            return "failed", "an output or bound is not finite"
        error = np.abs(values.astype(np.float64) - y)
        largest = np.max(np.abs(y), axis=1, keepdims=True)
        # Not a number compares as larger than all.
        worst = max(worst, np.nan_to_num((error / np.maximum(largest, 1e-30))[finite], nan=np.inf).max(initial=0.0))
        share = max(share, np.nan_to_num((error / np.maximum(bound, 1e-300))[finite], nan=np.inf).max(initial=0.0))
    is_passed = worst <= TOLERANCE[kind] and share <= 1.0
    return "passed" if is_passed else "failed", f"error {worst:.1e}, {share:.2f} of the bound"


for line in open(os.path.join(sys.argv[1], "meant.tsv"), encoding="utf-8"):
    name = line.split("\t")[0]
    try:
        status, reason = result(os.path.join(sys.argv[1], name))
    except Exception as error:
        status, reason = "failed", str(error).replace("\n", " ").replace("\t", " ")
    print(name, status, reason, sep="\t")
