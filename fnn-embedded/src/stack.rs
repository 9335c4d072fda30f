//! The stack that a computation takes, measured on the device.

use core::ptr;

/// What the free stack is painted with: an odd number, so no address of code or data, and no
/// number that a network is likely to compute.
const PAINT: u32 = 0xC5A7_93E1;

/// The free part of a stack that grows downward, painted so that the words used later show.
///
/// Paint, run what is to be measured, then read [`used`](Self::used). It is a lower bound in one
/// case: a frame that leaves its lowest words unwritten is seen only down to what it wrote.
#[derive(Debug)]
pub struct PaintedStack {
    lowest: *mut u32,
    words: usize,
}

impl PaintedStack {
    /// Paint the `words` words from `lowest` upward. Never panics.
    ///
    /// # Safety
    /// The words are aligned and valid for reads and writes for as long as the value lives, and
    /// hold nothing in use when this is called: for a stack, they lie below the frame of the
    /// caller and of this function, and no interrupt uses them meanwhile. Leave a gap of some 100
    /// bytes below the caller's stack pointer and count it as used.
    pub unsafe fn new(lowest: *mut u32, words: usize) -> Self {
        for word in 0..words {
            // SAFETY: the word is one of those that the caller vouches for. Volatile, since the
            // compiler takes memory below the stack pointer to be dead.
            unsafe { ptr::write_volatile(lowest.add(word), PAINT) };
        }
        Self { lowest, words }
    }

    /// The bytes from the lowest word that lost its paint up to the top. Never panics.
    pub fn used(&self) -> usize {
        let untouched = (0..self.words)
            // SAFETY: the caller of `new` vouched for these words.
            .take_while(|&word| unsafe { ptr::read_volatile(self.lowest.add(word)) } == PAINT)
            .count();
        (self.words - untouched) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_reaches_down_to_the_lowest_touched_word() {
        let mut memory = [0; 64];
        let lowest = memory.as_mut_ptr();
        // SAFETY: the array outlives `stack`, and nothing else uses it.
        let stack = unsafe { PaintedStack::new(lowest, 64) };
        assert_eq!(stack.used(), 0);
        // SAFETY: word 63 is the array's last.
        unsafe { lowest.add(63).write_volatile(7) };
        assert_eq!(stack.used(), 4);
        // SAFETY: word 60 is inside the array.
        unsafe { lowest.add(60).write_volatile(0) };
        assert_eq!(stack.used(), 16);
        // SAFETY: word 0 is the array's first.
        unsafe { lowest.write_volatile(1) };
        assert_eq!(stack.used(), 256);
    }

    #[test]
    fn nothing_painted_is_nothing_used() {
        let mut word = 0;
        // SAFETY: no word is painted.
        let stack = unsafe { PaintedStack::new(&raw mut word, 0) };
        assert_eq!(stack.used(), 0);
    }
}
