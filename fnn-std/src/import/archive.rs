//! Zip archives, with a limit on what comes out of them.

use std::io::{Cursor, Read};

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
        if zip.has_duplicate_names() {
            return Err(Error::refused(
                "the zip archive is damaged: two of its entries have one name",
            ));
        }
        let names: zip::result::ZipResult<Vec<_>> = zip
            .file_names()
            .map(|name| name.map(std::borrow::Cow::into_owned))
            .collect();
        Ok(Self {
            names: names.map_err(|e| damaged(&e))?,
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
        // What the entry says of its size is not believed beyond that of the archive.
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
    let entries = memmem::find_iter(bytes, b"PK\x01\x02").count();
    if entries > MOST_ENTRIES {
        return Err(Error::refused(format!(
            "the zip archive has {entries} entries, wanted at most {MOST_ENTRIES}"
        )));
    }
    Ok(())
}
