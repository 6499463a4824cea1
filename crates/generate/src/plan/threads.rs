//! How many processes and threads a command starts: a limit below them ends requests with an error.

use crate::policy::ServiceLimits;

/// Options with a number of processes, and with a number of threads in each.
const PROCESSES: [&str; 6] = ["--workers", "-w", "--processes", "-p", "--concurrency", "-c"];
const THREADS: [&str; 2] = ["--threads", "--worker-threads"];

/// Tasks for each thread that is asked for: a library may start some for each connection, and a health check is a process
/// of its own.
const FOR_EACH: u32 = 4;

/// The most that any option asks for in earnest.
const MOST: u32 = 1024;

/// The policy's limits, with room for the threads that a command starts.
pub(super) fn limits(limits: &ServiceLimits, command: &[String]) -> ServiceLimits {
    let number = |options: &[&str]| options.iter().find_map(|option| number(command, option)).unwrap_or(1);
    let asked = (number(&PROCESSES) * number(&THREADS)).min(MOST);
    let pids = (asked * FOR_EACH).div_ceil(64) * 64;
    ServiceLimits { pids: limits.pids.max(pids), ..limits.clone() }
}

/// `--threads 100`, `--threads=100`.
fn number(command: &[String], option: &str) -> Option<u32> {
    let at = command.iter().position(|word| {
        word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })?;
    let text = match command[at].split_once('=') {
        Some((_, text)) => text,
        None => command.get(at + 1)?,
    };
    text.parse().ok().filter(|number| (1..=MOST).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pids(command: &str) -> u32 {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        limits(&crate::Policy::default().python, &words).pids
    }

    #[test]
    fn a_limit_has_room_for_the_threads_of_the_command() {
        assert_eq!(pids("gunicorn --threads 100 app:app"), 448);
        assert_eq!(pids("gunicorn --workers=4 --threads=25 app:app"), 448);
        assert_eq!(pids("celery -A shop worker -c 64"), 256);
        // Those of the policy are enough, or the word is no number.
        assert_eq!(pids("gunicorn --threads 4 app:app"), 128);
        assert_eq!(pids("gunicorn -c conf.py app:app"), 128);
        assert_eq!(pids("gunicorn --threads"), 128);
        assert_eq!(pids("gunicorn --threads 99999999999 --workers 1025"), 128);
    }
}
