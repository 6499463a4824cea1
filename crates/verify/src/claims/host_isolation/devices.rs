//! Which devices of the host a container can open: nodes that it has, and what its devices cgroup lets through.

use std::{
    os::{
        fd::AsFd as _,
        unix::fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::Path,
};

use rustix::fs::{FileType, OFlags, major, minor};

use crate::{
    cgroup::Cgroups,
    claims::Outcome,
    inside::{Inside, walk},
    procfs::MountLine,
    stack::{Member, Stack},
};

/// How deep and how far a container's /dev is looked at.
const LEVELS: usize = 4;
const ENTRIES: usize = 10_000;
/// So many devices are named.
const SHOWN: usize = 4;
/// Of device rules on cgroup v2.
pub(super) const NOT_MEASURED: &str = "described by the engine, not measured";

/// Adds what is wrong with the devices of a container that runs, and what was not looked at to its end. False if its
/// device rules are the engine's word alone.
pub(super) fn judge(
    stack: &Stack<'_>,
    member: &Member,
    pid: u32,
    inside: &Inside,
    mounts: &[MountLine],
    (wrong, cut): (&mut Vec<String>, &mut Vec<String>),
    outcome: Outcome,
) -> (Outcome, bool) {
    let (mut nodes, more) = nodes(inside, mounts);
    if more {
        cut.push(format!("the first {ENTRIES} names in /dev were looked at, and there are more"));
    }
    nodes.sort();
    nodes.dedup();
    wrong.extend(nodes.iter().take(SHOWN).map(|node| format!("has the host's device {node}")));
    if nodes.len() > SHOWN {
        wrong.push(format!("and {} more devices", nodes.len() - SHOWN));
    }
    let Rules { source, value, more, measured } = allowed(stack, member, pid);
    wrong.extend(more.iter().map(|rule| format!("its devices cgroup lets `{rule}` through")));
    wrong.extend(requests(member));
    let shown = if nodes.is_empty() { "the standard ones".to_owned() } else { nodes.join(", ") };
    let outcome = outcome
        .evidence(format!("device nodes in /dev and mounts of process {pid}"), shown)
        .evidence(source, value);
    (outcome, measured)
}

/// Device nodes beyond those that every container has; true if /dev has more names than were looked at.
fn nodes(inside: &Inside, mounts: &[MountLine]) -> (Vec<String>, bool) {
    let (mut found, mut more) = (Vec::new(), false);
    if let Ok(dev) = inside.open("/dev", OFlags::DIRECTORY) {
        more = walk(dev.as_fd(), LEVELS, ENTRIES, |name, entry, kind| {
            let is_node = kind.is_char_device() || kind.is_block_device();
            if let Some(meta) = is_node.then(|| entry.metadata().ok()).flatten() {
                let number = (major(meta.rdev()), minor(meta.rdev()));
                if !is_standard(kind.is_block_device(), number) {
                    found.push(node(&format!("/dev{name}"), kind.is_block_device(), number));
                }
            }
        });
    }
    for mount in mounts {
        let Ok(stat) = inside.stat(&mount.target) else { continue };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let number = (major(stat.st_rdev), minor(stat.st_rdev));
        let block = kind == FileType::BlockDevice;
        if (block || kind == FileType::CharacterDevice) && !is_standard(block, number) {
            found.push(node(&mount.target, block, number));
        }
    }
    (found, more)
}

fn node(path: &str, block: bool, (major, minor): (u32, u32)) -> String {
    // The host's own name for it, as udev and the kernel keep it.
    let link = format!("/sys/dev/{}/{major}:{minor}", if block { "block" } else { "char" });
    let name = std::fs::canonicalize(Path::new(&link)).ok();
    let name = name.as_deref().and_then(Path::file_name).map(|name| format!(" {}", name.to_string_lossy()));
    let kind = if block { 'b' } else { 'c' };
    format!("{path} ({kind} {major}:{minor}{})", name.unwrap_or_default())
}

/// null, zero, full, random, urandom, tty, console, ptmx and pseudo terminals: what a runtime always gives.
fn is_standard(block: bool, number: (u32, u32)) -> bool {
    !block && matches!(number, (1, 3 | 5 | 7 | 8 | 9) | (5, 0..=2) | (136..=143, _))
}

/// What the devices cgroup lets through.
struct Rules {
    source: String,
    value: String,
    /// What is more than a runtime's own rules.
    more: Vec<String>,
    /// False where the kernel shows nothing, and the engine's word is all there is.
    measured: bool,
}

fn allowed(stack: &Stack<'_>, member: &Member, pid: u32) -> Rules {
    match Cgroups::of(&stack.procfs, pid).and_then(|cgroups| cgroups.devices()) {
        Ok(Some(reading)) => of_text(reading.file.display().to_string(), &reading.text),
        Ok(None) => of_engine(member),
        Err(error) => Rules {
            source: "devices cgroup".to_owned(),
            value: error.to_string(),
            more: vec![format!("unreadable: {error}")],
            measured: true,
        },
    }
}

fn of_text(source: String, text: &str) -> Rules {
    let rules = text.lines().map(str::trim).filter(|rule| lets_more(rule));
    let more: Vec<String> = rules.map(str::to_owned).collect();
    let value = if more.is_empty() { "the standard rules".to_owned() } else { more.join(", ") };
    Rules { source, value, more, measured: true }
}

/// v2 has a program there. Only bpf(2) shows it, and an attempt to open what it may refuse would have to be made by a
/// process inside: what the engine was asked for is left.
fn of_engine(member: &Member) -> Rules {
    let more: Vec<String> = given(member).collect();
    let source = format!("engine: devices of {}, {NOT_MEASURED}", member.name);
    Rules { source, value: shown(&more), more, measured: false }
}

/// `c 1:3 rwm`. Making nodes (`m`) is allowed for all by every runtime: a node that cannot be opened is nothing.
/// 10:200, the tunnel, is in the rules of runc before 1.2, without a node.
fn lets_more(rule: &str) -> bool {
    let mut words = rule.split_whitespace();
    let (Some(kind), Some(number), Some(access)) = (words.next(), words.next(), words.next()) else {
        return !rule.is_empty();
    };
    if !access.contains(['r', 'w']) {
        return false;
    }
    let Some((major, minor)) = number.split_once(':') else { return true };
    if kind == "c" && (major == "136" || (major == "10" && minor == "200")) {
        return false;
    }
    match (kind, major.parse(), minor.parse()) {
        ("c", Ok(major), Ok(minor)) => !is_standard(false, (major, minor)),
        _ => true,
    }
}

/// What the engine was asked for: devices that it maps, and rules.
pub(super) fn given(member: &Member) -> impl Iterator<Item = String> + '_ {
    let host = &member.raw["HostConfig"];
    let devices = host["Devices"].as_array().into_iter().flatten();
    let devices =
        devices.filter_map(|device| device["PathOnHost"].as_str()).filter(|path| !is_standard_path(path));
    let rules = host["DeviceCgroupRules"].as_array().into_iter().flatten().filter_map(|rule| rule.as_str());
    devices.chain(rules.filter(|rule| lets_more(rule))).map(str::to_owned)
}

