//! What the engine gave a container: the only thing that is left of one that has ended. Of one that runs the kernel is
//! asked instead.

use serde_json::Value;

/// The engine's description of a container, read as rights and limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    raw: &'a Value,
}

impl<'a> Given<'a> {
    pub(crate) fn new(raw: &'a Value) -> Self {
        Self { raw }
    }

    fn host(self, key: &str) -> &'a Value {
        &self.raw["HostConfig"][key]
    }

    fn words(self, key: &str) -> impl Iterator<Item = &'a str> {
        self.host(key).as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// Source and value of a setting of `HostConfig`, for the evidence.
    pub(crate) fn reading(self, keys: &[&str]) -> (String, String) {
        let values: Vec<String> = keys.iter().map(|key| format!("{key} {}", self.host(key))).collect();
        let name = self.raw["Name"].as_str().unwrap_or_default().trim_start_matches('/');
        (format!("engine: container {name} HostConfig"), values.join(", "))
    }

    /// The user as configured; empty is root.
    pub(crate) fn user(self) -> &'a str {
        self.raw["Config"]["User"].as_str().unwrap_or_default()
    }

    pub(crate) fn privileged(self) -> bool {
        // What is not said is not taken for safe.
        self.host("Privileged").as_bool() != Some(false)
    }

    pub(crate) fn cap_add(self) -> impl Iterator<Item = &'a str> {
        self.words("CapAdd")
    }

    pub(crate) fn cap_drop(self) -> impl Iterator<Item = &'a str> {
        self.words("CapDrop")
    }

    /// `no-new-privileges`, `no-new-privileges:true` or `no-new-privileges=true`.
    pub(crate) fn no_new_privileges(self) -> bool {
        self.words("SecurityOpt").any(|option| {
            option
                .strip_prefix("no-new-privileges")
                .is_some_and(|value| matches!(value.trim_start_matches([':', '=']), "" | "true"))
        })
    }

    /// Without a filter of system calls: by its own wish, or because it is privileged.
    pub(crate) fn unfiltered(self) -> bool {
        let option = |option: &str| {
            let profile = option.strip_prefix("seccomp").map(|rest| rest.trim_start_matches([':', '=']));
            profile == Some("unconfined")
        };
        self.privileged() || self.words("SecurityOpt").any(option)
    }

    pub(crate) fn read_only_root(self) -> bool {
        self.host("ReadonlyRootfs").as_bool() == Some(true)
    }

    /// The kinds of namespaces that it shared with the host.
    pub(crate) fn host_namespaces(self) -> Vec<&'static str> {
        [("pid", "PidMode"), ("net", "NetworkMode"), ("ipc", "IpcMode"), ("uts", "UTSMode")]
            .into_iter()
            .filter(|(_, key)| self.host(key).as_str() == Some("host"))
            .map(|(kind, _)| kind)
            .collect()
    }

    /// Memory and memory with swap in bytes; `None` is no limit.
    pub(crate) fn memory(self) -> (Option<u64>, Option<u64>) {
        (self.positive("Memory"), self.positive("MemorySwap"))
    }

    /// The CPU limit in CPUs.
    pub(crate) fn cpus(self) -> Option<f64> {
        if let Some(nano) = self.positive("NanoCpus") {
            return Some(nano as f64 / 1e9);
        }
        let quota = self.positive("CpuQuota")? as f64;
        // The engine's period where none is set.
        Some(quota / self.positive("CpuPeriod").unwrap_or(100_000) as f64)
    }

    /// The limit of processes and threads.
    pub(crate) fn pids(self) -> Option<u64> {
        self.positive("PidsLimit")
    }

    fn positive(self, key: &str) -> Option<u64> {
        self.host(key).as_u64().filter(|value| *value > 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_is_not_safe() {
        let raw = json!({});
        let given = Given::new(&raw);
        assert!(given.privileged() && given.unfiltered());
        assert!(!given.read_only_root() && !given.no_new_privileges());
        assert_eq!((given.memory(), given.cpus(), given.pids()), ((None, None), None, None));
    }

    #[test]
    fn options_in_every_spelling() {
        for (option, set) in [
            ("no-new-privileges", true),
            ("no-new-privileges:true", true),
            ("no-new-privileges=true", true),
            ("no-new-privileges:false", false),
        ] {
            let raw = json!({ "HostConfig": { "SecurityOpt": [option] } });
            assert_eq!(Given::new(&raw).no_new_privileges(), set, "{option}");
        }
        for (option, unfiltered) in
            [("seccomp=unconfined", true), ("seccomp:unconfined", true), ("seccomp={}", false)]
        {
            let raw = json!({ "HostConfig": { "SecurityOpt": [option], "Privileged": false } });
            assert_eq!(Given::new(&raw).unfiltered(), unfiltered, "{option}");
        }
    }

    #[test]
    fn limits_in_both_forms() {
        let raw = json!({ "HostConfig": { "NanoCpus": 500_000_000, "PidsLimit": -1, "MemorySwap": -1 } });
        let given = Given::new(&raw);
        assert_eq!((given.cpus(), given.pids(), given.memory()), (Some(0.5), None, (None, None)));
        let raw = json!({ "HostConfig": { "CpuQuota": 150_000, "CpuPeriod": 100_000, "PidsLimit": null } });
        assert_eq!(Given::new(&raw).cpus(), Some(1.5));
    }
}
