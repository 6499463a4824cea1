//! What `init` writes: for each build its Dockerfile and what goes with it, and the files of the whole stack.

use serde::Serialize;

use crate::{
    stack::{Build, BuildKind, Nginx, Stack},
    templates::{self, TemplateError},
};

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

/// What the templates of a build see.
#[derive(Serialize)]
struct OfBuild<'a> {
    stack: &'a Stack,
    build: &'a Build,
    /// Of a build with nginx.
    nginx: Option<&'a Nginx>,
}

/// What the templates of the whole stack see.
#[derive(Serialize)]
struct OfStack<'a> {
    stack: &'a Stack,
}

/// The smoke checks; docs/smoke.md.
pub const SMOKE_FILE: &str = "smoke.toml";

/// Folder of what several images share.
const SHARED: &str = "docker";

/// Writes all texts of a stack.
pub fn generate(stack: &Stack) -> Result<Vec<GeneratedFile>, TemplateError> {
    let mut files = Vec::new();
    for build in &stack.builds {
        of_build(stack, build, &mut files)?;
    }
    let whole = OfStack { stack };
    let mut add = |template: &str, path: &str, ownership| -> Result<(), TemplateError> {
        let text = templates::render(template, &whole)?;
        files.push(GeneratedFile { path: path.to_owned(), text, ownership });
        Ok(())
    };
    if stack.launchers.node {
        add("launcher/secrets.cjs", &format!("{SHARED}/secrets.cjs"), Ownership::Whole)?;
    }
    if stack.launchers.heartbeat {
        add("launcher/heartbeat.cjs", &format!("{SHARED}/heartbeat.cjs"), Ownership::Whole)?;
    }
    if stack.launchers.python {
        add("launcher/sitecustomize.py", &format!("{SHARED}/sitecustomize.py"), Ownership::Whole)?;
    }
    if stack.launchers.static_files {
        add("launcher/with_static_files.py", &format!("{SHARED}/with_static_files.py"), Ownership::Whole)?;
    }
    if stack.launchers.lean {
        add("launcher/lean.cjs", &format!("{SHARED}/lean.cjs"), Ownership::Whole)?;
    }
    if stack.root_is_shared {
        add("ignored", ".dockerignore", Ownership::Lines)?;
    } else if !stack.builds.iter().any(|build| build.own_ignore) {
        add("dockerignore", ".dockerignore", Ownership::Whole)?;
    }
    add("compose.production.yml", stack.compose_file, Ownership::Whole)?;
    add("plimsoll.toml", "plimsoll.toml", Ownership::Whole)?;
    if !stack.smoke.is_empty() {
        add("smoke.toml", SMOKE_FILE, Ownership::Whole)?;
    }
    add("gitignore", ".gitignore", Ownership::Lines)?;
    Ok(files)
}

fn of_build(stack: &Stack, build: &Build, files: &mut Vec<GeneratedFile>) -> Result<(), TemplateError> {
    let template = match &build.kind {
        BuildKind::Node(_) => "node.Dockerfile",
        BuildKind::Python(_) => "python.Dockerfile",
        BuildKind::Site(_) => "site.Dockerfile",
        BuildKind::Plain(_) => "plain.Dockerfile",
        BuildKind::Proxy(_) => "proxy.Dockerfile",
    };
    let nginx = build.kind.nginx();
    let values = OfBuild { stack, build, nginx };
    let mut add = |template: &str, path: String| -> Result<(), TemplateError> {
        let text = templates::render(template, &values)?;
        files.push(GeneratedFile { path, text, ownership: Ownership::Whole });
        Ok(())
    };
    add(template, build.dockerfile.clone())?;
    if build.own_ignore {
        // BuildKit prefers it to `.dockerignore`, which belongs to people.
        add("dockerignore", format!("{}.dockerignore", build.dockerfile))?;
    }
    if let Some(nginx) = nginx {
        add("nginx.conf", format!("{}/nginx.conf", nginx.folder))?;
        if let Some(config) = &nginx.config {
            add("config.js.template", format!("{}/{}.template", nginx.folder, config.file))?;
        }
        if nginx.tls.is_some() {
            add("https_port.conf.template", format!("{}/https_port.conf.template", nginx.folder))?;
        }
    }
    Ok(())
}
