//! The one read-only view of a repository: which files there are, and their text.
//!
//! Ignored files (`.gitignore`), `.git`, `node_modules` and symbolic links are not part of the view: what Git does not
//! track cannot be relied on to be there in a build, and a link may lead out of the repository.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use plimsoll_source::Source;
use rustix::fs::{Mode, OFlags, ResolveFlags};

/// Bounds on what a survey may cost.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Files in the view; a repository with more is refused.
    pub files: usize,
    /// Size of one file in bytes; a larger one is listed but not read.
    pub file_bytes: u64,
    /// Bytes read in all; behind it files are listed but not read.
    pub total_bytes: u64,
    /// Nesting of folders; deeper ones are not entered.
    pub depth: usize,
}

impl Default for ReadLimits {
    /// 50,000 files, 1 MiB each, 64 MiB in all, 24 levels.
    fn default() -> Self {
        Self { files: 50_000, file_bytes: 1 << 20, total_bytes: 64 << 20, depth: 24 }
    }
}

/// Why a repository cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The folder cannot be opened.
    #[error("{path}: cannot be read as a folder")]
    Root {
        /// The folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Too many files.
    #[error("{path}: more than {limit} files that Git would track")]
    TooManyFiles {
        /// The folder.
        path: String,
        /// The limit.
        limit: usize,
    },
}

impl plimsoll_source::Explain for RepositoryError {}

/// A read-only view of a repository's files. Paths are relative to its root with `/` between their parts.
#[derive(Debug)]
pub struct Repository {
    name: String,
    origin: Origin,
    files: BTreeMap<String, u64>,
    unread: RefCell<BTreeMap<String, String>>,
    cache: RefCell<HashMap<String, Option<Source>>>,
    left: Cell<u64>,
    limits: ReadLimits,
}

#[derive(Debug)]
enum Origin {
    Folder(std::os::fd::OwnedFd),
    Memory(BTreeMap<String, String>),
}

