//! JSON text as a model.

#![no_main]

use fnn_std::import;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = import::parse(data, &import::Options::default());
});