fn is_standard_path(path: &str) -> bool {
    let Ok(meta) = std::fs::metadata(path) else { return false };
    meta.file_type().is_char_device() && is_standard(false, (major(meta.rdev()), minor(meta.rdev())))
}

/// Devices of a driver of the engine: graphics cards.
pub(super) fn requests(member: &Member) -> impl Iterator<Item = String> + '_ {
    let requests = member.raw["HostConfig"]["DeviceRequests"].as_array().into_iter().flatten();
    requests.map(|request| {
        let driver = request["Driver"].as_str().filter(|driver| !driver.is_empty()).unwrap_or("a driver");
        format!("has the host's devices of {driver}: {}", request["Capabilities"])
    })
}

fn shown(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::member::tests::member;

    #[test]
    fn what_the_engine_describes_is_not_called_measured() {
        let host = json!({ "HostConfig": { "Devices": [{ "PathOnHost": "/dev/null" }], "DeviceCgroupRules": ["b 254:* rwm"] } });
        let rules = of_engine(&member(host));
        assert!(!rules.measured && rules.source.ends_with("described by the engine, not measured"));
        assert_eq!(rules.more, ["b 254:* rwm"], "and what it describes is judged all the same");
        assert_eq!(of_engine(&member(json!({}))).value, "none");
        let rules = of_text("devices.list".to_owned(), "c 1:3 rwm\nb *:* rwm\n");
        assert!(rules.measured);
        assert_eq!(rules.more, ["b *:* rwm"]);
    }

    #[test]
    fn the_rules_of_a_runtime_let_nothing_more_through() {
        for rule in
            ["c *:* m", "b *:* m", "c 1:3 rwm", "c 1:9 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm"]
        {
            assert!(!lets_more(rule), "{rule}");
        }
        for rule in [
            "a *:* rwm",
            "b 254:0 r",
            "c 10:229 rwm",
            "c 1:1 r",
            "c 1:* r",
            "b *:* rwm",
            "c *:* w",
            "nonsense",
        ] {
            assert!(lets_more(rule), "{rule}");
        }
    }

    #[test]
    fn standard_nodes() {
        assert!(is_standard(false, (1, 3)) && is_standard(false, (136, 7)));
        // /dev/mem, /dev/kmsg, /dev/fuse, the first disk.
        for (block, number) in
            [(false, (1, 1)), (false, (1, 11)), (false, (10, 229)), (true, (254, 0)), (true, (1, 3))]
        {
            assert!(!is_standard(block, number), "{number:?}");
        }
    }
}
