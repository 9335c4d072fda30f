//! Any bytes as a safetensors file, with activations for one layer and for two.

#![no_main]

use fnn_std::{Activation, import};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for layers in 0..3 {
        let activations = (layers > 0).then(|| vec![Activation::Tanh; layers]);
        let options = import::Options {
            activations,
            ..Default::default()
        };
        let _ = import::parse(bytes, &options);
    }
});
