//! What a text holds compressed and written in base64, as configuration is put into variables.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Scanner, budget::Budget, formats::Format, members::ArchiveMember};
use crate::secrets::Secrets;

/// A shorter word unpacks to nothing that could be a secret.
const LEAST: usize = 24;
/// Characters of a word that are decoded to see what it is: a multiple of 4, which are 3 bytes.
const HEAD: usize = 512;
/// Compressed values of one text that are unpacked.
const VALUES: usize = 16;

/// Encoders cut and pad as they like.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The names of the secrets, and kinds of secrets that nobody declared.
    pub(crate) names: Vec<String>,
    /// Why not all of it was searched.
    pub(crate) unread: Option<String>,
}

/// Searches every word that unpacks to something, also where an encoder has broken it into lines.
pub(crate) fn in_text(text: &str, secrets: &Secrets) -> Encoded {
    let mut found = Encoded::default();
    let mut values = 0;
    let part = |letter: char| letter.is_ascii_alphanumeric() || "+/-_".contains(letter);
    for run in text.split(|letter: char| !part(letter) && !letter.is_ascii_whitespace()) {
        for (at, word) in words(run) {
            if word.len() < LEAST || !is_packed(word) {
                continue;
            }
            values += 1;
            if values > VALUES {
                let why = format!("of more than {VALUES} compressed values in one text the others");
                found.unread = Some(why);
                return found;
            }
            // What follows it is its next line, or another word that no reader of it looks at.
            let lines: String = words(&run[at..]).map(|(_, word)| word).collect();
            if let Some(bytes) = decoded(&lines) {
                unpacked(&bytes, secrets, &mut found);
            }
        }
    }
    found
}

/// The words of a text, each with its place.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_ascii_whitespace().map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn unpacked(bytes: &[u8], secrets: &Secrets, found: &mut Encoded) {
    let mut scanner = Scanner::new(secrets, Budget::default());
    let place = ArchiveMember { path: "", of: "", depth: 0 };
    // A slice cannot fail to be read.
    let read = scanner.searched(&mut &*bytes, bytes.len() as u64, &place);
    if let Some(why) = read.err().map(|error| error.to_string()).or(scanner.unread) {
        found.unread.get_or_insert_with(|| format!("a compressed value in base64: {why}"));
    }
    for name in scanner.in_file {
        let name = format!("{name}, compressed in base64");
        if !found.names.contains(&name) {
            found.names.push(name);
        }
    }
}

/// The beginning of a word is that of a compressed file or an archive.
fn is_packed(word: &str) -> bool {
    let head = decoded(&word[..word.len().min(HEAD)]);
    let format = head.and_then(|head| Format::of(&head, ""));
    format.is_some_and(|format| !matches!(format, Format::Foreign(_)))
}

/// In either alphabet of RFC 4648, and without what no encoder ends with.
fn decoded(word: &str) -> Option<Vec<u8>> {
    let standard = word.replace('-', "+").replace('_', "/");
    LENIENT.decode(&standard).or_else(|_| LENIENT.decode(&standard[..whole_groups(standard.len())])).ok()
}

/// The length without the beginning of a last group.
fn whole_groups(length: usize) -> usize {
    length - length % 4
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use base64::engine::general_purpose::{STANDARD as PADDED, URL_SAFE_NO_PAD};

    use super::*;

    const VALUE: &str = "kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE";

    fn secrets() -> Secrets {
        let mut collected = crate::secrets::Collected::default();
        collected.content("key", VALUE);
        collected.finish(&std::collections::BTreeSet::new()).unwrap()
    }

    fn gzip(content: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_values_in_base64() {
        let secrets = secrets();
        let packed = gzip(&format!("{{\"password\": \"{VALUE}\", \"port\": 5432}}"));
        let zstd = zstd::encode_all(VALUE.repeat(2).as_bytes(), 3).unwrap();
        let long = PADDED.encode(gzip(&format!("{VALUE} {:?}", (0..400).collect::<Vec<_>>())));
        let lines: Vec<&str> =
            long.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        for text in [
            format!("CONFIG={}", PADDED.encode(&packed)),
            format!("data:application/gzip;base64,{}", URL_SAFE_NO_PAD.encode(&packed)),
            PADDED.encode(zstd),
            lines.join("\n"),
        ] {
            let found = in_text(&text, &secrets);
            assert_eq!(found.names, ["key, compressed in base64"], "{text}");
        }
    }

    #[test]
    fn other_words_are_no_values() {
        let secrets = secrets();
        let other = PADDED.encode(gzip("nothing to see here, and again nothing to see"));
        for text in
            [other.as_str(), "H4sIAAAAAAAAA is the beginning of one", "/usr/local/sbin:/usr/local/bin"]
        {
            assert_eq!(in_text(text, &secrets), Encoded::default(), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_cut_is_said() {
        let packed = PADDED.encode(gzip(&format!("{:?}", (0..400).collect::<Vec<_>>())));
        let found = in_text(&packed[..packed.len() / 2], &secrets());
        assert!(found.names.is_empty() && found.unread.is_some(), "{found:?}");
        let many = vec![PADDED.encode(gzip("nothing")); VALUES + 1].join(",");
        assert!(in_text(&many, &secrets()).unread.is_some());
    }
}
