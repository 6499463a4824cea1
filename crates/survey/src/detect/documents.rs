//! Documents for people that a program or its build reads: they must be where it looks for them.

use crate::{
    context::{Context, has_extension},
    model::{Evidence, Fact, Survey},
};

/// Names of documents that lie beside a program. Builds do without them unless something names one.
pub const NAMES: [&str; 3] = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
/// Files in which a program, its pages or its build may name one.
const SOURCES: [&str; 12] =
    ["py", "js", "mjs", "cjs", "jsx", "ts", "mts", "tsx", "vue", "svelte", "astro", "html"];
/// At most so many files are searched.
const MAX_FILES: usize = 5000;

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let name_of = |path: &str| NAMES.into_iter().find(|name| path.rsplit('/').next() == Some(*name));
    let mut documents: Vec<(&str, &str)> =
        context.repository.files().filter_map(|path| Some((path, name_of(path)?))).collect();
    let sources =
        context.repository.files().filter(|path| SOURCES.iter().any(|kind| has_extension(path, kind)));
    for path in sources.take(MAX_FILES) {
        if documents.is_empty() {
            return;
        }
        let Some(source) = context.repository.source(path) else { continue };
        let named: Vec<&str> = NAMES.into_iter().filter(|name| is_named(source.text(), name)).collect();
        documents.retain(|(document, name)| {
            let read = named.contains(name);
            if read {
                let evidence = Evidence::file(path, "names the document");
                survey.documents.push(Fact::new((*document).to_owned(), evidence));
            }
            !read
        });
    }
}

/// In quotes, alone or at the end of a path, with or without a query: `"CHANGELOG.md"`, `'../README.md?raw'`.
fn is_named(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let after = text[at + name.len()..].chars().next();
        text[..at].ends_with(['"', '\'', '`', '/']) && after.is_some_and(|c| "\"'`?".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_a_program_names() {
        for text in [
            "open(\"CHANGELOG.md\")",
            "import text from '../CHANGELOG.md?raw'",
            "(BASE_DIR / 'CHANGELOG.md')",
        ] {
            assert!(is_named(text, "CHANGELOG.md"), "{text}");
        }
        for text in
            ["# see CHANGELOG.md", "\"OLD-CHANGELOG.md\"", "https://example.com/CHANGELOG.md for more"]
        {
            assert!(!is_named(text, "CHANGELOG.md"), "{text}");
        }
    }
}
