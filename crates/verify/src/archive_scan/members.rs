//! What compressed files and archives hold: unpacked as a stream, and searched like the file that they are in.

use std::{
    io::{self, Cursor, Read},
    rc::Rc,
};

use super::{
    HEAD, Scanner,
    budget::Allowed,
    formats::{Format, Packing},
    search::Watched,
    undeclared::file_gives_away,
};

/// The longest name in an archive that is read; behind it the name is cut.
const NAME: u64 = 64 << 10;

/// A file, or a part of one: `app/backup.tar.gz/backup.tar/root/.npmrc`.
pub(super) struct ArchiveMember<'p> {
    pub(super) path: &'p str,
    /// What the file is a part of: ` of layer 1`.
    pub(super) of: &'p str,
    /// In how many archives or compressed files it lies.
    pub(super) depth: u8,
}

impl ArchiveMember<'_> {
    fn shown(&self) -> String {
        format!("/{}{}", self.path, self.of)
    }

    /// The path of something in it.
    pub(super) fn inside(&self, name: &str) -> String {
        format!("{}/{}", self.path, name.trim_start_matches("./").trim_start_matches('/'))
    }
}

impl Scanner<'_> {
    /// Searches one file of a layer, and what it holds.
    pub(super) fn file(
        &mut self,
        content: &mut dyn Read,
        size: u64,
        path: &str,
        layer: &str,
    ) -> io::Result<()> {
        let of = format!(" of layer {layer}");
        let place = ArchiveMember { path, of: &of, depth: 0 };
        let bytes = self.searched(content, size, &place)?;
        self.found.files += 1;
        self.found.bytes += bytes;
        if let Some(why) = self.unread.take() {
            self.found.unread(&place.shown(), &why);
        }
        Ok(())
    }

    /// The same for anything that stands alone; `in_file` and `unread` hold what came out.
    pub(super) fn searched(
        &mut self,
        content: &mut dyn Read,
        size: u64,
        place: &ArchiveMember<'_>,
    ) -> io::Result<u64> {
        self.in_file.clear();
        self.unread = None;
        self.budget.begin(size);
        self.content(content, place)
    }

    /// Searches all of a stream as it is, and what is packed in it. An error is one of the stream itself: what cannot
    /// be unpacked is noted.
    fn content(&mut self, content: &mut dyn Read, place: &ArchiveMember<'_>) -> io::Result<u64> {
        let mut watched = Watched::new(content, self.secrets);
        let mut head = Vec::with_capacity(HEAD);
        watched.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        let format = Format::of(&head, place.path);
        if let Some(format) = format {
            let mut whole = Cursor::new(head.as_slice()).chain(watched.by_ref());
            if place.depth == 0 {
                self.budget.start_clock();
            }
            if let Err(error) = self.open(format, &mut whole, place) {
                self.not_read(place, &error.to_string());
            }
            if place.depth == 0 {
                self.budget.stop_clock();
            }
        }
        let searched = watched.finish()?;
        if format.is_none() && searched.ends_as_zip {
            self.not_read(place, "a zip archive behind other bytes is not unpacked");
        }
        let declared = !searched.names.is_empty();
        // What was found in a member stands there, and not in the archive too.
        let names =
            searched.names.into_iter().filter(|name| format.is_none() || !self.in_file.contains(name));
        let names: Vec<String> = names.collect();
        self.found.hits(names.iter().cloned(), &place.shown());
        self.in_file.extend(names);
        if !declared
            && format.is_none()
            && let Some(what) = searched.whole.and_then(|content| file_gives_away(place.path, &content))
        {
            self.found.hit(format!("{what} in {}", place.shown()));
            self.in_file.insert(what.to_owned());
        }
        Ok(searched.bytes)
    }

    fn open(&mut self, format: Format, whole: &mut dyn Read, place: &ArchiveMember<'_>) -> io::Result<()> {
        if let Format::Foreign(what) = format {
            return Err(io::Error::other(format!("{what} is not unpacked")));
        }
        let most = self.budget.limits.depth;
        if place.depth == most {
            return Err(io::Error::other(format!("it lies in {most} archives or compressed files")));
        }
        match format {
            Format::Tar => self.tar(whole, place),
            Format::Zip => self.zip(whole, place),
            Format::Packed(packing) => {
                let inner = place.inside(&unpacked_name(place.path));
                self.unpack(packing, whole, place, &inner)
            }
            Format::Foreign(_) => Ok(()),
        }
    }

    /// Searches what a stream unpacks to.
    pub(super) fn unpack(
        &mut self,
        packing: Packing,
        packed: &mut dyn Read,
        place: &ArchiveMember<'_>,
        path: &str,
    ) -> io::Result<()> {
        let mut decoder = packing.decoder(packed)?;
        self.member(&mut decoder, place, path)
    }

    /// Searches a part of an archive.
    pub(super) fn member(
        &mut self,
        content: &mut dyn Read,
        place: &ArchiveMember<'_>,
        path: &str,
    ) -> io::Result<()> {
        self.found.members += 1;
        let budget = Rc::clone(&self.budget);
        let mut allowed = Allowed { inner: content, budget: &budget };
        self.content(&mut allowed, &ArchiveMember { path, of: place.of, depth: place.depth + 1 })?;
        Ok(())
    }

    /// Notes why not all of the file was searched: the first reason, of the innermost part.
    pub(super) fn not_read(&mut self, place: &ArchiveMember<'_>, why: &str) {
        if self.unread.is_none() {
            let inner = if place.depth == 0 { String::new() } else { format!("{}: ", place.path) };
            self.unread = Some(format!("{inner}{why}"));
        }
    }

    /// The names, links and records of a tar stand in it as they are, and have been searched: its files are looked at
    /// for what is packed in them.
    fn tar(&mut self, whole: &mut dyn Read, place: &ArchiveMember<'_>) -> io::Result<()> {
        let mut long_name: Option<String> = None;
        // Raw: the reader would take a long name into memory whatever its length.
        for entry in tar::Archive::new(whole).entries()?.raw(true) {
            let mut entry = entry?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                let mut text = Vec::new();
                entry.by_ref().take(NAME).read_to_end(&mut text)?;
                long_name = name_in(&text, kind.is_pax_local_extensions()).or(long_name);
                continue;
            }
            let name = long_name
                .take()
                .unwrap_or_else(|| String::from_utf8_lossy(&entry.header().path_bytes()).into_owned());
            if entry.size() > 0 && kind.is_file() {
                self.member(&mut entry, place, &place.inside(&name))?;
            }
        }
        Ok(())
    }
}

