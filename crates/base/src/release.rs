//! The index of a suite: `InRelease` after its signature was checked.

use std::collections::HashMap;

use crate::control::Paragraph;
use crate::date;
use crate::error::BaseError;

/// Files listed in one index; Debian's main suite lists 1,700.
const MAX_FILES: usize = 100_000;

/// What a suite's index says about itself and its files.
#[derive(Debug)]
pub(crate) struct Release {
    /// When the index was made, in seconds since 1970.
    pub(crate) date: i64,
    files: HashMap<String, FileEntry>,
}

/// Size and digest of a file, relative to the suite's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEntry {
    pub(crate) size: u64,
    /// Lower-case hexadecimal.
    pub(crate) sha256: String,
}

impl Release {
    /// Reads the signed text. It must be the suite asked for (else a mirror could serve an older suite's index, properly
    /// signed) and still valid at `now`.
    pub(crate) fn parse(file: &str, text: &str, suite: &str, now: i64) -> Result<Self, BaseError> {
        let malformed = |cause: String| BaseError::Malformed { file: file.to_owned(), cause };
        let paragraph = Paragraph::parse(text).map_err(|error| malformed(error.to_string()))?;
        let field = |name: &str| paragraph.get(name).ok_or_else(|| malformed(format!("no field `{name}`")));
        let codename = field("Codename")?;
        if codename != suite {
            return Err(malformed(format!("it is the index of `{codename}`, not of `{suite}`")));
        }
        let date =
            date::parse_rfc2822(field("Date")?).ok_or_else(|| malformed("`Date` is no date".to_owned()))?;
        if let Some(until) = paragraph.get("Valid-Until") {
            let end =
                date::parse_rfc2822(until).ok_or_else(|| malformed("`Valid-Until` is no date".to_owned()))?;
            if end < now {
                return Err(BaseError::Expired { file: file.to_owned(), until: until.to_owned() });
            }
        }
        let mut files = HashMap::new();
        for line in field("SHA256")?.lines().map(str::trim_ascii).filter(|line| !line.is_empty()) {
            let entry = file_line(line).ok_or_else(|| malformed(format!("`SHA256` holds `{line}`")))?;
            if files.len() == MAX_FILES {
                return Err(malformed("too many files".to_owned()));
            }
            files.insert(entry.0, entry.1);
        }
        Ok(Self { date, files })
    }

    /// The entry of a file such as `main/binary-amd64/Packages.xz`.
    pub(crate) fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path)
    }
}

fn file_line(line: &str) -> Option<(String, FileEntry)> {
    let mut words = line.split_ascii_whitespace();
    let (sha256, size, path) = (words.next()?, words.next()?, words.next()?);
    if !is_sha256(sha256) || words.next().is_some() {
        return None;
    }
    Some((path.to_owned(), FileEntry { size: size.parse().ok()?, sha256: sha256.to_owned() }))
}

/// 64 lower-case hexadecimal digits.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Origin: Debian\nCodename: trixie-updates\nDate: Thu, 19 Nov 2026 02:12:54 UTC\n\
        Valid-Until: Thu, 26 Nov 2026 02:12:54 UTC\nSHA256:\n \
        f61f27bd17de546264aa58f40f3aafaac7021e0ef69c17f6b1b4cd7664a037ec       20 main/binary-amd64/Packages.xz\n";
    const DURING: i64 = 1_795_200_000;

    #[test]
    fn reads_files() {
        let release = Release::parse("InRelease", TEXT, "trixie-updates", DURING).unwrap();
        assert_eq!(release.file("main/binary-amd64/Packages.xz").unwrap().size, 20);
        assert!(release.file("main/binary-arm64/Packages.xz").is_none());
        assert_eq!(release.date, 1_795_054_374);
    }

    #[test]
    fn refuses_another_suite_and_an_old_index() {
        let error = Release::parse("InRelease", TEXT, "trixie", DURING).unwrap_err().to_string();
        assert_eq!(error, "InRelease: it is the index of `trixie-updates`, not of `trixie`");
        let error = Release::parse("InRelease", TEXT, "trixie-updates", DURING + 30 * 86_400).unwrap_err();
        assert_eq!(error.to_string(), "InRelease expired on Thu, 26 Nov 2026 02:12:54 UTC");
    }

    #[test]
    fn refuses_damaged_lists() {
        let text = TEXT.replace("f61f27", "F61f27");
        assert!(Release::parse("InRelease", &text, "trixie-updates", DURING).is_err());
        let text = TEXT.replace("SHA256:", "MD5Sum:");
        assert!(Release::parse("InRelease", &text, "trixie-updates", DURING).is_err());
    }
}
