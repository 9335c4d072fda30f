//! What all firmware binaries share: the generated network, the panic handler, the way out of the
//! emulator, and the measuring of instructions and stack.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

use core::{cell::UnsafeCell, hint, panic::PanicInfo, ptr};

use fnn_embedded::PaintedStack;

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod processor;

pub use processor::{entry, hprintln};

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

/// A variable of the image that stands for a sensor or an actuator: the compiler knows nothing of what is
/// read there, and what is written counts.
#[derive(Debug)]
pub struct Port<T>(UnsafeCell<T>);

// SAFETY: the firmware has one thread, and no interrupt is enabled.
unsafe impl<T> Sync for Port<T> {}

impl<T: Copy> Port<T> {
    /// A port at which this is read first.
    pub const fn new(first: T) -> Self {
        Self(UnsafeCell::new(first))
    }

    /// What is there.
    pub fn read(&self) -> T {
        // SAFETY: the cell is valid for reads, and nothing else reads or writes it meanwhile.
        unsafe { ptr::read_volatile(self.0.get()) }
    }

    /// Put something there.
    pub fn write(&self, new: T) {
        // SAFETY: the cell is valid for writes, and nothing else reads or writes it meanwhile.
        unsafe { ptr::write_volatile(self.0.get(), new) }
    }
}

/// A variable of the image that one function has to itself.
#[derive(Debug)]
pub struct Own<T>(UnsafeCell<T>);

// SAFETY: as for `Port`.
unsafe impl<T> Sync for Own<T> {}

impl<T> Own<T> {
    /// A variable with this value.
    pub const fn new(first: T) -> Self {
        Self(UnsafeCell::new(first))
    }

    /// The variable.
    ///
    /// # Safety
    /// This is called once.
    #[allow(clippy::mut_from_ref, reason = "it is called once")]
    pub const unsafe fn take(&self) -> &mut T {
        // SAFETY: the caller vouches that there is no other reference.
        unsafe { &mut *self.0.get() }
    }
}

/// Leave the emulator, with status 0 for success and 1 for failure.
pub fn exit(success: bool) -> ! {
    processor::exit(success);
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

/// Counts instructions with a clock or a counter that the emulator advances by instructions
/// executed.
#[derive(Debug)]
pub struct Counter(());

impl Counter {
    /// Start the counter, of which there is one.
    pub fn start() -> Self {
        processor::start_ticks();
        Self(())
    }

    /// The instructions of a call of `f`, on average over so many calls that one tick more or less
    /// changes it by less than an instruction, or so that the count takes a quarter of the
    /// counter's range. Those of the loop around it, measured without `f`, are subtracted.
    pub fn instructions(&mut self, mut f: impl FnMut()) -> u32 {
        // With `-icount shift=0` an instruction takes the emulator 1 ns.
        let per_tick = processor::INSTRUCTIONS_PER_1000_TICKS.div_ceil(1000);
        let once = self.ticks(1, &mut f);
        let calls = (processor::MOST_TICKS / 4 / once.max(1)).clamp(1, 2 * per_tick);
        let ticks = self.ticks(calls, &mut f) - self.ticks(calls, || ());
        let instructions =
            u64::from(ticks) * u64::from(processor::INSTRUCTIONS_PER_1000_TICKS) / 1000;
        ((instructions + u64::from(calls / 2)) / u64::from(calls)) as u32
    }

    fn ticks(&mut self, calls: u32, mut f: impl FnMut()) -> u32 {
        let before = processor::ticks();
        for call in 0..calls {
            hint::black_box(call);
            f();
        }
        processor::ticks().wrapping_sub(before) & processor::MOST_TICKS
    }
}

/// The bytes of stack that a call of `f` takes, the return address and what `f` keeps included.
pub fn stack_of(f: impl FnOnce()) -> usize {
    /// Left unpainted, for the frames of the painting itself.
    const GAP: usize = 128;

    /// Keeps the frame of `f` below that of `stack_of`.
    #[inline(never)]
    fn call(f: impl FnOnce()) {
        f();
    }

    let (lowest, top) = processor::free_stack();
    let words = (top - GAP - lowest as usize) / size_of::<u32>();
    // SAFETY: from the end of the variables to below this frame, memory is the free stack's; no
    // interrupt is enabled, and `PaintedStack::new` has a frame smaller than the gap.
    let stack = unsafe { PaintedStack::new(lowest, words) };
    call(f);
    GAP + stack.used()
}
