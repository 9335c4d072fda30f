//! Keras models: the length of a configuration, the configuration, and an HDF5 file, as the archive
//! that holds them; and the HDF5 file alone.

#![no_main]

use std::io::{Cursor, Write};

use fnn_std::import;
use fnn_std_fuzz::{digits, eight_bytes, four_bytes, header, mutated, used, within_a_second};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use zip::{ZipWriter, write::SimpleFileOptions};

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
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("config.json", config), ("model.weights.h5", weights)] {
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let archive = archive.finish().unwrap().into_inner();
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
