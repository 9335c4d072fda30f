//! The archive that Cargo makes of a crate, rid of all but the object with our code.
//!
//! Arithmetic in software is the C compiler's, but where Rust's own is better ([`is_kept`]): that stays in
//! the archive. It gets other names, so that the rest of an image keeps its own, and these are weak, since
//! another library of ours brings them too.

use std::{fs, io::Cursor, path::Path};

use ar_archive_writer::{
    ArchiveKind, DEFAULT_OBJECT_READER, NewArchiveMember, write_archive_to_stream,
};
use object::{
    BinaryFormat, LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind,
    elf::{self, FileHeader32},
    read::{
        archive::ArchiveFile,
        elf::{FileHeader as _, SectionHeader as _, Sym as _},
    },
};

use crate::error::{Error, Result};

/// The object that holds the functions, and what can be read in it.
#[derive(Debug)]
pub(super) struct Object {
    bytes: Vec<u8>,
    /// Objects of Rust's own library that stay.
    kept: Vec<Vec<u8>>,
    format: BinaryFormat,
    /// Bytes of machine code with what is kept, of constants, and of variables.
    pub(super) code: u64,
    pub(super) constants: u64,
    pub(super) variables: u64,
    /// What it leaves to the linker, in order.
    pub(super) needs: Vec<String>,
    /// Arm's note of the floating-point unit, where there is one.
    pub(super) float: Option<Float>,
}

/// How an object for Arm's microcontrollers uses the floating-point unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Float {
    /// Not at all.
    Soft,
    /// In its code, not for arguments.
    Softfp,
    /// In its code and for arguments.
    Hard,
}

impl Float {
    /// What gcc's `-mfloat-abi` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Softfp => "softfp",
            Self::Hard => "hard",
        }
    }
}

/// The object in the archive at `path` that exports these symbols, and no others.
///
/// # Errors
/// An archive that is not of that kind: a fault of this program, or a compiler that it does not know.
pub(super) fn object(path: &Path, symbols: &[String]) -> Result<Object> {
    let archive = fs::read(path).map_err(|e| Error::system("read", path, e))?;
    let odd = |what: String| {
        Error::refused(what).in_file(path).with_help(
            "this is a fault of fnn, or a compiler that it does not know: please report it",
        )
    };
    let unreadable = |e: object::Error| odd(format!("the compiler's archive cannot be read: {e}"));
    let members = ArchiveFile::parse(&*archive).map_err(unreadable)?;
    let mut found = None;
    let mut others = Vec::new();
    for member in members.members() {
        let bytes = member.and_then(|m| m.data(&*archive)).map_err(unreadable)?;
        let Ok(file) = object::File::parse(bytes) else {
            continue;
        };
        others.push(bytes);
        if exported(&file).any(|name| symbols.contains(&name)) {
            if found.is_some() {
                return Err(odd(
                    "the functions are in several objects of the archive".to_owned()
                ));
            }
            found = Some((bytes, file));
        }
    }
    let Some((bytes, file)) = found else {
        return Err(odd("the archive does not hold the functions".to_owned()));
    };
    if let Some(missing) = symbols
        .iter()
        .find(|&name| !exported(&file).any(|n| n == *name))
    {
        return Err(odd(format!("the archive lacks the function `{missing}`")));
    }
    if let Some(other) = exported(&file).find(|name| !symbols.contains(name)) {
        return Err(odd(format!(
            "the archive exports `{other}` beside the functions"
        )));
    }
    let undefined = file.symbols().filter(|s| s.is_undefined());
    let mut needs: Vec<String> = undefined
        .filter_map(|symbol| Some(plain(&file, symbol.name().ok()?)))
        .filter(|name| !name.is_empty() && name != "_GLOBAL_OFFSET_TABLE_")
        .collect();
    needs.sort();
    let machine = machine(bytes);
    let (mut kept, mut bytes) = (Vec::<Vec<u8>>::new(), bytes.to_owned());
    if needs.iter().any(|name| is_kept(machine, name)) {
        let wanted = needs.iter().filter(|name| is_kept(machine, name));
        kept = members_with(&others, machine, wanted.cloned().collect());
        needs.retain(|name| !is_kept(machine, name));
        for bytes in kept.iter_mut().chain([&mut bytes]) {
            rename(bytes).ok_or_else(|| odd("an object of the archive is damaged".to_owned()))?;
        }
        // What they leave to the linker beside each other.
        let files = || {
            kept.iter()
                .filter_map(|bytes| object::File::parse(&**bytes).ok())
        };
        let defined: Vec<String> = files()
            .flat_map(|f| exported(&f).collect::<Vec<_>>())
            .collect();
        for file in files() {
            let names = file.symbols().filter(|s| s.is_undefined());
            let names = names.filter_map(|s| Some(plain(&file, s.name().ok()?)));
            needs.extend(names.filter(|n| !n.is_empty() && !defined.contains(n)));
        }
        needs.sort();
        needs.dedup();
    }
    let is_panic = |name: &str| name.contains("panic") || name.contains("unwind");
    if let Some(panic) = file
        .symbols()
        .filter_map(|s| s.name().ok())
        .find(|name| is_panic(name))
    {
        return Err(odd(format!("the code can panic: it holds `{panic}`")));
    }
    let bytes_of = |file: &object::File<'_>, kinds: &[SectionKind]| -> u64 {
        let sections = file.sections().filter(|section| {
            // Constants with addresses in them, which are written once where a program is loaded.
            let is_relocated = section
                .name()
                .is_ok_and(|name| name.starts_with(".data.rel.ro"));
            let kind = match is_relocated {
                true => SectionKind::ReadOnlyDataWithRel,
                false => section.kind(),
            };
            kinds.contains(&kind)
        });
        sections.map(|section| section.size()).sum()
    };
    let text = &[SectionKind::Text];
    let kept_files = kept
        .iter()
        .filter_map(|bytes| object::File::parse(&**bytes).ok());
    let kept_code: u64 = kept_files.map(|file| bytes_of(&file, text)).sum();
    Ok(Object {
        format: file.format(),
        code: bytes_of(&file, text) + kept_code,
        constants: bytes_of(
            &file,
            &[
                SectionKind::ReadOnlyData,
                SectionKind::ReadOnlyDataWithRel,
                SectionKind::ReadOnlyString,
            ],
        ),
        variables: bytes_of(&file, &[SectionKind::Data, SectionKind::UninitializedData]),
        needs,
        float: float(&bytes),
        bytes,
        kept,
    })
}

