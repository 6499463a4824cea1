//! ARG: the global scope before the first FROM, the values a stage gets, and the names that exist by themselves.
use std::collections::{BTreeMap, BTreeSet};

use plimsoll_source::Diagnostic;

use crate::{ArgDefinition, Dockerfile, Env, ExpandError, Platform, expand};

/// Build arguments that RUN gets without ARG; they are neither in the history nor in a cache key unless declared.
pub const PREDEFINED_ARGS: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Build arguments that speak to the builder and never become variables of a stage.
pub const NON_ENV_ARGS: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// How many bytes all variables together may have, so that ARGs that double one another cannot eat the memory.
pub const MAX_ENV: usize = 64 << 20;

/// What the command line says about a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInputs {
    /// `--build-arg`
    pub build_args: BTreeMap<String, String>,
    /// The platform that builds.
    pub build_platform: Platform,
    /// `--platform`
    pub target_platform: Platform,
    /// `--target`; `None` is the last stage.
    pub target: Option<String>,
}

impl Default for BuildInputs {
    fn default() -> Self {
        Self {
            build_args: BTreeMap::new(),
            build_platform: Platform::host(),
            target_platform: Platform::host(),
            target: None,
        }
    }
}

/// The variables of the global scope: what FROM sees, and what a bare `ARG NAME` in a stage takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalArgs {
    values: BTreeMap<String, String>,
    /// ARGs before the first FROM, with or without a value.
    declared: BTreeSet<String>,
}

impl GlobalArgs {
    /// The value of `name`, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Gives a variable another value: for one whose text stands for something that is known later.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// The variables with values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All names that may be used in FROM, sorted; those of ARGs without a value too.
    pub fn names(&self) -> BTreeSet<&str> {
        self.values.keys().chain(&self.declared).map(String::as_str).collect()
    }

    /// The automatic platform arguments; a build argument of the same name wins.
    fn automatic(inputs: &BuildInputs, last_stage: &str) -> Self {
        let (build, target) = (&inputs.build_platform, &inputs.target_platform);
        let stage = inputs.target.as_deref().unwrap_or(last_stage);
        let automatic = [
            ("BUILDPLATFORM", build.to_string()),
            ("BUILDOS", build.os.clone()),
            ("BUILDOSVERSION", build.os_version.clone()),
            ("BUILDARCH", build.architecture.clone()),
            ("BUILDVARIANT", build.variant.clone()),
            ("TARGETPLATFORM", target.to_string()),
            ("TARGETOS", target.os.clone()),
            ("TARGETOSVERSION", target.os_version.clone()),
            ("TARGETARCH", target.architecture.clone()),
            ("TARGETVARIANT", target.variant.clone()),
            ("TARGETSTAGE", if stage.is_empty() { "default".to_owned() } else { stage.to_owned() }),
        ];
        let values = automatic.into_iter().map(|(name, value)| {
            let value = inputs.build_args.get(name).cloned().unwrap_or(value);
            (name.to_owned(), value)
        });
        Self { values: values.collect(), declared: BTreeSet::new() }
    }
}

impl Dockerfile {
    /// The global scope: automatic platform arguments, then the ARGs before the first FROM with their defaults or
    /// the build arguments. A build argument without an ARG does not count.
    pub fn global_args(&self, inputs: &BuildInputs) -> Result<GlobalArgs, Diagnostic> {
        let last = self.stages.last().and_then(|stage| stage.name.as_ref());
        let mut globals = GlobalArgs::automatic(inputs, last.map_or("", |name| &name.text));
        let mut length = 0;
        for definition in self.meta_args.iter().flat_map(|statement| &statement.value.definitions) {
            let name = &definition.name.text;
            globals.declared.insert(name.clone());
            let value = match (inputs.build_args.get(name), &definition.value) {
                (Some(value), _) => value.clone(),
                (None, None) => continue,
                (None, Some(default)) => {
                    let expanded =
                        expand(&default.text, &|name| globals.get(name).map(str::to_owned), self.escape());
                    let expanded = expanded.map_err(|error| {
                        Diagnostic::error(error.to_string()).label(&self.source, default.span, "")
                    })?;
                    expanded.text
                }
            };
            length += value.len();
            if length > MAX_ENV {
                let title = format!("the global arguments have more than {MAX_ENV} bytes");
                return Err(Diagnostic::error(title).label(&self.source, definition.name.span, ""));
            }
            globals.values.insert(name.clone(), value);
        }
        Ok(globals)
    }

    /// The escape character, for [`expand`].
    pub fn escape(&self) -> char {
        self.directives.escape
    }
}

impl ArgDefinition {
    /// The value that this definition has inside a stage: the build argument, else the default, expanded with the
    /// stage's environment so far, else the value of the global scope. `None` leaves the variable unset.
    pub fn value_in_stage(
        &self,
        build_args: &BTreeMap<String, String>,
        globals: &GlobalArgs,
        env: &Env<'_>,
        escape: char,
    ) -> Result<Option<String>, ExpandError> {
        if let Some(value) = build_args.get(&self.name.text) {
            return Ok(Some(value.clone()));
        }
        match &self.value {
            Some(default) => expand(&default.text, env, escape).map(|expanded| Some(expanded.text)),
            None => Ok(globals.get(&self.name.text).map(str::to_owned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source;

    use super::*;
    use crate::{Instruction, parse};

    #[test]
    fn defaults_build_arguments_and_the_global_scope() {
        let text = "ARG A=1 B=$A-$TARGETARCH C\nARG D=${NONE:-d}\nFROM x AS last\nARG B\nARG A=own\nARG TARGETOS C\n";
        let dockerfile = parse(&Source::new("Dockerfile", text)).unwrap();
        let inputs = BuildInputs {
            build_args: [("A".to_owned(), "2".to_owned()), ("UNKNOWN".to_owned(), "x".to_owned())].into(),
            target_platform: Platform::parse("linux/arm64").unwrap(),
            ..BuildInputs::default()
        };
        let globals = dockerfile.global_args(&inputs).unwrap();
        assert_eq!(globals.get("B"), Some("2-arm64"));
        assert_eq!((globals.get("C"), globals.get("D"), globals.get("UNKNOWN")), (None, Some("d"), None));
        assert_eq!(globals.get("TARGETSTAGE"), Some("last"));
        assert!(globals.names().contains("C"));
        let mut values = Vec::new();
        for statement in &dockerfile.stages[0].instructions {
            let Instruction::Arg(arg) = &statement.value else { unreachable!() };
            for definition in &arg.definitions {
                let value = definition.value_in_stage(&inputs.build_args, &globals, &|_| None, '\\').unwrap();
                values.push(format!("{}={value:?}", definition.name.text));
            }
        }
        assert_eq!(values.join(" "), r#"B=Some("2-arm64") A=Some("2") TARGETOS=Some("linux") C=None"#);
    }
}
