//! From wanted names to the set of packages: dependencies, alternatives, versions, provided packages.
//!
//! No backtracking: a stable suite is consistent by construction, so the first alternative that exists is taken as
//! `apt` does it. What a clause with one alternative needs is chosen before clauses with several are looked at, so that these find
//! their answer already chosen. Recommendations are not followed. The result depends only on the index and the request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::dependency::{Atom, Clause};
use crate::error::BaseError;
use crate::index::{Index, Package};
use crate::version::Version;

/// Packages in one base; a bound against an index that never ends.
const MAX_PACKAGES: usize = 5000;

/// What is to be resolved.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    /// Who asks, for messages.
    pub(crate) by: &'a str,
    pub(crate) wanted: Vec<String>,
    /// Names that count as satisfied without being taken.
    pub(crate) omitted: &'a [&'a str],
    /// What the layers below hold.
    pub(crate) installed: Vec<Installed>,
}

/// A package of a layer below.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) provides: Vec<Atom>,
    pub(crate) conflicts: Vec<Clause>,
}

/// The packages to add, sorted by name.
pub(crate) fn resolve(index: &Index, request: Request<'_>) -> Result<Vec<Package>, BaseError> {
    let mut resolver =
        Resolver { index, omitted: request.omitted.iter().copied().collect(), ..Resolver::new(index) };
    for installed in request.installed {
        resolver.present.insert(installed.name.clone(), installed);
    }
    for name in request.wanted {
        let clause = Clause { alternatives: vec![Atom { name, constraint: None }] };
        resolver.clauses.push_back((request.by.to_owned(), clause));
    }
    resolver.run()?;
    resolver.refuse_conflicts()?;
    Ok(resolver.chosen.into_values().collect())
}

struct Resolver<'a> {
    index: &'a Index,
    omitted: BTreeSet<&'a str>,
    present: BTreeMap<String, Installed>,
    chosen: BTreeMap<String, Package>,
    clauses: VecDeque<(String, Clause)>,
    choices: VecDeque<(String, Clause)>,
}

impl<'a> Resolver<'a> {
    fn new(index: &'a Index) -> Self {
        Self {
            index,
            omitted: BTreeSet::new(),
            present: BTreeMap::new(),
            chosen: BTreeMap::new(),
            clauses: VecDeque::new(),
            choices: VecDeque::new(),
        }
    }

    fn run(&mut self) -> Result<(), BaseError> {
        while let Some((by, clause)) = self.clauses.pop_front().or_else(|| self.choices.pop_front()) {
            if clause
                .alternatives
                .iter()
                .any(|atom| self.omitted.contains(atom.name.as_str()) || self.is_met(atom))
            {
                continue;
            }
            let unsatisfied = || BaseError::Unsatisfied { wanted: clause.to_string(), by: by.clone() };
            let Some(package) = self.best(&clause)? else { return Err(unsatisfied()) };
            if self.present.contains_key(&package.name) || self.chosen.len() == MAX_PACKAGES {
                // Another version is in a layer below; that layer has to be made anew first.
                return Err(unsatisfied());
            }
            for clause in &package.depends {
                let queue =
                    if clause.alternatives.len() == 1 { &mut self.clauses } else { &mut self.choices };
                queue.push_back((package.name.clone(), clause.clone()));
            }
            self.present.insert(
                package.name.clone(),
                Installed {
                    name: package.name.clone(),
                    version: package.version.clone(),
                    provides: package.provides.clone(),
                    conflicts: package.conflicts.clone(),
                },
            );
            self.chosen.insert(package.name.clone(), package);
        }
        Ok(())
    }

    fn is_met(&self, wanted: &Atom) -> bool {
        self.present.get(&wanted.name).is_some_and(|package| wanted.accepts(&package.version))
            || self
                .present
                .values()
                .flat_map(|package| &package.provides)
                .any(|atom| wanted.accepts_provided(atom))
    }

    fn best(&self, clause: &Clause) -> Result<Option<Package>, BaseError> {
        for wanted in &clause.alternatives {
            let real =
                self.index.named(&wanted.name)?.into_iter().find(|package| wanted.accepts(&package.version));
            if real.is_some() {
                return Ok(real);
            }
            let mut providers = self.index.providing(&wanted.name)?;
            providers.retain(|package| package.provides.iter().any(|atom| wanted.accepts_provided(atom)));
            // The most important first, as apt prefers it; then by name, and the newest version of it.
            providers.sort_by(|a, b| {
                let key = |package: &Package| (priority_rank(&package.priority), package.name.clone());
                key(a).cmp(&key(b)).then_with(|| b.version.cmp(&a.version))
            });
            if let Some(provider) = providers.into_iter().next() {
                return Ok(Some(provider));
            }
        }
        Ok(None)
    }

