//! What a step leaves behind: a record, a queue from the loop to whoever writes it, and its bytes.

pub(super) mod frame;

use core::{fmt, mem::size_of};

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use embedded_io::Write;
use fnn_core::Scalar;
use heapless::spsc::Producer;

use super::{
    fault::{Faults, Mode},
    step::nothing,
};
use frame::Fixed;

/// What happened in a step: enough for the desk to evaluate it again and compare every bit.
///
/// In a log it takes 38 bytes beside its numbers, one more for each 254 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Record<T, const IN: usize, const OUT: usize, const U: usize> {
    /// The number of the step, from 0, modulo 2³².
    pub number: u32,
    /// Ticks of the clock in a second.
    pub hz: u32,
    /// When the step began, in ticks modulo 2³².
    pub begin: u32,
    /// Ticks from there until the command was ready.
    pub took: u32,
    /// What went wrong.
    pub faults: Faults,
    /// What was commanded.
    pub mode: Mode,
    /// Whether the network was evaluated.
    pub is_evaluated: bool,
    /// Whether `digest` is that of the whole Jacobian.
    pub has_jacobian: bool,
    /// A digest of the derivatives' bits, column by column.
    pub digest: u32,
    /// The inputs of the network; zeros where there was no measurement.
    pub input: [T; IN],
    /// Its outputs; zeros where it was not evaluated.
    pub value: [T; OUT],
    /// What was applied.
    pub command: [T; U],
}

/// The digest of numbers, and whether all of them are finite.
#[inline]
pub(super) fn digest<T: Scalar>(numbers: &[T]) -> (u32, bool) {
    let mut digest = 0;
    let mut sum = T::ZERO;
    for &number in numbers {
        let bits = number.bits();
        digest = frame::mix(digest, bits as u32);
        if size_of::<T>() == 8 {
            digest = frame::mix(digest, (bits >> 32) as u32);
        }
        sum = sum + nothing(number);
    }
    (digest, sum == T::ZERO)
}

impl<T: Scalar, const IN: usize, const OUT: usize, const U: usize> Record<T, IN, OUT, U> {
    /// Write the record as a frame of a log, whose layout `fnn replay` reads. Never panics. It has
    /// a block of 254 bytes on the stack, and is meant for the idle loop, not for the step.
    ///
    /// # Errors
    /// Those of the writer. What was written before is a damaged frame, which the reader counts and skips; so
    /// it is where the writer takes no bytes and gives no error.
    pub fn write_to<W: Write>(&self, writer: &mut W) -> Result<(), W::Error> {
        const {
            assert!(
                IN <= 0xffff && OUT <= 0xffff && U <= 0xffff,
                "a log has at most 65535 inputs, outputs and numbers of a command"
            );
        }
        let mut flags = 0;
        if self.is_evaluated {
            flags |= frame::IS_EVALUATED;
        }
        if self.has_jacobian {
            flags |= frame::HAS_JACOBIAN;
        }
        let fixed = Fixed {
            scalar: size_of::<T>() as u8,
            inputs: IN as u16,
            outputs: OUT as u16,
            commands: U as u16,
            number: self.number,
            hz: self.hz,
            begin: self.begin,
            took: self.took,
            faults: self.faults.bits(),
            mode: self.mode as u8,
            flags,
            digest: self.digest,
        };
        const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
        let mut crc = CRC.digest();
        let mut frame = Stuffed::new(writer);
        let mut put = |bytes: &[u8]| {
            crc.update(bytes);
            frame.put(bytes)
        };
        put(&fixed.to_bytes())?;
        for &number in self.input.iter().chain(&self.value).chain(&self.command) {
            let bytes = number.bits().to_le_bytes();
            put(bytes.get(..size_of::<T>()).unwrap_or(&bytes))?;
        }
        let checksum = crc.finalize();
        frame.put(&checksum.to_le_bytes())?;
        frame.end()
    }
}

/// Bytes on their way to a writer, by consistent overhead byte stuffing: a block is up to 254 bytes that
/// are not zero, behind their number and one; but for the longest ones a zero follows it.
struct Stuffed<'w, W> {
    writer: &'w mut W,
    block: [u8; 254],
    len: u8,
}

