//! What a program is written with, answers, reads and migrates.

use serde::Serialize;

use super::{Evidence, Fact};

/// A framework or library that decides how a service is built or run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Framework {
    /// Its package.
    pub name: String,
    /// The version or range, as written.
    pub version: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// Paths at which a service says how it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// It runs.
    pub live: Option<Fact<String>>,
    /// It and what it needs work.
    pub ready: Option<Fact<String>>,
    /// Metrics in Prometheus' text form.
    pub metrics: Option<Fact<String>>,
}

/// One HTTP route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Method in capitals.
    pub method: String,
    /// Whole path.
    pub path: String,
    /// Answers with server-sent events.
    pub stream: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// How [`Service::calls`](super::Service::calls) names a host that a variable has; the variable follows.
pub const HOST_IN: &str = "the host in ";

/// The reason of a route that is a folder of files which the server keeps: its path ends with `*`.
pub const HANDS_OUT: &str = "hands out files that it keeps";

/// The reason of a page's source that is called as a program calls its own server.
pub const CALLS_AS_ITS_OWN: &str = "the page's code calls it as its own server";

/// A variable that a service reads from its environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The value without it.
    pub default: Option<String>,
    /// `NAME_FILE` is read too: the name of a file that holds the value.
    pub file_variant: bool,
    /// The program ends, throws or refuses its configuration without it.
    pub required: bool,
    /// Its value must not be known to others: a key or a password, by its name and its use.
    pub secret: bool,
    /// What stands between its values where the program splits it: `commas`, `blanks`.
    pub separator: Option<String>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

impl Variable {
    /// A variable of which nothing is known but where it is named.
    pub(crate) fn named(name: &str, evidence: Vec<Evidence>) -> Self {
        Self {
            name: name.to_owned(),
            default: None,
            file_variant: false,
            required: false,
            secret: false,
            separator: None,
            evidence,
        }
    }
}

/// What separates values in words, as a program splits them at it.
pub(crate) fn separator(text: &str) -> Option<&'static str> {
    match text {
        "," | ", " => Some("commas"),
        ";" => Some("semicolons"),
        " " => Some("blanks"),
        _ => None,
    }
}

/// Schema migrations of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// What applies them.
    pub tool: Framework,
    /// Script that applies them.
    pub script: Option<Fact<String>>,
    /// The program and its arguments that apply them in production, in the service's folder as it is shipped.
    pub command: Option<Fact<Vec<String>>>,
    /// Folder of the migrations, below the service's folder.
    pub folder: Option<Fact<String>>,
    /// Further files and folders that applying them reads (`alembic.ini`, `prisma`), below the service's folder.
    pub files: Vec<Fact<String>>,
}

/// A script that hands settings to a page at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuntimeConfig {
    /// Path under which the page loads it.
    pub path: String,
    /// The global that it sets, as written: `window.__CONFIG__`.
    pub global: String,
    /// Settings in it.
    pub settings: Vec<RuntimeSetting>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// One setting that a page reads at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuntimeSetting {
    /// Its key.
    pub key: String,
    /// The development value.
    pub default: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}
