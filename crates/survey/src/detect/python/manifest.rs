//! Manifests of Python projects: pyproject.toml, Pipfile, setup.py and setup.cfg.

use plimsoll_source::{Diagnostic, Source, Span};

use super::requirement::{Requirement, normalised, parse};
use crate::{
    context::{Context, join},
    model::{Evidence, Fact},
    python::{Kind, Module},
    toml::{self, Value},
};

/// One manifest.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) source: Source,
    /// Whether it says what the project needs; a pyproject.toml may hold settings of tools alone.
    pub(super) declares: bool,
    pub(super) name: Option<Fact<String>>,
    pub(super) requirements: Vec<Requirement>,
    /// The Python versions, as written.
    pub(super) python: Option<Fact<String>>,
    /// It is built and installed as a package.
    pub(super) is_package: bool,
    /// Files that a build of the package reads (`README.md`).
    pub(super) reads: Vec<Fact<String>>,
    /// Files of requirements from which a build takes what the project needs.
    pub(super) lists: Vec<Fact<String>>,
    /// Members of a uv workspace.
    pub(super) members: Vec<String>,
    pub(super) is_poetry: bool,
    /// It names the folders of its packages to Poetry.
    pub(super) names_packages: bool,
}

/// The manifests of a folder, those that could be read.
pub(super) fn read(context: &Context<'_>, folder: &str, broken: &mut Vec<Diagnostic>) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for (file, reader) in [
        ("pyproject.toml", pyproject as fn(Source) -> Result<Manifest, Diagnostic>),
        ("Pipfile", pipfile),
        ("setup.cfg", setup_cfg),
        ("setup.py", setup_py),
    ] {
        let Some(source) = context.repository.source(&join(folder, file)) else { continue };
        match reader(source) {
            Ok(manifest) => manifests.push(manifest),
            Err(diagnostic) => broken.push(diagnostic),
        }
    }
    manifests
}

impl Manifest {
    fn new(source: Source) -> Self {
        Self {
            source,
            declares: false,
            name: None,
            requirements: Vec::new(),
            python: None,
            is_package: false,
            reads: Vec::new(),
            lists: Vec::new(),
            members: Vec::new(),
            is_poetry: false,
            names_packages: false,
        }
    }

    /// Whether only Pipenv reads it.
    pub(super) fn is_pipfile(&self) -> bool {
        self.source.name().ends_with("Pipfile")
    }

    fn fact(&self, value: &Value, reason: &str) -> Option<Fact<String>> {
        Some(Fact::new(value.str()?.to_owned(), Evidence::new(&self.source, value.span, reason)))
    }
}

fn pyproject(source: Source) -> Result<Manifest, Diagnostic> {
    let root = toml::parse(&source)?;
    let mut manifest = Manifest::new(source);
    let project = root.at(&["project"]);
    let poetry = root.at(&["tool", "poetry"]);
    manifest.declares = project.is_some() || poetry.is_some();
    manifest.is_poetry = poetry.is_some();
    manifest.names_packages = poetry.is_some_and(|poetry| poetry.at(&["packages"]).is_some());
    if let Some(project) = project {
        standard(project, &mut manifest);
    }
    if let Some(poetry) = poetry {
        poetry_table(poetry, &mut manifest);
    }
    // The one place where a file is a list of requirements.
    let list = root.at(&["tool", "setuptools", "dynamic", "dependencies", "file"]);
    let texts = list.map_or(&[][..], Value::items).iter().chain(list.filter(|list| list.str().is_some()));
    manifest.lists =
        texts.filter_map(|file| manifest.fact(file, "the project's dependencies stand in it")).collect();
    let package_mode = poetry.and_then(|poetry| poetry.at(&["package-mode"])).and_then(Value::scalar);
    let uv_package = root.at(&["tool", "uv", "package"]).and_then(Value::scalar);
    manifest.is_package = root.at(&["build-system"]).is_some()
        && package_mode != Some("false")
        && uv_package != Some("false")
        && (project.is_some() || poetry.is_some());
    manifest.members = root
        .at(&["tool", "uv", "workspace", "members"])
        .map_or(&[][..], Value::items)
        .iter()
        .filter_map(|item| Some(item.str()?.to_owned()))
        .collect();
    Ok(manifest)
}

/// The `project` table of PEP 621.
fn standard(project: &Value, manifest: &mut Manifest) {
    manifest.name = project.at(&["name"]).and_then(|name| manifest.fact(name, "the project's name"));
    manifest.python = project
        .at(&["requires-python"])
        .and_then(|python| manifest.fact(python, "the versions of Python that the project runs on"));
    for item in project.at(&["dependencies"]).map_or(&[][..], Value::items) {
        manifest.requirements.extend(item.str().and_then(|text| parse(&manifest.source, item.span, text)));
    }
    let readme = project.at(&["readme"]).and_then(|readme| readme.at(&["file"]).or(Some(readme)));
    manifest.reads.extend(readme.and_then(|file| manifest.fact(file, "the package's build reads it")));
    // Its text, and no list of anything.
    let license = project.at(&["license", "file"]);
    manifest.reads.extend(license.and_then(|file| manifest.fact(file, "the package's build reads it")));
}

