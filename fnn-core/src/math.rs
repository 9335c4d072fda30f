//! What the activations need beyond +, −, ×, ÷ and comparisons, built from these and from bits.
//!
//! Every operation here is exactly specified by IEEE 754 and rounds once, so that the results have
//! the same bits on every target; none is a call into a library, none is fused. All functions are
//! free of branches and of tables, so that a loop over neurons becomes a loop over vectors.
//!
//! `tests/data/coefficients.py` computes the coefficients of the polynomials and says how.

use core::ops::{Add, Div, Mul, Neg, Sub};

/// The arithmetic of the activations. Seals [`Scalar`](crate::Scalar): it cannot be named outside.
pub trait Math:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// At and below this x both eˣ and x·eˣ are zero.
    const EXP_LOW: Self;
    /// From this a on φ(a), Φ(−a) and a·φ(a) of the normal distribution are zero.
    const NORMAL_END: Self;
    /// From this a on e⁻ˣ and a³·e⁻ˣ are zero for x = 2·√(2/π)·(a + 0.044715·a³).
    const GELU_TANH_END: Self;
    /// What [`Exp::scale`] has to be multiplied by: a power of two.
    const LAST: Self;
    /// The largest finite number.
    const MAX: Self;

    /// The number of the format that is nearest to `c`.
    fn constant(c: f64) -> Self;

    /// c + rest in two parts, the first of so few bits that its product with a number like it is
    /// exact.
    fn split(c: f64, rest: f64) -> (Self, Self);

    /// |x|.
    fn abs(self) -> Self;

    /// √`self`, rounded once.
    fn sqrt(self) -> Self;

    /// The magnitude of `self` with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;

    /// The upper half of the significand of `self`: the square of it is exact.
    fn high(self) -> Self;

    /// eˣ for x from [`EXP_LOW`](Self::EXP_LOW) up to 40.
    #[inline(always)]
    fn exp(x: Self) -> Exp<Self> {
        // Adding −0 changes nothing, and the compiler knows.
        Self::exp_sum(x, Self::constant(-0.0))
    }

    /// e^(x + tail) for x + tail from [`EXP_LOW`](Self::EXP_LOW) up to 40, where |tail| is much
    /// smaller than |x|.
    fn exp_sum(x: Self, tail: Self) -> Exp<Self>;

    /// ln(1 + u)/u for 0 ≤ u ≤ 1/e.
    fn ln_1p_ratio(u: Self) -> Self;

    /// ln(cosh(a/2))/a² for s = a², 0 ≤ a ≤ 1.
    fn ln_cosh_ratio(s: Self) -> Self;

    /// (tanh a / a − 1)/a² for s = a², 0 ≤ a ≤ 0.55.
    fn tanh_ratio(s: Self) -> Self;

    /// (1/R − 2)/a − 2 for R = Φ(−a)·e^(a²/2), 0 ≤ a ≤ [`NORMAL_END`](Self::NORMAL_END), as numerator
    /// and denominator, with Φ the distribution function of the normal distribution. It rises from
    /// −0.404 to less than √(2π) − 2 = 0.507.
    fn normal_tail(a: Self) -> (Self, Self);

    /// The smaller one; NaN if `self` is NaN.
    #[inline(always)]
    fn at_most(self, high: Self) -> Self {
        if self > high { high } else { self }
    }

    /// The larger one; NaN if `self` is NaN.
    #[inline(always)]
    fn at_least(self, low: Self) -> Self {
        if self < low { low } else { self }
    }
}

/// An exponential eˣ = 2ⁿ·(1 + p) with |p| ≤ 0.42.
///
/// 2ⁿ is the product of `scale` and the constant [`LAST`](Math::LAST), each a normal number even
/// where eˣ is subnormal: a product that ends with the multiplication by `LAST` is rounded once, at
/// the end.
#[derive(Debug, Clone, Copy)]
pub struct Exp<T> {
    /// eʳ − 1 of the reduced argument r, precise near zero, too.
    pub p: T,
    /// 2ⁿ/`LAST`.
    pub scale: T,
}

impl<T: Math> Exp<T> {
    /// eˣ, of which a subnormal has been rounded twice.
    #[inline(always)]
    pub fn value(self) -> T {
        (T::constant(1.0) + self.p) * (self.scale * T::LAST)
    }

