//! How a record of a step is laid out in a log, for the device that writes it and for `fnn replay`, which
//! reads it: this file is compiled into both.
//!
//! A frame is, before it is stuffed: the fixed part, the numbers (inputs, outputs, command; little-endian),
//! and the CRC-32 (ISO-HDLC, as in Ethernet and zip) of all that, little-endian. Consistent overhead byte
//! stuffing (COBS) takes the zeros out of it, and a zero ends it: so a reader that lost its place finds the
//! next frame.

/// The version of the layout.
pub(crate) const VERSION: u8 = 1;

/// Bytes of the fixed part, the version and the size of a number first.
pub(crate) const FIXED: usize = 32;

/// What the bits of the faults are called, from the lowest.
pub(crate) const FAULTS: [&str; 10] = [
    "self-test",
    "sensor",
    "stale",
    "input",
    "outside",
    "output",
    "saturated",
    "late",
    "overrun",
    "actuator",
];

/// What the modes are called, by their numbers.
pub(crate) const MODES: [&str; 5] = ["running", "holding", "fallback", "safe", "stopped"];

/// The network was evaluated.
pub(crate) const IS_EVALUATED: u8 = 1;
/// The digest is that of the whole Jacobian.
pub(crate) const HAS_JACOBIAN: u8 = 2;

/// The part of a frame that has the same fields for all sizes, in the order of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixed {
    /// Bytes of a number: 4 or 8.
    pub(crate) scalar: u8,
    /// How many numbers.
    pub(crate) inputs: u16,
    /// How many numbers.
    pub(crate) outputs: u16,
    /// How many numbers.
    pub(crate) commands: u16,
    /// The number of the step, from 0, modulo 2³².
    pub(crate) number: u32,
    /// Ticks in a second.
    pub(crate) hz: u32,
    /// When the step began, in ticks.
    pub(crate) begin: u32,
    /// How long it took until its command was ready, in ticks.
    pub(crate) took: u32,
    /// A bit for each fault.
    pub(crate) faults: u16,
    /// The number of the mode.
    pub(crate) mode: u8,
    /// [`IS_EVALUATED`], [`HAS_JACOBIAN`].
    pub(crate) flags: u8,
    /// [`mix`] of the derivatives' bits, column by column.
    pub(crate) digest: u32,
}

#[allow(dead_code, reason = "the device only writes, the desk only reads")]
impl Fixed {
    /// The bytes, the version first.
    #[rustfmt::skip]
    pub(crate) const fn to_bytes(self) -> [u8; FIXED] {
        let [i0, i1] = self.inputs.to_le_bytes();
        let [o0, o1] = self.outputs.to_le_bytes();
        let [c0, c1] = self.commands.to_le_bytes();
        let [n0, n1, n2, n3] = self.number.to_le_bytes();
        let [h0, h1, h2, h3] = self.hz.to_le_bytes();
        let [b0, b1, b2, b3] = self.begin.to_le_bytes();
        let [t0, t1, t2, t3] = self.took.to_le_bytes();
        let [f0, f1] = self.faults.to_le_bytes();
        let [d0, d1, d2, d3] = self.digest.to_le_bytes();
        [
            VERSION, self.scalar, i0, i1, o0, o1, c0, c1, n0, n1, n2, n3, h0, h1, h2, h3,
            b0, b1, b2, b3, t0, t1, t2, t3, f0, f1, self.mode, self.flags, d0, d1, d2, d3,
        ]
    }

    /// What these bytes say; `None` for another version.
    #[rustfmt::skip]
    pub(crate) const fn from_bytes(bytes: &[u8; FIXED]) -> Option<Self> {
        let [
            version, scalar, i0, i1, o0, o1, c0, c1, n0, n1, n2, n3, h0, h1, h2, h3,
            b0, b1, b2, b3, t0, t1, t2, t3, f0, f1, mode, flags, d0, d1, d2, d3,
        ] = *bytes;
        if version != VERSION {
            return None;
        }
        Some(Self {
            scalar,
            inputs: u16::from_le_bytes([i0, i1]),
            outputs: u16::from_le_bytes([o0, o1]),
            commands: u16::from_le_bytes([c0, c1]),
            number: u32::from_le_bytes([n0, n1, n2, n3]),
            hz: u32::from_le_bytes([h0, h1, h2, h3]),
            begin: u32::from_le_bytes([b0, b1, b2, b3]),
            took: u32::from_le_bytes([t0, t1, t2, t3]),
            faults: u16::from_le_bytes([f0, f1]),
            mode,
            flags,
            digest: u32::from_le_bytes([d0, d1, d2, d3]),
        })
    }
}

/// The digest with the bits of one more number: turned to the left by five, and the bits added without a
/// carry, which is one instruction on Arm. An `f64` counts as its lower half, then its upper half.
///
/// It tells two Jacobians apart whose bits differ in one place, and others but for one pair in 2³²; it
/// is no checksum of the frame, which has one.
#[inline]
pub(crate) const fn mix(digest: u32, half: u32) -> u32 {
    digest.rotate_left(5) ^ half
}
