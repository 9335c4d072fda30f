//! What all firmware binaries share: the generated network, the panic handler, the way out of the
//! emulator, and the measuring of instructions and stack.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

use core::{hint, panic::PanicInfo};

use cortex_m::{
    peripheral::{SYST, syst::SystClkSource},
    register::msp,
};
use cortex_m_semihosting::{
    debug::{self, EXIT_FAILURE, EXIT_SUCCESS},
    hprintln,
};
use fnn_embedded::PaintedStack;

#[path = "../board.rs"]
pub mod board;

use board::{BOARDS, Board};

/// The network of `FNN_MODULE`.
#[allow(missing_docs, clippy::all, reason = "generated")]
pub mod network {
    include!(concat!(env!("OUT_DIR"), "/network.rs"));
}

/// The board that this firmware is built for.
pub const BOARD: &Board = include!(concat!(env!("OUT_DIR"), "/board.rs"));

/// Leave the emulator, with status 0 for success and 1 for failure.
pub fn exit(success: bool) -> ! {
    debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        hint::spin_loop();
    }
}

/// Print the panic and leave the emulator with a failure.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    fnn_panicked()
}

/// Every panic ends here, under a name that no optimization removes: `cargo xtask panics` looks
/// for it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn fnn_panicked() -> ! {
    exit(false)
}

/// Counts instructions with SysTick, which the emulator advances by instructions executed.
#[derive(Debug)]
pub struct Counter(());

/// SysTick counts down from here, and around.
const RELOAD: u32 = 0x00FF_FFFF;

impl Counter {
    /// Start the counter.
    pub fn start(mut systick: SYST) -> Self {
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(RELOAD);
        systick.clear_current();
        systick.enable_counter();
        Self(())
    }

    /// The instructions of a call of `f`, on average over so many calls that one tick more or less
    /// changes it by less than an instruction, or so that the count takes a quarter of the
    /// counter's range. Those of the loop around it, measured without `f`, are subtracted.
    pub fn instructions(&mut self, mut f: impl FnMut()) -> u32 {
        // With `-icount shift=0` an instruction takes the emulator 1 ns.
        let per_tick = 1000 / BOARD.megahertz;
        let once = self.ticks(1, &mut f);
        let calls = (RELOAD / 4 / once.max(1)).clamp(1, 2 * per_tick);
        let ticks = self.ticks(calls, &mut f) - self.ticks(calls, || ());
        let instructions = u64::from(ticks) * 1000 / u64::from(BOARD.megahertz);
        ((instructions + u64::from(calls / 2)) / u64::from(calls)) as u32
    }

    fn ticks(&mut self, calls: u32, mut f: impl FnMut()) -> u32 {
        let before = SYST::get_current();
        for call in 0..calls {
            hint::black_box(call);
            f();
        }
        before.wrapping_sub(SYST::get_current()) & RELOAD
    }
}

/// The bytes of stack that a call of `f` takes, the return address and what `f` keeps included.
pub fn stack_of(f: impl FnOnce()) -> usize {
    unsafe extern "C" {
        // From the linker script: the lowest address that the stack may reach.
        static mut _stack_end: u32;
    }
    /// Left unpainted, for the frames of the painting itself.
    const GAP: usize = 128;

    /// Keeps the frame of `f` below that of `stack_of`.
    #[inline(never)]
    fn call(f: impl FnOnce()) {
        f();
    }

    let lowest = &raw mut _stack_end;
    let words = (msp::read() as usize - GAP - lowest as usize) / size_of::<u32>();
    // SAFETY: from the end of the variables to below this frame, memory is the free stack's; no
    // interrupt is enabled, and `PaintedStack::new` has a frame smaller than the gap.
    let stack = unsafe { PaintedStack::new(lowest, words) };
    call(f);
    GAP + stack.used()
}
