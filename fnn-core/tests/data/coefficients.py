"""The polynomial coefficients of fnn-core/src/math.rs, and how they were obtained.

Run it (Python 3 with mpmath) and compare what it prints with math.rs:

    python3 coefficients.py

Each polynomial is a least-squares fit of the relative error at nodes of Chebyshev, which is close
to the minimax polynomial. The coefficients are rounded to the format one by one, the one that
counts most first, and the others are fitted again after each rounding, so that they make up for
what the rounding has spoilt.
"""

import struct

from mpmath import mp, mpf

mp.dps = 60


def to_f32(x):
    """x rounded to the nearest f32 (through f64: exact enough for a coefficient)."""
    return mpf(struct.unpack("<f", struct.pack("<f", float(x)))[0])


def to_f64(x):
    return mpf(float(x))


def fit(target, weight, powers, low, high):
    """Coefficients c of Σ c[i] x^powers[i] that fit the target best on [low, high].

    The weighted squares of the errors are least at the nodes of Chebyshev, which crowd at the ends
    of the interval as the extrema of the minimax polynomial do.
    """
    count = 8 * len(powers) + 40
    rows, wanted = [], []
    for i in range(count):
        x = (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count))
        rows.append([weight(x) * x**p for p in powers])
        wanted.append(weight(x) * target(x))
    normal = mp.matrix(len(powers), len(powers))
    right = mp.matrix(len(powers), 1)
    for i in range(len(powers)):
        right[i] = mp.fdot((row[i], w) for row, w in zip(rows, wanted))
        for j in range(len(powers)):
            normal[i, j] = mp.fdot((row[i], row[j]) for row in rows)
    return list(mp.lu_solve(normal, right))


def rounded(target, weight, powers, low, high, to_format):
    """Coefficients that are numbers of the format, and the largest weighted error."""
    fixed = {}
    for _ in powers:
        free = [p for p in powers if p not in fixed]

        def rest(x):
            return target(x) - sum(c * x**p for p, c in fixed.items())

        coefficients = fit(rest, weight, free, low, high)
        fixed[free[0]] = to_format(coefficients[0])
    worst = max(
        weight(x) * abs(sum(c * x**p for p, c in fixed.items()) - target(x))
        for x in (low + (high - low) * mpf(2 * i + 1) / 4000 for i in range(2000))
    )
    return [fixed[p] for p in powers], worst


def shortest(c, to_format):
    """The shortest decimals that round to c."""
    return next(
        text
        for digits in range(1, 18)
        if to_format(mpf(text := f"{float(c):.{digits}g}")) == c
    )


def show(name, coefficients, worst, to_format):
    print(f"{name}: relative error below 2^{mp.nstr(mp.log(worst, 2), 4)}")
    for c in coefficients:
        print(f"    {shortest(c, to_format)}")


def exponential(bits, degree, to_format):
    """(e^r − 1 − r)/r² for |r| ≤ ln 2 / 2 (and a little more, for the rounding of n)."""
    edge = mp.log(2) / 2 * mpf("1.001")
    coefficients, worst = rounded(
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / abs(mp.expm1(r)),
        list(range(degree - 1)),
        -edge,
        edge,
        to_format,
    )
    show(f"exp f{bits}", coefficients, worst, to_format)


def logarithm(bits, degree, to_format):
    """ln(1 + u)/u for 0 ≤ u ≤ 1/e, less the 1 that it has at u = 0, over u."""
    coefficients, worst = rounded(
        lambda u: (mp.log1p(u) / u - 1) / u,
        lambda u: u**2 / mp.log1p(u),
        list(range(degree)),
        mpf(0),
        mp.exp(-1) * mpf("1.000001"),
        to_format,
    )
    show(f"ln_1p f{bits}", coefficients, worst, to_format)


def logarithm_of_cosine(bits, terms, to_format):
    """ln(cosh(a/2))/a² for 0 ≤ a ≤ 1 as a polynomial in s = a²; its error counts in ln(1 + e⁻ᵃ)."""
    coefficients, worst = rounded(
        lambda s: mp.log(mp.cosh(mp.sqrt(s) / 2)) / s,
        lambda s: s / mp.log1p(mp.exp(-mp.sqrt(s))),
        list(range(terms)),
        mpf(0),
        mpf(1),
        to_format,
    )
    show(f"ln_cosh f{bits}", coefficients, worst, to_format)


def hyperbolic_tangent(bits, terms, to_format):
    """(tanh a / a − 1)/a² for 0 ≤ a ≤ 0.55 as a polynomial in s = a²."""

    def target(s):
        a = mp.sqrt(s)
        return (mp.tanh(a) / a - 1) / s

    coefficients, worst = rounded(
        target,
        lambda s: s * mp.sqrt(s) / mp.tanh(mp.sqrt(s)),
        list(range(terms)),
        mpf(0),
        mpf("0.55") ** 2,
        to_format,
    )
    show(f"tanh f{bits}", coefficients, worst, to_format)


def normal_tail(bits, degree, highest, to_format):
    """K(a) = (1/R(a) − 2)/a − 2 as N(a)/D(a) of the same degree, with D(0) = 1.

    R(a) = Φ(−a)·e^(a²/2), 0 ≤ a ≤ highest. What counts is the error of a·K beside 1/R. N − K·D is
    linear in the coefficients: it is fitted again and again, divided by the D of the fit before.
    """

    def inverse(a):
        return 2 * mp.exp(-(a**2) / 2) / mp.erfc(a / mp.sqrt(2))

    def excess(a):
        return (inverse(a) - 2) / a - 2

    nodes = [highest / mpf(2) * (1 - mp.cos(mp.pi * (2 * i + 1) / 240)) for i in range(120)]
    # Twice as many nodes again where the function bends most.
    nodes += [x**2 / highest**2 * 4 for x in nodes] + [x**2 / highest for x in nodes]
    wanted = [excess(x) for x in nodes]
    denominator = [mpf(1)] + [mpf(0)] * degree
    for _ in range(14):
        rows, right = [], []
        for x, k in zip(nodes, wanted):
            weight = x / (inverse(x) * mp.polyval(denominator[::-1], x))
            rows.append(
                [weight * x**p for p in range(degree + 1)]
                + [-weight * k * x**p for p in range(1, degree + 1)]
            )
            right.append(weight * k)
        matrix = mp.matrix(rows)
        solution = mp.lu_solve(matrix.T * matrix, matrix.T * mp.matrix(right))
        denominator = [mpf(1)] + list(solution[degree + 1 :])
    denominator = [to_format(c) for c in denominator]

    def bottom(x):
        return mp.polyval(denominator[::-1], x)

    numerator, worst = rounded(
        lambda x: excess(x) * bottom(x),
        lambda x: x / (inverse(x) * bottom(x)),
        list(range(degree + 1)),
        mpf(0),
        mpf(highest),
        to_format,
    )
    show(f"normal_tail numerator f{bits}", numerator, worst, to_format)
    show(f"normal_tail denominator f{bits}", denominator, worst, to_format)


if __name__ == "__main__":
    exponential(32, 6, to_f32)
    exponential(64, 11, to_f64)
    logarithm(32, 7, to_f32)
    logarithm(64, 15, to_f64)
    logarithm_of_cosine(32, 5, to_f32)
    logarithm_of_cosine(64, 10, to_f64)
    normal_tail(32, 5, 15, to_f32)
    normal_tail(64, 10, 39, to_f64)
    hyperbolic_tangent(32, 5, to_f32)
    hyperbolic_tangent(64, 11, to_f64)
