//! Zip archives, with a limit on what comes out of them.

use std::{
    collections::HashSet,
    io::{Cursor, Read},
};

use memchr::memmem;
use zip::{ZipArchive, result::ZipError};

use crate::error::{Error, Result};

/// An archive in memory. Names in it are keys and never lead to a file.
pub(super) struct Archive<'b> {
    zip: ZipArchive<Cursor<&'b [u8]>>,
    names: Vec<String>,
    /// How many bytes the archive has.
    length: u64,
    /// How many bytes may still come out.
    left: u64,
}

/// Entries of an archive at most.
const MOST_ENTRIES: usize = 4096;

/// What each entry in the directory of an archive begins with.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Bytes that may come out of any archive, and how often its own size on top: weights hardly
/// become smaller when they are compressed.
const FREE: u64 = 16 << 20;
const RATIO: u64 = 4;

pub(super) fn recognise(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

impl<'b> Archive<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Result<Self> {
        check_entries(bytes)?;
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(&e))?;
        let names: zip::result::ZipResult<Vec<_>> = zip
            .file_names()
            .map(|name| name.map(std::borrow::Cow::into_owned))
            .collect();
        let names = names.map_err(|e| damaged(&e))?;
        // The library keeps the last of entries whose names have the same bytes.
        let stored = bytes.get(zip.central_directory_start() as usize..);
        let stored = entry_names(stored.unwrap_or_default());
        if let Some(name) = twice(stored).or_else(|| twice(names.iter().map(String::as_bytes))) {
            let name = String::from_utf8_lossy(name);
            return Err(Error::refused(format!(
                "the zip archive has two entries of the name `{name}`"
            )));
        }
        if zip.has_duplicate_names() {
            return Err(Error::refused(
                "the zip archive has two entries of one name",
            ));
        }
        Ok(Self {
            names,
            zip,
            length: bytes.len() as u64,
            left: FREE + RATIO * bytes.len() as u64,
        })
    }

    /// The names of its entries, in their order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The bytes of the entry called `name`.
    ///
    /// # Errors
    /// No such entry; one that is damaged, encrypted, or compressed in another way than by
    /// deflation; more bytes than weights take.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let at = |e: &ZipError| {
            Error::refused(format!(
                "the entry `{name}` of the zip archive cannot be read: {e}"
            ))
        };
        let entry = self.zip.by_name(name).map_err(|e| at(&e))?;
        // Room for what the entry claims is made up to the size of the archive; what comes out is
        // read up to what is left.
        let expected = entry.size().min(self.length) as usize;
        let mut bytes = Vec::with_capacity(expected);
        entry
            .take(self.left + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| at(&ZipError::Io(e)))?;
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(Error::refused(format!(
                "the zip archive holds much more than its size, up to the entry `{name}`"
            ))
            .with_help("save it without compression: numpy.savez, not numpy.savez_compressed"));
        };
        self.left = left;
        Ok(bytes)
    }
}

fn damaged(error: &ZipError) -> Error {
    Error::refused(format!("the zip archive is damaged or cut off: {error}"))
}

/// Refuses archives with more entries than a model has, before the library makes room for them.
fn check_entries(bytes: &[u8]) -> Result<()> {
    let entries = memmem::find_iter(bytes, ENTRY).count();
    if entries > MOST_ENTRIES {
        return Err(Error::refused(format!(
            "the zip archive has {entries} entries, wanted at most {MOST_ENTRIES}"
        )));
    }
    Ok(())
}

/// The names in the directory of an archive, as it stores them.
fn entry_names(mut directory: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (entry, rest) = directory.split_first_chunk::<46>()?;
        if !entry.starts_with(ENTRY) {
            return None;
        }
        let length = |at: usize| usize::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
        // The name, what is added for some systems, and a comment.
        let (name, rest) = rest.split_at_checked(length(28))?;
        directory = rest.get(length(30) + length(32)..)?;
        Some(name)
    })
}

/// The first name that is there twice.
fn twice<'n>(mut names: impl Iterator<Item = &'n [u8]>) -> Option<&'n [u8]> {
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}
