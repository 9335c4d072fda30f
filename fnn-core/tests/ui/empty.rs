//! A layer without neurons.
//~ a dense layer has at least one input and one neuron

use fnn_core::{Dense, Identity};

fn main() {
    let _ = Dense::<f32, 4, 0, Identity>::new([], [], Identity);
}
