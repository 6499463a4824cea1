//! What a container may use: memory, CPUs, block IO, devices.

use plimsoll_compose::{DeviceRequest as Wish, Project, Service, ThrottleDevice};
use plimsoll_engine::{Device, DeviceRate, DeviceRequest, EngineFacts, Resources, Ulimit};

use plimsoll_source::Diagnostic;

use crate::{Fit, StackError, desired};

/// Billionths in a whole.
pub(super) const NANO: i64 = 1_000_000_000;

pub(super) fn resources(
    name: &str,
    service: &Service,
    facts: &EngineFacts,
    fits: &mut Vec<Fit>,
) -> Resources {
    let limits = service.limits();
    let io = service.blkio_config.as_ref();
    let positive = |number: i64| Some(number).filter(|number| *number != 0);
    Resources {
        memory: limits.memory,
        memory_swap: service.memswap_limit.map(|bytes| bytes.0),
        memory_reservation: limits.memory_reservation,
        memory_swappiness: service.mem_swappiness.map(|percent| percent.0),
        nano_cpus: limits.cpus.map(|cpus| fitted_cpus(name, cpus, facts.cpus, fits)),
        cpu_shares: positive(service.cpu_shares),
        cpu_quota: positive(service.cpu_quota),
        cpu_period: positive(service.cpu_period),
        cpu_rt_period: positive(service.cpu_rt_period),
        cpu_rt_runtime: positive(service.cpu_rt_runtime),
        cpuset: service.cpuset.clone(),
        pids: limits.pids,
        shm_size: service.shm_size.map(|bytes| bytes.0),
        oom_kill_disable: service.oom_kill_disable.then_some(true),
        oom_score_adj: positive(service.oom_score_adj),
        blkio_weight: io.and_then(|io| u16::try_from(io.weight).ok()).filter(|weight| *weight != 0),
        blkio_weights: io
            .iter()
            .flat_map(|io| &io.weight_device)
            .map(|device| DeviceRate {
                path: device.path.clone(),
                rate: u64::try_from(device.weight).unwrap_or(0),
            })
            .collect(),
        read_bps: io.map(|io| rates(&io.device_read_bps)).unwrap_or_default(),
        read_iops: io.map(|io| rates(&io.device_read_iops)).unwrap_or_default(),
        write_bps: io.map(|io| rates(&io.device_write_bps)).unwrap_or_default(),
        write_iops: io.map(|io| rates(&io.device_write_iops)).unwrap_or_default(),
    }
}

/// The least memory that an engine takes for a container, in bytes.
const LEAST_MEMORY: i64 = 6 << 20;

/// Refuses what every engine refuses, with its place in the file: an engine would say it in the middle of an `up`, when
/// other containers have been replaced.
pub(super) fn checked(project: &Project, name: &str, resources: Resources) -> Result<Resources, StackError> {
    let memory = resources.memory.filter(|bytes| *bytes > 0);
    let swap = resources.memory_swap.filter(|bytes| *bytes > 0);
    let reserved = resources.memory_reservation.filter(|bytes| *bytes > 0);
    let of_deploy = ["deploy", "resources", "limits", "memory"];
    let limit: &[&str] = if has(project, name, &of_deploy) { &of_deploy } else { &["mem_limit"] };
    let kept = ["deploy", "resources", "reservations", "memory"];
    let kept: &[&str] = if has(project, name, &kept) { &kept } else { &["mem_reservation"] };
    let swapped: &[&str] = &["memswap_limit"];
    let (what, first, second) = match (memory, swap, reserved) {
        (None, Some(_), _) => {
            ("memswap_limit bounds memory and swap together and needs a memory limit", swapped, None)
        }
        (Some(memory), Some(swap), _) if swap < memory => (
            "memswap_limit bounds memory and swap together, so it is not below the memory limit",
            swapped,
            Some(limit),
        ),
        (Some(memory), _, Some(reserved)) if reserved > memory => {
            ("the memory that is reserved is not above the memory limit", kept, Some(limit))
        }
        (Some(memory), _, _) if memory < LEAST_MEMORY => ("a memory limit is 6 MiB at least", limit, None),
        _ => return Ok(resources),
    };
    Err(refused(project, name, what, first, second))
}