fn poetry_table(poetry: &Value, manifest: &mut Manifest) {
    if manifest.name.is_none() {
        manifest.name = poetry.at(&["name"]).and_then(|name| manifest.fact(name, "the project's name"));
    }
    if let Some(readme) =
        poetry.at(&["readme"]).and_then(|file| manifest.fact(file, "the package's build reads it"))
    {
        manifest.reads.push(readme);
    }
    for member in poetry.at(&["dependencies"]).map_or(&[][..], Value::members) {
        if member.key == "python" {
            let python = manifest.fact(&member.value, "the versions of Python that the project runs on");
            manifest.python = manifest.python.take().or(python);
            continue;
        }
        let optional = member.value.at(&["optional"]).and_then(Value::scalar) == Some("true");
        if !optional {
            manifest.requirements.push(table_requirement(&manifest.source, member));
        }
    }
}

/// `flask = "^3"` and `psycopg = {version = "3", extras = ["binary"]}`, as Poetry and Pipenv write them.
fn table_requirement(source: &Source, member: &toml::Member) -> Requirement {
    let value = &member.value;
    let versions = value.str().or_else(|| value.at(&["version"])?.str()).unwrap_or_default();
    let extras = value.at(&["extras"]).map_or(&[][..], Value::items);
    Requirement {
        name: normalised(&member.key),
        extras: extras.iter().filter_map(|extra| Some(normalised(extra.str()?))).collect(),
        versions: if versions == "*" { String::new() } else { versions.to_owned() },
        evidence: Evidence::new(source, member.key_span.to(value.span), "the project needs it when it runs"),
    }
}

fn pipfile(source: Source) -> Result<Manifest, Diagnostic> {
    let root = toml::parse(&source)?;
    let mut manifest = Manifest::new(source);
    manifest.declares = true;
    for member in root.at(&["packages"]).map_or(&[][..], Value::members) {
        manifest.requirements.push(table_requirement(&manifest.source, member));
    }
    let python = ["python_full_version", "python_version"].iter().find_map(|key| root.at(&["requires", key]));
    manifest.python =
        python.and_then(|python| manifest.fact(python, "the version of Python that Pipenv installs for"));
    Ok(manifest)
}

/// `install_requires` of setup.py, as far as it is a list of strings.
#[expect(clippy::unnecessary_wraps, reason = "one of a table of readers")]
fn setup_py(source: Source) -> Result<Manifest, Diagnostic> {
    let module = Module::new(source.clone());
    let mut manifest = Manifest::new(source);
    let call = (0..module.tokens.len()).find(|&at| {
        module.is(at + 1, "(")
            && module.resolved(at).is_some_and(|(name, _)| name.rsplit('.').next() == Some("setup"))
    });
    let call = call
        .or_else(|| (0..module.tokens.len()).find(|&at| module.is(at, "setup") && module.is(at + 1, "(")));
    let Some(call) = call else { return Ok(manifest) };
    manifest.declares = true;
    manifest.is_package = true;
    let text = |name: &str| {
        let argument = module.keyword(call + 1, name)?;
        Some((argument.at, module.string(argument.at)?))
    };
    manifest.name = text("name").map(|(at, name)| {
        Fact::new(name, Evidence::new(&module.source, module.span(at, at), "the project's name"))
    });
    manifest.python = text("python_requires").map(|(at, versions)| {
        Fact::new(
            versions,
            Evidence::new(
                &module.source,
                module.span(at, at),
                "the versions of Python that the project runs on",
            ),
        )
    });
    if let Some((from, to)) = module.keyword(call + 1, "install_requires").and_then(|list| {
        // The list itself, or the one that has this name: `install_requires=install_requires`.
        let named = || module.assignments().find(|(name, _)| module.text(*name) == module.text(list.at));
        let open = if module.is(list.at, "[") { list.at } else { named()?.1 };
        module.is(open, "[").then(|| module.close(open).map(|close| (open, close)))?
    }) {
        for at in (from..to).filter(|&at| module.kind(at) == Some(Kind::String)) {
            let requirement =
                module.string(at).and_then(|text| parse(&module.source, module.span(at, at), &text));
            manifest.requirements.extend(requirement);
        }
    }
    Ok(manifest)
}

#[expect(clippy::unnecessary_wraps, reason = "one of a table of readers")]
fn setup_cfg(source: Source) -> Result<Manifest, Diagnostic> {
    let mut manifest = Manifest::new(source.clone());
    let (mut section, mut key) = (String::new(), String::new());
    for number in 1..=source.text().lines().count().min(2000) {
        let span = source.line_span(number);
        let line = source.slice(span);
        let text = line.trim();
        if let Some(name) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            name.clone_into(&mut section);
            key.clear();
            continue;
        }
        let mut value = text;
        if !line.starts_with([' ', '\t']) {
            let Some((name, rest)) = text.split_once('=') else { continue };
            name.trim().clone_into(&mut key);
            value = rest.trim();
        }
        setup_value(&source, span, (&section, &key, value), &mut manifest);
    }
    Ok(manifest)
}

fn setup_value(
    source: &Source,
    span: Span,
    (section, key, value): (&str, &str, &str),
    manifest: &mut Manifest,
) {
    if value.is_empty() || value.starts_with('#') {
        return;
    }
    match (section, key) {
        ("metadata", "name") => {
            manifest.name =
                Some(Fact::new(value.to_owned(), Evidence::new(source, span, "the project's name")));
        }
        ("options", "python_requires") => {
            let evidence = Evidence::new(source, span, "the versions of Python that the project runs on");
            manifest.python = Some(Fact::new(value.to_owned(), evidence));
        }
        ("options", "install_requires") => {
            manifest.declares = true;
            manifest.requirements.extend(parse(source, span, value));
        }
        _ => {}
    }
}
