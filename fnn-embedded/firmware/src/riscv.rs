//! What is RISC-V's: the way in and out, and the counter of retired instructions.

use core::arch::asm;

pub use riscv_rt::entry;
pub use semihosting::println as hprintln;

pub(crate) fn exit(success: bool) {
    semihosting::process::exit(i32::from(!success));
}

/// The counter goes around after this many.
pub(crate) const MOST_TICKS: u32 = u32::MAX;

/// A tick is an instruction.
pub(crate) const INSTRUCTIONS_PER_1000_TICKS: u32 = 1000;

/// It counts from reset on.
pub(crate) fn start_ticks() {}

/// The lower half of `minstret`.
pub(crate) fn ticks() -> u32 {
    let count;
    // SAFETY: reading this counter in machine mode, where the firmware stays, does nothing else.
    unsafe { asm!("csrr {}, minstret", out(reg) count, options(nomem, nostack)) };
    count
}

/// The lowest word that the stack may reach, and the address down to which it is in use.
pub(crate) fn free_stack() -> (*mut u32, usize) {
    unsafe extern "C" {
        // From the linker script: the end of the variables, where a heap would begin.
        static mut __sheap: u32;
    }
    let top;
    // SAFETY: the stack pointer is copied.
    unsafe { asm!("mv {}, sp", out(reg) top, options(nomem, nostack)) };
    (&raw mut __sheap, top)
}
