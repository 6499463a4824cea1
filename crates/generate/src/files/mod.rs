//! One file per kind of file that is written. This list is what `init` writes.

use crate::{
    stack::Stack,
    templates::{self, TemplateError},
};

mod compose;
mod config_js;
mod dockerignore;
mod gitignore;
mod nginx;
mod policy_file;
mod server_image;
mod site_image;

/// How a generated text shares its file with people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The whole file was generated; people's edits are merged.
    Whole,
    /// The file belongs to people; the text's lines are added where they are missing.
    Lines,
}

/// One generated text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Path in the repository.
    pub path: String,
    /// The text.
    pub text: String,
    /// What it is to its file.
    pub ownership: Ownership,
}

/// Where a file goes, and its template.
struct Generator {
    template: &'static str,
    ownership: Ownership,
    /// `None` where the stack needs no such file.
    path: fn(&Stack) -> Option<String>,
}

const ALL: &[Generator] = &[
    server_image::GENERATOR,
    site_image::GENERATOR,
    nginx::GENERATOR,
    config_js::GENERATOR,
    dockerignore::GENERATOR,
    compose::GENERATOR,
    policy_file::GENERATOR,
    gitignore::GENERATOR,
];

/// Writes all texts of a stack.
pub fn generate(stack: &Stack) -> Result<Vec<GeneratedFile>, TemplateError> {
    let mut files = Vec::new();
    for generator in ALL {
        let Some(path) = (generator.path)(stack) else { continue };
        let text = templates::render(generator.template, stack)?;
        files.push(GeneratedFile { path, text, ownership: generator.ownership });
    }
    Ok(files)
}
