//! JSON text as a model.

#![no_main]

use fnn_std::import;
use fnn_std_fuzz::{digits, mutated, text, used, within_a_second};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| within_a_second(|| {
    used(import::parse(data, &import::Options::default()));
}));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(data, size, max_size, seed, text, &[digits])
});
