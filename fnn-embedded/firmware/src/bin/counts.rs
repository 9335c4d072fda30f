//! Counts the instructions of networks of many sizes, of every activation and every kind of layer, in
//! both number formats and several orders of accumulation: `fnn inspect` estimates those of others
//! from them.
#![no_std]
#![no_main]

use core::{fmt, hint::black_box};

use fnn_core::{
    Affine, Chain, Clip, Concat, Cut, Dense, Elu, Forward, Gelu, GeluTanh, HardSigmoid, HardSwish,
    Identity, LayerNorm, LeakyRelu, Mish, Network, Relu, Residual, Reverse, SVector, Scalar as _,
    Select, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign, Tanh, Workspace, chain,
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

/// Counts a network and prints a line for it: number format, activation, layers, after which of them
/// forward accumulation ends, the instructions of value and evaluation, and the stack of the
/// evaluation.
macro_rules! count {
    ($counter:ident, $T:ident, $name:literal, $O:ty, $layers:expr, $L:ty = $l:expr) => {{
        type Net = Network<$L, $O>;
        static NETWORK: Net = Network::with_order($l);

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
            hprintln!(
                "count: {},{},{},{},{},{},{}",
                $T::NAME,
                $name,
                $layers,
                Net::CUT,
                value,
                evaluation,
                stack
            );
        }
        count(&mut $counter);
    }};
}

/// Networks of dense layers, all of which have one activation.
macro_rules! dense {
    ($counter:ident, $T:ident, $(
        $name:literal $A:ty = $f:expr, $O:ty: $($in:literal - $out:literal),+;
    )*) => { $(
        count!(
            $counter, $T, $name, $O, Sizes(Net::INPUTS, &[$($out),+]),
            Chain![$(Dense<$T, $in, $out, $A>),+]
                = chain![$(Dense::from_columns($T::columns::<$in, $out>(), [0.25; $out], $f)),+]
        );
    )* };
}

/// Networks with layers of other kinds, written as the estimates read them. A type stands here for
/// its value, `(8 16)` for a dense layer.
macro_rules! composite {
    ($counter:ident, $T:ident, $( $O:ty: $layers:literal $(, $part:tt)+; )*) => { $(
        count!(
            $counter, $T, "mish", $O, $layers,
            Chain![$(part!(type $T $part)),+] = chain![$(part!(value $T $part)),+]
        );
    )* };
}

macro_rules! part {
    (type $T:ident ($in:literal $out:literal)) => { Dense<$T, $in, $out, Mish> };
    (value $T:ident ($in:literal $out:literal)) => {
        Dense::from_columns($T::columns::<$in, $out>(), [0.25; $out], Mish)
    };
    (type $T:ident (affine $n:literal)) => { Affine<$T, $n, Identity> };
    (value $T:ident (affine $n:literal)) => { Affine::new([0.5; $n], [0.25; $n], Identity) };
    (type $T:ident (norm $n:literal)) => { LayerNorm<$T, $n> };
    (value $T:ident (norm $n:literal)) => { LayerNorm::new([0.5; $n], [0.25; $n], 1e-3) };
    (type $T:ident (softmax $n:literal)) => { Softmax<$T, $n> };
    (value $T:ident (softmax $n:literal)) => { Softmax::new() };
    (type $T:ident (select $in:literal $out:literal)) => { Select<$T, $in, 1, $out> };
    (value $T:ident (select $in:literal $out:literal)) => { Select::new() };
    (type $T:ident [$($part:tt),+]) => { Residual<Chain![$(part!(type $T $part)),+]> };
    (value $T:ident [$($part:tt),+]) => { Residual::new(chain![$(part!(value $T $part)),+]) };
    (type $T:ident {$out:literal: $a:tt | $b:tt}) => {
        Concat<part!(type $T $a), part!(type $T $b), $out>
    };
    (value $T:ident {$out:literal: $a:tt | $b:tt}) => {
        Concat::new(part!(value $T $a), part!(value $T $b))
    };
}

/// The same networks in both number formats.
macro_rules! each {
    ($counter:ident, $($T:ident)*) => { $(
        dense! { $counter, $T,
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
            "gelu_tanh" GeluTanh<$T> = GeluTanh { cubic: 0.044715 }, Forward: 6-24, 24-4;
            "gelu_tanh" GeluTanh<$T> = GeluTanh { cubic: 0.044715 }, Reverse: 5-12, 12-12, 12-3;
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
            "clip" Clip<$T> = Clip { low: -0.5, high: 0.5 }, Forward: 6-24, 24-4;
            "clip" Clip<$T> = Clip { low: -0.5, high: 0.5 }, Reverse: 5-12, 12-12, 12-3;
        }
        composite! { $counter, $T,
            Forward: "8-a-32-32-6-a", (affine 8), (8 32), (32 32), (32 6), (affine 6);
            Reverse: "8-a-32-32-6-a", (affine 8), (8 32), (32 32), (32 6), (affine 6);
            Forward: "5-a-a-12-3", (affine 5), (affine 5), (5 12), (12 3);
            Reverse: "5-a-a-12-3", (affine 5), (affine 5), (5 12), (12 3);
            Forward: "6-24-n-4", (6 24), (norm 24), (24 4);
            Reverse: "6-24-n-4", (6 24), (norm 24), (24 4);
            Forward: "10-n-16-n-2", (norm 10), (10 16), (norm 16), (16 2);
            Reverse: "10-n-16-n-2", (norm 10), (10 16), (norm 16), (16 2);
            Forward: "6-24-5-s", (6 24), (24 5), (softmax 5);
            Reverse: "6-24-5-s", (6 24), (24 5), (softmax 5);
            Reverse: "4-s-8-12-s", (softmax 4), (4 8), (8 12), (softmax 12);
            Forward: "8-16-r[24-16]-6", (8 16), [(16 24), (24 16)], (16 6);
            Reverse: "8-16-r[24-16]-6", (8 16), [(16 24), (24 16)], (16 6);
            Forward: "9-r[20-9]", [(9 20), (20 9)];
            Reverse: "9-r[20-9]", [(9 20), (20 9)];
            Forward: "6-c[16|8]-4", {24: (6 16) | (6 8)}, (24 4);
            Reverse: "6-c[16|8]-4", {24: (6 16) | (6 8)}, (24 4);
            Forward: "10-p6-20-p3", (select 10 6), (6 20), (select 20 3);
            Reverse: "10-p6-20-p3", (select 10 6), (6 20), (select 20 3);
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
