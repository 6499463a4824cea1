//! ADD of an address: fetched with the host's `curl`, checked, and named after the address.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use crate::graph::Download;

/// A fetched file.
pub(crate) struct Fetched {
    /// The last name of the address.
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
    /// From `Last-Modified`, in seconds since 1970.
    pub(crate) modified: Option<i64>,
}

/// No download is larger.
const MAX_BYTES: u64 = 4 << 30;

/// Fetches a file and compares it with its checksum.
pub(crate) fn fetch(download: &Download, scratch: &Path) -> Result<Fetched, String> {
    let url = &download.url;
    let file = scratch.join("download");
    let output = Command::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location", "--remote-time", "--max-time", "1800"])
        .args(["--max-filesize", &MAX_BYTES.to_string(), "--output"])
        .arg(&file)
        .arg("--")
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot fetch {url}: cannot run curl: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cannot fetch {url}: {}", reason.trim()));
    }
    let meta = fs::metadata(&file).map_err(|error| format!("cannot fetch {url}: {error}"))?;
    let mut content = Vec::new();
    fs::File::open(&file)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut content))
        .map_err(|error| format!("cannot read the download of {url}: {error}"))?;
    let _ = fs::remove_file(&file);
    if let Some(expected) = &download.checksum {
        let actual = plimsoll_image::Digest::of(&content).to_string();
        if actual != *expected {
            return Err(format!("digest mismatch {actual}: {expected}"));
        }
    }
    let modified = std::os::unix::fs::MetadataExt::mtime(&meta);
    Ok(Fetched { name: name(url), content, modified: Some(modified) })
}

fn name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let after_host = path.splitn(4, '/').nth(3).unwrap_or_default();
    match after_host.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => "download".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_is_the_name() {
        assert_eq!(name("https://host.test/a/b.tar.gz?x=/y"), "b.tar.gz");
        assert_eq!(name("https://host.test/a/"), "a");
        assert_eq!(name("https://host.test"), "download");
    }
}
