//! The boards that the firmware is built for and run on, described in this one place.
//!
//! `build.rs` makes the linker's memory map of it, the firmware reads its own board from it, and
//! `cargo xtask` the target, the emulated machine and what a tick means. A further board is a
//! further entry.

/// A board, as the compiler, the linker and the emulator know it.
#[derive(Debug)]
pub struct Board {
    /// The name on the command line.
    pub name: &'static str,
    /// The processor and its arithmetic, for people.
    pub processor: &'static str,
    /// The target of `rustc`.
    pub target: &'static str,
    /// The processor that `rustc` schedules for.
    pub cpu: &'static str,
    /// The processor as gcc is told of it.
    pub gcc_flags: &'static [&'static str],
    /// Where weights and code lie.
    pub flash: Region,
    /// Where workspace and stack lie.
    pub ram: Region,
    /// The emulator, and what it is told beside the machine.
    pub emulator: &'static [&'static str],
    /// The machine of the emulator.
    pub machine: &'static str,
    /// The clock of the machine, which SysTick counts, in MHz; of no use on RISC-V.
    pub megahertz: u32,
    /// Whether the processor has a floating-point unit.
    pub float: bool,
    /// Whether it has the vectors of Helium, which take subnormal numbers as zero, against IEEE 754.
    pub helium: bool,
}

impl Board {
    /// The processor alone.
    pub fn short_name(&self) -> &'static str {
        self.processor.split(',').next().unwrap_or_default()
    }

    /// Whether the processor is one of Arm's.
    pub fn is_arm(&self) -> bool {
        self.target.starts_with("thumb")
    }
}

/// A range of addresses.
#[derive(Debug)]
pub struct Region {
    /// The lowest address.
    pub origin: u32,
    /// Bytes.
    pub length: u32,
}

/// The board that is taken where none is named.
pub const DEFAULT: &str = "mps2-an386";

/// All boards, the small ones first, where most does not fit.
pub const BOARDS: &[Board] = &[
    Board {
        name: "microbit",
        processor: "Cortex-M0, f32 and f64 in software",
        target: "thumbv6m-none-eabi",
        cpu: "cortex-m0",
        gcc_flags: &["-mcpu=cortex-m0", "-mfloat-abi=soft"],
        flash: Region {
            origin: 0x0000_0000,
            length: 256 << 10,
        },
        ram: Region {
            origin: 0x2000_0000,
            length: 16 << 10,
        },
        emulator: &["qemu-system-arm"],
        machine: "microbit",
        megahertz: 16,
        float: false,
        helium: false,
    },
    Board {
        name: "mps2-an385",
        processor: "Cortex-M3, f32 and f64 in software",
        target: "thumbv7m-none-eabi",
        cpu: "cortex-m3",
        gcc_flags: &["-mcpu=cortex-m3", "-mfloat-abi=soft"],
        flash: Region {
            origin: 0x0000_0000,
            length: 4 << 20,
        },
        ram: Region {
            origin: 0x2000_0000,
            length: 4 << 20,
        },
        emulator: &["qemu-system-arm"],
        machine: "mps2-an385",
        megahertz: 25,
        float: false,
        helium: false,
    },
    Board {
        name: "riscv32-soft",
        processor: "RV32IMAC, f32 and f64 in software",
        target: "riscv32imac-unknown-none-elf",
        cpu: "generic-rv32",
        gcc_flags: &["-march=rv32imac", "-mabi=ilp32"],
        // Both in the machine's memory: its flash is not where it starts.
        flash: Region {
            origin: 0x8000_0000,
            length: 4 << 20,
        },
        ram: Region {
            origin: 0x8040_0000,
            length: 4 << 20,
        },
        emulator: &["qemu-system-riscv32", "-bios", "none"],
        machine: "virt",
        megahertz: 10,
        float: false,
        helium: false,
    },
    Board {
        name: "mps2-an386",
        processor: "Cortex-M4F, f32 in hardware, f64 in software",
        target: "thumbv7em-none-eabihf",
        cpu: "cortex-m4",
        gcc_flags: &["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
        flash: Region {
            origin: 0x0000_0000,
            length: 4 << 20,
        },
        ram: Region {
            origin: 0x2000_0000,
            length: 4 << 20,
        },
        emulator: &["qemu-system-arm"],
        machine: "mps2-an386",
        megahertz: 25,
        float: true,
        helium: false,
    },
    Board {
        name: "mps2-an500",
        processor: "Cortex-M7, f32 and f64 in hardware",
        target: "thumbv7em-none-eabihf",
        cpu: "cortex-m7",
        gcc_flags: &["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"],
        flash: Region {
            origin: 0x0000_0000,
            length: 4 << 20,
        },
        ram: Region {
            origin: 0x2000_0000,
            length: 4 << 20,
        },
        emulator: &["qemu-system-arm"],
        machine: "mps2-an500",
        megahertz: 25,
        float: true,
        helium: false,
    },
    Board {
        name: "mps2-an505",
        processor: "Cortex-M33, f32 in hardware, f64 in software",
        target: "thumbv8m.main-none-eabihf",
        cpu: "cortex-m33",
        gcc_flags: &["-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
        // Where the processor's secure state sees them: it starts there.
        flash: Region {
            origin: 0x1000_0000,
            length: 4 << 20,
        },
        ram: Region {
            origin: 0x3800_0000,
            length: 4 << 20,
        },
        emulator: &["qemu-system-arm"],
        machine: "mps2-an505",
        megahertz: 20,
        float: true,
        helium: false,
    },
    Board {
        name: "mps3-an547",
        processor: "Cortex-M55, f32 in vectors of four (Helium), f64 in hardware",
        target: "thumbv8m.main-none-eabihf",
        cpu: "cortex-m55",
        gcc_flags: &["-mcpu=cortex-m55", "-mfloat-abi=hard"],
        // The memories tightly coupled to the processor, where its secure state sees them: it
        // starts there.
        flash: Region {
            origin: 0x1000_0000,
            length: 512 << 10,
        },
        ram: Region {
            origin: 0x3000_0000,
            length: 512 << 10,
        },
        emulator: &["qemu-system-arm"],
        machine: "mps3-an547",
        megahertz: 32,
        float: true,
        helium: true,
    },
    Board {
        name: "riscv32-virt",
        processor: "RV32IMAFC, f32 in hardware, f64 in software",
        target: "riscv32imafc-unknown-none-elf",
        cpu: "generic-rv32",
        gcc_flags: &["-march=rv32imafc", "-mabi=ilp32f"],
        // Both in the machine's memory: its flash is not where it starts.
        flash: Region {
            origin: 0x8000_0000,
            length: 4 << 20,
        },
        ram: Region {
            origin: 0x8040_0000,
            length: 4 << 20,
        },
        emulator: &["qemu-system-riscv32", "-bios", "none"],
        machine: "virt",
        megahertz: 10,
        float: true,
        helium: false,
    },
];
