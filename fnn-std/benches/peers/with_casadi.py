"""Writes the C that CasADi generates for every network: python with_casadi.py FOLDER"""

import os
import sys

import casadi

import networks

ACTIVATIONS = {
    "mish": lambda z: z * casadi.tanh(casadi.log1p(casadi.exp(z))),
    "silu": lambda z: z / (1 + casadi.exp(-z)),
    "tanh": casadi.tanh,
}


def function(network):
    # MX keeps products of matrices whole, SX writes every number's own line. Where gcc can compile
    # that it is the faster one: dynamics 3.2 µs against 28, sensor 4.4 against 12, seed 14.6 against
    # 15.8. Of the two larger networks the lines would take gcc minutes.
    kind = casadi.SX if network.expanded else casadi.MX
    x = y = kind.sym("x", network.inputs)
    for k, (weight, bias) in enumerate(network.layers):
        y = casadi.mtimes(casadi.DM(weight), y) + casadi.DM(bias)
        if k + 1 < len(network.layers):
            y = ACTIVATIONS[network.activation](y)
    return casadi.Function("network", [x], [y, casadi.jacobian(y, x)])


def main(folder):
    os.chdir(folder)
    for network in networks.read(".").values():
        value_and_jacobian = function(network)
        for precision in network.precisions:
            options = {"f32": {"casadi_real": "float", "include_math": False}, "f64": {}}
            name = f"casadi_{network.name}_{precision}.c"
            generator = casadi.CodeGenerator(name, options[precision])
            generator.add(value_and_jacobian)
            generator.generate()
    print(casadi.__version__)


main(sys.argv[1])
