//! The network of `peers/seed.rs` here, in the C of `peers/seed.c` and, where there is CasADi, in
//! the C that it generates: same numbers, compared and measured side by side.
#![no_std]
#![no_main]

use core::{ffi::c_int, hint::black_box};

use fnn_core::{SMatrix, SVector};
use fnn_firmware::{
    BOARD, Counter, entry, exit, hprintln,
    network::{FORWARD, Forward, NETWORK, Workspace},
};

type Seed = unsafe extern "C" fn(*const [c_int; 2], *const f32, *mut f32, *mut f32) -> c_int;

unsafe extern "C" {
    fn seed(need: *const [c_int; 2], x: *const f32, f: *mut f32, g: *mut f32) -> c_int;
    fn seed_one_exponential(
        need: *const [c_int; 2],
        x: *const f32,
        f: *mut f32,
        g: *mut f32,
    ) -> c_int;
}

/// Value and Jacobian by one of the two functions above: what is not needed stays zero.
fn in_c(
    seed: Seed,
    need: [c_int; 2],
    x: &SVector<f32, 4>,
) -> (SVector<f32, 3>, SMatrix<f32, 3, 4>) {
    let (mut f, mut g) = (SVector::<f32, 3>::zeros(), SMatrix::<f32, 3, 4>::zeros());
    // SAFETY: x holds 4 numbers, f 3 and g 3 · 4, column by column, which is all that C touches.
    unsafe { seed(&need, x.as_ptr(), f.as_mut_ptr(), g.as_mut_ptr()) };
    (f, g)
}

/// The C that CasADi generates, called as its documentation says.
#[cfg(casadi)]
mod casadi {
    use core::{
        ffi::{c_int, c_longlong},
        ptr,
    };

    use fnn_core::{SMatrix, SVector};

    unsafe extern "C" {
        fn network_work(
            args: *mut c_longlong,
            results: *mut c_longlong,
            integers: *mut c_longlong,
            reals: *mut c_longlong,
        ) -> c_int;
        fn network(
            args: *mut *const f32,
            results: *mut *mut f32,
            integers: *mut c_longlong,
            reals: *mut f32,
            memory: c_int,
        ) -> c_int;
    }

    /// What may be asked for: arguments, results and their like in between, integers, reals.
    const MOST: [usize; 4] = [8, 8, 8, 4096];

    /// Its work memory, which is enough.
    pub struct Work {
        integers: [c_longlong; MOST[2]],
        reals: [f32; MOST[3]],
    }

    impl Work {
        pub const fn new() -> Self {
            Self {
                integers: [0; MOST[2]],
                reals: [0.0; MOST[3]],
            }
        }
    }

    /// Whether it asks for no more than there is.
    pub fn fits() -> bool {
        let mut sizes = [0; 4];
        let [args, results, integers, reals] = &mut sizes;
        // SAFETY: it writes the four sizes.
        unsafe { network_work(args, results, integers, reals) };
        sizes
            .iter()
            .zip(MOST)
            .all(|(&size, most)| size <= most as c_longlong)
    }

    /// Value and Jacobian, which it computes in one.
    pub fn evaluate(x: &SVector<f32, 4>, work: &mut Work) -> (SVector<f32, 3>, SMatrix<f32, 3, 4>) {
        let (mut f, mut g) = (SVector::<f32, 3>::zeros(), SMatrix::<f32, 3, 4>::zeros());
        let mut args = [ptr::null(); MOST[0]];
        let mut results = [ptr::null_mut(); MOST[1]];
        args[0] = x.as_ptr();
        results[0] = f.as_mut_ptr();
        results[1] = g.as_mut_ptr();
        let (integers, reals) = (work.integers.as_mut_ptr(), work.reals.as_mut_ptr());
        // SAFETY: x holds 4 numbers, f 3 and g 3 · 4, column by column; all work memory is as large
        // as it asks for, which `main` has checked by `fits`.
        unsafe { network(args.as_mut_ptr(), results.as_mut_ptr(), integers, reals, 0) };
        (f, g)
    }
}

#[entry]
fn main() -> ! {
    static mut WORKSPACE: Workspace = Workspace::new();
    static mut FORWARD_WORKSPACE: fnn_core::Workspace<f32, { Forward::WORKSPACE }> =
        fnn_core::Workspace::new();
    #[cfg(casadi)]
    static mut WORK: casadi::Work = casadi::Work::new();

    let x = SVector::from([0.5, -0.25, 0.125, 1.0]);
    let ours = NETWORK.evaluate(&x, WORKSPACE);
    let peers: [(Seed, &str); 2] = [
        (seed, "in C"),
        (seed_one_exponential, "in C with one exponential"),
    ];
    let mut difference = 0_f32;
    for (peer, _) in peers {
        let (value, jacobian) = in_c(peer, [1, 1], &x);
        difference = difference
            .max((ours.value - value).amax())
            .max((ours.jacobian - jacobian).amax());
    }
    #[cfg(casadi)]
    {
        if !casadi::fits() {
            hprintln!("CasADi's C asks for more work memory than there is");
            exit(false);
        }
        let (value, jacobian) = casadi::evaluate(&x, WORK);
        difference = difference
            .max((ours.value - value).amax())
            .max((ours.jacobian - jacobian).amax());
    }
    hprintln!("board: {}", BOARD.name);
    hprintln!("largest difference: {:e}", difference);

    let mut counter = Counter::start();
    let value = counter.instructions(|| {
        black_box(&NETWORK.value(black_box(&x), WORKSPACE));
    });
    let evaluation = counter.instructions(|| {
        black_box(&NETWORK.evaluate(black_box(&x), WORKSPACE));
    });
    hprintln!("instructions of value: {}", value);
    hprintln!("instructions of evaluate: {}", evaluation);
    let forward = counter.instructions(|| {
        black_box(&FORWARD.evaluate(black_box(&x), FORWARD_WORKSPACE));
    });
    hprintln!("instructions of evaluate forward: {}", forward);
    for (peer, name) in peers {
        let value = counter.instructions(|| {
            black_box(&in_c(peer, [1, 0], black_box(&x)));
        });
        let evaluation = counter.instructions(|| {
            black_box(&in_c(peer, [1, 1], black_box(&x)));
        });
        hprintln!("instructions of value {}: {}", name, value);
        hprintln!("instructions of evaluate {}: {}", name, evaluation);
    }
    #[cfg(casadi)]
    {
        let evaluation = counter.instructions(|| {
            black_box(&casadi::evaluate(black_box(&x), WORK));
        });
        hprintln!("instructions of evaluate in CasADi's C: {}", evaluation);
    }
    // Numbers near 1 after six layers of sums over 32: 1e-4 is some hundred roundings.
    exit(difference < 1e-4)
}
