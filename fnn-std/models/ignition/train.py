"""Trains `ignition`: hydrogen-air chemistry over one time step, and writes every file of this folder but the README.

Run by hand: python train.py
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))

import cantera as ct
import jax
import numpy as np

from plain_network import fold, forward, initial_weights, print_errors, train, write_files

MECHANISM = "h2o2.yaml"  # ships with Cantera
REACTING = ["H2", "H", "O", "O2", "OH", "H2O", "HO2", "H2O2"]
SPECIES = REACTING + ["N2"]  # argon, the mechanism's tenth species, is left at zero
ROOT = 0.1  # a mass fraction Y enters and leaves the network as Y**ROOT

INPUTS = [f"{name}_mass_fraction_root10" for name in SPECIES] + ["temperature_K", "pressure_Pa"]
OUTPUTS = [f"next_{name}_mass_fraction_root10" for name in REACTING] + ["next_temperature_K"]
ACTIVATIONS = ["mish"] * 5 + ["identity"]
SIZES = [len(INPUTS)] + [32] * 5 + [len(OUTPUTS)]

STEP = 1e-5  # s
TEMPERATURE = (1000.0, 1400.0)  # K, at the start of a trajectory
PRESSURE = (0.5 * ct.one_atm, 2 * ct.one_atm)
EQUIVALENCE = (0.5, 2.0)
STATES = 50  # per trajectory
TRAJECTORIES = {"training": 1000, "validation": 50, "test": 50}


class Reactor:
    """An adiabatic reactor at constant pressure."""

    def __init__(self):
        self.gas = ct.Solution(MECHANISM)
        self.columns = [self.gas.species_index(name) for name in SPECIES]

    def network(self):
        """An integrator starting from the gas as it is now."""
        net = ct.ReactorNet([ct.IdealGasConstPressureReactor(self.gas, clone=False)])
        net.rtol, net.atol = 1e-9, 1e-18
        return net

    def set(self, fractions, temperature, pressure):
        """Puts the gas into a state given by the mass fractions of SPECIES."""
        full = np.zeros(self.gas.n_species)
        full[self.columns] = fractions
        self.gas.TPY = temperature, pressure, full

    def state(self):
        """Mass fractions of SPECIES, temperature and pressure. Rounding below zero is cut off."""
        return np.array([*np.maximum(self.gas.Y[self.columns], 0), self.gas.T, self.gas.P])

    def step(self, state):
        """The state STEP seconds later."""
        self.set(state[:-2], *state[-2:])
        self.network().advance(STEP)
        return self.state()

    def trajectory(self, temperature, pressure, equivalence):
        """States from fresh mixture to well past ignition, as arrays of times and of states.

        The times are the integrator's own, which lie close together wherever anything is fast.
        """
        self.gas.TP = temperature, pressure
        self.gas.set_equivalence_ratio(equivalence, "H2", "O2:1, N2:3.76")
        net = self.network()
        times, states = [0.0], [self.state()]
        end = np.inf
        while net.time < end:
            net.step()
            times.append(net.time)
            states.append(self.state())
            if end == np.inf and states[-1][-2] > temperature + 400:
                end = net.time + 20 * STEP
        return np.array(times), np.array(states)

    def samples(self, rng, trajectories, perturb):
        """Pairs (state, state STEP later) from trajectories with random starts.

        States are drawn evenly along the path through the network's own representation, plus time, so
        that the slow beginning, the ignition and the approach to equilibrium are all well covered.
        With `perturb`, every other state is moved a little off its trajectory, so the network also
        learns which way the chemistry goes around the trajectories, which is what a Jacobian tells.
        """
        before, after = [], []
        for _ in range(trajectories):
            pressure = np.exp(rng.uniform(*np.log(PRESSURE)))
            equivalence = np.exp(rng.uniform(*np.log(EQUIVALENCE)))
            times, states = self.trajectory(rng.uniform(*TEMPERATURE), pressure, equivalence)
            path = np.column_stack([represent(states)[:, :-1], times])
            moved = np.abs(np.diff(path, axis=0)) / np.maximum(np.ptp(path, axis=0), 1e-9)
            length = np.concatenate([[0], np.cumsum(moved.sum(axis=1))])
            chosen = np.searchsorted(length, rng.uniform(0, length[-1], STATES - 1))
            for i, state in enumerate(states[[0, *chosen]]):
                if perturb and i % 2 == 1:
                    fractions = state[:-2] * np.exp(rng.normal(0, 0.1, len(SPECIES)))
                    state = np.array([*(fractions / fractions.sum()), state[-2] + rng.normal(0, 20), state[-1]])
                before.append(state)
                after.append(self.step(state))
        return np.array(before), np.array(after)


def represent(states):
    """States as the network takes them: roots of the mass fractions, then temperature and pressure.

    The tenth root spreads the radicals, which grow over ten decades, and unlike a logarithm is finite at 0.
    """
    return np.hstack([states[:, :-2] ** ROOT, states[:, -2:]])


def outputs_of(states):
    """States as the network gives them: roots of the reacting mass fractions, then temperature."""
    return np.hstack([states[:, : len(REACTING)] ** ROOT, states[:, -2:-1]])


def print_derivative_errors(network, reactor, rng, states):
    """Compares the Jacobian with the chemistry's own response to small changes of the state.

    Only directions a mixture can take are tried (mass fractions keep their sum), because only those
    mean anything: each fraction moves by about 1 % of itself, the temperature by about 2 K. What the
    chemistry does is a central difference of two integrations; errors are relative, both sides having
    their outputs scaled by the standard deviation over `states`.
    """
    jacobian = jax.jit(jax.jacfwd(network))
    scale = outputs_of(states).std(axis=0)
    ratios = []
    for state in states:
        factors = np.exp(rng.normal(0, 0.01, len(SPECIES)))
        warmer = rng.normal(0, 2)
        moved = []
        for sign in (1, -1):
            fractions = state[:-2] * factors**sign
            moved.append(np.array([*(fractions / fractions.sum()), state[-2] + sign * warmer, state[-1]]))
        x = represent(np.array([state, *moved]))
        truth = np.diff(outputs_of(np.array([reactor.step(m) for m in moved])), axis=0)[0] / scale
        learned = np.asarray(jacobian(x[0])) @ (x[2] - x[1]) / scale
        ratios.append(np.linalg.norm(learned - truth) / np.linalg.norm(truth))
    print(
        "relative error of the response to a small change of state: "
        f"median {np.median(ratios):.1e}, 90 % below {np.quantile(ratios, 0.9):.1e}"
    )


def print_rollout_errors(network, reactor, fresh):
    """Lets the network run on its own output from fresh mixtures and compares with the integrator.

    Both run until 20 steps after the integrator's temperature has risen by 400 K. The ignition time is
    when the temperature crosses that rise, interpolated between steps.
    """
    network = jax.jit(network)
    delays, errors, finals = [], [], []
    for state in fresh:
        x = represent(state[None])[0]
        level = state[-2] + 400
        truth, learned = [state[-2]], [state[-2]]
        remaining = 20
        while remaining > 0:
            state = reactor.step(state)
            y = np.asarray(network(x))
            # Nitrogen and pressure stay; the network gives the rest in the form in which it takes it.
            x = np.array([*y[:-1], x[-3], y[-1], x[-1]])
            truth.append(state[-2])
            learned.append(x[-2])
            remaining -= state[-2] > level
        crossings = []
        for temperatures in (truth, learned):
            above = int(np.argmax(np.array(temperatures) > level))
            low, high = temperatures[above - 1], temperatures[above]
            crossings.append(STEP * (above - 1 + (level - low) / (high - low)) if high > level else np.nan)
        delays.append(crossings[0])
        errors.append(abs(crossings[1] / crossings[0] - 1))
        finals.append(abs(learned[-1] - truth[-1]))
    ignited = ~np.isnan(errors)
    errors, finals = np.array(errors)[ignited], np.array(finals)[ignited]
    print(
        f"alone from {len(fresh)} fresh mixtures, ignition times {min(delays):.1e} to {max(delays):.1e} s: "
        f"{np.sum(~ignited)} without ignition; in the others ignition time off by {np.median(errors):.2%} (median), {errors.max():.1%} (most), "
        f"last temperature off by {np.median(finals):.1f} K (median), {max(finals):.1f} K (most)"
    )


def main():
    rng = np.random.default_rng(1)
    reactor = Reactor()
    data = {name: reactor.samples(rng, count, name == "training") for name, count in TRAJECTORIES.items()}
    pairs = {name: (represent(before), outputs_of(after)) for name, (before, after) in data.items()}
    inputs, targets = pairs["training"]
    input_mean, input_scale = inputs.mean(axis=0), inputs.std(axis=0)
    output_mean, output_scale = targets.mean(axis=0), targets.std(axis=0)
    normalise = lambda x, y: ((x - input_mean) / input_scale, (y - output_mean) / output_scale)

    weights = train(
        initial_weights(SIZES, rng), ACTIVATIONS,
        normalise(*pairs["training"]), normalise(*pairs["validation"]), rng,
        adam_epochs=2500, batch=250, learning_rate=3e-3, lbfgs_steps=2000,
    )
    weights = fold(weights, input_mean, input_scale, output_mean, output_scale)

    network = lambda x: forward(weights, ACTIVATIONS, x)
    before = data["test"][0]
    test_inputs, test_targets = pairs["test"]
    print_errors(OUTPUTS, np.asarray(network(test_inputs)), test_targets, outputs_of(before))
    print_derivative_errors(network, reactor, rng, before[rng.choice(len(before), 500, replace=False)])
    # Each trajectory's first state is its fresh mixture.
    print_rollout_errors(network, reactor, before[::STATES])

    sample = rng.choice(len(test_inputs), 200, replace=False)
    write_files(FOLDER, "ignition", weights, ACTIVATIONS, INPUTS, OUTPUTS, test_inputs[sample])
    print("training range of the inputs:")
    for name, low, high in zip(INPUTS, inputs.min(axis=0), inputs.max(axis=0)):
        print(f"  {name}: {low:.4g} to {high:.4g}")


if __name__ == "__main__":
    main()
