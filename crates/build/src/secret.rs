//! Secrets that steps and downloads use.

use std::{
    fmt,
    io::{self, Read as _},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// A secret and where its value is.
#[derive(Clone)]
pub struct Secret {
    /// The `id=` by which steps ask for it.
    pub id: String,
    /// The file or variable that holds the value.
    pub source: SecretSource,
    /// What was read; copies share it.
    value: Arc<OnceLock<Arc<[u8]>>>,
}

/// The largest secret, in bytes, as in BuildKit.
const MAX_SECRET: u64 = 500 << 10;

impl Secret {
    /// A secret that is read when somebody first needs it.
    pub fn new(id: impl Into<String>, source: SecretSource) -> Self {
        Self { id: id.into(), source, value: Arc::default() }
    }

    /// Its value. The source is read once, when a step first needs it: a pipe gives its bytes once, and all steps of a
    /// build see one value. It is kept in memory alone, until the build ends.
    ///
    /// # Errors
    /// With the reason, which does not hold the value.
    pub(crate) fn value(&self) -> Result<Arc<[u8]>, String> {
        static READING: Mutex<()> = Mutex::new(());
        // two steps must not share the bytes of one pipe
        let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.value.get() {
            return Ok(value.clone());
        }
        let value: Arc<[u8]> = match &self.source {
            SecretSource::Env(name) => match std::env::var_os(name) {
                Some(value) => value.into_encoded_bytes().into(),
                None => return Err(format!("the variable {name} is not set")),
            },
            SecretSource::File(path) => {
                let told = |error: io::Error| format!("{}: {error}", path.display());
                let mut bytes = Vec::new();
                let file = std::fs::File::open(path).map_err(told)?;
                file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(told)?;
                if bytes.len() as u64 > MAX_SECRET {
                    return Err(format!("{} is larger than 500 KiB", path.display()));
                }
                bytes.into()
            }
        };
        Ok(self.value.get_or_init(|| value).clone())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // never the value
        out.debug_struct("Secret").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

/// What holds the value of a secret.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// A file; at most 500 KiB of it.
    File(PathBuf),
    /// A variable of our own environment.
    Env(String),
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, path::Path, thread::JoinHandle};

    use super::*;
    use crate::ssh::KeyFiles;

    /// A pipe in `dir`, and who writes this to it, once.
    fn pipe(dir: &Path, text: &'static [u8]) -> (PathBuf, JoinHandle<()>) {
        let pipe = dir.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let to = pipe.clone();
        let writer = std::thread::spawn(move || {
            std::fs::OpenOptions::new().write(true).open(to).unwrap().write_all(text).unwrap();
        });
        (pipe, writer)
    }

    #[test]
    fn secret_from_a_pipe_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, writer) = pipe(dir.path(), b"sesame\n");
        let secret = Secret::new("token", SecretSource::File(pipe));
        let (first, second) = (secret.clone(), secret.clone());
        std::thread::scope(|scope| {
            let one = scope.spawn(|| first.value().unwrap());
            let other = scope.spawn(|| second.value().unwrap());
            assert_eq!(&*one.join().unwrap(), b"sesame\n");
            assert_eq!(&*other.join().unwrap(), b"sesame\n");
        });
        writer.join().unwrap();
        assert_eq!(&*secret.value().unwrap(), b"sesame\n");
        assert!(!format!("{secret:?}").contains("sesame"));
    }

    #[test]
    fn keys_from_a_pipe_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, writer) = pipe(dir.path(), b"a key\n");
        let files = KeyFiles::default();
        let (first, second) = (files.clone(), files.clone());
        std::thread::scope(|scope| {
            let one = scope.spawn(|| first.read(&pipe).unwrap());
            let other = scope.spawn(|| second.read(&pipe).unwrap());
            assert_eq!(&*one.join().unwrap(), b"a key\n");
            assert_eq!(&*other.join().unwrap(), b"a key\n");
        });
        writer.join().unwrap();
        assert_eq!(&*files.read(&pipe).unwrap(), b"a key\n");
        assert!(!format!("{files:?}").contains("a key"));
        let long = dir.path().join("long");
        std::fs::write(&long, vec![b'x'; 65 << 10]).unwrap();
        assert!(files.read(&long).unwrap_err().to_string().contains("64 KiB"));
        assert!(files.read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_one_value() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "first").unwrap();
        let secret = Secret::new("token", SecretSource::File(file.clone()));
        assert_eq!(&*secret.value().unwrap(), b"first");
        std::fs::write(&file, "second").unwrap();
        assert_eq!(&*secret.clone().value().unwrap(), b"first");
        let long = Secret::new("long", SecretSource::File(file.clone()));
        std::fs::write(&file, vec![b'x'; 600 << 10]).unwrap();
        assert!(long.value().unwrap_err().contains("500 KiB"));
    }
}
