//! Tars made of arbitrary members: any kind, any name of a small alphabet, headers that lie about sizes.

use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// Names are made of these, so that members meet: the same name twice, a name below a link, a way out.
const PARTS: [&str; 16] = [
    "a",
    "b",
    "c",
    "link",
    "..",
    ".",
    "",
    ".wh.a",
    ".wh.b",
    ".wh..wh..opq",
    ".wh.",
    "outside",
    "precious",
    "\u{fc}\u{1f40b}",
    "with\nnewline",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
];

/// One member of an archive.
#[derive(Arbitrary, Debug)]
pub struct Piece {
    kind: u8,
    name: Name,
    link: Name,
    mode: u32,
    owner: u32,
    mtime: u64,
    body: Vec<u8>,
    /// A size that is not the body's.
    size: Option<u64>,
    device: (u8, u8),
    records: Vec<(u8, Value)>,
    gnu: bool,
}

#[derive(Arbitrary, Debug)]
struct Name {
    absolute: bool,
    parts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Number(u64),
    Name(Name),
    Bytes(Vec<u8>),
}

const KINDS: &[u8] = b"0000557712123466SgxLKV\0";
const KEYS: [&str; 12] = [
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "mtime",
    "SCHILY.xattr.security.capability",
    "SCHILY.xattr.user.x",
    "GNU.sparse.major",
    "GNU.sparse.map",
    "SCHILY.xattr.trusted.overlay.opaque",
    "",
];

impl Name {
    fn text(&self) -> String {
        let parts: Vec<&str> =
            self.parts.iter().take(8).map(|part| PARTS[usize::from(*part) % PARTS.len()]).collect();
        format!("{}{}", if self.absolute { "/" } else { "" }, parts.join("/"))
    }
}

/// The archive's bytes; the last block is cut off when `whole` is false.
pub fn archive(pieces: &[Piece], whole: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces.iter().take(64) {
        piece.write(&mut bytes);
    }
    bytes.resize(bytes.len() + if whole { 1024 } else { 0 }, 0);
    bytes
}

impl Piece {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.records.is_empty() {
            let records: Vec<u8> =
                self.records.iter().take(8).flat_map(|(key, value)| record(*key, value)).collect();
            header(out, b'x', "pax", "", &[0; 5], records.len() as u64, (0, 0));
            body(out, &records);
        }
        let (name, link) = (self.name.text(), self.link.text());
        if self.gnu {
            for (kind, text) in [(b'L', &name), (b'K', &link)] {
                header(out, kind, "././@LongLink", "", &[0; 5], text.len() as u64 + 1, (0, 0));
                body(out, &[text.as_bytes(), &[0]].concat());
            }
        }
        let kind = KINDS[usize::from(self.kind) % KINDS.len()];
        let content: &[u8] = if matches!(kind, b'0' | b'7' | 0 | b'S' | b'x' | b'g' | b'L' | b'K' | b'V') {
            &self.body
        } else {
            &[]
        };
        let numbers = [self.mode.into(), self.owner.into(), u64::from(self.owner >> 3), self.mtime, 0];
        header(out, kind, &name, &link, &numbers, self.size.unwrap_or(content.len() as u64), self.device);
        body(out, content);
    }
}

fn record(key: u8, value: &Value) -> Vec<u8> {
    let value = match value {
        Value::Number(number) => number.to_string().into_bytes(),
        Value::Name(name) => name.text().into_bytes(),
        Value::Bytes(bytes) => bytes.clone(),
    };
    let rest = [b" ", KEYS[usize::from(key) % KEYS.len()].as_bytes(), b"=", &value, b"\n"].concat();
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() != length {
        length += 1;
    }
    [length.to_string().into_bytes(), rest].concat()
}

fn body(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// A ustar header: mode, uid, gid, mtime as `numbers`, the checksum right.
fn header(
    out: &mut Vec<u8>,
    kind: u8,
    name: &str,
    link: &str,
    numbers: &[u64; 5],
    size: u64,
    device: (u8, u8),
) {
    let mut block = [0_u8; 512];
    let mut text = |at: usize, length: usize, text: &[u8]| {
        let text = &text[..text.len().min(length)];
        block[at..at + text.len()].copy_from_slice(text);
    };
    text(0, 100, name.as_bytes());
    text(100, 8, octal(numbers[0], 7).as_slice());
    text(108, 8, octal(numbers[1], 7).as_slice());
    text(116, 8, octal(numbers[2], 7).as_slice());
    text(124, 12, octal(size, 11).as_slice());
    text(136, 12, octal(numbers[3], 11).as_slice());
    text(148, 8, b"        ");
    text(156, 1, &[kind]);
    text(157, 100, link.as_bytes());
    text(257, 8, b"ustar\x0000");
    text(329, 8, octal(device.0.into(), 7).as_slice());
    text(337, 8, octal(device.1.into(), 7).as_slice());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend(block);
}

/// A number as octal digits, or in GNU's binary form when it does not fit.
fn octal(number: u64, digits: usize) -> Vec<u8> {
    let text = format!("{number:0digits$o}\0");
    if text.len() == digits + 1 {
        return text.into_bytes();
    }
    let mut binary = vec![0_u8; digits + 1];
    let bytes = number.to_be_bytes();
    let take = bytes.len().min(digits);
    let end = binary.len();
    binary[end - take..].copy_from_slice(&bytes[bytes.len() - take..]);
    binary[0] |= 0x80;
    binary
}
