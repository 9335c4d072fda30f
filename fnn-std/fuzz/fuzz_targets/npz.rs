//! npz archives: any bytes, and the two halves of the bytes as a weight and a bias.

#![no_main]

use std::io::{Cursor, Write};

use fnn_std::{Activation, import};
use fnn_std_fuzz::{digits, eight_bytes, four_bytes, mutated, text, used, within_a_second};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use zip::{ZipWriter, write::SimpleFileOptions};

fuzz_target!(|data: &[u8]| within_a_second(|| {
    let options = import::Options {
        activations: Some(vec![Activation::Tanh]),
        ..Default::default()
    };
    used(import::parse(data, &options));
    let (weight, bias) = data.split_at(data.len() / 2);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("W0.npy", weight), ("b0.npy", bias)] {
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let archive = archive.finish().unwrap().into_inner();
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
