//! Points in time and spans as Docker's command line takes them: what `logs --timestamps` prints can be pasted.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

const WRONG: &str =
    "write 2013-01-02T13:23:37Z, 2013-01-02, a span before now like 1h30m, or seconds since the epoch";

/// A point in time, in whole seconds since the epoch: RFC 3339 with and without a zone, a date alone, seconds since the
/// epoch, or a span before now. Without a zone it is this machine's time.
pub fn since(text: &str) -> Result<i64, String> {
    let at = instant(text, Timestamp::now(), &TimeZone::system())
        .ok_or_else(|| format!("`{text}` is no time: {WRONG}"))?;
    // an engine takes 0 for no limit
    Ok(at.as_second().max(1))
}

fn instant(text: &str, now: Timestamp, here: &TimeZone) -> Option<Timestamp> {
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()) {
        return Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok();
    }
    if let Some(span) = span(text) {
        return now.checked_sub(span).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    // a date alone may have a zone: the time is midnight there
    if let Some((date, zone)) =
        text.get(..10).zip(text.get(10..)).filter(|(_, zone)| !zone.is_empty() && !zone.starts_with('T'))
        && let Ok(at) = format!("{date}T00:00:00{zone}").parse::<Timestamp>()
    {
        return Some(at);
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(here.clone()).ok()?.timestamp())
}

/// A span as Go writes it, `1h30m`, `1.5h`, `250ms`; days and weeks beside. None for anything else.
pub fn span(text: &str) -> Option<SignedDuration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = SignedDuration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        total = total.checked_add(SignedDuration::try_from_secs_f64(count * seconds).ok()?)?;
        rest = &rest[end..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_logs_and_events() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let here = TimeZone::fixed(jiff::tz::offset(2));
        for (text, at) in [
            ("2013-01-02T13:23:37Z", "2013-01-02T13:23:37Z"),
            ("2013-01-02T13:23:37.5+02:00", "2013-01-02T11:23:37.5Z"),
            ("2013-01-02T13:23:37.123456789Z", "2013-01-02T13:23:37.123456789Z"),
            ("2013-01-02T13:23:37", "2013-01-02T11:23:37Z"),
            ("2013-01-02T13:23", "2013-01-02T11:23:00Z"),
            ("2013-01-02", "2013-01-01T22:00:00Z"),
            ("2013-01-02Z", "2013-01-02T00:00:00Z"),
            ("2013-01-02+01:00", "2013-01-01T23:00:00Z"),
            ("1h30m", "2026-11-29T10:30:00Z"),
            ("1.5h", "2026-11-29T10:30:00Z"),
            ("42m", "2026-11-29T11:18:00Z"),
            ("1d", "2026-11-28T12:00:00Z"),
            ("1m0.5s", "2026-11-29T11:58:59.5Z"),
            ("0s", "2026-11-29T12:00:00Z"),
            ("1388582617", "2014-01-01T13:23:37Z"),
            ("1388582617.5", "2014-01-01T13:23:37.5Z"),
        ] {
            assert_eq!(instant(text, now, &here), Some(at.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            "x",
            "10x",
            "m",
            "1h30",
            "2013-13-01",
            "nan",
            "inf",
            "1e400",
            "99999999999999w",
            "T",
            "é013-01-02",
        ] {
            assert_eq!(instant(wrong, now, &here), None, "{wrong}");
        }
        assert!(since("yesterday").unwrap_err().contains("2013-01-02"));
    }
}
