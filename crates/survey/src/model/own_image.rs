//! The image of a component in another language, as its team's Dockerfile builds it.

use serde::Serialize;

use super::{Fact, Variable};

/// What a Dockerfile of the team says of the image that it builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnImage {
    /// What the component is written in.
    pub language: Option<Fact<String>>,
    /// Path of the Dockerfile in the repository.
    pub dockerfile: Fact<String>,
    /// Folder of the build's context in the repository; empty for the root.
    pub context: Fact<String>,
    /// Stage that is built, where it is not the last one.
    pub target: Option<Fact<String>>,
    /// Build arguments of the development compose file; those that are secrets by their name have no value.
    pub arguments: Vec<(String, Option<Fact<String>>)>,
    /// Image that the final stage rests on, or `scratch`.
    pub base: Fact<String>,
    /// Whether there is a shell in it: not in `scratch` and images without one by their name, else it is assumed.
    pub shell: Fact<bool>,
    /// ENTRYPOINT, with the shell in front of its shell form.
    pub entrypoint: Option<Fact<Vec<String>>>,
    /// CMD, with the shell in front of its shell form.
    pub command: Option<Fact<Vec<String>>>,
    /// The command that the development compose file gives in its place, where that tells one process from another.
    pub given: Option<Fact<Vec<String>>>,
    /// The base has no entrypoint, or one that starts what it is given.
    pub passes_on: bool,
    /// USER of the final stage, with its group where one is named.
    pub user: Option<Fact<String>>,
    /// HEALTHCHECK of the final stage.
    pub healthcheck: Option<Fact<String>>,
    /// Variables of ENV; those that are secrets by their name have no value.
    pub variables: Vec<Variable>,
    /// Variables of addresses that hold more than a host and a port.
    pub forms: Vec<AddressForm>,
    /// A person answered that the image's own user stays.
    pub keeps_user: bool,
    /// A person answered that secrets may stand in the environment.
    pub secrets_in_environment: bool,
}

/// What stands around the host and the port in a variable: `jdbc:postgresql://` and `/shop?ssl=false`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressForm {
    /// The variable.
    pub variable: String,
    /// What stands before the host.
    pub before: String,
    /// The path and what follows it.
    pub suffix: Option<String>,
}

impl OwnImage {
    /// Whether its last USER is another one than root.
    pub fn is_unprivileged(&self) -> bool {
        let user = self.user.as_ref().map_or("", |user| user.value.as_str());
        let name = user.split(':').next().unwrap_or_default();
        !matches!(name, "" | "root") && name.parse::<u32>() != Ok(0)
    }

    /// The whole command that the image runs: entrypoint and arguments. `None` where a part of it is not known.
    pub fn runs(&self) -> Option<Vec<String>> {
        let arguments = self.given.as_ref().or(self.command.as_ref()).map(|words| words.value.clone());
        match &self.entrypoint {
            Some(entrypoint) => Some([entrypoint.value.clone(), arguments.unwrap_or_default()].concat()),
            None => arguments.filter(|_| self.passes_on),
        }
    }
}