/// A value that every engine refuses, and the limit that it contradicts.
fn refused(project: &Project, name: &str, what: &str, first: &[&str], second: Option<&[&str]>) -> StackError {
    let mut diagnostic = Diagnostic::error(format!("service {name}: {what}"));
    for (keys, text) in std::iter::once((first, "this")).chain(second.map(|keys| (keys, "the limit"))) {
        diagnostic = match project.origin(&path(name, keys)) {
            Some(origin) => origin.label(diagnostic, text),
            None => diagnostic.note(path(name, keys).join(".")),
        };
    }
    StackError::File(Box::new(diagnostic.hint("every engine refuses it; change both values together")))
}

/// The limits of each process. A kernel takes none that is above what it may be raised to.
pub(super) fn ulimits(project: &Project, name: &str, service: &Service) -> Result<Vec<Ulimit>, StackError> {
    let mut ulimits = Vec::new();
    for (kind, limit) in &service.ulimits {
        // negative is without limit
        if limit.hard >= 0 && (limit.soft < 0 || limit.soft > limit.hard) {
            let what = format!("the soft limit of ulimit {kind} is not above the hard one");
            let (soft, hard) = (["ulimits", kind.as_str(), "soft"], ["ulimits", kind.as_str(), "hard"]);
            return Err(refused(project, name, &what, &soft, Some(&hard)));
        }
        ulimits.push(Ulimit { name: kind.clone(), soft: limit.soft, hard: limit.hard });
    }
    Ok(ulimits)
}

/// Two limits of the number of processes: raising the one alone has no effect.
pub(super) fn pids_note(name: &str, resources: &Resources, ulimits: &[Ulimit]) -> Option<String> {
    let pids = resources.pids.filter(|pids| *pids > 0)?;
    let nproc = ulimits.iter().find(|limit| limit.name == "nproc" && limit.hard >= 0)?;
    (pids > nproc.hard).then(|| {
        format!(
            "{name}: ulimit nproc ends it at {} processes, before the pids limit of {pids} does",
            nproc.hard
        )
    })
}

fn has(project: &Project, name: &str, keys: &[&str]) -> bool {
    project.tree().at(&path(name, keys)).is_some()
}

fn path<'a>(service: &'a str, keys: &[&'a str]) -> Vec<&'a str> {
    [&["services", service][..], keys].concat()
}

/// An engine refuses a container that may use more CPUs than the host has.
fn fitted_cpus(service: &str, asked: f64, host: u32, fits: &mut Vec<Fit>) -> i64 {
    let available = f64::from(host);
    if host > 0 && asked > available {
        fits.push(Fit {
            service: service.to_owned(),
            what: "cpus".into(),
            asked: asked.to_string(),
            given: host.to_string(),
        });
        return i64::from(host) * NANO;
    }
    (asked * NANO as f64).round() as i64
}

fn rates(devices: &[ThrottleDevice]) -> Vec<DeviceRate> {
    let rate = |device: &ThrottleDevice| DeviceRate {
        path: device.path.clone(),
        rate: u64::try_from(device.rate.0).unwrap_or(0),
    };
    devices.iter().map(rate).collect()
}

pub(super) fn devices(service: &Service) -> Vec<Device> {
    let devices = service.devices.iter().map(|device| {
        let source = device.source.clone().unwrap_or_default();
        Device {
            target: device.target.clone().unwrap_or_else(|| source.clone()),
            permissions: device.permissions.clone().unwrap_or_else(|| "rwm".into()),
            source,
        }
    });
    devices.collect()
}

/// `gpus` and `deploy.resources.reservations.devices`.
pub(super) fn device_requests(service: &Service) -> Vec<DeviceRequest> {
    let request = |wish: &Wish, gpu: bool| {
        let mut capabilities = wish.capabilities.clone();
        if gpu && !capabilities.iter().any(|capability| capability == "gpu") {
            capabilities.push("gpu".to_owned());
        }
        DeviceRequest {
            driver: wish.driver.clone().unwrap_or_default(),
            // neither a number nor names is all of them
            count: if wish.count == 0 && wish.device_ids.is_empty() { -1 } else { wish.count },
            ids: wish.device_ids.clone(),
            capabilities,
            options: desired::sorted(&wish.options),
        }
    };
    let reserved = service.deploy.as_ref().and_then(|deploy| deploy.resources.reservations.as_ref());
    let reserved = reserved.iter().flat_map(|reserved| &reserved.devices);
    service
        .gpus
        .iter()
        .map(|wish| request(wish, true))
        .chain(reserved.map(|wish| request(wish, false)))
        .collect()
}