/// The name in an entry that is there for the name of the next one.
fn name_in(text: &[u8], pax: bool) -> Option<String> {
    if !pax {
        return Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
    }
    let records = tar::PaxExtensions::new(text).flatten();
    let path = records.filter(|record| record.key_bytes() == b"path").last()?;
    Some(String::from_utf8_lossy(path.value_bytes()).into_owned())
}

/// `dump.sql` of `db/dump.sql.gz`, `x.tar` of `x.tgz`.
fn unpacked_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, "gz" | "bz2" | "xz" | "zst")) if !stem.is_empty() => stem.to_owned(),
        Some((stem, "tgz" | "tbz2" | "txz" | "tzst")) => format!("{stem}.tar"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_what_is_unpacked() {
        for (path, name) in
            [("db/dump.sql.gz", "dump.sql"), ("x.tgz", "x.tar"), ("a/.gz", ".gz"), ("icon", "icon")]
        {
            assert_eq!(unpacked_name(path), name);
        }
    }

    #[test]
    fn long_names() {
        assert_eq!(name_in(b"a/b\0", false).as_deref(), Some("a/b"));
        assert_eq!(name_in(b"12 path=a/b\n12 uid=1000\n", true).as_deref(), Some("a/b"));
        assert_eq!(name_in(b"12 uid=1000\n", true), None);
    }
}
