//! The source of `fnn-core` and `fnn-embedded`, which `build.rs` puts into this program, written beside
//! what is generated: that so needs nothing of this project, and no release of it.

use crate::{error::Result, file::DraftFolder};

/// A crate that is carried.
pub(super) struct Source {
    /// Its manifest, with `@PREFIX@` before its name and `@FNN_CORE@` for what it says of `fnn-core`.
    manifest: &'static str,
    files: &'static [(&'static str, &'static str)],
}

include!(concat!(env!("OUT_DIR"), "/carried.rs"));

impl Source {
    /// The files as they lie in `folder`, of a package whose name begins with that of the crate `of`: two
    /// crates may carry the same one, and a lock file could not tell them apart. `fnn_core` is what a
    /// manifest says of `fnn-core`.
    pub(super) fn files(&self, folder: &str, of: &str, fnn_core: &str) -> Vec<(String, String)> {
        let manifest = self.manifest.replace("@PREFIX@", &format!("{of}-"));
        let manifest = manifest.replace("@FNN_CORE@", fnn_core);
        let files = self.files.iter();
        let files = files.map(|&(name, text)| (format!("{folder}/{name}"), text.to_owned()));
        [(format!("{folder}/Cargo.toml"), manifest)]
            .into_iter()
            .chain(files)
            .collect()
    }

    /// Writes them.
    pub(super) fn write(
        &self,
        draft: &DraftFolder,
        folder: &str,
        of: &str,
        fnn_core: &str,
    ) -> Result<()> {
        let files = self.files(folder, of, fnn_core);
        files
            .iter()
            .try_for_each(|(name, text)| draft.write(name, text))
    }
}

/// What a manifest says of the crate `name` that is carried by the crate `of` in `path`.
pub(super) fn dependency(name: &str, of: &str, path: &str, more: &str) -> String {
    format!("{{ package = \"{of}-{name}\", path = \"{path}\"{more} }}")
}
