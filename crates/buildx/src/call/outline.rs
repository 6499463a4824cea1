//! `--call=outline`: what the target takes: build arguments, secrets, ssh agents.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_dockerfile::{
    ArgDefinition, Base, BuildInputs, Dockerfile, GlobalArgs, Instruction, Lines, MountKind, MountSpec,
    NON_ENV_ARGS, Stage, Statement, expand, parse,
};
use plimsoll_source::Failure;
use serde::Serialize;

use super::{Asked, Location, base64, json, table};

#[derive(Serialize)]
struct Outline {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Arg>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<Needed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ssh: Vec<Needed>,
    sources: [String; 1],
}

#[derive(Clone, Serialize)]
struct Arg {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    location: Location,
}

/// A secret or an agent.
#[derive(Clone, Serialize)]
struct Needed {
    name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    location: Location,
}

pub(super) fn text(asked: &Asked<'_>) -> Result<String, Failure> {
    let outline = outline(asked)?;
    if asked.json {
        return json(&outline);
    }
    let mut text = String::new();
    if !outline.name.is_empty() || !outline.description.is_empty() {
        let name = if outline.name.is_empty() { "(default)" } else { &outline.name };
        let mut rows = vec![vec!["TARGET:".to_owned(), name.to_owned()]];
        if !outline.description.is_empty() {
            rows.push(vec!["DESCRIPTION:".to_owned(), outline.description.clone()]);
        }
        text.push_str(&table::columns(&rows, 1));
        text.push('\n');
    }
    if !outline.args.is_empty() {
        let mut rows = vec![["BUILD ARG", "VALUE", "DESCRIPTION"].map(str::to_owned).into()];
        rows.extend(outline.args.into_iter().map(|arg| vec![arg.name, arg.value, arg.description]));
        text.push_str(&table::columns(&rows, 3));
        text.push('\n');
    }
    for (title, needed) in [("SECRET", outline.secrets), ("SSH", outline.ssh)] {
        if needed.is_empty() {
            continue;
        }
        let mut rows = vec![vec![title.to_owned(), "REQUIRED".to_owned()]];
        let required = |needed: &Needed| if needed.required { "true".to_owned() } else { String::new() };
        rows.extend(needed.iter().map(|needed| vec![needed.name.clone(), required(needed)]));
        text.push_str(&table::columns(&rows, 3));
        text.push('\n');
    }
    Ok(text)
}

fn outline(asked: &Asked<'_>) -> Result<Outline, Failure> {
    let dockerfile = parse(asked.source())?;
    let globals = dockerfile.global_args(&asked.inputs)?;
    let replaced = |name: &str| asked.request.context_for(name).is_some();
    let graph = dockerfile.graph_with(&globals, &replaced)?;
    let target = dockerfile.target_index(asked.inputs.target.as_deref())?;
    let needed = dockerfile.needed_stages(&graph, target)?;
    let mut collector = Collector {
        dockerfile: &dockerfile,
        inputs: &asked.inputs,
        globals: &globals,
        meta: meta_args(&dockerfile, &globals, &asked.inputs.build_args),
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        ssh: BTreeMap::new(),
    };
    let mut environments: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    for index in needed {
        let mut env = match graph.nodes[index].base {
            Base::Stage(base) => environments.get(&base).cloned().unwrap_or_default(),
            Base::Image(_) | Base::Scratch => BTreeMap::new(),
            Base::Context(_) => continue,
        };
        collector.stage(&dockerfile.stages[index], &mut env)?;
        environments.insert(index, env);
    }
    let stage = &dockerfile.stages[target];
    Ok(Outline {
        name: stage.name.as_ref().map_or_else(String::new, |name| name.text.clone()),
        description: stage.description().unwrap_or_default().to_owned(),
        args: in_order(collector.args, |arg| &arg.location),
        secrets: in_order(collector.secrets, |secret| &secret.location),
        ssh: in_order(collector.ssh, |agent| &agent.location),
        sources: [base64(asked.source().text().as_bytes())],
    })
}

fn in_order<T>(found: BTreeMap<String, T>, location: impl Fn(&T) -> &Location) -> Vec<T> {
    let mut found: Vec<T> = found.into_values().collect();
    found.sort_by_key(|found| location(found).ranges[0].start.line);
    found
}

/// An ARG before the first FROM, and every other one that its value is made of.
struct Meta {
    arg: Arg,
    names: BTreeSet<String>,
}

