// The network that `seed.c` evaluates, as a module for FNN_MODULE: 4-32-32-32-32-32-3, mish but
// for the last layer. All sides read the same numbers, those of `weights.rs`.

/// The number format.
pub type Scalar = f32;

/// Its layers.
pub type Layers = fnn_core::Chain![
    fnn_core::Dense<f32, 4, 32, fnn_core::Mish>,
    [fnn_core::Dense<f32, 32, 32, fnn_core::Mish>; 4],
    fnn_core::Dense<f32, 32, 3, fnn_core::Identity>,
];

/// The network.
pub type Network = fnn_core::Network<Layers>;

/// Scratch memory for it.
pub type Workspace = fnn_core::Workspace<f32, { Network::WORKSPACE }>;

/// The same network, its Jacobian accumulated forward.
pub type Forward = fnn_core::Network<Layers, fnn_core::Forward>;

/// The network with the numbers of [`seed_weights`].
pub static NETWORK: Network = fnn_core::Network::new(LAYERS);

/// [`NETWORK`] forward.
pub static FORWARD: Forward = fnn_core::Network::with_order(LAYERS);

const LAYERS: Layers = fnn_core::chain![
    fnn_core::Dense::new(WEIGHTS.first, WEIGHTS.first_bias, fnn_core::Mish),
    [hidden(0), hidden(1), hidden(2), hidden(3)],
    fnn_core::Dense::new(WEIGHTS.last, WEIGHTS.last_bias, fnn_core::Identity),
];

const fn hidden(k: usize) -> fnn_core::Dense<f32, 32, 32, fnn_core::Mish> {
    fnn_core::Dense::new(WEIGHTS.hidden[k], WEIGHTS.hidden_bias[k], fnn_core::Mish)
}

/// What `seed.c` reads.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a name in C")]
pub static seed_weights: Weights = WEIGHTS;

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/weights.rs"));
