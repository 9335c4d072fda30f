//! Whole files: read with a look at what they are, written so that they appear complete.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, Result};

/// That the folder of what is to be written is not there, or what else was wrong with it.
fn missing(path: &Path, folder: &Path, error: io::Error) -> Error {
    if error.kind() != io::ErrorKind::NotFound {
        return Error::system("write", path, error);
    }
    Error::refused("the folder that it is to be in does not exist")
        .in_file(path)
        .with_help(format!("mkdir -p {}", crate::generate::typed(folder)))
}

/// The file at `path`, which must be a regular one, and its length in bytes.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let cannot = |e| Error::system("read", path, e);
    // Looked at before it is opened: to open a pipe would wait for someone to write.
    let metadata = fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        return Err(Error::refused("this is a folder, wanted a file").in_file(path));
    }
    if !metadata.is_file() {
        return Err(Error::refused("this is a device or a pipe, wanted a file").in_file(path));
    }
    let file = File::open(path).map_err(cannot)?;
    Ok((file, metadata.len()))
}

/// The bytes of the file at `path`, which must be a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (mut file, length) = open(path)?;
    if length > most {
        return Err(Error::refused(format!(
            "the file has {length} bytes, wanted at most {most}"
        ))
        .in_file(path));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|e| Error::system("read", path, e))?;
    Ok(bytes)
}

/// Makes sure that none of the files to be written is one of those that are read.
pub(crate) fn keep(read: &[Option<&Path>], written: &[Option<&Path>]) -> Result<()> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    for path in written.iter().flatten() {
        let target = real(path);
        if target.is_some() && read.iter().flatten().any(|read| real(read) == target) {
            let found = "this file is read here, wanted another one to write";
            return Err(Error::refused(found).in_file(path));
        }
    }
    Ok(())
}

