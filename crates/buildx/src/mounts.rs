//! `--cache-mounts-to` and `--cache-mounts-from`: what `RUN --mount=type=cache` keeps, for machines that forget.

use std::{collections::BTreeSet, path::PathBuf};

use plimsoll_build::{CacheMountError, CacheMounts};
use plimsoll_source::Failure;

/// `PATH[,id=NAME…][,all][,replace]`
#[derive(Debug, PartialEq, Eq)]
pub struct MountSource {
    path: PathBuf,
    ids: BTreeSet<String>,
    all: bool,
    replace: bool,
}

impl MountSource {
    /// Reads the option's value.
    pub fn parse(spec: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::new(
                format!("`{spec}` is no place for cache mounts: {why}"),
                "write a directory or a file (.tar, .tar.zst), then what is meant: DIR,id=NAME,id=NAME or DIR,all",
            )
        };
        let mut fields = spec.split(',');
        let path =
            fields.next().filter(|path| !path.is_empty()).ok_or_else(|| wrong("no path".to_owned()))?;
        let path = std::path::absolute(path).map_err(|error| wrong(error.to_string()))?;
        let mut place = Self { path, ids: BTreeSet::new(), all: false, replace: false };
        for field in fields {
            match field.split_once('=') {
                Some(("id", id)) if !id.is_empty() => {
                    place.ids.insert(id.to_owned());
                }
                None if field == "all" => place.all = true,
                None if field == "replace" => place.replace = true,
                _ => return Err(wrong(format!("`{field}` is not known"))),
            }
        }
        if place.all && !place.ids.is_empty() {
            return Err(wrong("both `all` and `id`".to_owned()));
        }
        Ok(place)
    }

    /// Whether the ids of the build's own mounts are wanted.
    pub fn asks_the_build(&self) -> bool {
        !self.all && self.ids.is_empty()
    }

    fn wanted<'a>(&'a self, of_build: &'a BTreeSet<String>) -> Option<&'a BTreeSet<String>> {
        match (self.all, self.ids.is_empty()) {
            (true, _) => None,
            (false, true) => Some(of_build),
            (false, false) => Some(&self.ids),
        }
    }

    /// Reads the mounts. A cache that is not there, or is damaged, is no reason not to build.
    pub fn read(&self, mounts: &CacheMounts, of_build: &BTreeSet<String>, tell: &dyn Fn(&str)) {
        let path = self.path.display();
        match mounts.read(&self.path, self.wanted(of_build), self.replace) {
            Ok(taken) => {
                for one in taken {
                    let what = if one.kept { "is here already and stays" } else { "taken" };
                    tell(&format!("cache mount {}: {what}, from {path}", one.id));
                }
            }
            Err(error) if error.is_missing() => tell(&format!("cache mounts: nothing in {path} yet")),
            Err(error) => tell(&format!("cache mounts: not taken from {path}: {}", with_cause(&error))),
        }
    }

    /// Writes the mounts.
    pub fn write(
        &self,
        mounts: &CacheMounts,
        of_build: &BTreeSet<String>,
        tell: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        if self.replace {
            return Err(Failure::new(
                "`replace` means nothing for --cache-mounts-to",
                "what is written always replaces what was there; give it to --cache-mounts-from",
            ));
        }
        let taken = mounts.write(&self.path, self.wanted(of_build)).map_err(|error| {
            Failure::new(
                with_cause(&error),
                "the image is built; if a step of another build wrote to the mount meanwhile, run it again",
            )
        })?;
        let names: Vec<&str> = taken.iter().map(|one| one.id.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        tell(&format!("cache mounts written to {}: {names}", self.path.display()));
        Ok(())
    }
}

fn with_cause(error: &CacheMountError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error).and_then(std::error::Error::source);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_say_what_is_meant() {
        let all = MountSource::parse("/x/y.tar.zst,all,replace").unwrap();
        assert!(all.all && all.replace && all.wanted(&BTreeSet::new()).is_none());
        let some = MountSource::parse("/x,id=npm,id=pip").unwrap();
        assert_eq!(some.ids, BTreeSet::from(["npm".to_owned(), "pip".to_owned()]));
        assert!(MountSource::parse("/x").unwrap().asks_the_build());
        for wrong in ["", ",id=x", "/x,id=", "/x,other", "/x,all,id=a", "/x,mode=max"] {
            assert!(MountSource::parse(wrong).is_err(), "{wrong}");
        }
    }
}
