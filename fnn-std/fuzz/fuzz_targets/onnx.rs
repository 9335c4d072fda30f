//! Any bytes as an ONNX file: read or refused, and what is read evaluates.

#![no_main]

use fnn_std::{import, reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = import::parse(bytes, &import::Options::default())
        && model.inputs() * model.parameters() < 1 << 16
    {
        let x = vec![0.5; model.inputs()];
        let y = reference::evaluate(&model, &x).expect("as many numbers as inputs");
        assert_eq!(y.value.len(), model.outputs());
    }
});