impl Repository {
    /// Lists the files below `root`.
    pub fn open(root: &Path, limits: ReadLimits) -> Result<Self, RepositoryError> {
        let failed = |source: io::Error| RepositoryError::Root { path: root.display().to_string(), source };
        let absolute = root.canonicalize().map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder =
            rustix::fs::open(&absolute, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let mut files = BTreeMap::new();
        let mut unread = BTreeMap::new();
        for entry in walk(&absolute, &limits) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    unread.insert(String::new(), error.to_string());
                    continue;
                }
            };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let Some(path) = relative(&absolute, entry.path()) else {
                unread.insert(entry.path().display().to_string(), "its path is not UTF-8".to_owned());
                continue;
            };
            files.insert(path, entry.metadata().map_or(0, |metadata| metadata.len()));
            if files.len() > limits.files {
                return Err(RepositoryError::TooManyFiles {
                    path: root.display().to_string(),
                    limit: limits.files,
                });
            }
        }
        let name =
            absolute.file_name().map_or_else(|| "app".into(), |name| name.to_string_lossy().into_owned());
        Ok(Self::new(name, Origin::Folder(folder), files, unread, limits))
    }

    /// A repository of texts in memory.
    pub fn from_files<P: Into<String>, T: Into<String>>(
        name: &str,
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        let texts: BTreeMap<String, String> =
            files.into_iter().map(|(path, text)| (path.into(), text.into())).collect();
        let sizes = texts.iter().map(|(path, text)| (path.clone(), text.len() as u64)).collect();
        Self::new(name.to_owned(), Origin::Memory(texts), sizes, BTreeMap::new(), ReadLimits::default())
    }

    fn new(
        name: String,
        origin: Origin,
        files: BTreeMap<String, u64>,
        unread: BTreeMap<String, String>,
        limits: ReadLimits,
    ) -> Self {
        let unread = RefCell::new(unread);
        Self {
            name,
            origin,
            files,
            unread,
            cache: RefCell::default(),
            left: Cell::new(limits.total_bytes),
            limits,
        }
    }

    /// Leaves files out, as if they were not there: what a tool wrote itself says nothing about the project.
    pub fn without<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        for path in paths {
            self.files.remove(path);
        }
        self
    }

    /// The folder's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All files, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether the file is there.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// All files below a folder; the empty path is the root.
    pub fn under<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.files
            .range(prefix.clone()..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(prefix.as_str()))
    }

    /// The text of a file; `None` when there is no such file or it cannot be read, see [`Repository::unread`].
    pub fn source(&self, path: &str) -> Option<Source> {
        if let Some(known) = self.cache.borrow().get(path) {
            return known.clone();
        }
        let size = *self.files.get(path)?;
        let source = match self.read(path, size) {
            Ok(text) => Some(Source::new(path, text)),
            Err(reason) => {
                self.unread.borrow_mut().insert(path.to_owned(), reason);
                None
            }
        };
        self.cache.borrow_mut().insert(path.to_owned(), source.clone());
        source
    }

    /// Files that were looked for and could not be read, with the reason.
    pub fn unread(&self) -> Vec<(String, String)> {
        self.unread.borrow().iter().map(|(path, reason)| (path.clone(), reason.clone())).collect()
    }

    fn read(&self, path: &str, size: u64) -> Result<String, String> {
        if size > self.limits.file_bytes {
            return Err(format!("it is larger than {} bytes", self.limits.file_bytes));
        }
        let folder = match &self.origin {
            Origin::Memory(texts) => return Ok(texts[path].clone()),
            Origin::Folder(folder) => folder,
        };
        let bound = self.limits.file_bytes.min(self.left.get());
        let bytes = bytes_of(folder, path, size, bound).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > bound {
            return Err(format!("the survey has read its limit of {} bytes", self.limits.total_bytes));
        }
        self.left.set(self.left.get() - bytes.len() as u64);
        decoded(bytes)
    }

    /// Reads many files on all processors and makes something of each there. Empty where it is not worth a thread, and
    /// where the files could come near the survey's limit: which of them is beyond it must not depend on who was first.
    /// What could not be read is left out here; asking for it says why.
    pub(crate) fn read_ahead<T: Send>(
        &self,
        paths: &[&str],
        make: impl Fn(Source) -> T + Sync,
    ) -> Vec<(String, T)> {
        let Origin::Folder(folder) = &self.origin else { return Vec::new() };
        let sized: Vec<(&str, u64)> = paths
            .iter()
            .filter_map(|path| Some((*path, *self.files.get(*path)?)))
            .filter(|(_, size)| *size <= self.limits.file_bytes)
            .collect();
        let total: u64 = sized.iter().map(|(_, size)| size).sum();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        if threads < 2 || sized.len() < WORTH_THREADS || total > self.left.get() / 2 {
            return Vec::new();
        }
        let next = AtomicUsize::new(0);
        let (next, make, bound) = (&next, &make, self.limits.file_bytes);
        let work = || {
            let mut made = Vec::new();
            while let Some(&(path, size)) = sized.get(next.fetch_add(1, Ordering::Relaxed)) {
                let read =
                    bytes_of(folder, path, size, bound).ok().filter(|bytes| bytes.len() as u64 <= bound);
                let length = read.as_ref().map_or(0, |bytes| bytes.len() as u64);
                let Some(text) = read.and_then(|bytes| decoded(bytes).ok()) else { continue };
                let source = Source::new(path, text);
                made.push((source.clone(), length, make(source)));
            }
            made
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut made = work();
            // A thread that panicked has made nothing: its files are read again, and the panic comes where it is seen.
            made.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
            made
        });
        let mut cache = self.cache.borrow_mut();
        made.into_iter()
            .map(|(source, length, made)| {
                self.left.set(self.left.get().saturating_sub(length));
                let path = source.name().to_owned();
                cache.insert(path.clone(), Some(source));
                (path, made)
            })
            .collect()
    }
}

/// More threads wait for each other.
const MAX_THREADS: usize = 4;
/// Files below which a thread costs more than it brings.
const WORTH_THREADS: usize = 200;

/// A file's bytes: one more than `bound` where it is longer.
fn bytes_of(folder: &std::os::fd::OwnedFd, path: &str, size: u64, bound: u64) -> io::Result<Vec<u8>> {
    let file = open_beneath(folder, path)?;
    // One byte more than it has: the end is seen without another round of growth.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(bound)).unwrap_or_default() + 1);
    std::fs::File::from(file).take(bound + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Text by its byte order mark, as pip and npm read their lists; without one it is UTF-8.
fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    let (rest, little) = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => (rest, true),
        [0xfe, 0xff, rest @ ..] => (rest, false),
        _ => return String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
    };
    let units = rest.chunks(2).map(|pair| {
        let pair = [pair[0], pair.get(1).copied().unwrap_or_default()];
        if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    });
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| "it is not UTF-16".to_owned())
}

