//! How a service is shipped, runs, listens and writes.

use serde::Serialize;

use super::Fact;

/// What a service is for, which decides what the stack gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A process that answers requests.
    Server,
    /// Files that a web server hands out.
    Site,
    /// A process that takes work from a queue or a table and listens nowhere.
    Worker,
    /// A process that starts work at times. There is never more than one of it.
    Scheduler,
    /// A process that does its work and ends, before the servers start.
    OneShot,
}

impl Role {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Site => "site",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
            Self::OneShot => "one-shot",
        }
    }
}

/// What of a built service is shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The folder with its production dependencies; the build's output replaces what it was built from.
    #[default]
    Package,
    /// The output alone, which holds its dependencies (Nuxt, Next.js standalone).
    Bundle,
    /// The output as files for a web server.
    Files,
}

/// One copy from the build into the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ships {
    /// Folder or file below the service's folder, as built.
    pub from: String,
    /// Where it goes, below the install's folder; empty is that folder itself.
    pub to: String,
}

/// Where a server listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "bind")]
pub enum Bind {
    /// On every address, or nothing says otherwise.
    #[default]
    Any,
    /// On the address that a variable or an argument gives, which the stack sets.
    Set {
        /// The variable.
        variable: Fact<String>,
    },
    /// On the loopback address alone: nobody outside of its container reaches it.
    Loopback {
        /// The address as written.
        address: Fact<String>,
    },
}

/// A variable with its value, and why it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Why, as a sentence for the generated file.
    pub reason: String,
    /// It is set while the service is built, and not when it runs.
    pub at_build: bool,
}

/// A folder that a service writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// The folder, below the service's, or absolute.
    pub path: Fact<String>,
    /// Whether what is written must outlive the container.
    pub keep: bool,
}

/// A process that runs from a service's build beside its main process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its name, unique in the survey.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The program and its arguments.
    pub command: Fact<Vec<String>>,
    /// How it says that it works.
    pub probe: Probe,
    /// Seconds that it may need to finish its work when it is stopped.
    pub grace: Option<u32>,
}

/// How a process that answers no requests says that it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "probe")]
pub enum Probe {
    /// A command that ends with 0 while it works.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A file that is written again and again.
    FileAge {
        /// Absolute path.
        path: String,
        /// Seconds after which it is too old.
        seconds: u32,
    },
    /// The process is there, and the engine restarts it when it ends; more cannot be asked.
    Process,
}
