//! The network of `peers/seed.rs` here and in the C of `peers/seed.c`: same numbers, compared and
//! measured side by side.
#![no_std]
#![no_main]

use core::{ffi::c_int, hint::black_box};

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use fnn_core::{SMatrix, SVector};
use fnn_firmware::{
    BOARD, Counter, exit,
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

#[entry]
fn main() -> ! {
    static mut WORKSPACE: Workspace = Workspace::new();
    static mut FORWARD_WORKSPACE: fnn_core::Workspace<f32, { Forward::WORKSPACE }> =
        fnn_core::Workspace::new();

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
    hprintln!("board: {}", BOARD.name);
    hprintln!("largest difference: {:e}", difference);

    let mut counter = Counter::start(Peripherals::take().unwrap().SYST);
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
    // Numbers near 1 after six layers of sums over 32: 1e-4 is some hundred roundings.
    exit(difference < 1e-4)
}
