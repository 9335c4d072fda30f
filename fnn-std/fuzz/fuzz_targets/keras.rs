//! Keras models: the length of a configuration, the configuration, and an HDF5 file, as the archive
//! that holds them; and the HDF5 file alone.

#![no_main]

use fnn_std::import;
use fnn_std_fuzz::{
    archive, digits, eight_bytes, four_bytes, header, mutated, used, within_a_second,
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| within_a_second(|| {
    let options = import::Options::default();
    used(import::parse(data, &options));
    let Some((length, rest)) = data.split_first_chunk() else {
        return;
    };
    let length = u32::from_le_bytes(*length) as usize;
    let Some((config, weights)) = rest.split_at_checked(length) else {
        return;
    };
    let archive = archive([("config.json", config), ("model.weights.h5", weights)]);
    used(import::parse(&archive, &options));
    used(import::parse(weights, &options));
}));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(
        data,
        size,
        max_size,
        seed,
        header::<4>,
        &[digits, four_bytes, eight_bytes],
    )
});
