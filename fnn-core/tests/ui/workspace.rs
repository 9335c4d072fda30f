//! A workspace for the value alone is too small for the Jacobian.
//~ the workspace is too small for `evaluate`: its length is Network::WORKSPACE

use fnn_core::{Dense, Identity, Network, SVector, Workspace};

type Policy = Network<Dense<f32, 4, 3, Identity>>;

fn main() {
    let network = Policy::new(Dense::new([[1.0; 4]; 3], [0.0; 3], Identity));
    let mut workspace = Workspace::<f32, { Policy::VALUE_WORKSPACE }>::new();
    let _ = network.evaluate(&SVector::from([1.0; 4]), &mut workspace);
}