    /// y·eˣ, also where it is subnormal, for a y of moderate size.
    #[inline(always)]
    pub fn times(self, y: T) -> T {
        // Not (1 + p)·y: here the rounding of y·p counts less than that of 1 + p would.
        let y = y * self.scale;
        (y + y * self.p) * T::LAST
    }

    /// (y + rest)·eˣ, also where it is subnormal, for a `rest` that is small beside y.
    #[inline(always)]
    pub fn times_sum(self, y: T, rest: T) -> T {
        (y + (y * self.p + (rest + rest * self.p))) * self.scale * T::LAST
    }

    /// y·(eˣ − 1), precise near zero.
    #[inline(always)]
    pub fn times_minus_one(self, y: T) -> T {
        let scaled = y * (self.scale * T::LAST);
        scaled * self.p - (y - scaled)
    }
}

/// The polynomial with these pairs of coefficients, the highest powers first and of each pair the
/// even one first.
///
/// Half as many operations wait for one another as in Horner's form, and half as many roundings
/// add up.
#[inline(always)]
fn polynomial<T: Math, const N: usize>(x: T, top: T, pairs: [[T; 2]; N]) -> T {
    let square = x * x;
    pairs
        .iter()
        .fold(top, |sum, &[even, odd]| sum * square + (even + odd * x))
}

impl Math for f32 {
    const EXP_LOW: Self = -112.0;
    const NORMAL_END: Self = 15.0;
    const GELU_TANH_END: Self = 11.0;
    const LAST: Self = 1.0 / (1u64 << 48) as f32;
    const MAX: Self = f32::MAX;

    #[inline(always)]
    fn constant(c: f64) -> Self {
        c as f32
    }

    #[inline(always)]
    fn split(c: f64, rest: f64) -> (Self, Self) {
        let high = (c as f32).high();
        (high, ((c - f64::from(high)) + rest) as f32)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        libm::sqrtf(self)
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        f32::copysign(self, sign)
    }

    #[inline(always)]
    fn high(self) -> Self {
        f32::from_bits(self.to_bits() & 0xffff_f000)
    }

    #[inline(always)]
    fn exp_sum(x: Self, tail: Self) -> Exp<Self> {
        // Adding 1.5·2^23 rounds to an integer, which is then in the lowest bits; 127 is the
        // bias of the exponent, and 2^-48 the factor that is left to the end.
        const ROUND: f32 = 12_582_912.0 + (127 + 48) as f32;
        // ln 2 in two parts, the first of so few bits that its product with n is exact.
        const LN_2_HIGH: f32 = 0.693_145_75;
        const LN_2_LOW: f32 = 1.428_606_8e-6;

        let shifted = (x + tail) * core::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        // The first difference is exact; p takes the rest in without the rounding of r.
        let (high, low) = (x - n * LN_2_HIGH, tail - n * LN_2_LOW);
        let r = high + low;
        let p = low
            + r * r
                * polynomial(
                    r,
                    0.0013862157,
                    [[0.04166753, 0.008366693], [0.49999997, 0.16666542]],
                );

        Exp {
            p: high + p,
            scale: f32::from_bits(shifted.to_bits() << 23),
        }
    }

    #[inline(always)]
    fn ln_1p_ratio(u: Self) -> Self {
        1.0 + u * polynomial(
            u,
            -0.039394528,
            [
                [-0.15598208, 0.1034514],
                [-0.24985364, 0.19831602],
                [-0.4999999, 0.33332717],
            ],
        )
    }

    #[inline(always)]
    fn ln_cosh_ratio(s: Self) -> Self {
        polynomial(
            s,
            1.6453332e-06,
            [[0.0003469087, -2.5787127e-05], [0.12499999, -0.0052082525]],
        )
    }

    #[inline(always)]
    fn tanh_ratio(s: Self) -> Self {
        polynomial(
            s,
            -0.0062601934,
            [[-0.053849414, 0.021060897], [-0.33333316, 0.13332555]],
        )
    }

    #[inline(always)]
    fn normal_tail(a: Self) -> (Self, Self) {
        let numerator = polynomial(
            a,
            0.0082366755 + 0.00090013054 * a,
            [[0.026851907, 0.030153614], [-0.4042309, -0.13708505]],
        );
        let denominator = polynomial(
            a,
            0.023272354 + 0.0017766976 * a,
            [[0.5010942, 0.1425776], [1.0, 1.0150753]],
        );
        (numerator, denominator)
    }
}

