// The network that `seed.c` evaluates, as a module for FNN_MODULE: 4-32-32-32-32-32-3, mish but
// for the last layer. Both sides read the same numbers, which are computed here at compile time.

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

/// Weights and biases of all layers, row by row, as C sees them.
#[repr(C)]
#[derive(Debug)]
pub struct Weights {
    /// Layer 0.
    pub first: [[f32; 4]; 32],
    /// Bias of layer 0.
    pub first_bias: [f32; 32],
    /// Layers 1 to 4.
    pub hidden: [[[f32; 32]; 32]; 4],
    /// Biases of layers 1 to 4.
    pub hidden_bias: [[f32; 32]; 4],
    /// Layer 5.
    pub last: [[f32; 32]; 3],
    /// Bias of layer 5.
    pub last_bias: [f32; 3],
}

/// What `seed.c` reads.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a name in C")]
pub static seed_weights: Weights = WEIGHTS;

const WEIGHTS: Weights = {
    let mut state = 1;
    Weights {
        first: matrix(&mut state),
        first_bias: numbers(&mut state),
        hidden: [
            matrix(&mut state),
            matrix(&mut state),
            matrix(&mut state),
            matrix(&mut state),
        ],
        hidden_bias: matrix(&mut state),
        last: matrix(&mut state),
        last_bias: numbers(&mut state),
    }
};

const fn hidden(k: usize) -> fnn_core::Dense<f32, 32, 32, fnn_core::Mish> {
    fnn_core::Dense::new(WEIGHTS.hidden[k], WEIGHTS.hidden_bias[k], fnn_core::Mish)
}

const fn matrix<const COLS: usize, const ROWS: usize>(state: &mut u32) -> [[f32; COLS]; ROWS] {
    let mut matrix = [[0.0; COLS]; ROWS];
    let mut i = 0;
    while i < ROWS {
        matrix[i] = numbers(state);
        i += 1;
    }
    matrix
}

/// Multiples of 2⁻²⁴ from −½ to ½, one for each step of a linear congruential generator: enough
/// spread that no layer dies or saturates.
const fn numbers<const LEN: usize>(state: &mut u32) -> [f32; LEN] {
    let mut numbers = [0.0; LEN];
    let mut i = 0;
    while i < LEN {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        numbers[i] = ((*state >> 8) as i32 - (1 << 23)) as f32 / (1 << 24) as f32;
        i += 1;
    }
    numbers
}