/// The machine that an object is for, where it is one of 32 bits in the format ELF.
fn machine(bytes: &[u8]) -> Option<elf::Machine> {
    let header = FileHeader32::<LittleEndian>::parse(bytes).ok()?;
    Some(header.e_machine.get(header.endian().ok()?))
}

/// Whether the archive keeps this function of Rust's own library.
///
/// On Arm it keeps the sum of f64: gcc's `__aeabi_dadd` and `__aeabi_dsub` for ARMv7-M do not always round
/// to the nearest (libgcc of gcc 12.2, among operands of many ones or zeros one sum in some 50 000:
/// 0x4140000000000210 + 0xbf35dbd025596115), and `cargo xtask firmware` found that in a network. On RISC-V
/// it keeps all of f32 and f64: gcc's take half as many instructions again.
fn is_kept(machine: Option<elf::Machine>, name: &str) -> bool {
    match machine {
        Some(elf::EM_ARM) => ["__aeabi_dadd", "__aeabi_dsub"].contains(&name),
        // As gcc's manual names them: `__addsf3`, `__floatsidf`, `__extendsfdf2`.
        Some(elf::EM_RISCV) => {
            name.starts_with("__") && (name.contains("sf") || name.contains("df"))
        }
        _ => false,
    }
}

/// What a function that is kept is called here: a name of the same length, since it is put in the other's
/// place, of the kind that C leaves to implementations.
fn kept_name(name: &[u8]) -> Vec<u8> {
    [b"_F", &name[2..]].concat()
}

/// The members that define these symbols, and those of Rust's that they ask for.
fn members_with(
    members: &[&[u8]],
    machine: Option<elf::Machine>,
    mut wanted: Vec<String>,
) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    while let Some(name) = wanted.pop() {
        if seen.contains(&name) {
            continue;
        }
        let files = members
            .iter()
            .filter_map(|&bytes| Some((bytes, object::File::parse(bytes).ok()?)));
        let mut with = files.filter(|(_, file)| exported(file).any(|other| other == name));
        if let Some((bytes, file)) = with.next() {
            let undefined = file.symbols().filter(|s| s.is_undefined());
            let names = undefined.filter_map(|s| Some(s.name().ok()?.to_owned()));
            // Other libraries have the rest of what has a name of C's.
            wanted.extend(names.filter(|name| is_rusts(name.as_bytes()) || is_kept(machine, name)));
            if !found.contains(&bytes) {
                found.push(bytes);
            }
        }
        seen.push(name);
    }
    found.into_iter().map(<[u8]>::to_vec).collect()
}

/// Whether Rust made this name.
fn is_rusts(name: &[u8]) -> bool {
    name.starts_with(b"_R") || name.starts_with(b"_ZN")
}

