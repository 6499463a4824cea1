//! package.json with positions.

use plimsoll_source::{Diagnostic, Source, Span};

use crate::{
    json::{self, Value},
    model::{Evidence, Fact},
};

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
        let root = json::parse(&source)?;
        let folder = source.name().strip_suffix("/package.json").unwrap_or_default().to_owned();
        Ok(Self { source, folder, root })
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
