"""The networks that the bench writes for its peers: networks.json and, beside it, numbers."""

import json
import pathlib

import numpy as np


class Network:
    def __init__(self, folder, entry):
        self.name = entry["name"]
        self.activation = entry["activation"]
        self.inputs = entry["sizes"][0]
        self.expanded = entry["expanded"]
        self.precisions = entry["precisions"]
        numbers = np.fromfile(folder / f"{self.name}.f64", dtype="<f8")
        self.layers = []
        for before, neurons in zip(entry["sizes"], entry["sizes"][1:]):
            weight, bias, numbers = np.split(numbers, [neurons * before, neurons * (before + 1)])
            self.layers.append((weight.reshape(neurons, before), bias))
        self.points = numbers.reshape(-1, self.inputs)


def read(folder):
    folder = pathlib.Path(folder)
    entries = json.loads((folder / "networks.json").read_text())
    return {entry["name"]: Network(folder, entry) for entry in entries}
