//! Any bytes as a file of inputs.

#![no_main]

use fnn_std::Rows;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(rows) = Rows::parse(bytes) {
        assert_eq!(rows.iter().count(), rows.len());
    }
});
