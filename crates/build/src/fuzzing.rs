//! What the fuzz targets read with (fuzz/fuzz_targets/build_readers.rs): requests to an agent, a repository's objects, what is
//! kept between builds, heads of answers.

use std::{io, path::Path};

use crate::{Key, emulation, epoch, index, remote, ssh, statcache};

/// A client sends these bytes to an agent that answers each request with `reply`: what the client hears and what the
/// agent gets.
pub fn agent(sent: &[u8], reply: &[u8]) -> (Vec<u8>, Vec<u8>, io::Result<()>) {
    ssh::fuzz(sent, reply)
}

/// What a difference of git makes of its base.
pub fn delta(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    epoch::objects::apply(base, delta)
}

/// The time of the last commit of a repository.
pub fn last_commit(directory: &Path) -> Option<i64> {
    epoch::last_commit(directory)
}

/// The cache index, the cache of file stamps and a key.
pub fn kept(bytes: &[u8]) {
    statcache::fuzz(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    index::fuzz(text);
    if let Some(key) = Key::parse(text) {
        assert_eq!(key.to_string(), text.to_ascii_lowercase());
    }
}

/// The head of an answer; the name of the file that it names.
pub fn head(text: &str) -> Option<String> {
    remote::fuzz(text)
}

/// A line of binfmt_misc.
pub fn emulator(text: &str) {
    emulation::fuzz(text);
}
