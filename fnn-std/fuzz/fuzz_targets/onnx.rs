//! Any bytes as an ONNX file: read or refused.

#![no_main]

use fnn_std::import;
use fnn_std_fuzz::{message, mutated, used, varint, within_a_second};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| within_a_second(|| {
    used(import::parse(bytes, &import::Options::default()));
}));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(data, size, max_size, seed, message, &[varint])
});
