//! Keras models: the length of a configuration, the configuration, and an HDF5 file, as the archive
//! that holds them; and the HDF5 file alone.

#![no_main]

use std::io::{Cursor, Write};

use fnn_std::import;
use libfuzzer_sys::fuzz_target;
use zip::{ZipWriter, write::SimpleFileOptions};

fuzz_target!(|data: &[u8]| {
    let options = import::Options::default();
    let _ = import::parse(data, &options);
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
    let _ = import::parse(&archive, &options);
    let _ = import::parse(weights, &options);
});
