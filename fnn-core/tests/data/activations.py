"""Golden points of the activations, computed independently of the crate with mpmath.

    python3 activations.py            writes activations_f32.csv and activations_f64.csv here
    python3 activations.py N FOLDER   writes N random points more for each activation, for tuning

Every function and its slope is evaluated as its definition says, with so many digits that no
cancellation matters. A line holds the name, the bits of z, and value and slope, each as the bits
of the nearest f64 and, for f64, what that number lacks in hundredths of its last place.
"""

import math
import random
import struct
import sys
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 420


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def softplus(z):
    return mp.log(1 + mp.exp(z)) if z > -300 else mp.log1p(mp.exp(z))


def normal(z):
    """The distribution function of the normal distribution."""
    return mp.erfc(-z / mp.sqrt(2)) / 2


def gelu_tanh(cubic):
    k = mp.sqrt(2 / mp.pi)
    argument = lambda z: k * (z + cubic * z**3)
    return (
        lambda z: z / 2 * (1 + mp.tanh(argument(z))),
        lambda z: (1 + mp.tanh(argument(z))) / 2
        + z * mp.sech(argument(z)) ** 2 * k * (1 + 3 * cubic * z**2) / 2,
    )


SELU_ALPHA = mpf("1.6732632423543772848170429916717")
SELU_SCALE = mpf("1.0507009873554804934193349852946")


def elu(alpha, scale=1):
    return (
        lambda z: scale * (z if z > 0 else alpha * mp.expm1(z)),
        lambda z: scale * (mpf(1) if z > 0 else alpha * mp.exp(z)),
    )


def functions(to_format):
    """Name: (value, slope, |z| up to which it is more than a limit or a straight line)."""
    leaky = to_format(0.01)
    return {
        "mish": (
            lambda z: z * mp.tanh(softplus(z)),
            lambda z: mp.tanh(softplus(z)) + z * mp.sech(softplus(z)) ** 2 * sigmoid(z),
            1,
        ),
        "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2, 0.5),
        "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), 1),
        "softplus": (softplus, sigmoid, 1),
        "silu": (
            lambda z: z * sigmoid(z),
            lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
            1,
        ),
        "gelu": (
            lambda z: z * normal(z),
            lambda z: normal(z) + z * mp.exp(-(z**2) / 2) / mp.sqrt(2 * mp.pi),
            0,
        ),
        "gelu_tanh": (*gelu_tanh(mpf("0.044715")), 0),
        "elu(1)": (*elu(mpf(1)), 1),
        "elu(1.7)": (*elu(to_format(1.7)), 1),
        "selu": (*elu(SELU_ALPHA, SELU_SCALE), 1),
        "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2, 0),
        "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0), 0),
        "leaky_relu(0.01)": (
            lambda z: z if z > 0 else leaky * z,
            lambda z: mpf(1) if z > 0 else leaky,
            0,
        ),
        "hard_sigmoid": (
            lambda z: min(max((z + 3) / 6, mpf(0)), mpf(1)),
            lambda z: mpf(1) / 6 if -3 < z < 3 else mpf(0),
            0,
        ),
        "hard_swish": (
            lambda z: z * min(max((z + 3) / 6, mpf(0)), mpf(1)),
            lambda z: mpf(0) if z <= -3 else mpf(1) if z >= 3 else z / 3 + mpf(1) / 2,
            0,
        ),
        "clip(-1:3)": (
            lambda z: min(max(z, mpf(-1)), mpf(3)),
            lambda z: mpf(-1 < z < 3),
            0,
        ),
        "gelu_tanh(0.0447)": (*gelu_tanh(to_format(0.0447)), 0),
    }


PLAIN = {"softsign", "relu", "leaky_relu(0.01)", "hard_sigmoid", "hard_swish", "clip(-1:3)"}
# The zeros of the slopes of mish, silu, gelu, gelu_tanh.
CROSSINGS = [-1.1924912268107853, -1.2784645427610738, -0.7517916185656436, -0.7524614220710162]


# Where the errors in f32 are largest, found among all its numbers.
WORST = {
    "mish": [-5.91462672e-1, 5.90240300e-1],
    "tanh": [5.85049748e-1, 8.86888683e-1],
    "sigmoid": [-1.01684022e0, 1.02000427e0],
    "softplus": [-3.77326679e0, -1.01684022e0],
    "silu": [-1.02994215e0, -6.57067394e0],
    "gelu": [-1.28804674e1, -6.70404816e0],
    "gelu_tanh": [-6.26294374e-1, -3.14084792e0],
    "elu(1)": [-2.84201205e-1, -2.80719891e1],
    "elu(1.7)": [-3.44294578e-1, -5.89031887e0],
    "selu": [-1.49572074e-1, -5.19300985e0],
    "softsign": [2.04737488e3, 1.63116261e18],
    "leaky_relu(0.01)": [-3.76158192e-37],
    "hard_sigmoid": [1.00000072e0, 0.00000000e0],
    "hard_swish": [1.37149787e0, 5.00000358e-1],
}