    fn refuse_conflicts(&self) -> Result<(), BaseError> {
        let mut list = Vec::new();
        for package in self.present.values() {
            for wanted in package.conflicts.iter().flat_map(|clause| &clause.alternatives) {
                // A package never conflicts with itself, nor with what it provides itself (Policy 7.4).
                let hit = self.present.values().filter(|other| other.name != package.name).find(|other| {
                    (other.name == wanted.name && wanted.accepts(&other.version))
                        || other.provides.iter().any(|atom| wanted.accepts_provided(atom))
                });
                if let Some(other) = hit {
                    let (name, version) = (&other.name, &other.version);
                    list.push(format!("{} excludes {wanted}, and {name} {version} is there", package.name));
                }
            }
        }
        if list.is_empty() { Ok(()) } else { Err(BaseError::Conflict { list }) }
    }
}

fn priority_rank(priority: &str) -> usize {
    ["required", "important", "standard", "optional"].iter().position(|known| *known == priority).unwrap_or(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::index;

    fn names(index: &Index, wanted: &[&str], omitted: &[&str]) -> Result<Vec<String>, String> {
        let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
        resolve(index, Request { by: "test", wanted, omitted, installed: Vec::new() })
            .map(|packages| packages.into_iter().map(|package| package.name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn follows_depends_and_pre_depends_but_not_recommends() {
        let index = index(&[
            "app 1; Depends: libb (>= 2); Pre-Depends: libc; Recommends: extra",
            "libb 2; Depends: libc",
            "libc 1; Depends: libb",
            "extra 1",
        ]);
        assert_eq!(names(&index, &["app"], &[]).unwrap(), ["app", "libb", "libc"]);
    }

    #[test]
    fn an_alternative_that_is_chosen_anyway_wins() {
        let index = index(&[
            "app 1; Depends: exim | postfix, tool",
            "tool 1; Depends: postfix",
            "exim 1",
            "postfix 1",
        ]);
        assert_eq!(names(&index, &["app"], &[]).unwrap(), ["app", "postfix", "tool"]);
    }

    #[test]
    fn takes_the_first_alternative_that_exists() {
        let index = index(&["app 1; Depends: gone | old (>= 2) | new", "old 1", "new 1"]);
        assert_eq!(names(&index, &["app"], &[]).unwrap(), ["app", "new"]);
    }

    #[test]
    fn virtual_packages_by_priority_and_version() {
        let index = index(&[
            "app 1; Depends: awk, abi (>= 3)",
            "gawk 1; Provides: awk; Priority: optional",
            "mawk 1; Provides: awk; Priority: required",
            "liba2 1; Provides: abi (= 2)",
            "liba3 1; Provides: abi (= 3)",
        ]);
        assert_eq!(names(&index, &["app"], &[]).unwrap(), ["app", "liba3", "mawk"]);
    }

    #[test]
    fn omitted_packages_and_their_dependencies_stay_out() {
        let index = index(&["app 1; Depends: jit, libc", "jit 1; Depends: llvm", "llvm 1", "libc 1"]);
        assert_eq!(names(&index, &["app"], &["jit"]).unwrap(), ["app", "libc"]);
    }

    #[test]
    fn says_what_nobody_satisfies() {
        let index = index(&["app 1; Depends: libx (>= 2) | liby", "libx 1"]);
        let error = names(&index, &["app"], &[]).unwrap_err();
        assert_eq!(error, "no package satisfies `libx (>= 2) | liby`, needed by app");
        assert_eq!(names(&index, &["nope"], &[]).unwrap_err(), "no package satisfies `nope`, needed by test");
    }

    #[test]
    fn conflicts_are_reported_but_not_with_itself() {
        let list = [
            "mta 1; Provides: mail; Conflicts: mail",
            "other 1; Provides: mail",
            "old 2; Breaks: mta (<< 1)",
        ];
        assert_eq!(names(&index(&list), &["mta", "old"], &[]).unwrap(), ["mta", "old"]);
        let error = names(&index(&list), &["mta", "other"], &[]).unwrap_err();
        assert_eq!(error, "packages exclude one another: mta excludes mail, and other 1 is there");
    }

    #[test]
    fn a_layer_below_counts_and_must_be_new_enough() {
        let index = index(&["app 1; Depends: libc (>= 2)", "libc 3"]);
        let installed = |version: &str| {
            vec![Installed {
                name: "libc".to_owned(),
                version: Version::parse(version).unwrap(),
                provides: Vec::new(),
                conflicts: Vec::new(),
            }]
        };
        let ask = |version: &str| {
            let wanted = vec!["app".to_owned()];
            resolve(&index, Request { by: "test", wanted, omitted: &[], installed: installed(version) })
        };
        assert_eq!(ask("2.5").unwrap().len(), 1);
        assert!(matches!(ask("1"), Err(BaseError::Unsatisfied { .. })));
    }
}
