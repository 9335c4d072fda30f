//! Any bytes as an ONNX file: read or refused.

#![no_main]

use fnn_std::import;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = import::parse(bytes, &import::Options::default());
});
