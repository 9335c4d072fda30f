//! What fits compiles: the other files fail by their mistake alone.

use fnn_core::{Dense, Identity, Network, SVector, Workspace, chain};

fn main() {
    let first = Dense::new([[1.0_f32; 4]; 32], [0.0; 32], Identity);
    let second = Dense::new([[1.0_f32; 32]; 3], [0.0; 3], Identity);
    let network = Network::new(chain![first, second]);
    let mut workspace = Workspace::<f32, 320>::new();
    let _ = network.evaluate(&SVector::from([1.0_f32; 4]), &mut workspace);
}
