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
    network::{NETWORK, Workspace},
};

unsafe extern "C" {
    fn seed(need: *const [c_int; 2], x: *const f32, f: *mut f32, g: *mut f32) -> c_int;
}

/// Value and Jacobian in C: what is not needed stays zero.
fn seed_in_c(need: [c_int; 2], x: &SVector<f32, 4>) -> (SVector<f32, 3>, SMatrix<f32, 3, 4>) {
    let (mut f, mut g) = (SVector::<f32, 3>::zeros(), SMatrix::<f32, 3, 4>::zeros());
    // SAFETY: x holds 4 numbers, f 3 and g 3 · 4, column by column, which is all that C touches.
    unsafe { seed(&need, x.as_ptr(), f.as_mut_ptr(), g.as_mut_ptr()) };
    (f, g)
}

#[entry]
fn main() -> ! {
    static mut WORKSPACE: Workspace = Workspace::new();

    let x = SVector::from([0.5, -0.25, 0.125, 1.0]);
    let ours = NETWORK.evaluate(&x, WORKSPACE);
    let (value, jacobian) = seed_in_c([1, 1], &x);
    let difference = (ours.value - value)
        .amax()
        .max((ours.jacobian - jacobian).amax());
    hprintln!("board: {}", BOARD.name);
    hprintln!("largest difference: {:e}", difference);

    let mut counter = Counter::start(Peripherals::take().unwrap().SYST);
    let value = counter.instructions(|| {
        black_box(&NETWORK.value(black_box(&x), WORKSPACE));
    });
    let evaluation = counter.instructions(|| {
        black_box(&NETWORK.evaluate(black_box(&x), WORKSPACE));
    });
    let value_in_c = counter.instructions(|| {
        black_box(&seed_in_c([1, 0], black_box(&x)));
    });
    let evaluation_in_c = counter.instructions(|| {
        black_box(&seed_in_c([1, 1], black_box(&x)));
    });
    hprintln!("instructions of value: {}", value);
    hprintln!("instructions of evaluate: {}", evaluation);
    hprintln!("instructions of value in C: {}", value_in_c);
    hprintln!("instructions of evaluate in C: {}", evaluation_in_c);
    // Numbers near 1 after six layers of sums over 32: 1e-4 is some hundred roundings.
    exit(difference < 1e-4)
}
