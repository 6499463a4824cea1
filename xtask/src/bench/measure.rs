//! Wall clock, processor time and peak memory of one command.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Processor seconds of everything that worked for it.
    pub(crate) cpu: f64,
    /// Largest resident size in MB, where it was asked for.
    pub(crate) peak: Option<f64>,
}

/// Processor time of those that work for a command without being its children: a daemon.
pub(crate) trait Helpers {
    fn cpu(&self) -> f64;
}

/// Nobody works for it.
pub(crate) struct Alone;

impl Helpers for Alone {
    fn cpu(&self) -> f64 {
        0.0
    }
}

/// Runs a command that must succeed; its output is kept for the error only.
pub(crate) fn run(command: &mut Command, helpers: &dyn Helpers) -> Result<Cost> {
    let (children, others) = (children()?, helpers.cpu());
    let begin = Instant::now();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    let wall = begin.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("{command:?} ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let cpu = self::children()? - children + helpers.cpu() - others;
    Ok(Cost { wall, cpu, peak: None })
}

/// The same, and the peak of the process itself.
pub(crate) fn run_with_peak(command: &mut Command) -> Result<Cost> {
    let before = children()?;
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let (done, peak, process) = (AtomicBool::new(false), AtomicU64::new(0), child.id());
    let status = thread::scope(|scope| {
        scope.spawn(|| {
            // the kernel's own high-water mark: only its last value before the end can be missed
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(high_water(process), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        });
        let status = child.wait();
        done.store(true, Ordering::Relaxed);
        status
    })?;
    let wall = begin.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    let peak = peak.load(Ordering::Relaxed) as f64 / 1000.0;
    Ok(Cost { wall, cpu: children()? - before, peak: Some(peak) })
}

/// Processor seconds of all children that have ended, and of theirs.
fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// `VmHWM` in kB.
pub(crate) fn high_water(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_command_is_measured() {
        let cost = run(Command::new("sh").args(["-c", "sleep 0.05"]), &Alone).unwrap();
        assert!(cost.wall >= 0.05 && cost.cpu < 0.05, "{cost:?}");
        assert!(run(Command::new("sh").args(["-c", "exit 3"]), &Alone).is_err());
    }
}