/// Gives what is kept its names here, and makes what an object of Rust's own library defines weak; our own
/// object, which defines none of it, keeps what it defines.
fn rename(bytes: &mut [u8]) -> Option<()> {
    let mut edits = Vec::new();
    let machine = machine(bytes);
    {
        let bytes = &*bytes;
        let header = FileHeader32::<LittleEndian>::parse(bytes).ok()?;
        let endian = header.endian().ok()?;
        let sections = header.sections(endian, bytes).ok()?;
        let symbols = sections.symbols(endian, bytes, elf::SHT_SYMTAB).ok()?;
        let table = sections.section(symbols.section()).ok()?;
        let strings = sections.section(symbols.string_section()).ok()?;
        let (table, strings) = (table.sh_offset(endian), strings.sh_offset(endian));
        for (at, symbol) in symbols.enumerate() {
            let name = symbol.name(endian, symbols.strings()).ok()?;
            let is_kept = str::from_utf8(name).is_ok_and(|name| is_kept(machine, name));
            if is_kept {
                let start = (strings + symbol.st_name(endian)) as usize;
                edits.push((start, kept_name(name)));
            }
            let is_defined = symbol.st_shndx(endian) != elf::SHN_UNDEF;
            let is_global = symbol.st_bind() == elf::STB_GLOBAL;
            if is_defined && is_global && (is_kept || is_rusts(name)) {
                let entry = table as usize + at.0 * size_of_val(symbol);
                let weak = (elf::STB_WEAK.0 << 4) | symbol.st_type().0;
                // The byte behind name, value and size.
                edits.push((entry + 12, vec![weak]));
            }
        }
    }
    for (start, new) in edits {
        bytes
            .get_mut(start..)?
            .get_mut(..new.len())?
            .copy_from_slice(&new);
    }
    Some(())
}

/// What other objects can see of this one.
fn exported<'f>(file: &'f object::File<'_>) -> impl Iterator<Item = String> + 'f {
    let seen = file
        .symbols()
        .filter(|s| s.is_global() && s.is_definition());
    seen.filter_map(|symbol| Some(plain(file, symbol.name().ok()?)))
}

/// A name as C has it, without what some formats put before it.
fn plain(file: &object::File<'_>, name: &str) -> String {
    let prefix = if file.format() == BinaryFormat::MachO {
        "_"
    } else {
        ""
    };
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// What Arm's attributes say of the floating-point unit.
fn float(bytes: &[u8]) -> Option<Float> {
    const FP_ARCH: u64 = 10;
    const VFP_ARGS: u64 = 28;
    let header = FileHeader32::<LittleEndian>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    if header.e_machine.get(endian) != elf::EM_ARM {
        return None;
    }
    let sections = header.sections(endian, bytes).ok()?;
    let (_, section) = sections.section_by_name(endian, b".ARM.attributes")?;
    let mut parts = section.attributes(endian, bytes).ok()?.subsections().ok()?;
    let part = parts.next().ok()??;
    let file = part.subsubsections().next().ok()??;
    let mut attributes = file.attributes();
    let (mut unit, mut arguments) = (0, 0);
    while let Some(tag) = attributes.read_tag().ok()? {
        match tag {
            FP_ARCH => unit = attributes.read_integer().ok()?,
            VFP_ARGS => arguments = attributes.read_integer().ok()?,
            // The tags of texts: names of processors, the version of the attributes.
            4 | 5 | 65 | 67 => {
                attributes.read_string().ok()?;
            }
            32 => {
                attributes.read_integer().ok()?;
                attributes.read_string().ok()?;
            }
            _ => {
                attributes.read_integer().ok()?;
            }
        }
    }
    Some(match (unit, arguments) {
        (0, _) => Float::Soft,
        (_, 0) => Float::Softfp,
        _ => Float::Hard,
    })
}

impl Object {
    /// An archive of this object alone, with the index that linkers ask for.
    pub(super) fn archive(&self, name: &str) -> Result<Vec<u8>> {
        let kind = match self.format {
            BinaryFormat::MachO => ArchiveKind::Darwin,
            BinaryFormat::Coff => ArchiveKind::Coff,
            _ => ArchiveKind::Gnu,
        };
        let of = |bytes, name| NewArchiveMember::new(bytes, &DEFAULT_OBJECT_READER, name);
        let mut members = vec![of(&self.bytes, format!("{name}.o"))];
        for (i, bytes) in self.kept.iter().enumerate() {
            members.push(of(bytes, format!("kept{i}.o")));
        }
        let mut archive = Cursor::new(Vec::new());
        write_archive_to_stream(&mut archive, &members, kind, false, None)
            .map_err(|e| Error::refused(format!("the archive cannot be written: {e}")))?;
        Ok(archive.into_inner())
    }
}