class Format:
    def __init__(self, bits):
        self.bits = bits
        self.float, self.word = ("<f", "<I") if bits == 32 else ("<d", "<Q")
        # Where eᶻ turns subnormal, where it vanishes, and about where z·eᶻ does.
        self.tail = [-87.34, -103.97, -108.7] if bits == 32 else [-708.4, -745.13, -751.7]
        self.gelu_tail = [-13.0, -14.3, -15.0] if bits == 32 else [-37.5, -38.6, -39.0]
        self.tanh_tail = [-9.9, -10.6, -11.0] if bits == 32 else [-21.0, -21.4, -22.0]
        self.least = -149 if bits == 32 else -1074

    def nearest(self, x):
        return struct.unpack(self.float, struct.pack(self.float, x))[0]

    def word_of(self, x):
        return struct.unpack(self.word, struct.pack(self.float, x))[0]

    def step(self, x, steps):
        """The number `steps` away from x in the order of magnitudes."""
        return struct.unpack(self.float, struct.pack(self.word, self.word_of(x) + steps))[0]

    def exact(self, x):
        return mpf(self.nearest(x))


def points(form, name, rng):
    """Zero, subnormal and tiny, around every threshold, and along the range."""
    tail = form.gelu_tail if name == "gelu" else form.tanh_tail if name.startswith("gelu_tanh") else form.tail
    if name == "tanh":
        tail = [t / 2 for t in tail]
    zs = [0.0, -0.0]
    least = 2.0**form.least
    for x in (least, 3 * least, least * 2**20, least * 2 ** (22 if form.bits == 32 else 51)):
        zs += [x, -x]
    count = 1 if form.bits == 32 else 3
    for power in range(-form.bits, 3, 4 // count + 1):
        x = rng.uniform(1, 2) * 2.0**power
        zs += [x, -x]
    thresholds = [1.0, -1.0, 3.0, -3.0]
    if name not in PLAIN:
        half = math.log(2) / 2
        thresholds += [half, -half, -3 * half, half / 2, -half / 2, 21.5, -20.0, 40.0]
        thresholds += [c for c in CROSSINGS] + tail
    for t in thresholds:
        t = form.nearest(t)
        zs += [form.step(t, s) for s in (-2, 0, 1)]
    dense = 12 if name in PLAIN else 21
    for i in range(dense * count):
        zs.append(rng.uniform(-4, 4))
        if name not in PLAIN:
            zs.append(rng.uniform(tail[-1] * 1.05, 0))
            zs.append(rng.uniform(tail[1], tail[0]))
            zs.append(rng.uniform(-20, 25))
    zs += [1000.0, -1000.0, 12345.678, -12345.678]
    zs += [form.nearest(z) for z in WORST.get(name, [])]
    return sorted({form.word_of(z): form.nearest(z) for z in zs}.items())


def more_points(form, name, rng, count):
    tail = form.gelu_tail if name == "gelu" else form.tanh_tail if name.startswith("gelu_tanh") else form.tail
    zs = []
    for i in range(count // 4):
        zs.append(rng.uniform(-2, 2))
        zs.append(rng.uniform(-8, 10))
        zs.append(rng.uniform(tail[-1], 40))
        zs.append(rng.choice([-1, 1]) * 2.0 ** rng.uniform(-40, 5))
    return sorted({form.word_of(z): form.nearest(z) for z in zs}.items())


def reference(form, exact):
    near = float(mp.nstr(exact, 25, min_fixed=0, max_fixed=0)) if exact else 0.0
    text = f"{struct.unpack('<Q', struct.pack('<d', near))[0]:016x}"
    if form.bits == 64 and exact:
        place = max(mp.frexp(exact)[1] - 53, -1074)
        text += f"{round(float((exact - mpf(near)) * mpf(2) ** -place) * 100):+d}"
    return text


def write(path, form, count):
    rng = random.Random(1)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write("activation,z,value,slope\n")
        for name, (value, slope, _) in functions(form.exact).items():
            chosen = more_points(form, name, rng, count) if count else points(form, name, rng)
            for word, z in chosen:
                z = mpf(z)
                file.write(
                    f"{name},{word:0{form.bits // 4}x},"
                    f"{reference(form, value(z))},{reference(form, slope(z))}\n"
                )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent
    for bits in (32, 64):
        write(folder / f"activations_f{bits}.csv", Format(bits), count)
