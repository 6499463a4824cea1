//! Limits that limit nothing: those that the host never reaches.

use crate::{quantity, stack::Stack};

/// Why a memory limit of so many bytes bounds nothing.
pub(crate) fn memory(stack: &Stack<'_>, limit: u64) -> Option<String> {
    let host = stack.facts.memory;
    (host > 0 && limit >= host)
        .then(|| format!("; the host has {}: that bounds nothing", quantity::bytes(host)))
}

/// Why a limit of so many CPUs bounds nothing. On a host with one CPU nothing can be less and still be a whole one.
pub(crate) fn cpus(stack: &Stack<'_>, limit: f64) -> Option<String> {
    let host = stack.facts.cpus;
    (host > 1 && limit >= f64::from(host)).then(|| format!("; the host has {host}: that bounds nothing"))
}

/// Why a limit of so many processes and threads bounds nothing.
pub(crate) fn pids(stack: &Stack<'_>, limit: u64) -> Option<String> {
    if !stack.engine.is_local() {
        return None;
    }
    let number = |file: &str| {
        let text = std::fs::read_to_string(stack.procfs.root().join("sys/kernel").join(file)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let host = [number("pid_max"), number("threads-max")].into_iter().flatten().min()?;
    (limit >= host).then(|| format!("; the host has at most {host}: that bounds nothing"))
}
