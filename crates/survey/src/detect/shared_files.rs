//! Files in the root that tools inside the workspaces read: a build that copies only one workspace needs them too.

use crate::{
    context::{Context, has_extension},
    model::{Evidence, Fact, Survey},
};

/// Files that decide what an install gives.
const INSTALL: [&str; 2] = [".npmrc", ".pnpmfile.cjs"];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for path in context.repository.files().filter(|path| !path.contains('/')) {
        if let Some(reason) = reason(path) {
            let fact = Fact::new(path.to_owned(), Evidence::file(path, reason));
            let Some(install) = survey.installs.iter_mut().find(|install| install.folder.is_empty()) else {
                return;
            };
            if INSTALL.contains(&path) {
                install.inputs.push(fact);
            } else {
                install.shared_files.push(fact);
            }
        }
    }
}

fn reason(file: &str) -> Option<&'static str> {
    let starts = |prefix: &str| file.starts_with(prefix);
    match () {
        () if starts("tsconfig") && has_extension(file, "json") => {
            Some("TypeScript settings that packages extend")
        }
        () if starts("biome.json") => Some("settings of Biome"),
        () if starts("eslint.config.") || starts(".eslintrc") => Some("settings of ESLint"),
        () if starts("prettier.config.") || starts(".prettierrc") => Some("settings of Prettier"),
        () if starts("vitest.") || starts("jest.config.") => Some("settings of the test runner"),
        () if file == ".npmrc" || file == ".pnpmfile.cjs" => Some("decides what an install gives"),
        () => None,
    }
}