impl<'w, W: Write> Stuffed<'w, W> {
    fn new(writer: &'w mut W) -> Self {
        let block = [0; 254];
        Self {
            writer,
            block,
            len: 0,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), W::Error> {
        for &byte in bytes {
            if byte == 0 {
                self.write_block()?;
                continue;
            }
            if let Some(place) = self.block.get_mut(usize::from(self.len)) {
                *place = byte;
                self.len += 1;
            }
            if usize::from(self.len) == self.block.len() {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), W::Error> {
        let block = self.block.get(..usize::from(self.len)).unwrap_or_default();
        write_all(self.writer, &[self.len + 1])?;
        write_all(self.writer, block)?;
        self.len = 0;
        Ok(())
    }

    /// The last block and the zero that ends the frame.
    fn end(mut self) -> Result<(), W::Error> {
        self.write_block()?;
        write_all(self.writer, &[0])
    }
}

/// All bytes, or those until the writer takes none. (That of `embedded_io` panics there.)
fn write_all<W: Write>(writer: &mut W, mut bytes: &[u8]) -> Result<(), W::Error> {
    while !bytes.is_empty() {
        let written = writer.write(bytes)?;
        if written == 0 {
            break;
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// The end of a queue at which a loop puts its records; the interrupt that runs the loop owns it, and the
/// idle loop the other end, a [`Consumer`](heapless::spsc::Consumer).
///
/// ```
/// use fnn_embedded::{Log, heapless::spsc::Queue};
///
/// let mut queue = Queue::<u32, 3>::new(); // one place less than it says
/// let (producer, mut consumer) = queue.split();
/// let mut log = Log::new(producer);
/// for record in 0..5 {
///     log.push(record);
/// }
/// assert_eq!((consumer.dequeue(), consumer.dequeue(), consumer.dequeue()), (Some(0), Some(1), None));
/// assert_eq!(log.lost(), 3);
/// ```
pub struct Log<'q, R> {
    producer: Producer<'q, R>,
    lost: u32,
}

impl<R> fmt::Debug for Log<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl<'q, R> Log<'q, R> {
    /// The end of a queue. Never panics.
    pub const fn new(producer: Producer<'q, R>) -> Self {
        Self { producer, lost: 0 }
    }

    /// Put a record into the queue; one that finds it full is lost, and counted. Never panics, never waits.
    #[inline]
    pub fn push(&mut self, record: R) {
        if self.producer.enqueue(record).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// The records that were lost. Their numbers are missing in the log, too. Never panics.
    pub const fn lost(&self) -> u32 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::Fault;

    fn record() -> Record<f64, 3, 2, 1> {
        Record {
            number: 7,
            hz: 1_000_000,
            begin: 0xffff_fff0,
            took: 250,
            faults: Faults::NONE.with(Fault::Saturated).with(Fault::Late),
            mode: Mode::Safe,
            is_evaluated: true,
            has_jacobian: false,
            digest: 0x0001_0200,
            input: [0.0, -1.5, 1e300],
            value: [2.0, 0.1],
            command: [0.0],
        }
    }

    /// By another implementation of the stuffing, and the bytes of the fields.
    #[test]
    fn a_frame_is_what_its_layout_says() {
        let mut bytes = Vec::new();
        record().write_to(&mut bytes).unwrap();
        assert_eq!(bytes.iter().position(|&b| b == 0), Some(bytes.len() - 1));
        let plain = cobs::decode_vec(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(plain.len(), frame::FIXED + 6 * 8 + 4);
        assert!(bytes.len() <= 6 * 8 + 64);
        let (body, checksum) = plain.split_at(plain.len() - 4);
        // The table of `crc` rather than its loop.
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(body);
        assert_eq!(checksum, crc.to_le_bytes());
        let (fixed, numbers) = body.split_first_chunk().unwrap();
        let fixed = Fixed::from_bytes(fixed).unwrap();
        let wanted = Fixed {
            scalar: 8,
            inputs: 3,
            outputs: 2,
            commands: 1,
            number: 7,
            hz: 1_000_000,
            begin: 0xffff_fff0,
            took: 250,
            faults: 1 << 6 | 1 << 7,
            mode: 3,
            flags: frame::IS_EVALUATED,
            digest: 0x0001_0200,
        };
        assert_eq!(fixed, wanted);
        let numbers: Vec<_> = numbers
            .chunks(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [0.0, -1.5, 1e300, 2.0, 0.1, 0.0]);
    }

    /// Blocks of every length around 254, with zeros at every place.
    #[test]
    fn stuffing_is_that_of_cobs() {
        for len in (0..10).chain(250..260).chain(500..520) {
            for zero in (0..len).step_by(1 + len / 40).chain([usize::MAX]) {
                let bytes: Vec<u8> = (0..len)
                    .map(|i| if i == zero { 0 } else { 1 + (i % 255) as u8 })
                    .collect();
                let mut stuffed = Vec::new();
                let mut frame = Stuffed::new(&mut stuffed);
                frame.put(&bytes).unwrap();
                frame.end().unwrap();
                assert_eq!(stuffed.pop(), Some(0));
                assert!(!stuffed.contains(&0));
                let decoded = cobs::decode_vec(&stuffed).unwrap();
                assert_eq!(decoded, bytes, "{len} {zero}");
            }
        }
    }

    #[test]
    fn the_digest_tells_numbers_apart() {
        assert_eq!(digest::<f32>(&[]), (0, true));
        assert_ne!(digest(&[1.0_f32, 2.0]), digest(&[2.0_f32, 1.0]));
        assert_ne!(digest(&[0.0_f32]), digest(&[-0.0_f32]));
        assert!(!digest(&[1.0, f64::NAN]).1 && !digest(&[f64::INFINITY]).1);
        assert!(digest(&[f64::MAX, f64::MIN_POSITIVE / 2.0]).1);
    }
}
