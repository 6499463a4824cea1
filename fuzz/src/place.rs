//! A folder for one process, with something beside it that nothing may touch.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// `work` is for the code under test; `outside` is what a hostile archive reaches for.
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// A fresh place below the temporary directory.
    pub fn new(target: &str) -> Self {
        let root = std::env::temp_dir().join(format!("plimsoll-fuzz-{target}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("outside")).expect("a temporary folder");
        fs::write(root.join("outside/precious"), "untouched").expect("a file in it");
        fs::set_permissions(root.join("outside/precious"), fs::Permissions::from_mode(0o640))
            .expect("its mode");
        Self { root }
    }

    /// An empty folder of this name.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Nothing outside was changed, added or linked.
    pub fn check(&self) {
        let outside = self.root.join("outside");
        let precious = outside.join("precious");
        assert_eq!(fs::read_to_string(&precious).expect("it is there"), "untouched");
        let meta = fs::symlink_metadata(&precious).expect("it is there");
        assert_eq!((meta.nlink(), meta.mode() & 0o7777), (1, 0o640), "precious got a name or a mode");
        assert_eq!(names(&outside), ["precious"]);
    }

    /// The place itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}
