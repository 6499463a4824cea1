//! Files in an install's folder that tools inside the packages read: a build that copies one package needs them too.

use super::tsconfig;
use crate::{
    context::{Context, has_extension, join},
    model::{Ecosystem, Evidence, Fact, Install, Survey, Workspace, is_below},
};

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for install in survey.installs.iter_mut().filter(|install| install.ecosystem == Ecosystem::Node) {
        for path in context.repository.under(&install.folder) {
            let below = path.get(install.folder.len()..).map_or(path, |below| below.trim_start_matches('/'));
            if below.contains('/') {
                continue;
            }
            if let Some(reason) = reason(below) {
                let evidence = Evidence::file(&join(&install.folder, below), reason);
                install.shared_files.push(Fact::new(below.to_owned(), evidence));
            }
        }
        deeper(context, &survey.workspaces, install);
    }
}

/// TypeScript settings in folders that belong to no package: `tooling/tsconfig/base.json`.
fn deeper(context: &Context<'_>, workspaces: &[Workspace], install: &mut Install) {
    for package in workspaces.iter().filter(|package| is_below(&package.path, &install.folder)) {
        for file in tsconfig::outside(context, &package.path).files {
            let Some(below) = file.value.strip_prefix(install.folder.as_str()) else { continue };
            let below = below.trim_start_matches('/').to_owned();
            let owned = workspaces.iter().any(|other| is_below(&file.value, &other.path));
            let known = install.shared_files.iter().any(|known| known.value == below);
            if !owned && !known && below.contains('/') && is_below(&file.value, &install.folder) {
                install.shared_files.push(Fact { value: below, evidence: file.evidence });
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
        () if starts("vitest.") || starts("jest.config.") || starts("jest.preset.") => {
            Some("settings of the test runner")
        }
        () if matches!(file, "turbo.json" | "nx.json" | "lerna.json") => Some("the order of tasks"),
        () if starts("babel.config.") || starts(".babelrc") || starts(".swcrc") => {
            Some("settings of the compiler")
        }
        () if starts("postcss.config.") || starts("tailwind.config.") => Some("settings of the style sheets"),
        () if file == ".browserslistrc" => Some("browsers that pages are built for"),
        () => None,
    }
}
