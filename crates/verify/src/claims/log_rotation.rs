use std::fs;

use serde_json::Value;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "log-rotation",
    title: "container logs are rotated and bounded",
    group: Group::Records,
    requirements: &["R-090", "R-091"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack.members.iter().map(of_member).collect()
}

fn of_member(member: &Member) -> Outcome {
    let outcome = Outcome::new(&member.subject, "a driver that rotates, with max-size and max-file");
    let driver = member.text("/HostConfig/LogConfig/Type");
    let option = |name: &str| {
        member.raw.pointer("/HostConfig/LogConfig/Config").and_then(|config| config[name].as_str())
    };
    let (size, files) = (option("max-size"), option("max-file"));
    let holds = match driver {
        "json-file" => size.is_some_and(|size| size != "-1") && files.is_some(),
        // `local` rotates at 5 files of 20 MB by itself.
        "local" | "none" => true,
        other => {
            let why = format!("the log goes to {other}, which the engine does not bound");
            return Outcome::not_checked(&member.subject, outcome.expected, why);
        }
    };
    let observed = match (size, files) {
        (Some(size), Some(files)) => format!("{driver}, {files} files of {size}"),
        _ => format!("{driver}, max-size {}, max-file {}", size.unwrap_or("unset"), files.unwrap_or("unset")),
    };
    let config = member.raw.pointer("/HostConfig/LogConfig").map_or(String::new(), Value::to_string);
    let outcome = outcome
        .judge(holds, observed)
        .evidence(format!("engine: container {} HostConfig.LogConfig", member.name), config);
    let path = member.text("/LogPath");
    match fs::metadata(path) {
        Ok(file) => outcome.evidence(path, format!("{} bytes now", file.len())),
        Err(_) => outcome,
    }
}
