use std::collections::{BTreeMap, BTreeSet};

use plimsoll_engine::{ContainerSpec, MountKind};
use serde_json::Value;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    member::Kind,
    stack::{Member, Stack},
    wanted::Wanted,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "as-declared",
    title: "what runs is what the file says",
    group: Group::Lifecycle,
    requirements: &["R-132", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

const EXPECTED: &str = "bringing it up would change nothing, and the container has what the file asks for";

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let wanted = match &stack.options.wanted {
        None => {
            return vec![Outcome::not_checked("stack", EXPECTED, "what the file wants was not handed in")];
        }
        // A file that cannot be brought up says nothing of what runs.
        Some(Err(why)) => return vec![Outcome::new("stack", EXPECTED).judge(false, why)],
        Some(Ok(wanted)) => wanted,
    };
    let mut outcomes: Vec<Outcome> =
        stack.of_the_file().map(|member| of_member(stack, wanted, member)).collect();
    outcomes.push(of_the_stack(stack, wanted));
    outcomes
}

fn of_member(stack: &Stack<'_>, wanted: &Wanted, member: &Member) -> Outcome {
    let outcome = Outcome::new(&member.subject, EXPECTED);
    let planned = wanted.changes.iter().filter(|(service, _)| *service == member.service);
    let mut wrong: Vec<String> = planned.map(|(_, cause)| cause.clone()).collect();
    match wanted.services.get(&member.service) {
        Some(spec) => wrong.extend(differences(stack, spec, member)),
        None => wrong.push("the file does not want it".to_owned()),
    }
    wrong.sort();
    wrong.dedup();
    let image = member.text("/Image");
    let observed = if wrong.is_empty() { "as the file says".to_owned() } else { wrong.join("; ") };
    outcome
        .judge(wrong.is_empty(), observed)
        .evidence(format!("engine: container {} Image", member.name), image)
        .evidence("plan of `up`", if wrong.is_empty() { "nothing to do" } else { "changes" })
}

/// Networks, volumes, containers that are missing or too many, orphans that run.
fn of_the_stack(stack: &Stack<'_>, wanted: &Wanted) -> Outcome {
    let members: BTreeSet<&str> = stack.of_the_file().map(|member| member.service.as_str()).collect();
    let mut wrong: Vec<String> = wanted
        .changes
        .iter()
        .filter(|(service, _)| !members.contains(service.as_str()))
        .map(|(_, cause)| cause.clone())
        .collect();
    for member in stack.running() {
        match member.kind {
            Kind::Orphan => {
                wrong.push(format!("{} runs, of a service that the file does not have", member.name));
            }
            Kind::Service | Kind::OneOff | Kind::Stranger => {}
        }
    }
    wrong.sort();
    wrong.dedup();
    let observed = match wrong.as_slice() {
        [] => "no network, volume or container is missing, too many or different".to_owned(),
        wrong => wrong.join("; "),
    };
    let beside = stack.running().filter(|member| member.kind == Kind::OneOff);
    Outcome::new("stack", EXPECTED).judge(wrong.is_empty(), observed).all_evidence(
        beside.map(|member| {
            (format!("engine: container {}", member.name), "one-off, beside the file".to_owned())
        }),
    )
}

/// What the engine says of a container that is not what the file asks for. Labels say who made it; they are no proof.
fn differences(stack: &Stack<'_>, spec: &ContainerSpec, member: &Member) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |what: &str, has: String, wants: String| {
        if has != wants {
            wrong.push(format!("{what} is {has}, the file says {wants}"));
        }
    };
    let raw = &member.raw;
    let host = |key: &str| &raw["HostConfig"][key];
    let config = |key: &str| &raw["Config"][key];
    if spec.image != member.text("/Image") {
        say("image", short(member.text("/Image")), short(&spec.image));
    }
    if let Some(command) = &spec.command {
        say("command", list(config("Cmd")), command.join(" "));
    }
    if let Some(entrypoint) = &spec.entrypoint {
        say("entrypoint", list(config("Entrypoint")), entrypoint.join(" "));
    }
    if let Some(user) = &spec.user {
        say("user", config("User").as_str().unwrap_or_default().to_owned(), user.clone());
    }
    if let Some(directory) = &spec.working_dir {
        say("working_dir", config("WorkingDir").as_str().unwrap_or_default().to_owned(), directory.clone());
    }
    say("read_only", flag(host("ReadonlyRootfs")), spec.read_only.to_string());
    say("privileged", flag(host("Privileged")), spec.privileged.to_string());
    say("cap_add", capabilities(host("CapAdd")), capability_names(&spec.cap_add));
    say("cap_drop", capabilities(host("CapDrop")), capability_names(&spec.cap_drop));
    wrong.extend(limits(stack, spec, member));
    wrong.extend(environment(spec, config("Env")));
    wrong.extend(networks(spec, member));
    wrong.extend(mounts(spec, member));
    wrong
}

