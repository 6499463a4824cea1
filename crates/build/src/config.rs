//! Pieces of the image configuration, in Docker's forms.

use std::time::Duration;

use plimsoll_dockerfile::{CommandLine, Healthcheck as Check};
use plimsoll_image::Healthcheck;

/// What an image without `PATH` gets.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The same for images of Windows.
pub(crate) const WINDOWS_PATH: &str = r"c:\Windows\System32;c:\Windows";

/// `["a" "b c"]`: Go's form of a list of quoted strings, as BuildKit writes it into the history.
pub(crate) fn exec_words(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// The check as the configuration has it.
pub(crate) fn healthcheck(check: &Check) -> Healthcheck {
    match check {
        Check::None => Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() },
        Check::Check { interval, timeout, start_period, start_interval, retries, command } => {
            let test = match command {
                CommandLine::Exec(words) => std::iter::once("CMD".to_owned())
                    .chain(words.iter().map(|word| word.text.clone()))
                    .collect(),
                // The engine runs CMD-SHELL with the image's own SHELL, so only the text is kept.
                CommandLine::Shell(word) => vec!["CMD-SHELL".to_owned(), word.text.clone()],
            };
            Healthcheck {
                test,
                interval: nanos(*interval),
                timeout: nanos(*timeout),
                start_period: nanos(*start_period),
                start_interval: nanos(*start_interval),
                retries: i64::from(retries.unwrap_or(0)),
                ..Healthcheck::default()
            }
        }
    }
}

fn nanos(duration: Option<Duration>) -> i64 {
    duration.map_or(0, |duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// The check as BuildKit's history has it: `&{["CMD" "a"] "30s" "0s" "0s" "0s" '\x00'}`.
pub(crate) fn healthcheck_text(check: &Healthcheck) -> String {
    let retries = u32::try_from(check.retries).ok().and_then(char::from_u32).unwrap_or('\0');
    let retries = match retries {
        '\x07' => "\\a".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\x0b' => "\\v".to_owned(),
        '\x0c' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\'' | '\\' => format!("\\{retries}"),
        ' '..='~' => retries.to_string(),
        retries => format!("\\x{:02x}", u32::from(retries)),
    };
    format!(
        "&{{{} {:?} {:?} {:?} {:?} '{retries}'}}",
        exec_words(&check.test),
        go_duration(check.interval),
        go_duration(check.timeout),
        go_duration(check.start_period),
        go_duration(check.start_interval),
    )
}

/// Go's text of a duration: `1m30s`, `500ms`, `0s`.
fn go_duration(nanos: i64) -> String {
    let nanos = nanos.unsigned_abs();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000_000 {
        let (unit, name) = match nanos {
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "µs"),
            _ => (1, "ns"),
        };
        return format!("{}{name}", decimal(nanos, unit));
    }
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `nanos / unit` without needless zeros.
fn decimal(nanos: u64, unit: u64) -> String {
    let (whole, fraction) = (nanos / unit, nanos % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{fraction:0width$}").trim_end_matches('0').to_owned()
}

/// Whether `text` is a signal as Docker takes it: a number or a name, with or without `SIG`.
pub(crate) fn is_signal(text: &str) -> bool {
    // any number: what it means is the business of the kernel that gets it
    if let Ok(number) = text.parse::<i64>() {
        return number != 0;
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(number) = name.strip_prefix("RTMIN").or(name.strip_prefix("RTMAX")) {
        return number.is_empty()
            || number.trim_start_matches(['+', '-']).parse::<u32>().is_ok_and(|at| at <= 15);
    }
    const NAMES: [&str; 34] = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
        "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
        "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
    ];
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (30_000_000_000, "30s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (500_000_000, "500ms"),
            (1_500_000_000, "1.5s"),
        ] {
            assert_eq!(go_duration(nanos), text);
        }
    }

    #[test]
    fn a_health_check_reads_as_in_buildkits_history() {
        let check = Healthcheck {
            test: vec!["CMD".into(), "a b".into()],
            interval: 30_000_000_000,
            retries: 3,
            ..Healthcheck::default()
        };
        assert_eq!(healthcheck_text(&check), "&{[\"CMD\" \"a b\"] \"30s\" \"0s\" \"0s\" \"0s\" '\\x03'}");
        for (retries, text) in
            [(7, "'\\a'"), (10, "'\\n'"), (32, "' '"), (39, "'\\''"), (50, "'2'"), (92, "'\\\\'")]
        {
            let check = Healthcheck { retries, ..check.clone() };
            assert!(healthcheck_text(&check).ends_with(&format!("{text}}}")), "{retries}");
        }
    }

    #[test]
    fn signals() {
        for good in ["SIGTERM", "term", "9", "99", "SIGRTMIN+3", "QUIT"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in ["", "0", "SIGNOPE", "SIGRTMIN+99"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
