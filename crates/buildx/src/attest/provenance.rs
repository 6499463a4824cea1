//! How an image was built, as SLSA provenance 1 or 0.2 with BuildKit's build types. Secrets stand there by their name;
//! values of build arguments that are named like secrets do not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_build::{
    BuildOutcome, BuildRequest,
    graph::{CopyOp, Download, Node, Op, RunMount, RunOp, TreeRef},
    remote::{GitUrl, without_password},
};
use plimsoll_dockerfile::checks::names_a_secret;
use plimsoll_image::{Digest, Reference, Store, StoreError, manifest::Platform, purl};
use serde_json::{Map, Value, json};

use super::{Provenance, Slsa};

/// What is written instead of a value that nobody may see.
const HIDDEN: &str = "xxxxx";
/// A shorter value would be found everywhere.
const SHORTEST: usize = 4;

/// A build, to be told.
pub(super) struct Told<'a> {
    pub(super) store: &'a Store,
    pub(super) request: &'a BuildRequest,
    pub(super) no_cache_filter: &'a [String],
    pub(super) outcome: &'a BuildOutcome,
    pub(super) asked: &'a Provenance,
}

impl Told<'_> {
    /// The predicate. The same build of the same sources gives the same bytes where the image's times are fixed.
    pub(super) fn predicate(&self) -> Result<Value, StoreError> {
        let mut predicate = json!({
            "builder": { "id": self.asked.builder },
            "buildType": "https://mobyproject.org/buildkit@v1",
            "materials": self.materials(),
            "invocation": {
                "configSource": { "entryPoint": self.file_name() },
                "parameters": self.parameters(),
                "environment": { "platform": plimsoll_dockerfile::Platform::host().normalised().to_string() },
            },
        });
        let mut own = json!({});
        if self.asked.max {
            let steps: Vec<Value> = self
                .outcome
                .graph
                .nodes
                .iter()
                .enumerate()
                .map(|(number, node)| step(number, node))
                .collect();
            predicate["buildConfig"] = json!({ "llbDefinition": steps });
            own = self.source();
        }
        let (started, finished) = self.times();
        predicate["metadata"] = json!({
            "buildInvocationID": self.invocation(),
            "buildStartedOn": started,
            "buildFinishedOn": finished,
            "completeness": { "parameters": self.asked.max, "environment": true, "materials": false },
            "reproducible": false,
            "https://mobyproject.org/buildkit@v1#metadata": own,
        });
        if self.asked.version == Slsa::V1 {
            predicate = version_1(&mut predicate);
        }
        self.hide(&mut predicate);
        // the store is asked for nothing but that the image still is there
        self.store.read_blob(&self.outcome.record.id).map(|_| predicate)
    }

    fn file_name(&self) -> &str {
        let name = self.request.dockerfile.name();
        name.rsplit('/').next().unwrap_or(name)
    }

    /// What came from elsewhere: images, files, repositories.
    fn materials(&self) -> Vec<Value> {
        let mut materials: Vec<Value> = Vec::new();
        for node in &self.outcome.graph.nodes {
            let found: Vec<Value> = match &node.op {
                Op::Image { name, origin, .. } => {
                    let variant =
                        Some(origin.platform.variant.as_str()).filter(|variant| !variant.is_empty());
                    let platform = Platform::new(&origin.platform.os, &origin.platform.architecture, variant);
                    // a context of the command line may be called anything
                    let uri = Reference::parse(name).map_or_else(
                        |_| format!("pkg:docker/{name}"),
                        |name| purl::docker(&name, Some(&platform)),
                    );
                    let digest = origin.digest.map(|digest| digest.hex());
                    vec![json!({ "uri": uri, "digest": { "sha256": digest } })]
                }
                Op::Copy(copy) => copy.downloads.iter().map(material).collect(),
                Op::Run(_) | Op::Workdir(_) => Vec::new(),
            };
            for one in found {
                if !materials.contains(&one) {
                    materials.push(one);
                }
            }
        }
        materials.sort_by_key(|material| material["uri"].to_string());
        materials
    }

    fn parameters(&self) -> Value {
        let request = self.request;
        let mut args = Map::new();
        let mut give = |name: String, value: String| drop(args.insert(name, Value::String(value)));
        if let Some(target) = &request.target {
            give("target".to_owned(), target.clone());
        }
        if request.no_cache {
            give("no-cache".to_owned(), String::new());
        } else if !self.no_cache_filter.is_empty() {
            give("no-cache".to_owned(), self.no_cache_filter.join(","));
        }
        if !request.hosts.is_empty() {
            let hosts: Vec<String> =
                request.hosts.iter().map(|host| format!("{}={}", host.name, host.address)).collect();
            give("add-hosts".to_owned(), hosts.join(","));
        }
        match request.network {
            plimsoll_build::Net::Default => {}
            plimsoll_build::Net::None => give("force-network-mode".to_owned(), "none".to_owned()),
            plimsoll_build::Net::Host => give("force-network-mode".to_owned(), "host".to_owned()),
        }
        if let Some(size) = request.shm_size {
            give("shm-size".to_owned(), size.to_string());
        }
        if self.asked.max {
            for (name, value) in &request.build_args {
                let value = if names_a_secret(name) { HIDDEN.to_owned() } else { value.clone() };
                give(format!("build-arg:{name}"), value);
            }
            for (name, value) in &request.labels {
                give(format!("label:{name}"), value.clone());
            }
        }
        let mut parameters = Map::new();
        parameters.insert("frontend".to_owned(), json!("dockerfile.v0"));
        if !args.is_empty() {
            args.sort_keys();
            parameters.insert("args".to_owned(), Value::Object(args));
        }
        if self.asked.max {
            let (mut secrets, mut ssh) = (Vec::new(), Vec::new());
            for mount in self.mounts() {
                let (list, id, required) = match mount {
                    RunMount::Secret { id, required, .. } => (&mut secrets, id, required),
                    RunMount::Ssh { id, required, .. } => (&mut ssh, id, required),
                    _ => continue,
                };
                let mut one = json!({ "id": id });
                if !*required {
                    one["optional"] = Value::Bool(true);
                }
                if !list.contains(&one) {
                    list.push(one);
                }
            }
            for (name, list) in [("secrets", secrets), ("ssh", ssh)] {
                if !list.is_empty() {
                    parameters.insert(name.to_owned(), Value::Array(list));
                }
            }
        }
        parameters.insert("locals".to_owned(), json!([{ "name": "context" }, { "name": "dockerfile" }]));
        Value::Object(parameters)
    }

    fn mounts(&self) -> impl Iterator<Item = &RunMount> {
        self.outcome.graph.nodes.iter().flat_map(|node| match &node.op {
            Op::Run(run) => run.mounts.as_slice(),
            _ => &[],
        })
    }

    /// Where each step stands, and the Dockerfile.
    fn source(&self) -> Value {
        let mut locations = Map::new();
        for (number, node) in self.outcome.graph.nodes.iter().enumerate() {
            let Some(place) = &node.location else { continue };
            let end = place.source.line_col(place.span.end).line;
            let range = json!({ "start": { "line": place.line() }, "end": { "line": end } });
            locations.insert(format!("step{number}"), json!({ "locations": [{ "ranges": [range] }] }));
        }
        json!({
            "source": {
                "locations": locations,
                "infos": [{
                    "filename": self.file_name(),
                    "language": "Dockerfile",
                    "data": STANDARD.encode(self.request.dockerfile.text()),
                }],
            }
        })
    }

    /// With a limit for the image's times it is told as both, so that the same sources give the same statement.
    fn times(&self) -> (String, String) {
        if let Some(epoch) = self.outcome.epoch {
            let text = jiff::Timestamp::from_second(epoch).unwrap_or_default().to_string();
            return (text.clone(), text);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = |since: Duration| {
            let nanos = i128::try_from(since.as_nanos()).unwrap_or_default();
            jiff::Timestamp::from_nanosecond(nanos).unwrap_or_default().to_string()
        };
        (text(now.saturating_sub(self.outcome.elapsed)), text(now))
    }

    /// Names the build by what it gave: 25 characters, as BuildKit's names have.
    fn invocation(&self) -> String {
        let (started, _) = self.times();
        Digest::of(format!("{} {} {started}", self.outcome.record.id, self.outcome.platform)).hex()[..25]
            .to_owned()
    }

    /// Takes out the values of build arguments that are named like secrets, wherever they went.
    fn hide(&self, value: &mut Value) {
        let secret: Vec<&str> = self
            .request
            .build_args
            .iter()
            .filter(|(name, value)| names_a_secret(name) && value.len() >= SHORTEST)
            .map(|(_, value)| value.as_str())
            .collect();
        replace(value, &secret);
    }
}