fn short(image: &str) -> String {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    match digits {
        "" => "one that this machine does not have".to_owned(),
        digits => digits.get(..12).unwrap_or(digits).to_owned(),
    }
}

fn list(value: &Value) -> String {
    let words: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    words.join(" ")
}

fn flag(value: &Value) -> String {
    value.as_bool().unwrap_or(false).to_string()
}

fn capabilities(value: &Value) -> String {
    let words: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    capability_names(&words)
}

/// `CAP_CHOWN` and `chown` are the same.
fn capability_names(names: &[String]) -> String {
    let plain = |name: &String| {
        let name = name.to_ascii_uppercase();
        name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)
    };
    let names: BTreeSet<String> = names.iter().map(plain).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

/// What `docker update` changes.
fn limits(stack: &Stack<'_>, spec: &ContainerSpec, member: &Member) -> Vec<String> {
    let host = &member.raw["HostConfig"];
    let wanted = &spec.resources;
    let mut pairs = vec![
        ("memory limit", "Memory", wanted.memory),
        ("CPU limit (nano CPUs)", "NanoCpus", wanted.nano_cpus),
        ("CPU shares", "CpuShares", wanted.cpu_shares),
        ("CPU quota", "CpuQuota", wanted.cpu_quota),
        ("memory reservation", "MemoryReservation", wanted.memory_reservation),
        ("pids limit", "PidsLimit", wanted.pids),
    ];
    if stack.facts.swap_limit {
        // Where none is asked for the engine makes one up: twice the memory.
        pairs.extend(wanted.memory_swap.map(|swap| ("memory and swap", "MemorySwap", Some(swap))));
    }
    let number = |key: &str| host[key].as_i64().unwrap_or(0);
    let differs = pairs.into_iter().filter_map(|(what, key, wanted)| {
        let (has, wants) = (number(key).max(0), wanted.unwrap_or(0).max(0));
        (has != wants).then(|| format!("{what} is {has}, the file says {wants}"))
    });
    let mut wrong: Vec<String> = differs.collect();
    let cpus = host["CpusetCpus"].as_str().unwrap_or_default();
    let wants = wanted.cpuset.as_deref().unwrap_or_default();
    if cpus != wants {
        wrong.push(format!("cpuset is `{cpus}`, the file says `{wants}`"));
    }
    wrong
}

/// Names alone: a value may be a secret.
fn environment(spec: &ContainerSpec, env: &Value) -> Vec<String> {
    let has: BTreeMap<&str, &str> =
        env.as_array().into_iter().flatten().filter_map(|entry| entry.as_str()?.split_once('=')).collect();
    spec.env
        .iter()
        .filter_map(|(name, wants)| match (has.get(name.as_str()), wants) {
            (None, Some(_)) => Some(format!("variable {name} is missing")),
            (Some(_), None) => Some(format!("variable {name} is set, the file takes it away")),
            (Some(has), Some(wants)) if has != wants => Some(format!("variable {name} has another value")),
            _ => None,
        })
        .collect()
}

fn networks(spec: &ContainerSpec, member: &Member) -> Vec<String> {
    if spec.network_mode.is_some() || spec.networks.is_empty() {
        let mode = member.text("/HostConfig/NetworkMode");
        let wants = spec.network_mode.as_deref().unwrap_or("default");
        // A name of a container becomes an id.
        let same = mode == wants || (wants.starts_with("container:") && mode.starts_with("container:"));
        let predefined = matches!(mode, "default" | "bridge") && matches!(wants, "default" | "bridge");
        return if same || predefined {
            Vec::new()
        } else {
            vec![format!("network mode is {mode}, the file says {wants}")]
        };
    }
    let object = member.raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let has: BTreeSet<&str> = object.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let wants: BTreeSet<&str> = spec.networks.iter().map(|network| network.network.as_str()).collect();
    let missing = wants.difference(&has).map(|name| format!("is not on network {name}"));
    let more =
        has.difference(&wants).map(|name| format!("is on network {name}, which the file does not say"));
    missing.chain(more).collect()
}