fn walk(root: &Path, limits: &ReadLimits) -> ignore::Walk {
    // Only the repository's own .gitignore files count: the survey must not depend on the machine that it runs on.
    ignore::WalkBuilder::new(root)
        .hidden(false)
        .parents(false)
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .ignore(false)
        .follow_links(false)
        .max_depth(Some(limits.depth))
        .filter_entry(|entry| {
            !matches!(entry.file_name().to_str(), Some(".git" | "node_modules" | ".plimsoll"))
        })
        .build()
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(|path| path.replace(std::path::MAIN_SEPARATOR, "/"))
}

/// Opens a file without ever leaving the folder, also when somebody replaces a parent by a link meanwhile.
fn open_beneath(folder: &std::os::fd::OwnedFd, path: &str) -> io::Result<std::os::fd::OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(folder, PathBuf::from(path), flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file),
        // Linux before 5.6 and some container sandboxes have no openat2.
        Err(rustix::io::Errno::NOSYS) => Ok(rustix::fs::openat(folder, path, flags, Mode::empty())?),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/node_modules/x")).unwrap();
        fs::write(dir.path().join(".gitignore"), "dist/\n.env\n").unwrap();
        fs::write(dir.path().join("src/a.js"), "a").unwrap();
        fs::write(dir.path().join("src/node_modules/x/b.js"), "b").unwrap();
        fs::create_dir(dir.path().join("dist")).unwrap();
        fs::write(dir.path().join("dist/a.js"), "a").unwrap();
        fs::write(dir.path().join(".env"), "SECRET=1").unwrap();
        dir
    }

    #[test]
    fn ignored_files_and_installed_packages_are_not_in_the_view() {
        let dir = folder();
        let repository = Repository::open(dir.path(), ReadLimits::default()).unwrap();
        assert_eq!(repository.files().collect::<Vec<_>>(), [".gitignore", "src/a.js"]);
        assert_eq!(repository.under("src").collect::<Vec<_>>(), ["src/a.js"]);
        assert_eq!(repository.source("src/a.js").unwrap().text(), "a");
        assert!(repository.source(".env").is_none());
    }

    #[test]
    fn links_never_lead_out() {
        let dir = folder();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("passwd"), "root").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("linked")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("passwd"), dir.path().join("file")).unwrap();
        let repository = Repository::open(dir.path(), ReadLimits::default()).unwrap();
        assert!(!repository.contains("file") && !repository.contains("linked/passwd"));

        // Replaced after the listing: the read is refused too.
        fs::remove_dir_all(dir.path().join("src")).unwrap();
        fs::write(outside.path().join("a.js"), "stolen").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("src")).unwrap();
        assert!(repository.source("src/a.js").is_none());
        assert_eq!(repository.unread().len(), 1);
    }

    #[test]
    fn text_is_read_by_its_byte_order_mark() {
        let dir = folder();
        let text = "Flask==3.0\r\nredis==5\r\n";
        let bytes = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| {
            mark.into_iter().chain(text.encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
        };
        fs::write(dir.path().join("little.txt"), bytes([0xff, 0xfe], u16::to_le_bytes)).unwrap();
        fs::write(dir.path().join("big.txt"), bytes([0xfe, 0xff], u16::to_be_bytes)).unwrap();
        fs::write(dir.path().join("none.txt"), [0xff, 0x00, 0x41]).unwrap();
        let repository = Repository::open(dir.path(), ReadLimits::default()).unwrap();
        assert_eq!(repository.source("little.txt").unwrap().text(), text);
        assert_eq!(repository.source("big.txt").unwrap().text(), text);
        assert!(repository.source("none.txt").is_none());
    }

    #[test]
    fn size_and_count_are_bounded() {
        let dir = folder();
        let small = ReadLimits { file_bytes: 0, ..ReadLimits::default() };
        let repository = Repository::open(dir.path(), small).unwrap();
        assert!(repository.source("src/a.js").is_none());
        assert!(repository.unread()[0].1.contains("larger than 0 bytes"));
        let few = ReadLimits { files: 1, ..ReadLimits::default() };
        assert!(matches!(
            Repository::open(dir.path(), few),
            Err(RepositoryError::TooManyFiles { limit: 1, .. })
        ));
        let total = ReadLimits { total_bytes: 0, ..ReadLimits::default() };
        let repository = Repository::open(dir.path(), total).unwrap();
        assert!(repository.source("src/a.js").is_none());
    }
}
