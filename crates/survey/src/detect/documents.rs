//! Documents for people that a program or its build reads: they must not be left out of a build's context.

use crate::{
    context::{Context, has_extension},
    model::{Evidence, Fact, Survey},
};

/// Documents that are left out where nothing reads them.
const NAMES: [&str; 3] = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];

/// Files in which a document may be named.
const EXTENSIONS: [&str; 10] = ["py", "js", "mjs", "cjs", "ts", "mts", "tsx", "jsx", "vue", "svelte"];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for name in NAMES {
        if !context.repository.files().any(|file| file.rsplit('/').next() == Some(name)) {
            continue;
        }
        let named = context.repository.files().filter(is_source).find_map(|file| {
            let source = context.repository.source(file)?;
            let line = source.text().lines().position(|line| names(line, name))?;
            let evidence = Evidence::new(&source, source.line_span(line + 1), format!("reads {name}"));
            Some(Fact::new(name.to_owned(), evidence))
        });
        survey.documents.extend(named);
    }
}

fn is_source(file: &&str) -> bool {
    EXTENSIONS.iter().any(|extension| has_extension(file, extension))
}

/// `"CHANGELOG.md"`, `'../README.md?raw'`.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        before.is_some_and(|c| matches!(c, '"' | '\'' | '`' | '/'))
            && after.is_some_and(|c| matches!(c, '"' | '\'' | '`' | '?'))
    })
}
