//! What is Arm's: the way in and out, and SysTick as the counter.

use cortex_m::{Peripherals, peripheral::SYST, peripheral::syst::SystClkSource, register::msp};
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};

pub use cortex_m_rt::entry;
pub use cortex_m_semihosting::hprintln;

use crate::BOARD;

pub(crate) fn exit(success: bool) {
    debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
}

/// SysTick counts down from here, and around.
pub(crate) const MOST_TICKS: u32 = 0x00FF_FFFF;

/// With `-icount shift=0` an instruction takes the emulator 1 ns.
pub(crate) const INSTRUCTIONS_PER_1000_TICKS: u32 = 1_000_000 / BOARD.megahertz;

/// Start SysTick, unless that was done before.
pub(crate) fn start_ticks() {
    if let Some(mut peripherals) = Peripherals::take() {
        let systick = &mut peripherals.SYST;
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(MOST_TICKS);
        systick.clear_current();
        systick.enable_counter();
    }
}

/// Ticks of the machine's clock since some time, counting up.
pub(crate) fn ticks() -> u32 {
    MOST_TICKS - SYST::get_current()
}

/// The lowest word that the stack may reach, and the address down to which it is in use.
pub(crate) fn free_stack() -> (*mut u32, usize) {
    unsafe extern "C" {
        // From the linker script.
        static mut _stack_end: u32;
    }
    (&raw mut _stack_end, msp::read() as usize)
}
