//! What a build reads beside Dockerfiles and archives: requests to the ssh agent that it lends, a repository's objects, what
//! is kept between builds, heads of answers, addresses of git, modes.
//!
//! Writes files below the temporary directory.
#![no_main]
use std::{cell::RefCell, fs, io::Write as _, path::Path};

use flate2::{Compression, write::ZlibEncoder};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use plimsoll_build::{Chmod, fuzzing, remote::{GitUrl, without_password}};
use plimsoll_fuzz::{place::Place, text::{Quick, expand}};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Agent { sent: &'a [u8], reply: &'a [u8] },
    Messages { sent: Vec<(u8, u8)>, cut: u8, reply: &'a [u8] },
    Delta { base: &'a [u8], delta: &'a [u8] },
    Repository(Repository<'a>),
    Kept(&'a [u8]),
    Index { start: &'a str, lines: Vec<(u8, u8, u8)>, cut: u16 },
    Head(&'a str),
    Address(&'a str),
    Mode { text: &'a str, mode: u16, directory: bool },
    Emulator(&'a str),
}

/// A repository whose packs and indexes are right in form and say anything.
#[derive(Arbitrary, Debug)]
struct Repository<'a> {
    head: &'a str,
    packed: &'a str,
    reference: &'a str,
    alternates: &'a str,
    loose: &'a [u8],
    packs: Vec<Vec<Object<'a>>>,
    raw: Option<(&'a [u8], &'a [u8])>,
}

#[derive(Arbitrary, Debug)]
struct Object<'a> {
    name: u8,
    kind: u8,
    base: u8,
    content: &'a [u8],
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::new("build"));
}

const ID: &str = "0000000000000000000000000000000000000000";

fn id(name: u8) -> [u8; 20] {
    [name % 4; 20]
}

fuzz_target!(|input: Input<'_>| {
    let _quick = Quick::new();
    match input {
        Input::Agent { sent, reply } => agent(sent, reply),
        Input::Messages { sent, cut, reply } => {
            let mut bytes = Vec::new();
            for (kind, length) in sent.iter().take(64) {
                bytes.extend((u32::from(*length) + 1).to_be_bytes());
                bytes.push(*kind);
                bytes.extend(vec![*kind; usize::from(*length)]);
            }
            bytes.truncate(bytes.len().saturating_sub(usize::from(cut)));
            agent(&bytes, reply);
        }
        Input::Delta { base, delta } => {
            if let Some(made) = fuzzing::delta(base, delta) {
                assert!(made.len() <= 4 << 20);
            }
        }
        Input::Repository(repository) => PLACE.with_borrow_mut(|place| {
            let folder = place.folder("repository");
            repository.write(&folder);
            let _ = fuzzing::last_commit(&folder);
            place.check();
        }),
        Input::Kept(bytes) => fuzzing::kept(bytes),
        Input::Index { start, lines, cut } => {
            let mut text = format!("plimsoll build index 1\n{}\n", expand(start));
            for (kind, from, to) in lines.iter().take(64) {
                let (from, to) = (format!("{from:02x}").repeat(32), format!("{to:02x}").repeat(32));
                match kind % 4 {
                    0 => text.push_str(&format!("layer {from} {to} {kind} -\n")),
                    1 => text.push_str(&format!("layer {from} - {kind} -\n")),
                    2 => text.push_str(&format!("step {from} {to}\n")),
                    _ => text.push_str(&format!("memo {from} {to}\n")),
                }
            }
            let torn = text.len().saturating_sub(usize::from(cut));
            fuzzing::kept(text.get(..torn).unwrap_or_default().as_bytes());
        }
        Input::Head(text) => {
            if let Some(name) = fuzzing::head(text) {
                assert!(!name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']), "{name:?}");
            }
        }
        Input::Address(text) => address(&expand(text)),
        Input::Mode { text, mode, directory } => {
            if let Some(chmod) = Chmod::parse(text) {
                let made = chmod.apply(u32::from(mode) & 0o7777, directory);
                assert!(made <= 0o7777, "{made:o} by {text}");
            }
        }
        Input::Emulator(text) => fuzzing::emulator(text),
    }
});

/// Nothing but lists of keys and signatures is asked for, whole, and each request is answered once.
fn agent(sent: &[u8], reply: &[u8]) {
    let (heard, got, done) = fuzzing::agent(sent, reply);
    let messages = |mut bytes: &[u8]| {
        let mut found = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some((message, rest)) = rest.split_at_checked(length) else { break };
            found.push(message.to_vec());
            bytes = rest;
        }
        (found, bytes.len())
    };
    let ((asked, left), (wanted, _)) = (messages(&got), messages(sent));
    assert_eq!(left, 0, "half a request reached the agent");
    for request in &asked {
        assert!(matches!(request.first(), Some(11 | 13)), "{request:?}");
        assert!(wanted.contains(request), "{request:?} was never sent");
    }
    if done.is_ok() {
        assert_eq!(messages(&heard).0.len(), wanted.len());
    }
}

fn address(text: &str) {
    let shown = without_password(text);
    assert_eq!(without_password(&shown), shown);
    if let Some(Ok(url)) = GitUrl::parse(text) {
        assert!(!url.remote.starts_with('-') && !url.remote.is_empty());
        assert!(!url.subdir.starts_with('/') && !url.subdir.split('/').any(|part| part == ".."), "{}", url.subdir);
        assert!(url.reference.as_ref().is_none_or(|name| !name.starts_with('-') && !name.contains("..")));
        let _ = url.shown();
    }
}

impl Repository<'_> {
    fn write(&self, folder: &Path) {
        let git = folder.join(".git");
        for inner in ["objects/00", "objects/pack", "objects/info", "refs/heads"] {
            fs::create_dir_all(git.join(inner)).expect("a folder");
        }
        let head = if self.head.is_empty() { ID } else { self.head };
        let write = |path: &str, bytes: &[u8]| fs::write(git.join(path), bytes).expect("a file");
        write("HEAD", head.as_bytes());
        write("packed-refs", self.packed.as_bytes());
        write("refs/heads/main", self.reference.as_bytes());
        if !self.loose.is_empty() {
            write(&format!("objects/00/{}", &ID[2..]), &deflated(self.loose));
        }
        // Absolute paths would be those of this machine.
        if !self.alternates.contains('/') {
            write("objects/info/alternates", self.alternates.as_bytes());
        }
        for (at, objects) in self.packs.iter().take(3).enumerate() {
            let (index, pack) = packed(objects);
            write(&format!("objects/pack/{at}.idx"), &index);
            write(&format!("objects/pack/{at}.pack"), &pack);
        }
        if let Some((index, pack)) = self.raw {
            write("objects/pack/raw.idx", &[b"\xfftOc\0\0\0\x02", index].concat());
            write("objects/pack/raw.pack", pack);
        }
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The index and the pack of some objects.
fn packed(objects: &[Object<'_>]) -> (Vec<u8>, Vec<u8>) {
    let mut pack = b"PACK\0\0\0\x02\0\0\0\0".to_vec();
    let mut places: Vec<([u8; 20], u32)> = Vec::new();
    for object in objects.iter().take(6) {
        let offset = pack.len() as u32;
        let kind = [1, 6, 7, object.kind & 7][usize::from(object.kind) % 4];
        pack.push(kind << 4 | (object.content.len() as u8 & 15));
        match kind {
            6 => pack.push(object.base & 0x7f),
            7 => pack.extend(id(object.base)),
            _ => {}
        }
        pack.extend(deflated(object.content));
        places.push((id(object.name), offset));
    }
    places.sort_unstable();
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=255_u8 {
        index.extend((places.iter().filter(|(name, _)| name[0] <= first).count() as u32).to_be_bytes());
    }
    places.iter().for_each(|(name, _)| index.extend(name));
    index.extend(vec![0; places.len() * 4]);
    places.iter().for_each(|(_, offset)| index.extend(offset.to_be_bytes()));
    (index, pack)
}
