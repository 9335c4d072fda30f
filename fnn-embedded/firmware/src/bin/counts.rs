//! Counts the instructions of networks of many sizes and of every activation, in both number
//! formats and several orders of accumulation: `fnn inspect` estimates those of others from them.
#![no_std]
#![no_main]

use core::{fmt, hint::black_box};

use fnn_core::{
    Chain, Cut, Dense, Elu, Forward, Gelu, GeluTanh, HardSigmoid, HardSwish, Identity, LeakyRelu,
    Mish, Network, Relu, Reverse, SVector, Scalar as _, Selu, Sigmoid, Silu, Softplus, Softsign,
    Tanh, Workspace, chain,
};
use fnn_firmware::{BOARD, Counter, entry, exit, hprintln, stack_of};

/// Numbers of scratch memory that are enough for every network here.
const ENOUGH: usize = 6000;

/// Weights and biases: arbitrary ones, since no instruction depends on them.
macro_rules! weights {
    ($($T:ident)*) => { $(
        mod $T {
            pub(super) const fn columns<const IN: usize, const OUT: usize>() -> [[$T; OUT]; IN] {
                let mut columns = [[0.0; OUT]; IN];
                let mut j = 0;
                while j < IN {
                    let mut i = 0;
                    while i < OUT {
                        columns[j][i] = ((i * 7 + j * 5) % 11) as $T / 11.0 - 0.45;
                        i += 1;
                    }
                    j += 1;
                }
                columns
            }
        }
    )* };
}
weights!(f32 f64);

/// Counts networks, all of whose layers have one activation, and prints a line for each: number
/// format, activation, sizes, after which layer forward accumulation ends, the instructions of value
/// and evaluation, and the stack of the evaluation.
macro_rules! count {
    ($counter:ident, $T:ident, $(
        $name:literal $A:ty = $f:expr, $O:ty: $($in:literal - $out:literal),+;
    )*) => { $( {
        type Net = Network<Chain![$(Dense<$T, $in, $out, $A>),+], $O>;
        static NETWORK: Net = Network::with_order(chain![
            $(Dense::from_columns($T::columns::<$in, $out>(), [0.25; $out], $f)),+
        ]);

        #[inline(never)]
        fn count(counter: &mut Counter) {
            let mut workspace = Workspace::<$T, ENOUGH>::new();
            let x = SVector::from([0.5; Net::INPUTS]);
            let value = counter.instructions(|| {
                black_box(&NETWORK.value(black_box(&x), &mut workspace));
            });
            let evaluation = counter.instructions(|| {
                black_box(&NETWORK.evaluate(black_box(&x), &mut workspace));
            });
            let stack = stack_of(|| {
                black_box(&NETWORK.evaluate(black_box(&x), &mut workspace));
            });
            let sizes = Sizes(Net::INPUTS, &[$($out),+]);
            hprintln!(
                "count: {},{},{},{},{},{},{}",
                $T::NAME, $name, sizes, Net::CUT, value, evaluation, stack
            );
        }
        count(&mut $counter);
    } )* };
}

