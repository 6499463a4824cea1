//! Files behind http(s).

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use plimsoll_image::Digest;
use plimsoll_sandbox::Cancel;
use serde::{Deserialize, Serialize};

use super::{RemoteError, Remotes, file_name, without_password};

/// No download is larger.
const MAX_BYTES: u64 = 16 << 30;

/// A file that was fetched, and is kept on this machine.
#[derive(Clone, Debug)]
pub struct HttpFile {
    /// Where it is now; another build may replace it later.
    pub path: PathBuf,
    /// What the server calls it, else the last name of the address.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// From `Last-Modified`, in seconds since 1970; 0 without it, as BuildKit has it.
    pub modified: i64,
    /// How it came; `None` for one that was here.
    pub transfer: Option<Transfer>,
}

/// A file that came from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The address, without a password.
    pub from: String,
    /// How many bytes came.
    pub bytes: u64,
    /// When it was asked for.
    pub began: SystemTime,
    /// When the last byte was here.
    pub ended: SystemTime,
}

/// What is kept beside a fetched file.
#[derive(Serialize, Deserialize)]
struct Meta {
    etag: Option<String>,
    name: String,
    digest: Digest,
    modified: i64,
}

impl Remotes {
    /// Fetches a file, unless the server says that the one that is here is the same, or its checksum says so.
    ///
    /// # Errors
    /// When it cannot be fetched, or is not what `checksum` (`sha256:…`) says.
    pub fn http(&self, url: &str, checksum: Option<&str>) -> Result<HttpFile, RemoteError> {
        let failed = |reason: String| RemoteError::Fetch { url: without_password(url), reason };
        let dir = self.dir.join("http").join(file_name(url));
        fs::create_dir_all(&dir).map_err(|error| RemoteError::io("make", &dir, error))?;
        let _lock =
            self.lock(&dir.join("lock"), url).map_err(|error| RemoteError::io("lock", &dir, error))?;
        let kept: Option<Meta> =
            fs::read(dir.join("meta.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let kept = kept.filter(|kept| dir.join(kept.digest.hex()).is_file());
        if let Some(kept) = &kept
            && checksum == Some(kept.digest.to_string().as_str())
        {
            return Ok(found(&dir, kept));
        }
        let (body, head) = (dir.join("body"), dir.join("head"));
        let mut options = String::new();
        if let Some(etag) = kept.as_ref().and_then(|kept| kept.etag.as_ref()) {
            options.push_str(&format!("header = {}\n", quoted(&format!("If-None-Match: {etag}"))));
        }
        if let Some(header) = self.http_authorization(url)? {
            options.push_str(&format!("header = {}\n", quoted(&format!("Authorization: {header}"))));
        }
        let began = SystemTime::now();
        curl(url, &body, &head, &options, self.cancel.as_ref()).map_err(failed)?;
        let ended = SystemTime::now();
        let answer = Answer::read(&fs::read_to_string(&head).unwrap_or_default());
        if answer.status == 304
            && let Some(kept) = &kept
        {
            return verified(found(&dir, kept), checksum);
        }
        let digest = File::open(&body)
            .and_then(Digest::of_reader)
            .map_err(|error| RemoteError::io("read the download", &body, error))?;
        let meta = Meta {
            etag: answer.etag,
            name: answer.file_name.unwrap_or_else(|| name_in(url)),
            digest,
            modified: answer.modified.unwrap_or(0),
        };
        let bytes = fs::metadata(&body).map_err(|error| RemoteError::io("read", &body, error))?.len();
        let target = dir.join(digest.hex());
        fs::rename(&body, &target).map_err(|error| RemoteError::io("rename", &body, error))?;
        if let Some(before) = kept.filter(|before| before.digest != digest) {
            let _ = fs::remove_file(dir.join(before.digest.hex()));
        }
        if let Ok(text) = serde_json::to_vec(&meta) {
            // Without it the file is only fetched again.
            let _ = plimsoll_disk::replace(&dir.join("meta.json"), &text, plimsoll_disk::USUAL);
        }
        let transfer = Some(Transfer { from: without_password(url), bytes, began, ended });
        verified(HttpFile { transfer, ..found(&dir, &meta) }, checksum)
    }

    fn http_authorization(&self, url: &str) -> Result<Option<String>, RemoteError> {
        let authority =
            url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let bare = host.split(':').next().unwrap_or_default();
        let names = [
            format!("HTTP_AUTH_HEADER_{host}"),
            format!("HTTP_AUTH_TOKEN_{host}"),
            format!("HTTP_AUTH_HEADER_{bare}"),
            format!("HTTP_AUTH_TOKEN_{bare}"),
        ];
        Ok(self
            .secret(&names)?
            .map(|(at, value)| if at % 2 == 0 { value } else { format!("Bearer {value}") }))
    }
}

fn found(dir: &Path, meta: &Meta) -> HttpFile {
    HttpFile {
        path: dir.join(meta.digest.hex()),
        name: meta.name.clone(),
        digest: meta.digest,
        modified: meta.modified,
        transfer: None,
    }
}

fn verified(file: HttpFile, checksum: Option<&str>) -> Result<HttpFile, RemoteError> {
    let digest = file.digest.to_string();
    match checksum {
        Some(expected) if expected != digest => {
            Err(RemoteError::Checksum { found: digest, expected: expected.to_owned() })
        }
        _ => Ok(file),
    }
}

/// Passwords and headers go to curl's standard input, where no list of processes shows them.
fn curl(url: &str, body: &Path, head: &Path, options: &str, cancel: Option<&Cancel>) -> Result<(), String> {
    let mut command = Command::new("curl");
    command
        .args(["--disable", "--config", "-", "--fail", "--silent", "--show-error", "--location"])
        .args(["--proto", "=http,https", "--max-redirs", "10", "--connect-timeout", "30"])
        .args(["--speed-limit", "1", "--speed-time", "120"])
        .args(["--max-filesize", &MAX_BYTES.to_string(), "--dump-header"])
        .arg(head)
        .arg("--output")
        .arg(body)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // curl writes no file when there is no byte to write.
    File::create(body).map_err(|error| error.to_string())?;
    let mut child = command.spawn().map_err(|error| format!("cannot run curl: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        let config = format!("{options}url = {}\n", quoted(url));
        // A curl that ends early says why itself.
        let _ = input.write_all(config.as_bytes());
    }
    // It says one line at most, so nobody has to read meanwhile.
    while let (None, Some(cancel)) = (child.try_wait().map_err(|error| error.to_string())?, cancel) {
        if cancel.is_cancelled() {
            let _ = child.kill();
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let _ = fs::remove_file(body);
    Err(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("curl: ").to_owned())
}

/// A word of curl's configuration file.
fn quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => word.extend(['\\', letter]),
            '\n' => word.push_str("\\n"),
            '\r' => word.push_str("\\r"),
            other => word.push(other),
        }
    }
    word.push('"');
    word
}

/// The head of the last answer: redirects come before it.
#[derive(Default)]
struct Answer {
    status: u16,
    etag: Option<String>,
    modified: Option<i64>,
    file_name: Option<String>,
}

impl Answer {
    fn read(head: &str) -> Self {
        let mut answer = Self::default();
        for line in head.lines().map(str::trim_end) {
            if line.starts_with("HTTP/") {
                let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
                answer = Self { status: status.unwrap_or(0), ..Self::default() };
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "etag" if !value.chars().any(char::is_control) => answer.etag = Some(value.to_owned()),
                "last-modified" => {
                    answer.modified =
                        jiff::fmt::rfc2822::parse(value).ok().map(|at| at.timestamp().as_second());
                }
                "content-disposition" => {
                    answer.file_name = value
                        .split(';')
                        .find_map(|part| part.trim().strip_prefix("filename="))
                        .map(|name| name.trim_matches('"'))
                        .filter(|name| {
                            !name.is_empty()
                                && !name.contains(['/', '\\', '\0'])
                                && !matches!(*name, "." | "..")
                        })
                        .map(str::to_owned);
                }
                _ => {}
            }
        }
        answer
    }
}

/// The last name of the address.
pub(super) fn name_in(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let after_host = path.splitn(4, '/').nth(3).unwrap_or_default();
    match after_host.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !name.is_empty() && name != ".." && name != "." => name.to_owned(),
        _ => "download".to_owned(),
    }
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(head: &str) -> Option<String> {
    let answer = Answer::read(head);
    assert!(!quoted(head).contains('\n'));
    let _ = (name_in(head), answer.status, answer.modified);
    assert!(answer.etag.is_none_or(|etag| !etag.contains(['\n', '\r'])));
    answer.file_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_is_the_name() {
        assert_eq!(name_in("https://host.test/a/b.tar.gz?x=/y"), "b.tar.gz");
        assert_eq!(name_in("https://host.test/a/"), "a");
        assert_eq!(name_in("https://host.test"), "download");
        assert_eq!(name_in("https://host.test/a/.."), "download");
    }

    #[test]
    fn the_last_answer_counts() {
        let head = "HTTP/1.1 302 Found\r\nETag: \"a\"\r\n\r\nHTTP/1.1 200 OK\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\
            Content-Disposition: attachment; filename=\"x.tar\"\r\n\r\n";
        let answer = Answer::read(head);
        assert_eq!((answer.status, answer.etag, answer.modified), (200, None, Some(1_445_412_480)));
        assert_eq!(answer.file_name.as_deref(), Some("x.tar"));
        let evil = Answer::read("HTTP/1.1 200 OK\r\nContent-Disposition: a; filename=\"../x\"\r\n");
        assert_eq!(evil.file_name, None);
        for name in ["..", ".", ""] {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Disposition: a; filename=\"{name}\"\r\n");
            assert_eq!(Answer::read(&head).file_name, None, "{name:?}");
        }
    }

    #[test]
    fn an_address_cannot_become_an_option_of_curl() {
        assert_eq!(quoted("a\"\nproxy = b\\"), "\"a\\\"\\nproxy = b\\\\\"");
    }
}
