//! The network takes 4 inputs and is given 5.
//~ expected `4`, found `5`

use fnn_core::{Dense, Identity, Network, SVector, Workspace};

fn main() {
    let network = Network::new(Dense::new([[1.0_f32; 4]; 3], [0.0; 3], Identity));
    let mut workspace = Workspace::<f32, 30>::new();
    let _ = network.evaluate(&SVector::from([1.0_f32; 5]), &mut workspace);
}
