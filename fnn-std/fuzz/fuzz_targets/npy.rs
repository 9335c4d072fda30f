//! Any bytes as a file of inputs.

#![no_main]

use fnn_std::Rows;
use fnn_std_fuzz::{digits, four_bytes, mutated, text, within_a_second};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| within_a_second(|| {
    if let Ok(rows) = Rows::parse(bytes) {
        assert_eq!(rows.iter().count(), rows.len());
    }
}));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(data, size, max_size, seed, text, &[digits, four_bytes])
});
