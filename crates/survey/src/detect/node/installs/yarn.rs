//! Yarn 1.

use super::{Kind, no_version};
use crate::{
    context::{Context, join},
    model::{Evidence, Fact, Manager},
};

pub(super) const KIND: Kind = Kind {
    manager: Manager::YarnClassic,
    name: "yarn",
    locks: &["yarn.lock"],
    inputs: &[".yarnrc"],
    version: no_version,
};

/// `--modules-folder` of .yarnrc, for all commands or for `install` alone.
pub(super) fn modules_folder(context: &Context<'_>, folder: &str) -> Option<Fact<String>> {
    let source = context.repository.source(&join(folder, ".yarnrc"))?;
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        let span = plimsoll_source::Span::new(start, start + line.trim_end().len());
        start += line.len();
        let words: Vec<&str> =
            line.split([' ', '\t', '=']).map(|word| word.trim().trim_matches('"')).collect();
        let option = words.first().is_some_and(|option| {
            ["--modules-folder", "--install.modules-folder", "--*.modules-folder"].contains(option)
        });
        let value = words.iter().skip(1).find(|word| !word.is_empty()).filter(|_| option);
        if let Some(value) = value {
            let evidence = Evidence::new(&source, span, "puts packages into another folder");
            return Some(Fact::new((*value).to_owned(), evidence));
        }
    }
    None
}
