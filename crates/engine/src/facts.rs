//! What the engine says about itself and its host.

use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, connect::CALL_SECONDS};

/// Facts about the engine's host that decide what can be asked of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFacts {
    /// The engine's version, `20.10.24`.
    pub version: String,
    /// The API version that is spoken.
    pub api: String,
    /// The operating system of the host.
    pub os: String,
    /// Kernel release of the host.
    pub kernel: String,
    /// The machine's architecture as the kernel names it.
    pub architecture: String,
    /// Number of CPUs. No container can be given more.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// cgroup version, 1 or 2.
    pub cgroup_version: u8,
    /// `cgroupfs` or `systemd`.
    pub cgroup_driver: String,
    /// Security options in force: `seccomp`, `apparmor`, `selinux`, `rootless`, `userns`.
    pub security: Vec<String>,
    /// The storage driver, `overlay2`.
    pub storage_driver: String,
    /// The log driver that a container gets when it asks for none.
    pub log_driver: String,
    /// The engine's data directory on its host.
    pub root_dir: String,
    /// True if a swap limit can be set.
    pub swap_limit: bool,
    /// True if a pids limit can be set.
    pub pids_limit: bool,
    /// What the engine warns about.
    pub warnings: Vec<String>,
}

impl Engine {
    /// The engine's facts, in one call.
    pub async fn facts(&self) -> Result<EngineFacts, EngineError> {
        let info = self.docker.info().await.map_err(|error| EngineError::from_wire(error, CALL_SECONDS))?;
        let cgroup = info.cgroup_version.map(|version| version.to_string()).unwrap_or_default();
        let security = info.security_options.unwrap_or_default();
        Ok(EngineFacts {
            version: info.server_version.unwrap_or_default(),
            api: self.api().to_string(),
            os: info.operating_system.unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            cpus: info.ncpu.and_then(|cpus| u32::try_from(cpus).ok()).unwrap_or(0),
            memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            cgroup_version: if cgroup == "2" { 2 } else { 1 },
            cgroup_driver: info.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default(),
            security: security.iter().map(|option| security_name(option)).collect(),
            storage_driver: info.driver.unwrap_or_default(),
            log_driver: info.logging_driver.unwrap_or_default(),
            root_dir: info.docker_root_dir.unwrap_or_default(),
            swap_limit: info.swap_limit.unwrap_or(false),
            pids_limit: info.pids_limit.unwrap_or(false),
            warnings: info.warnings.unwrap_or_default(),
        })
    }
}

/// `name=seccomp,profile=default` is `seccomp`.
fn security_name(option: &str) -> String {
    option.split(',').find_map(|part| part.strip_prefix("name=")).unwrap_or(option).to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn security_options_are_named_without_their_profile() {
        assert_eq!(super::security_name("name=seccomp,profile=default"), "seccomp");
        assert_eq!(super::security_name("apparmor"), "apparmor");
    }
}
