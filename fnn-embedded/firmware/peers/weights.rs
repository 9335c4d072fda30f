// The weights of `seed.rs`, which `cargo xtask` reads too, to hand them to CasADi.

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

/// The numbers, in the order that the generator is asked for them.
pub const WEIGHTS: Weights = {
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
