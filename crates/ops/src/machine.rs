//! What the machine's owner says, outside of every repository: `config.toml` of the user, then of the machine.
//!
//! A repository's `plimsoll.toml` is a stranger's file. Where the registry of a public name is, and whether it may be
//! spoken to in the clear, is for the owner of the machine to say.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use plimsoll_image::registry::RegistryError;
use serde::Deserialize;

/// The machine's own file.
const OF_MACHINE: &str = "/etc/plimsoll/config.toml";
/// No such file is larger, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that `config.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    /// `[mirrors]`: registry -> hosts that are asked before it, after `http://` in the clear.
    pub mirrors: BTreeMap<String, Vec<String>>,
}

impl Machine {
    /// Reads the user's file and the machine's; the user's mirrors are asked first.
    pub fn find() -> Result<Self, RegistryError> {
        let mut machine = Self::default();
        for path in files() {
            for (registry, hosts) in read(&path)?.mirrors {
                machine.mirrors.entry(registry).or_default().extend(hosts);
            }
        }
        Ok(machine)
    }
}

/// Where the files may be, the one that counts more first.
fn files() -> Vec<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| folder("HOME").map(|home| home.join(".config")));
    let own = config.map(|config| config.join("plimsoll/config.toml"));
    own.into_iter().chain([PathBuf::from(OF_MACHINE)]).collect()
}

fn read(path: &Path) -> Result<Machine, RegistryError> {
    let unusable = |reason: String| RegistryError::Configuration { path: path.display().to_string(), reason };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Machine::default()),
        Err(error) => return Err(unusable(error.to_string())),
        Ok(meta) if !meta.is_file() => return Err(unusable("it is no file".to_owned())),
        Ok(meta) if meta.len() > MAX_BYTES => return Err(unusable("it is larger than 1 MiB".to_owned())),
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |range| range.start).min(text.len());
        let line = text.as_bytes()[..start].split(|byte| *byte == b'\n').count();
        unusable(format!("line {line}: {}", error.message().trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_and_mistakes_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        assert!(read(&file).unwrap().mirrors.is_empty(), "no file is no mirror");
        fs::write(&file, "[mirrors]\n\"docker.io\" = [\"http://10.0.0.5:5000\", \"mirror.example\"]\n")
            .unwrap();
        assert_eq!(read(&file).unwrap().mirrors["docker.io"], ["http://10.0.0.5:5000", "mirror.example"]);
        fs::write(&file, "[mirror]\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("line 1"));
        assert!(read(dir.path()).is_err());
    }
}