/// A name may be defined several times, by itself and by others: each definition sees what stands before it.
fn meta_args(
    dockerfile: &Dockerfile,
    globals: &GlobalArgs,
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, Meta> {
    let definitions = || dockerfile.meta_args.iter().flat_map(|statement| &statement.value.definitions);
    let defined: BTreeSet<&str> = definitions().map(|definition| definition.name.text.as_str()).collect();
    let automatic = globals.iter().filter(|(name, _)| !defined.contains(name));
    let mut values: BTreeMap<String, String> =
        automatic.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut found: BTreeMap<String, Meta> = BTreeMap::new();
    for statement in &dockerfile.meta_args {
        for definition in &statement.value.definitions {
            let name = &definition.name.text;
            let mut names = BTreeSet::new();
            match (given.get(name), &definition.value) {
                (Some(value), _) => drop(values.insert(name.clone(), value.clone())),
                (None, Some(default)) => {
                    let asked = std::cell::RefCell::new(BTreeSet::new());
                    let lookup = |name: &str| {
                        asked.borrow_mut().insert(name.to_owned());
                        values.get(name).cloned()
                    };
                    // a word that is wrong was refused where it is used
                    let value = expand(&default.text, &lookup, dockerfile.escape());
                    let value = value.map_or_else(|_| String::new(), |value| value.text);
                    for name in asked.into_inner() {
                        names.extend(found.get(&name).map(|meta| meta.names.clone()).unwrap_or_default());
                        names.insert(name);
                    }
                    values.insert(name.clone(), value);
                }
                // a name alone keeps what it had
                (None, None) => {
                    names.extend(found.get(name).map(|meta| meta.names.clone()).unwrap_or_default());
                }
            }
            names.remove(name);
            let value = globals.get(name).unwrap_or_default().to_owned();
            let arg = arg(name, value, statement.description(name), statement.lines);
            found.insert(name.clone(), Meta { arg, names });
        }
    }
    found
}

/// The variables that a word names: with none of them set, every one of them is missed.
fn names_in(word: &str, escape: char) -> BTreeSet<String> {
    let asked = std::cell::RefCell::new(BTreeSet::new());
    let note = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    // a word that is wrong was refused where it is used
    let _ = expand(word, &note, escape);
    asked.into_inner()
}

fn arg(name: &str, value: String, description: Option<&str>, lines: Lines) -> Arg {
    Arg {
        name: name.to_owned(),
        description: description.unwrap_or_default().to_owned(),
        value,
        location: Location::new(lines),
    }
}

/// Collects over all stages that the target needs; what was seen first counts.
struct Collector<'a> {
    dockerfile: &'a Dockerfile,
    inputs: &'a BuildInputs,
    globals: &'a GlobalArgs,
    meta: BTreeMap<String, Meta>,
    args: BTreeMap<String, Arg>,
    secrets: BTreeMap<String, Needed>,
    ssh: BTreeMap<String, Needed>,
}

