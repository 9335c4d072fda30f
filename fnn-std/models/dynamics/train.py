"""Trains `dynamics`: one time step of a planar quadrotor, and writes every file of this folder but the README.

Run by hand: python train.py
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))

import jax
import jax.numpy as jnp
import numpy as np

from plain_network import fold, forward, initial_weights, print_errors, train, write_files

STATE = ["x_m", "z_m", "theta_rad", "vx_m_per_s", "vz_m_per_s", "omega_rad_per_s"]
CONTROL = ["left_thrust_N", "right_thrust_N"]
OUTPUTS = ["next_" + name for name in STATE]
ACTIVATIONS = ["mish", "mish", "identity"]
SIZES = [8, 32, 32, 6]

STEP = 0.04  # s
SUBSTEPS = 4
MASS = 1.0  # kg
INERTIA = 0.03  # kg m²
ARM = 0.2  # m, from the centre to either rotor
DRAG = 0.25  # N s/m
GRAVITY = 9.81  # m/s²

# A flight starts anywhere in this box: x, z, theta, vx, vz, omega, either way from 0.
START = np.array([2.0, 2.0, 1.0, 3.0, 3.0, 4.0])
THRUST = 10.0  # N, the most one rotor gives; hovering takes 4.9 N from each
FLIGHT_STEPS = 5
FLIGHTS = {"training": 5000, "validation": 500, "test": 500}


def rate(state, control):
    """The time derivative of the state: a rigid body in a plane, two rotors, gravity and linear air drag."""
    _, _, theta, vx, vz, omega = state
    left, right = control
    lift = left + right
    return jnp.array([
        vx,
        vz,
        omega,
        (-lift * jnp.sin(theta) - DRAG * vx) / MASS,
        (lift * jnp.cos(theta) - DRAG * vz) / MASS - GRAVITY,
        ARM * (right - left) / INERTIA,
    ])


def true_step(x):
    """The state one time step later, thrusts held: classical Runge-Kutta. x is state and control, 8 numbers."""
    state, control = x[:6], x[6:]
    h = STEP / SUBSTEPS
    for _ in range(SUBSTEPS):
        k1 = rate(state, control)
        k2 = rate(state + h / 2 * k1, control)
        k3 = rate(state + h / 2 * k2, control)
        k4 = rate(state + h * k3, control)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def fly(rng, flights):
    """Short flights from random starts under random thrusts: all their (state and control, next state) pairs."""
    step = jax.jit(jax.vmap(true_step))
    state = rng.uniform(-START, START, size=(flights, 6))
    inputs, targets = [], []
    for _ in range(FLIGHT_STEPS):
        x = np.hstack([state, rng.uniform(0, THRUST, size=(flights, 2))])
        state = np.asarray(step(x))
        inputs.append(x)
        targets.append(state)
    return np.vstack(inputs), np.vstack(targets)


def print_jacobian_errors(network, inputs, input_scale, output_scale):
    """Prints how far the network's Jacobian is from that of the true step.

    Entries are compared in natural units, and as a whole after scaling each input and output by its
    standard deviation, since metres and radians per second do not add up.
    """
    learned = np.asarray(jax.vmap(jax.jacfwd(network))(inputs))
    truth = np.asarray(jax.vmap(jax.jacfwd(true_step))(inputs))
    error = learned - truth
    print("| row | RMS error of an entry | max error | largest true entry |")
    print("|---|---|---|---|")
    for i, name in enumerate(OUTPUTS):
        row = error[:, i]
        print(f"| {name} | {np.sqrt(np.mean(row**2)):.1e} | {np.abs(row).max():.1e} | {np.abs(truth[:, i]).max():.2f} |")
    scale = input_scale / output_scale[:, None]
    ratio = np.linalg.norm(error * scale, axis=(1, 2)) / np.linalg.norm(truth * scale, axis=(1, 2))
    print(f"scaled Frobenius error of the Jacobian: median {np.median(ratio):.1e}, largest {ratio.max():.1e}")


def main():
    rng = np.random.default_rng(1)
    data = {name: fly(rng, flights) for name, flights in FLIGHTS.items()}
    inputs, targets = data["training"]
    input_mean, input_scale = inputs.mean(axis=0), inputs.std(axis=0)
    output_mean, output_scale = targets.mean(axis=0), targets.std(axis=0)
    normalise = lambda x, y: ((x - input_mean) / input_scale, (y - output_mean) / output_scale)

    weights = train(
        initial_weights(SIZES, rng), ACTIVATIONS,
        normalise(*data["training"]), normalise(*data["validation"]), rng,
        adam_epochs=4000, batch=250, learning_rate=3e-3, lbfgs_steps=2000,
    )
    weights = fold(weights, input_mean, input_scale, output_mean, output_scale)
    weights = [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in weights]

    test_inputs, test_targets = data["test"]
    wide = [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in weights]
    network = lambda x: forward(wide, ACTIVATIONS, x)
    print_errors(OUTPUTS, np.asarray(network(test_inputs)), test_targets, test_inputs[:, :6])
    print_jacobian_errors(network, test_inputs, input_scale, output_scale)

    sample = rng.choice(len(test_inputs), 200, replace=False)
    write_files(FOLDER, "dynamics", weights, ACTIVATIONS, STATE + CONTROL, OUTPUTS, test_inputs[sample].astype(np.float32))
    print("training range of the inputs:")
    for name, low, high in zip(STATE + CONTROL, inputs.min(axis=0), inputs.max(axis=0)):
        print(f"  {name}: {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
