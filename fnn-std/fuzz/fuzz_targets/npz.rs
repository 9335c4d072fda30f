//! npz archives: any bytes, and the two halves of the bytes as a weight and a bias.

#![no_main]

use fnn_std::{Activation, import};
use fnn_std_fuzz::{
    archive, digits, eight_bytes, four_bytes, mutated, text, used, within_a_second,
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| within_a_second(|| {
    let options = import::Options {
        activations: Some(vec![Activation::Tanh]),
        ..Default::default()
    };
    used(import::parse(data, &options));
    let (weight, bias) = data.split_at(data.len() / 2);
    let archive = archive([("W0.npy", weight), ("b0.npy", bias)]);
    used(import::parse(&archive, &options));
}));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(
        data,
        size,
        max_size,
        seed,
        text,
        &[digits, four_bytes, eight_bytes],
    )
});
