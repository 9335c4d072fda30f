//! The second layer takes 16 inputs, the first has 32 neurons.
//~ the layer `Dense<f32, 16, 3, Identity>` does not fit: the layer before it has
//~ Const<32>` outputs

use fnn_core::{Dense, Identity, Network, chain};

fn main() {
    let first = Dense::new([[1.0_f32; 4]; 32], [0.0; 32], Identity);
    let second = Dense::new([[1.0_f32; 16]; 3], [0.0; 3], Identity);
    let _ = Network::new(chain![first, second]);
}
