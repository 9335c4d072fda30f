//! Numbers as they lie in files, widened to `f64`, which holds them all exactly.

/// The numbers in `data`, of `BYTES` bytes each; bytes that do not fill the last one are left out.
pub(crate) fn each<const BYTES: usize>(
    data: &[u8],
    number: impl Fn([u8; BYTES]) -> f64,
) -> Vec<f64> {
    data.as_chunks()
        .0
        .iter()
        .map(|&bytes| number(bytes))
        .collect()
}

/// The number of IEEE-754 half precision with these bits.
pub(crate) fn f16(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    sign * match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// The bfloat16, the upper half of an `f32`, with these bits.
pub(crate) fn bf16(bits: u16) -> f64 {
    f32::from_bits(u32::from(bits) << 16).into()
}
