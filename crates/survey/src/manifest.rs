//! package.json with positions.

use std::collections::HashSet;

use plimsoll_source::{
    Diagnostic, Source, Span,
    json::{self, Value},
};

use crate::model::{Evidence, Fact};

/// One package.json.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) source: Source,
    /// Folder of the file; empty for the root.
    pub(crate) folder: String,
    root: Value,
}

/// One entry of `dependencies` or `devDependencies`.
#[derive(Debug)]
pub(crate) struct Dependency<'a> {
    pub(crate) name: &'a str,
    pub(crate) range: &'a str,
    pub(crate) span: Span,
}

impl Manifest {
    pub(crate) fn parse(source: Source) -> Result<Self, Diagnostic> {
        let root = json::parse_strict(&source)?;
        if !root.is_object() {
            return Err(Diagnostic::error("package.json is no object")
                .label(
                    &source,
                    root.span,
                    "an object with `name`, `scripts` and `dependencies` is expected here",
                )
                .hint("npm and Node.js refuse it"));
        }
        let folder = source.name().strip_suffix("/package.json").unwrap_or_default().to_owned();
        Ok(Self { source, folder, root })
    }

    /// Members whose value is of another kind than npm reads, with what is expected.
    pub(crate) fn oddities(&self) -> Vec<(Span, String)> {
        let mut odd = Vec::new();
        let mut seen = HashSet::new();
        for member in self.root.members() {
            let expected = match member.key.as_str() {
                "name" | "packageManager" | "main" if member.value.str().is_none() => "a text",
                "scripts" | "dependencies" | "devDependencies" | "engines" if !member.value.is_object() => {
                    "an object"
                }
                _ => "",
            };
            if !expected.is_empty() {
                odd.push((
                    member.span(),
                    format!("`{}` is not {expected}: npm does not read it", member.key),
                ));
            }
            if !seen.insert(member.key.as_str()) {
                odd.push((member.span(), format!("`{}` stands twice: the last one counts", member.key)));
            }
        }
        odd
    }

    /// Whether a member of the top level is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.root.get(key).is_some()
    }

    /// The package's name without its scope.
    pub(crate) fn short_name(&self) -> Option<String> {
        let name = self.root.get("name")?.value.str()?;
        Some(name.rsplit('/').next().unwrap_or(name).to_owned()).filter(|name| !name.is_empty())
    }

    /// The package's name.
    pub(crate) fn name(&self) -> Option<Fact<String>> {
        self.string(&["name"], "the package's name")
    }

    /// A string below nested keys.
    pub(crate) fn string(&self, keys: &[&str], reason: &str) -> Option<Fact<String>> {
        let (last, parents) = keys.split_last()?;
        let mut value = &self.root;
        for key in parents {
            value = &value.get(key)?.value;
        }
        let member = value.get(last)?;
        let text = member.value.str()?.to_owned();
        Some(Fact::new(text, Evidence::new(&self.source, member.span(), reason)))
    }

    /// The texts of a list below nested keys; of an object in it the text under `key`.
    pub(crate) fn names(&self, keys: &[&str], key: &str) -> Vec<String> {
        let mut value = &self.root;
        for key in keys {
            let Some(member) = value.get(key) else { return Vec::new() };
            value = &member.value;
        }
        let text = |item: &Value| {
            let named = || item.get(key).and_then(|member| member.value.str());
            item.str().or_else(named).map(str::to_owned)
        };
        value.items().iter().filter_map(text).collect()
    }

    /// Every script: name, command, place.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = (&str, &str, Span)> {
        let scripts = self.root.get("scripts").map_or(&[][..], |scripts| scripts.value.members());
        scripts.iter().filter_map(|member| Some((member.key.as_str(), member.value.str()?, member.span())))
    }

    /// One script: command and place.
    pub(crate) fn script(&self, name: &str) -> Option<(&str, Span)> {
        self.scripts().find(|(key, ..)| *key == name).map(|(_, command, span)| (command, span))
    }

    /// What the package needs when it runs.
    pub(crate) fn dependency(&self, name: &str) -> Option<Dependency<'_>> {
        self.all("dependencies").find(|dependency| dependency.name == name)
    }

    /// What the package needs to run or to be built.
    pub(crate) fn any_dependency(&self, name: &str) -> Option<Dependency<'_>> {
        self.dependency(name)
            .or_else(|| self.all("devDependencies").find(|dependency| dependency.name == name))
    }

    /// Everything in one of the dependency tables.
    pub(crate) fn all<'a>(&'a self, table: &str) -> impl Iterator<Item = Dependency<'a>> + use<'a> {
        let members = self.root.get(table).map_or(&[][..], |table| table.value.members());
        members.iter().filter_map(|member| {
            Some(Dependency { name: &member.key, range: member.value.str()?, span: member.span() })
        })
    }

    /// The patterns of npm's `workspaces`.
    pub(crate) fn workspaces(&self) -> Vec<(&str, Span)> {
        let Some(member) = self.root.get("workspaces") else { return Vec::new() };
        let list = member.value.get("packages").map_or(&member.value, |packages| &packages.value);
        list.items().iter().filter_map(|item| Some((item.str()?, item.span))).collect()
    }
}
