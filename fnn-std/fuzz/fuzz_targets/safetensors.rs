//! Any bytes as a safetensors file, with activations for one layer and for two.

#![no_main]

use fnn_std::{Activation, import};
use fnn_std_fuzz::{digits, eight_bytes, header, mutated, used, within_a_second};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| within_a_second(|| {
    for layers in 0..3 {
        let activations = (layers > 0).then(|| vec![Activation::Tanh; layers]);
        let options = import::Options {
            activations,
            ..Default::default()
        };
        used(import::parse(bytes, &options));
    }
}));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(
        data,
        size,
        max_size,
        seed,
        header::<8>,
        &[digits, eight_bytes],
    )
});