fn mounts(spec: &ContainerSpec, member: &Member) -> Vec<String> {
    let list = member.raw["Mounts"].as_array().cloned().unwrap_or_default();
    let has: BTreeMap<&str, &Value> =
        list.iter().filter_map(|mount| Some((mount["Destination"].as_str()?, mount))).collect();
    let mut wrong = Vec::new();
    let mut wanted = BTreeSet::new();
    for mount in &spec.mounts {
        let target = mount.target.trim_end_matches('/');
        wanted.insert(target);
        let Some(found) = has.get(target).or_else(|| has.get(mount.target.as_str())) else {
            // A tmpfs is in the kernel's mounts alone.
            if !matches!(mount.kind, MountKind::Tmpfs { .. }) {
                wrong.push(format!("nothing is mounted at {target}"));
            }
            continue;
        };
        let (key, source) = match &mount.kind {
            MountKind::Bind { source, .. } => ("Source", Some(source)),
            MountKind::Volume { name, .. } => ("Name", name.as_ref()),
            MountKind::Tmpfs { .. } => continue,
        };
        let is = found[key].as_str().unwrap_or_default();
        // Plimsoll mounts copies of secrets and configs, docker compose the files: not the same path, and their content is
        // compared elsewhere.
        let copied = member.text("/Config/Labels/org.plimsoll.parts").is_empty()
            && source.is_some_and(|source| source.contains("/state/") && source.contains("/files/"));
        let secret = copied || target.starts_with("/run/secrets/");
        if let Some(source) = source.filter(|source| !secret && source.as_str() != is) {
            wrong.push(format!("{is} is mounted at {target}, the file says {source}"));
        }
        if found["RW"].as_bool() == Some(mount.read_only) {
            let how = if mount.read_only { "writable" } else { "read-only" };
            wrong.push(format!("{target} is {how}, the file says the opposite"));
        }
    }
    for (target, mount) in has {
        // An image's own volumes are anonymous: their names are ids.
        let anonymous =
            mount["Type"] == "volume" && mount["Name"].as_str().is_some_and(|name| name.len() == 64);
        let from_others = !spec.volumes_from.is_empty();
        if !wanted.contains(target)
            && !anonymous
            && !from_others
            && !spec.tmpfs.contains_key(target)
            && mount["Type"] != "tmpfs"
        {
            let source = mount["Source"].as_str().unwrap_or_default();
            wrong.push(format!("{source} is mounted at {target}, which the file does not say"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::{Attachment, MountSpec};
    use serde_json::json;

    use super::*;
    use crate::member::tests::member;

    fn spec() -> ContainerSpec {
        ContainerSpec {
            env: [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)].into(),
            networks: vec![Attachment { network: "shop_data".into(), ..Attachment::default() }],
            mounts: vec![MountSpec {
                target: "/data".into(),
                read_only: false,
                kind: MountKind::Volume {
                    name: Some("shop_db".into()),
                    no_copy: false,
                    subpath: None,
                    labels: BTreeMap::new(),
                },
            }],
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn values_of_variables_are_never_told() {
        assert_eq!(
            environment(&spec(), &json!(["A=s3cret", "B=x"])).join("; "),
            "variable A has another value; variable B is set, the file takes it away"
        );
        assert_eq!(environment(&spec(), &json!(["A=1", "PATH=/bin"])), Vec::<String>::new());
        assert_eq!(environment(&spec(), &json!([])), ["variable A is missing"]);
    }

    #[test]
    fn networks_in_both_directions() {
        let of =
            |names: Value| networks(&spec(), &member(json!({ "NetworkSettings": { "Networks": names } })));
        assert_eq!(of(json!({ "shop_data": {} })), Vec::<String>::new());
        assert_eq!(of(json!({ "other": {} })).len(), 2);
    }

    #[test]
    fn mounts_in_both_directions() {
        let of = |list: Value| mounts(&spec(), &member(json!({ "Mounts": list })));
        let right = json!({ "Type": "volume", "Name": "shop_db", "Destination": "/data", "RW": true });
        let anonymous = json!({ "Type": "volume", "Name": "a".repeat(64), "Destination": "/x", "RW": true });
        assert_eq!(of(json!([right, anonymous])), Vec::<String>::new());
        let other = json!({ "Type": "volume", "Name": "shop_old", "Destination": "/data", "RW": true });
        assert_eq!(of(json!([other])), ["shop_old is mounted at /data, the file says shop_db"]);
        let more = json!({ "Type": "bind", "Source": "/", "Destination": "/host", "RW": true });
        assert_eq!(of(json!([right, more])), ["/ is mounted at /host, which the file does not say"]);
        assert_eq!(of(json!([])), ["nothing is mounted at /data"]);
    }
}