/// The one of these endings that the name of a file to be written has, in small letters or capitals.
pub(crate) fn ending(path: &Path, endings: &[&'static str]) -> Result<&'static str> {
    let found = path.extension();
    let is_found = |wanted: &&&str| found.is_some_and(|found| found.eq_ignore_ascii_case(wanted));
    if let Some(ending) = endings.iter().find(is_found) {
        return Ok(ending);
    }
    let found = match found {
        Some(found) => format!("that ends in `.{}`", found.display()),
        None => "without an ending".to_owned(),
    };
    let wanted: Vec<_> = endings.iter().map(|ending| format!(".{ending}")).collect();
    let wanted = match &wanted[..] {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        all => all.concat(),
    };
    let found = format!("found a name {found}, wanted one that ends in {wanted}");
    Err(Error::refused(found).in_file(path))
}

/// A file that is being written. It gets its name with [`finish`](Self::finish); if it is dropped
/// before, nothing is left of it and what had the name before is untouched.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The name as it was given.
    path: PathBuf,
    /// The same file with all links followed.
    target: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Draft {
    /// Starts a file that will be called `path`.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let cannot = |e| Error::system("write", path, e);
        // A link stays a link: what it points to is replaced.
        let target = match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => fs::canonicalize(path).map_err(cannot)?,
            _ => path.to_owned(),
        };
        match fs::metadata(&target) {
            Ok(found) if found.is_dir() => {
                return Err(
                    Error::refused("this is a folder, wanted the name of a file to write")
                        .in_file(path),
                );
            }
            // To rename a file to the name of a device would replace the device.
            Ok(found) if !found.is_file() => {
                return Err(
                    Error::refused("this is a device or a pipe, wanted a file to write")
                        .in_file(path),
                );
            }
            _ => {}
        }
        let Some(name) = target.file_name() else {
            return Err(Error::refused("this is not the name of a file").in_file(path));
        };
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder).map_err(|e| missing(path, folder, e))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let mut draft = tempfile::Builder::new();
        draft.prefix(&prefix);
        #[cfg(unix)]
        {
            // As if created under its own name: the user's mask takes away from this.
            use std::os::unix::fs::PermissionsExt;
            draft.permissions(fs::Permissions::from_mode(0o666));
        }
        let draft = draft.tempfile_in(&folder).map_err(cannot)?;
        Ok(Self {
            path: path.to_owned(),
            target: folder.join(name),
            file: BufWriter::new(draft),
        })
    }

    /// Whether both will be one file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.target == other.target
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<()> {
        let path = self.path;
        let file = self
            .file
            .into_inner()
            .map_err(|e| Error::system("write", &path, e.into_error()))?;
        file.persist(&self.target)
            .map_err(|e| Error::system("write", &path, e.error))?;
        Ok(())
    }

    /// The error for a write that failed.
    pub(crate) fn cannot_write(&self, error: io::Error) -> Error {
        Error::system("write", &self.path, error)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A folder that is being written. It gets its name with [`finish`](Self::finish), and what had the
/// name before is removed; if it is dropped before, nothing is left of it and what had the name
/// before is untouched.
#[derive(Debug)]
pub(crate) struct DraftFolder {
    /// The name as it was given.
    path: PathBuf,
    /// The same folder with all links followed.
    target: PathBuf,
    /// A folder beside it that holds the new one, and the old one while they change places.
    beside: TempDir,
}

impl DraftFolder {
    /// Starts a folder that will be called `path`.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let cannot = |e| Error::system("write", path, e);
        let target = match fs::symlink_metadata(path) {
            Ok(_) => fs::canonicalize(path).map_err(cannot)?,
            Err(_) => path.to_owned(),
        };
        let Some(name) = target.file_name() else {
            return Err(Error::refused("this is not the name of a folder").in_file(path));
        };
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = fs::canonicalize(parent).map_err(|e| missing(path, parent, e))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let beside = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent);
        let beside = beside.map_err(cannot)?;
        fs::create_dir(beside.path().join("new")).map_err(cannot)?;
        Ok(Self {
            path: path.to_owned(),
            target: parent.join(name),
            beside,
        })
    }

    /// What it will be called, with all links followed.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Writes a file in it, and the folders above that.
    pub(crate) fn write(&self, file: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        let cannot = |e| Error::system("write", &self.path.join(file), e);
        let file = self.beside.path().join("new").join(file);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        fs::write(&file, contents).map_err(cannot)
    }

    /// Gives the folder its name.
    pub(crate) fn finish(self) -> Result<()> {
        let (new, old) = (
            self.beside.path().join("new"),
            self.beside.path().join("old"),
        );
        let cannot = |e| Error::system("write", &self.path, e);
        let replaces = fs::symlink_metadata(&self.target).is_ok();
        if replaces {
            fs::rename(&self.target, &old).map_err(cannot)?;
        }
        if let Err(error) = fs::rename(&new, &self.target) {
            if replaces && fs::rename(&old, &self.target).is_err() {
                // Better left under another name than lost.
                let kept = self.beside.keep();
                let help = format!("what was there is in `{}`", kept.join("old").display());
                return Err(Error::system("write", &self.path, error).with_help(help));
            }
            return Err(cannot(error));
        }
        let beside = self.beside.path().to_owned();
        self.beside
            .close()
            .map_err(|e| Error::system("remove", &beside, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_appears_when_it_is_finished_and_leaves_nothing_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let files = || fs::read_dir(folder.path()).unwrap().count();

        let mut draft = Draft::new(&path).unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(files(), 0);

        let mut draft = Draft::new(&path).unwrap();
        draft.write_all(b"whole").unwrap();
        assert!(!path.exists());
        draft.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(files(), 1);
    }

    #[test]
    fn folders_and_devices_are_neither_read_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Draft::new(folder.path()).is_err());
        assert!(read(folder.path(), 10).is_err());
        #[cfg(unix)]
        {
            assert!(Draft::new(Path::new("/dev/null")).is_err());
            assert!(read(Path::new("/dev/null"), 10).is_err());
        }
        let path = folder.path().join("a");
        fs::write(&path, [0; 11]).unwrap();
        assert_eq!(
            read(&path, 10).unwrap_err().to_string(),
            format!(
                "`{}`: the file has 11 bytes, wanted at most 10",
                path.display()
            )
        );
    }

    #[test]
    fn the_name_says_what_is_written() {
        let of = |path: &str, endings| ending(Path::new(path), endings).map_err(|e| e.to_string());
        assert_eq!(of("a.b/y.CSV", &["npy", "csv"]), Ok("csv"));
        for (path, endings, error) in [
            (
                "q.c",
                &["rs"][..],
                "`q.c`: found a name that ends in `.c`, wanted one that ends in .rs",
            ),
            (
                "a.rs/q",
                &["json", "onnx", "safetensors"],
                "`a.rs/q`: found a name without an ending, wanted one that ends in .json, .onnx or \
                 .safetensors",
            ),
            (
                ".rs",
                &["svg", "png"],
                "`.rs`: found a name without an ending, wanted one that ends in .svg or .png",
            ),
        ] {
            assert_eq!(of(path, endings), Err(error.to_owned()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut draft = Draft::new(&link).unwrap();
        draft.write_all(b"new").unwrap();
        draft.finish().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