impl Collector<'_> {
    fn stage(&mut self, stage: &Stage, env: &mut BTreeMap<String, String>) -> Result<(), Failure> {
        let escape = self.dockerfile.escape();
        for word in [Some(&stage.from), stage.platform.as_ref()].into_iter().flatten() {
            for name in names_in(&word.text, escape) {
                self.global(&name);
            }
        }
        for statement in &stage.instructions {
            match &statement.value {
                Instruction::Arg(instruction) => {
                    for definition in &instruction.definitions {
                        self.arg(definition, statement, env)?;
                    }
                }
                Instruction::Env(pairs) => {
                    let before = env.clone();
                    for pair in pairs {
                        let value = expand(&pair.value.text, &|name| before.get(name).cloned(), escape);
                        env.insert(pair.key.text.clone(), value.map_or_else(|_| String::new(), |it| it.text));
                    }
                }
                Instruction::Run(run) => {
                    for mount in &run.mounts {
                        self.mount(mount, statement.lines, env);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An ARG of a stage; one that only repeats an ARG before the first FROM is listed as that one.
    fn arg(
        &mut self,
        definition: &ArgDefinition,
        statement: &Statement,
        env: &mut BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let name = &definition.name.text;
        let value = definition.value_in_stage(
            &self.inputs.build_args,
            self.globals,
            &|name| env.get(name).cloned(),
            self.dockerfile.escape(),
        )?;
        let inherited = definition.value.is_none()
            && !self.inputs.build_args.contains_key(name)
            && self.globals.get(name).is_some();
        if inherited {
            self.global(name);
        } else {
            let description = statement_description(statement, name);
            let arg = arg(name, value.clone().unwrap_or_default(), description, statement.lines);
            self.args.entry(name.clone()).or_insert(arg);
        }
        if let Some(value) = value
            && !NON_ENV_ARGS.contains(&name.as_str())
        {
            env.insert(name.clone(), value);
        }
        Ok(())
    }

    fn global(&mut self, name: &str) {
        let Some(Meta { arg, names }) = self.meta.get(name) else { return };
        if self.args.contains_key(name) {
            return;
        }
        self.args.insert(name.to_owned(), arg.clone());
        for name in names.clone() {
            self.global(&name);
        }
    }

    fn mount(&mut self, spec: &MountSpec, lines: Lines, env: &BTreeMap<String, String>) {
        // a mount that is wrong is the build's to refuse
        let Ok(mount) = spec.resolve(&|name| env.get(name).cloned(), self.dockerfile.escape()) else {
            return;
        };
        let given = mount.source.clone().or_else(|| mount.id.clone()).filter(|id| !id.is_empty());
        let (into, id) = match mount.kind {
            MountKind::Secret => {
                let base = |target: &String| target.rsplit('/').next().unwrap_or_default().to_owned();
                (&mut self.secrets, given.or_else(|| mount.target.as_ref().map(base)))
            }
            MountKind::Ssh => (&mut self.ssh, Some(given.unwrap_or_else(|| "default".to_owned()))),
            MountKind::Bind | MountKind::Cache | MountKind::Tmpfs => return,
        };
        if let Some(name) = id {
            let needed =
                Needed { name: name.clone(), required: mount.required, location: Location::new(lines) };
            into.entry(name).or_insert(needed);
        }
    }
}

fn statement_description<'a>(statement: &'a Statement, name: &str) -> Option<&'a str> {
    statement.comments.iter().find_map(|comment| comment.text.strip_prefix(name)?.strip_prefix(' '))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, request};

    const FILE: &str = "# GO_VERSION sets the compiler\nARG GO_VERSION=1.22\nARG BASE=golang:${GO_VERSION}\nARG UNUSED=x\n\
        FROM ${BASE} AS build\n# FLAGS are passed to the compiler\nARG FLAGS\nARG OUT=/out/$GO_VERSION\n\
        RUN --mount=type=secret,id=token,required=true --mount=type=ssh go build\n\
        FROM scratch AS other\nARG NEVER\n# release is what is shipped\nFROM scratch AS release\nCOPY --from=build /out /\n";

    #[test]
    fn what_the_target_takes() {
        let request = request(FILE, None);
        insta::assert_snapshot!(super::text(&asked(&request, false)).unwrap(), @r"
        TARGET:      release
        DESCRIPTION: is what is shipped

        BUILD ARG    VALUE         DESCRIPTION
        GO_VERSION   1.22          sets the compiler
        BASE         golang:1.22   
        FLAGS                      are passed to the compiler
        OUT          /out/         

        SECRET   REQUIRED
        token    true

        SSH       REQUIRED
        default   
        ");
    }

    /// The names of the arguments that the outline lists.
    fn names(text: &str, given: &[(&str, &str)]) -> Vec<String> {
        let mut request = request(text, None);
        request.build_args =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let outline = super::outline(&asked(&request, false)).unwrap();
        outline.args.into_iter().map(|arg| arg.name).collect()
    }

    #[test]
    fn outline_leaves_out_arguments() {
        let text = "ARG MIRROR=https://mirror.example\nARG VERSION=1.2\nARG URL=$MIRROR/$VERSION\nARG OTHER=x\n\
            ARG URL=$URL/tool.tar\nFROM scratch\nARG URL\nENV url=$URL\n";
        assert_eq!(names(text, &[]), ["MIRROR", "VERSION", "URL"]);
        assert_eq!(names(text, &[("MIRROR", "https://other.example")]), ["MIRROR", "VERSION", "URL"]);
        // what does not count any more is not there
        assert_eq!(names(text, &[("URL", "x")]), ["URL"]);
        let replaced = "ARG A=1\nARG U=$A\nARG U=fixed\nFROM scratch\nARG U\n";
        assert_eq!(names(replaced, &[]), ["U"]);
        let kept = "ARG A=1\nARG U=$A\nARG U\nFROM scratch\nARG U\n";
        assert_eq!(names(kept, &[]), ["A", "U"]);
        let deep = "ARG A=1\nARG B=${A:+b}\nARG C=${B#b}\nARG D=${C:-d}\nFROM scratch:$D AS x\n";
        assert_eq!(names(deep, &[]), ["A", "B", "C", "D"]);
    }

    #[test]
    fn another_target_and_json() {
        let request = request(FILE, Some("other"));
        let text = super::text(&asked(&request, true)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "other");
        assert_eq!(value["args"][0]["name"], "NEVER");
        assert_eq!(value["args"][0]["location"]["ranges"][0]["end"]["line"], 11);
        assert_eq!(value["args"].as_array().unwrap().len(), 1);
    }
}