/// The same told in the words of version 1, as BuildKit turns one into the other.
fn version_1(told: &mut Value) -> Value {
    let mut take = |pointer: &str| told.pointer_mut(pointer).map(Value::take).unwrap_or_default();
    let mut source = Map::new();
    source.insert("path".to_owned(), take("/invocation/configSource/entryPoint"));
    let mut internal = Map::new();
    let config = take("/buildConfig");
    if !config.is_null() {
        internal.insert("buildConfig".to_owned(), config);
    }
    internal.insert("builderPlatform".to_owned(), take("/invocation/environment/platform"));
    json!({
        "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "externalParameters": { "configSource": source, "request": take("/invocation/parameters") },
            "internalParameters": internal,
            "resolvedDependencies": take("/materials"),
        },
        "runDetails": {
            "builder": take("/builder"),
            "metadata": {
                "invocationID": take("/metadata/buildInvocationID"),
                "startedOn": take("/metadata/buildStartedOn"),
                "finishedOn": take("/metadata/buildFinishedOn"),
                "buildkit_metadata": take("/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata"),
                "buildkit_completeness": {
                    "request": take("/metadata/completeness/parameters"),
                    "resolvedDependencies": take("/metadata/completeness/materials"),
                },
            },
        },
    })
}

/// A step in the words of BuildKit's graph.
fn step(number: usize, node: &Node) -> Value {
    let mut inputs: Vec<usize> = node.parent.into_iter().collect();
    for input in node.inputs() {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    let place = |node: usize| inputs.iter().position(|input| *input == node).map_or(-1, |at| at as i64);
    let base = node.parent.map_or(-1, place);
    let op = match &node.op {
        Op::Image { name, origin, .. } => {
            let digest = origin.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
            json!({ "source": { "identifier": format!("docker-image://{name}{digest}") } })
        }
        Op::Workdir(op) => file_action(
            base,
            -1,
            &json!({
                "mkdir": { "path": op.path, "mode": 0o755, "makeParents": true, "timestamp": -1 }
            }),
        ),
        Op::Copy(op) => copy_op(op, base, &place),
        Op::Run(op) => run_op(op, base, &place),
    };
    let mut step = json!({ "id": format!("step{number}"), "op": { "Op": op, "constraints": {} } });
    if !inputs.is_empty() {
        let inputs: Vec<String> = inputs.iter().map(|input| format!("step{input}:0")).collect();
        step["inputs"] = json!(inputs);
    }
    step
}

fn replace(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => {
            for secret in secrets.iter().filter(|secret| text.contains(**secret)).collect::<Vec<_>>() {
                *text = text.replace(secret, HIDDEN);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| replace(one, secrets)),
        Value::Object(map) => map.values_mut().for_each(|one| replace(one, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn material(download: &Download) -> Value {
    match download {
        Download::Http { url, checksum, .. } => {
            match checksum.as_deref().and_then(|text| text.split_once(':')) {
                Some((algorithm, digest)) => {
                    json!({ "uri": without_password(url), "digest": { algorithm: digest } })
                }
                None => json!({ "uri": without_password(url) }),
            }
        }
        Download::Git(git) => match &git.checksum {
            Some(commit) => {
                // the length of a commit's name tells the repository's format
                let algorithm = if commit.len() > 40 { "sha256" } else { "sha1" };
                json!({ "uri": git_uri(git), "digest": { algorithm: commit } })
            }
            None => json!({ "uri": git_uri(git) }),
        },
    }
}

fn git_uri(git: &GitUrl) -> String {
    let mut uri = without_password(&git.remote);
    let reference = git.reference.as_deref().unwrap_or_default();
    if !reference.is_empty() || !git.subdir.is_empty() {
        uri = format!("{uri}#{reference}");
    }
    if git.subdir.is_empty() { uri } else { format!("{uri}:{}", git.subdir) }
}

fn file_action(base: i64, second: i64, action: &Value) -> Value {
    json!({ "file": { "actions": [
        { "input": base, "secondaryInput": second, "output": 0, "Action": action }
    ] } })
}

fn copy_op(op: &CopyOp, base: i64, place: &dyn Fn(usize) -> i64) -> Value {
    let second = if let TreeRef::Node(node) = &op.from { place(*node) } else { -1 };
    let mut sources: Vec<String> = op.paths.clone();
    sources.extend(op.files.iter().map(|(name, _)| format!("<<{name}")));
    sources.extend(
        op.downloads.iter().map(|download| material(download)["uri"].as_str().unwrap_or_default().to_owned()),
    );
    let actions: Vec<Value> = sources
        .iter()
        .enumerate()
        .map(|(at, source)| {
            json!({
                "input": if at == 0 { base } else { at as i64 },
                "secondaryInput": second,
                "output": if at + 1 == sources.len() { 0 } else { -1 },
                "Action": { "copy": {
                    "src": source,
                    "dest": op.dest,
                    "owner": op.chown,
                    "mode": -1,
                    "followSymlink": true,
                    "dirCopyContents": true,
                    "attemptUnpackDockerCompatibility": op.unpack,
                    "createDestPath": true,
                    "allowWildcard": true,
                    "allowEmptyWildcard": true,
                    "timestamp": -1,
                } },
            })
        })
        .collect();
    json!({ "file": { "actions": actions } })
}

fn run_op(op: &RunOp, base: i64, place: &dyn Fn(usize) -> i64) -> Value {
    let env: Vec<String> = op
        .env
        .iter()
        .map(|(name, value)| format!("{name}={}", if names_a_secret(name) { HIDDEN } else { value }))
        .collect();
    let mut mounts = vec![json!({ "input": base, "dest": "/", "output": 0 })];
    let node = |tree: &TreeRef| if let TreeRef::Node(node) = tree { place(*node) } else { -1 };
    for mount in &op.mounts {
        mounts.push(match mount {
            RunMount::Bind { from, source, target, read_only } => json!({
                "input": node(from), "selector": source, "dest": target, "output": -1, "readonly": read_only
            }),
            RunMount::Cache { id, target, .. } => json!({
                "input": -1, "dest": target, "output": -1, "mountType": 3, "cacheOpt": { "ID": id }
            }),
            RunMount::Tmpfs { target, .. } => {
                json!({ "input": -1, "dest": target, "output": -1, "mountType": 4 })
            }
            RunMount::Secret { id, target, env, required, .. } => json!({
                "input": -1,
                "dest": target.as_deref().or(env.as_deref()),
                "output": -1,
                "mountType": 1,
                "secretOpt": { "ID": id, "optional": !required },
            }),
            RunMount::Ssh { id, target, required, .. } => json!({
                "input": -1, "dest": target, "output": -1, "mountType": 2,
                "SSHOpt": { "ID": id, "optional": !required },
            }),
        });
    }
    let mut exec = json!({
        "meta": { "args": op.argv, "env": env, "cwd": op.cwd },
        "mounts": mounts,
    });
    if !op.user.is_empty() {
        exec["meta"]["user"] = json!(op.user);
    }
    match op.network {
        plimsoll_sandbox::Network::Own => {}
        plimsoll_sandbox::Network::Host => exec["network"] = json!(1),
        plimsoll_sandbox::Network::None => exec["network"] = json!(2),
    }
    if op.insecure {
        exec["security"] = json!(1);
    }
    json!({ "exec": exec })
}