impl Math for f64 {
    const EXP_LOW: Self = -760.0;
    const NORMAL_END: Self = 39.0;
    const GELU_TANH_END: Self = 22.0;
    // 2^-512.
    const LAST: Self = f64::from_bits((1023 - 512) << 52);
    const MAX: Self = f64::MAX;

    #[inline(always)]
    fn constant(c: f64) -> Self {
        c
    }

    #[inline(always)]
    fn split(c: f64, rest: f64) -> (Self, Self) {
        let high = c.high();
        (high, (c - high) + rest)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        libm::sqrt(self)
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        f64::copysign(self, sign)
    }

    #[inline(always)]
    fn high(self) -> Self {
        f64::from_bits(self.to_bits() & 0xffff_ffff_f800_0000)
    }

    #[inline(always)]
    fn exp_sum(x: Self, tail: Self) -> Exp<Self> {
        // Adding 1.5·2^52 rounds to an integer, which is then in the lowest bits; 1023 is the
        // bias of the exponent, and 2^-512 the factor that is left to the end.
        const ROUND: f64 = 6_755_399_441_055_744.0 + (1023 + 512) as f64;
        // ln 2 in two parts, the first of so few bits that its product with n is exact.
        const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
        const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

        let shifted = (x + tail) * core::f64::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        // The first difference is exact; p takes the rest in without the rounding of r.
        let (high, low) = (x - n * LN_2_HIGH, tail - n * LN_2_LOW);
        let r = high + low;
        let p = low
            + r * r
                * polynomial(
                    r,
                    2.762635760774076e-07 + 2.5057264000887157e-08 * r,
                    [
                        [2.480150439420565e-05, 2.755739643193934e-06],
                        [0.0013888888932399315, 0.00019841269731676298],
                        [0.04166666666657362, 0.008333333333383519],
                        [0.5000000000000006, 0.166666666666666],
                    ],
                );

        Exp {
            p: high + p,
            scale: f64::from_bits(shifted.to_bits() << 52),
        }
    }

    #[inline(always)]
    fn ln_1p_ratio(u: Self) -> Self {
        1.0 + u * polynomial(
            u,
            -0.005369018084317996,
            [
                [-0.044310569461179686, 0.021572205122094946],
                [-0.0792275319602809, 0.06472117544978652],
                [-0.09980455348685943, 0.0898737635323761],
                [-0.12499717225481138, 0.11108366760003484],
                [-0.16666665596639513, 0.14285693383189227],
                [-0.2499999999927608, 0.19999999964082069],
                [-0.4999999999999997, 0.3333333333332585],
            ],
        )
    }

    #[inline(always)]
    fn ln_cosh_ratio(s: Self) -> Self {
        polynomial(
            s,
            1.153777903786214e-10 + -6.961416706046862e-12 * s,
            [
                [1.5650195774285116e-08, -1.375897809719833e-09],
                [2.1356903678047817e-06, -1.8031754024751866e-07],
                [0.0003472222221721696, -2.635168610627031e-05],
                [0.12499999999999993, -0.005208333333330201],
            ],
        )
    }

    #[inline(always)]
    fn tanh_ratio(s: Self) -> Self {
        polynomial(
            s,
            -1.9482223530561022e-05,
            [
                [-0.00023336716608935676, 8.32960249764263e-05],
                [-0.0014555414495931898, 0.0005884387766262006],
                [-0.008863232580109766, 0.0035920918133519448],
                [-0.05396825396371866, 0.02186948838458437],
                [-0.333333333333333, 0.13333333333326558],
            ],
        )
    }

    #[inline(always)]
    fn normal_tail(a: Self) -> (Self, Self) {
        let numerator = polynomial(
            a,
            2.26306571659655e-07,
            [
                [8.10360572934859e-05, 6.1546048289738995e-06],
                [0.003586557101735119, 0.0006611559452493849],
                [0.02577492287270616, 0.012783180751608624],
                [-0.14481954015693632, 0.0026782357286103515],
                [-0.4042308783942691, -0.39598214056850933],
            ],
        );
        let denominator = polynomial(
            a,
            4.4669155471974206e-07,
            [
                [0.000212659826336402, 1.3911556640791369e-05],
                [0.014225661441285052, 0.0020756924730814057],
                [0.2638762505310447, 0.07125787806062632],
                [1.3587074513868491, 0.7142726347929937],
                [1.0, 1.6555432082824006],
            ],
        );
        (numerator, denominator)
    }
}