/// The same networks in both number formats.
macro_rules! each {
    ($counter:ident, $($T:ident)*) => { $(
        count! { $counter, $T,
            "mish" Mish = Mish, Forward: 4-16, 16-2;
            "mish" Mish = Mish, Reverse: 4-16, 16-2;
            "mish" Mish = Mish, Forward: 8-32, 32-32, 32-6;
            "mish" Mish = Mish, Reverse: 8-32, 32-32, 32-6;
            "mish" Mish = Mish, Cut<1>: 8-32, 32-32, 32-6;
            "mish" Mish = Mish, Forward: 3-33, 33-17, 17-5;
            "mish" Mish = Mish, Reverse: 3-33, 33-17, 17-5;
            "mish" Mish = Mish, Forward: 16-64, 64-1;
            "mish" Mish = Mish, Reverse: 16-64, 64-1;
            "mish" Mish = Mish, Forward: 2-8, 8-8, 8-8, 8-2;
            "mish" Mish = Mish, Reverse: 2-8, 8-8, 8-8, 8-2;
            "mish" Mish = Mish, Forward: 12-48, 48-48, 48-12;
            "mish" Mish = Mish, Reverse: 12-48, 48-48, 48-12;
            "mish" Mish = Mish, Forward: 4-32, 32-32, 32-32, 32-32, 32-32, 32-3;
            "mish" Mish = Mish, Reverse: 4-32, 32-32, 32-32, 32-32, 32-32, 32-3;
            "mish" Mish = Mish, Cut<2>: 10-30, 30-6, 6-30, 30-10;
            "mish" Mish = Mish, Forward: 1-10, 10-1;
            "mish" Mish = Mish, Reverse: 1-10, 10-1;
            "identity" Identity = Identity, Forward: 6-24, 24-4;
            "identity" Identity = Identity, Reverse: 5-12, 12-12, 12-3;
            "tanh" Tanh = Tanh, Forward: 6-24, 24-4;
            "tanh" Tanh = Tanh, Reverse: 5-12, 12-12, 12-3;
            "sigmoid" Sigmoid = Sigmoid, Forward: 6-24, 24-4;
            "sigmoid" Sigmoid = Sigmoid, Reverse: 5-12, 12-12, 12-3;
            "softplus" Softplus = Softplus, Forward: 6-24, 24-4;
            "softplus" Softplus = Softplus, Reverse: 5-12, 12-12, 12-3;
            "silu" Silu = Silu, Forward: 6-24, 24-4;
            "silu" Silu = Silu, Reverse: 5-12, 12-12, 12-3;
            "gelu" Gelu = Gelu, Forward: 6-24, 24-4;
            "gelu" Gelu = Gelu, Reverse: 5-12, 12-12, 12-3;
            "gelu_tanh" GeluTanh = GeluTanh, Forward: 6-24, 24-4;
            "gelu_tanh" GeluTanh = GeluTanh, Reverse: 5-12, 12-12, 12-3;
            "relu" Relu = Relu, Forward: 6-24, 24-4;
            "relu" Relu = Relu, Reverse: 5-12, 12-12, 12-3;
            "relu" Relu = Relu, Forward: 7-31, 31-9;
            "leaky_relu" LeakyRelu<$T> = LeakyRelu { slope: 0.1 }, Forward: 6-24, 24-4;
            "leaky_relu" LeakyRelu<$T> = LeakyRelu { slope: 0.1 }, Reverse: 5-12, 12-12, 12-3;
            "elu" Elu<$T> = Elu { alpha: 1.0 }, Forward: 6-24, 24-4;
            "elu" Elu<$T> = Elu { alpha: 1.0 }, Reverse: 5-12, 12-12, 12-3;
            "selu" Selu = Selu, Forward: 6-24, 24-4;
            "selu" Selu = Selu, Reverse: 5-12, 12-12, 12-3;
            "softsign" Softsign = Softsign, Forward: 6-24, 24-4;
            "softsign" Softsign = Softsign, Reverse: 5-12, 12-12, 12-3;
            "hard_sigmoid" HardSigmoid = HardSigmoid, Forward: 6-24, 24-4;
            "hard_sigmoid" HardSigmoid = HardSigmoid, Reverse: 5-12, 12-12, 12-3;
            "hard_swish" HardSwish = HardSwish, Forward: 6-24, 24-4;
            "hard_swish" HardSwish = HardSwish, Reverse: 5-12, 12-12, 12-3;
        }
    )* };
}

/// The inputs and the neurons of each layer, as people write them.
struct Sizes<'s>(usize, &'s [usize]);

impl fmt::Display for Sizes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.1.iter().try_for_each(|size| write!(f, "-{size}"))
    }
}

#[entry]
fn main() -> ! {
    let mut counter = Counter::start();
    hprintln!("board: {}", BOARD.name);
    each!(counter, f32 f64);
    exit(true)
}
