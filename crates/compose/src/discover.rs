use std::path::{Path, PathBuf};

use crate::options::ReadFiles;

const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The Compose file of `directory` or of the nearest directory above it, and the override file beside it.
pub fn discover(directory: &Path, fs: &dyn ReadFiles) -> Option<Vec<PathBuf>> {
    let first_of = |directory: &Path, names: &[&str]| -> Option<PathBuf> {
        names.iter().map(|name| directory.join(name)).find(|path| fs.is_file(path))
    };
    directory.ancestors().find_map(|directory| {
        let main = first_of(directory, &NAMES)?;
        let mut files = vec![main];
        files.extend(first_of(directory, &OVERRIDES));
        Some(files)
    })
}
