//! The same mistake in the type of a static.
//~ the layer `Dense<f32, 32, 3, Identity>` does not fit: the layer before it has
//~ Const<16>` outputs

use fnn_core::{Chain, Dense, Identity, Network, chain};

type Policy = Network<
    Chain![
        Dense<f32, 4, 32, Identity>,
        Dense<f32, 32, 16, Identity>,
        Dense<f32, 32, 3, Identity>,
    ],
>;

static POLICY: Policy = Network::new(chain![
    Dense::new([[1.0; 4]; 32], [0.0; 32], Identity),
    Dense::new([[1.0; 32]; 16], [0.0; 16], Identity),
    Dense::new([[1.0; 32]; 3], [0.0; 3], Identity),
]);

fn main() {
    let _ = &POLICY;
}
