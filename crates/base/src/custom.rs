//! Bases of the user's own: another base with more packages.

use plimsoll_image::Reference;
use serde::{Deserialize, Serialize};

use crate::error::BaseError;
use crate::recipes::{self, NO_TOOLS, Recipe, Setup};

/// What a base of the user's own is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custom {
    /// How it is called: `plimsoll.local/NAME`.
    pub name: String,
    /// The base that it stands on.
    pub from: String,
    /// Names of packages; their dependencies come along. The first gives the version.
    pub packages: Vec<String>,
}

impl Custom {
    /// Checks the names.
    ///
    /// # Errors
    /// When one is not valid, is taken, or there is no package.
    pub fn check(&self) -> Result<(), BaseError> {
        let wrong = |cause: String| BaseError::Custom { name: self.name.clone(), cause };
        let reference = Reference::parse(&format!("plimsoll.local/{}:1", self.name));
        if reference.is_err() || self.name.contains('/') {
            return Err(wrong(
                "a name has lower-case letters and digits, separated by `.`, `_` or `-`".to_owned(),
            ));
        }
        if recipes::named(&self.name).is_some() {
            return Err(wrong("Plimsoll has a base of that name".to_owned()));
        }
        if recipes::named(&self.from).is_none() {
            return Err(BaseError::UnknownBase { name: self.from.clone() });
        }
        if self.packages.is_empty() {
            return Err(wrong("it names no package".to_owned()));
        }
        // Debian policy 5.6.1
        let valid = |name: &String| {
            name.len() > 1
                && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
        };
        match self.packages.iter().find(|name| !valid(name)) {
            Some(name) => Err(wrong(format!("`{name}` is no name of a package"))),
            None => Ok(()),
        }
    }

    /// The recipe. It stays until the process ends, as all recipes do: a process makes few.
    pub(crate) fn recipe(&self) -> Result<&'static Recipe, BaseError> {
        self.check()?;
        let parent = recipes::named(&self.from).ok_or(BaseError::UnknownBase { name: self.from.clone() })?;
        let leak = |text: String| -> &'static str { text.leak() };
        let packages: Vec<&'static str> = self.packages.iter().map(|name| leak(name.clone())).collect();
        let configured = is_configured(parent);
        Ok(Box::leak(Box::new(Recipe {
            name: leak(self.name.clone()),
            summary: leak(format!("{} with {}", self.from, self.packages.join(", "))),
            version_of: packages[0],
            tag_numbers: &[1, 3],
            tags: &["latest"],
            parent: Some(parent.name),
            setup: if configured { Setup::Configured } else { Setup::Unpacked },
            packages: packages.leak(),
            npm: &[],
            omitted: if configured { &[] } else { NO_TOOLS },
            dropped: &[],
            finish: "",
            users: &[],
            entries: &[],
            applets: &[],
            start: parent.start,
        })))
    }
}

/// Whether packages' own scripts ran in it or in one below.
fn is_configured(recipe: &Recipe) -> bool {
    recipe.setup == Setup::Configured || recipe.parent.and_then(recipes::named).is_some_and(is_configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(name: &str, from: &str, packages: &[&str]) -> Custom {
        let packages = packages.iter().map(|&name| name.to_owned()).collect();
        Custom { name: name.to_owned(), from: from.to_owned(), packages }
    }

    #[test]
    fn names_are_checked() {
        assert!(custom("tools", "debian", &["curl", "g++", "libc6"]).check().is_ok());
        for (wrong, cause) in [
            (custom("debian", "debian", &["curl"]), "a base of that name"),
            (custom("a/b", "debian", &["curl"]), "lower-case"),
            (custom("../x", "debian", &["curl"]), "lower-case"),
            (custom("tools", "nothing", &["curl"]), "no base named `nothing`"),
            (custom("tools", "debian", &[]), "names no package"),
            (custom("tools", "debian", &["curl; rm"]), "no name of a package"),
        ] {
            let error = wrong.check().unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
    }

    #[test]
    fn scripts_run_where_they_can() {
        let setup = |from: &str| custom("tools", from, &["curl"]).recipe().unwrap().setup;
        assert_eq!((setup("node"), setup("distroless-node")), (Setup::Configured, Setup::Unpacked));
        let recipe = custom("tools", "distroless", &["curl", "jq"]).recipe().unwrap();
        assert_eq!((recipe.version_of, recipe.start.user), ("curl", "65532:65532"));
    }
}
