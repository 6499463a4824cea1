//! Reading a `.deb`: an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*` (deb(5)).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::control::Paragraph;
use crate::error::BaseError;

/// Members looked at; a package has three.
const MAX_MEMBERS: usize = 16;
/// Bytes of one control file; the largest md5sums in Debian have 5 MB.
const MAX_CONTROL_FILE: u64 = 32 << 20;
/// Files in the control member.
const MAX_CONTROL_FILES: usize = 256;
/// Bytes of the data member, uncompressed.
const MAX_DATA: u64 = 8 << 30;

/// The control member: its files by name (`control`, `postinst`, `conffiles`, ...).
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Control {
    /// The text of a control file, empty when the package has none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.files.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The paragraph that describes the package.
    pub(crate) fn paragraph(&self) -> Result<Paragraph<'_>, String> {
        Paragraph::parse(self.text("control")).map_err(|error| format!("control: {error}"))
    }
}

/// Reads a package file: the control member first, which is then given to `data` with the entries of the data member.
pub(crate) fn read(
    path: &Path,
    mut data: impl FnMut(&Control, &mut dyn Read) -> Result<(), BaseError>,
) -> Result<Control, BaseError> {
    let malformed = |cause: String| BaseError::Malformed { file: path.display().to_string(), cause };
    let file = File::open(path).map_err(BaseError::io(path))?;
    let mut archive = ar::Archive::new(BufReader::with_capacity(1 << 17, file));
    let mut control = None;
    for _ in 0..MAX_MEMBERS {
        let Some(member) = archive.next_entry() else { break };
        let mut member = member.map_err(|error| malformed(error.to_string()))?;
        let name = String::from_utf8_lossy(member.header().identifier()).trim_end_matches('/').to_owned();
        if name == "debian-binary" {
            let mut version = String::new();
            (&mut member)
                .take(64)
                .read_to_string(&mut version)
                .map_err(|error| malformed(error.to_string()))?;
            if !version.starts_with("2.") {
                return Err(malformed(format!("format {} is not known", version.trim())));
            }
        } else if let Some(kind) = name.strip_prefix("control.tar") {
            let reader = decoder(kind, &mut member).map_err(|error| malformed(format!("{name}: {error}")))?;
            control = Some(read_control(reader).map_err(|error| malformed(format!("{name}: {error}")))?);
        } else if let Some(kind) = name.strip_prefix("data.tar") {
            let Some(control) = control else { return Err(malformed("data before control".to_owned())) };
            let reader = decoder(kind, &mut member).map_err(|error| malformed(format!("{name}: {error}")))?;
            data(&control, &mut reader.take(MAX_DATA))?;
            return Ok(control);
        }
    }
    Err(malformed("it has no data member".to_owned()))
}

fn decoder<'a>(kind: &str, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match kind {
        "" => Box::new(reader),
        ".xz" => Box::new(liblzma::read::XzDecoder::new(reader)),
        ".zst" => Box::new(zstd::stream::read::Decoder::new(reader)?),
        ".gz" => Box::new(flate2::read::GzDecoder::new(reader)),
        _ => return Err(io::Error::other("unknown compression")),
    })
}

fn read_control(reader: impl Read) -> io::Result<Control> {
    let mut control = Control::default();
    for entry in tar::Archive::new(reader).entries()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = path.trim_start_matches("./").to_owned();
        if name.is_empty() || name.contains('/') {
            return Err(io::Error::other(format!("`{path}` does not belong there")));
        }
        if control.files.len() == MAX_CONTROL_FILES || entry.size() > MAX_CONTROL_FILE {
            return Err(io::Error::other("too large"));
        }
        let mut bytes = Vec::new();
        entry.take(MAX_CONTROL_FILE).read_to_end(&mut bytes)?;
        control.files.insert(name, bytes);
    }
    Ok(control)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn compressed(kind: &str, bytes: &[u8]) -> Vec<u8> {
        match kind {
            ".xz" => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            ".zst" => zstd::encode_all(bytes, 1).unwrap(),
            ".gz" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            _ => bytes.to_vec(),
        }
    }

    fn package(members: &[(&str, Vec<u8>)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = ar::Builder::new(file.reopen().unwrap());
        for (name, bytes) in members {
            let header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
            builder.append(&header, bytes.as_slice()).unwrap();
        }
        file
    }

    fn data_of(file: &Path) -> Result<(Control, Vec<u8>), BaseError> {
        let mut data = Vec::new();
        let control =
            read(file, |_, reader| reader.read_to_end(&mut data).map(|_| ()).map_err(BaseError::io(file)))?;
        Ok((control, data))
    }

    #[test]
    fn reads_every_compression() {
        let control = tar(&[("./control", "Package: ab\nVersion: 1\n"), ("./postinst", "#!/bin/sh\n")]);
        let data = tar(&[("./usr/bin/ab", "program")]);
        for kind in ["", ".xz", ".zst", ".gz"] {
            let file = package(&[
                ("debian-binary", b"2.0\n".to_vec()),
                (&format!("control.tar{kind}"), compressed(kind, &control)),
                (&format!("data.tar{kind}"), compressed(kind, &data)),
            ]);
            let (read, bytes) = data_of(file.path()).unwrap();
            assert_eq!(read.paragraph().unwrap().get("Package"), Some("ab"));
            assert_eq!(read.files.len(), 2);
            assert_eq!(bytes, data, "{kind}");
        }
    }

    #[test]
    fn refuses_what_is_no_package() {
        let control = tar(&[("control", "Package: ab\n")]);
        let data = tar(&[]);
        let binary = ("debian-binary", b"2.0\n".to_vec());
        for (members, cause) in [
            (vec![binary.clone(), ("data.tar", data.clone())], "data before control"),
            (vec![binary.clone(), ("control.tar", control.clone())], "it has no data member"),
            (vec![("debian-binary", b"3.0\n".to_vec())], "format 3.0 is not known"),
            (
                vec![binary.clone(), ("control.tar.lz", control.clone())],
                "control.tar.lz: unknown compression",
            ),
            (
                vec![binary, ("control.tar", tar(&[("a/control", "x")]))],
                "control.tar: `a/control` does not belong there",
            ),
        ] {
            let file = package(&members);
            let error = data_of(file.path()).unwrap_err().to_string();
            assert!(error.ends_with(cause), "{error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(data_of(file.path()).is_err(), "an empty file");
    }

    proptest::proptest! {
        #[test]
        fn damaged_packages_are_refused_or_read(at in 0..600_usize, bit in 0..8_u8) {
            let control = tar(&[("./control", "Package: ab\nVersion: 1\n")]);
            let file = package(&[
                ("debian-binary", b"2.0\n".to_vec()),
                ("control.tar.gz", compressed(".gz", &control)),
                ("data.tar.xz", compressed(".xz", &tar(&[("./usr/bin/ab", "program")]))),
            ]);
            let mut bytes = std::fs::read(file.path()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            std::fs::write(file.path(), &bytes).unwrap();
            let _ = data_of(file.path());
        }
    }
}
