//! What the TypeScript settings of a package lead to outside of it: a build needs those files too, whether package.json
//! names their package or not.

use plimsoll_source::json::{self, Value};

use crate::{
    context::{Context, has_extension, join},
    model::{Evidence, Fact, is_below},
};

/// Files that are followed for one package.
const MAX_FILES: usize = 30;

/// Files outside of a package that its settings extend or refer to, and names of packages whose settings they extend.
#[derive(Default)]
pub(super) struct Outside {
    /// Paths in the repository.
    pub(super) files: Vec<Fact<String>>,
    /// `@desk/settings/react.json`
    pub(super) named: Vec<Fact<String>>,
}

/// Follows `extends` and `references` of each tsconfig in a folder.
pub(super) fn outside(context: &Context<'_>, folder: &str) -> Outside {
    let mut found = Outside::default();
    let own = |path: &&str| {
        let name = path.get(folder.len()..).unwrap_or_default().trim_start_matches('/');
        name.starts_with("tsconfig") && has_extension(name, "json") && !name.contains('/')
    };
    let mut files: Vec<String> = context.repository.under(folder).filter(own).map(str::to_owned).collect();
    let mut next = 0;
    while let Some(file) = files.get(next).cloned() {
        next += 1;
        let Some(source) = context.repository.source(&file) else { continue };
        let Ok(root) = json::parse(&source) else { continue };
        for (text, span) in leads(&root) {
            let evidence = Evidence::new(&source, span, "its settings lead there");
            if !text.starts_with('.') {
                found.named.push(Fact::new(text, evidence));
                continue;
            }
            let Some(path) = inside(&file, &text).and_then(|path| existing(context, path)) else { continue };
            if !is_below(&path, folder) || folder.is_empty() {
                found.files.push(Fact::new(path.clone(), evidence));
            }
            if files.len() < MAX_FILES && !files.contains(&path) {
                files.push(path);
            }
        }
    }
    found
}

/// Texts of `extends` and of the paths of `references`.
fn leads(root: &Value) -> Vec<(String, plimsoll_source::Span)> {
    let text = |value: &Value| Some((value.str()?.to_owned(), value.span));
    let mut found = Vec::new();
    if let Some(extends) = root.get("extends") {
        found.extend(text(&extends.value));
        found.extend(extends.value.items().iter().filter_map(text));
    }
    let references = root.get("references").map_or(&[][..], |list| list.value.items());
    found.extend(references.iter().filter_map(|item| text(&item.get("path")?.value)));
    found
}

/// A path as it is written, with the ending that TypeScript adds.
fn existing(context: &Context<'_>, path: String) -> Option<String> {
    let names = [path.clone(), format!("{path}.json"), join(&path, "tsconfig.json")];
    names.into_iter().find(|name| context.repository.contains(name))
}

/// A path relative to a file's folder, as long as it stays in the repository.
pub(super) fn inside(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
