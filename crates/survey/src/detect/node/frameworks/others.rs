//! Site generators whose output is plain files, and frameworks that are known and not generated yet.

use super::Found;
use crate::{
    detect::node::services::{self, Candidate},
    model::{Evidence, Gap, Role},
    rules,
};

/// Package, program of the build script, folder that it writes.
const SITES: [(&str, &str, &str); 8] = [
    ("@docusaurus/core", "docusaurus", "build"),
    ("gatsby", "gatsby", "public"),
    ("@11ty/eleventy", "eleventy", "_site"),
    ("vitepress", "vitepress", ".vitepress/dist"),
    ("hexo", "hexo", "public"),
    ("parcel", "parcel", "dist"),
    ("@rsbuild/core", "rsbuild", "dist"),
    ("@vuepress/cli", "vuepress", ".vuepress/dist"),
];

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    SITES.iter().find_map(|(package, program, output)| {
        let tool = services::framework(candidate.manifest, package, "makes pages")?;
        let builds = candidate.builds_with(program);
        builds.then_some(())?;
        let mut found = Found::new(Role::Site, tool);
        // `vitepress build docs` writes below docs.
        let line = candidate.manifest.script("build").map_or("", |(line, _)| line);
        let folder = line
            .split_whitespace()
            .skip_while(|word| *word != "build")
            .nth(1)
            .filter(|_| output.starts_with('.'));
        let value = folder.map_or_else(|| (*output).to_owned(), |folder| format!("{folder}/{output}"));
        found.output = Some(found.by_convention(value, "where the build writes"));
        found.single_page = matches!(*package, "parcel" | "@rsbuild/core");
        Some(found)
    })
}

/// Packages with the name of what they are.
const KNOWN: [(&str, &str); 18] = [
    ("@tanstack/react-start", "TanStack Start"),
    ("@tanstack/start", "TanStack Start"),
    ("@solidjs/start", "SolidStart"),
    ("@analogjs/platform", "Analog"),
    ("@adonisjs/core", "AdonisJS"),
    ("@strapi/strapi", "Strapi"),
    ("@redwoodjs/core", "RedwoodJS"),
    ("elysia", "Elysia, which needs Bun to run"),
    ("nitropack", "Nitro, and its build script does not build it"),
    ("h3", "h3"),
    ("meteor-node-stubs", "Meteor"),
    ("sails", "Sails"),
    ("@loopback/core", "LoopBack"),
    ("@medusajs/medusa", "Medusa"),
    ("hono", "Hono without its server for Node.js"),
    ("react-native", "React Native, which runs on a telephone"),
    ("electron", "Electron, which runs on a desk"),
    ("@nestjs/core", "NestJS without a start script"),
];

/// A gap that names what was seen.
pub(super) fn known_but_not_generated(candidate: &Candidate<'_>) -> Option<Gap> {
    let manifest = candidate.manifest;
    if candidate.used {
        return None;
    }
    KNOWN.iter().find_map(|(package, name)| {
        let dependency = manifest.dependency(package)?;
        Some(Gap {
            rule: rules::NOT_GENERATED,
            subject: if manifest.folder.is_empty() {
                "the repository".to_owned()
            } else {
                manifest.folder.clone()
            },
            message: format!("it is written with {name}, which is known and cannot be generated yet"),
            hint: "write its Dockerfile and its service by hand; both are kept".to_owned(),
            evidence: vec![Evidence::new(&manifest.source, dependency.span, "the framework")],
        })
    })
}
