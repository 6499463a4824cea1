//! Go's durations: `1h30m`, `1.5s`, `300ms`.
use std::time::Duration;

use crate::quote::quote;

/// Nanoseconds; negative ones are durations too.
pub(super) type Nanos = i128;

/// `text` in nanoseconds, or Go's message.
pub(super) fn parse(text: &str) -> Result<Nanos, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: Nanos = 0;
    while !rest.is_empty() {
        let whole_len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, behind) = rest.split_at(whole_len);
        let (fraction, behind) = match behind.strip_prefix('.') {
            None => ("", behind),
            Some(behind) => behind.split_at(behind.bytes().take_while(u8::is_ascii_digit).count()),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_len = behind.find(|ch: char| ch == '.' || ch.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_len);
        let nanos: Nanos = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(format!("time: missing unit in duration {}", quote(text))),
            _ => return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text))),
        };
        let whole: Nanos = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(nanos).and_then(|whole| total.checked_add(whole)).ok_or_else(invalid)?;
        let mut scale = nanos;
        for digit in fraction.bytes() {
            scale /= 10;
            total += scale * Nanos::from(digit - b'0');
        }
        if total > Nanos::from(i64::MAX) {
            return Err(invalid());
        }
        rest = behind;
    }
    Ok(if negative { -total } else { total })
}

/// Zero, or at least one millisecond.
pub(super) fn at_least_a_millisecond(nanos: Nanos) -> Option<Duration> {
    let nanos = u64::try_from(nanos).ok()?;
    (nanos == 0 || nanos >= 1_000_000).then(|| Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_durations() {
        assert_eq!(parse("1h2m3.5s"), Ok(3_723_500_000_000));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse(".5ms"), Ok(500_000));
        assert_eq!(parse("-1s").map(at_least_a_millisecond), Ok(None));
        assert_eq!(parse("500us").map(at_least_a_millisecond), Ok(None));
        assert_eq!(parse("30"), Err("time: missing unit in duration \"30\"".to_owned()));
        assert_eq!(parse("3x"), Err("time: unknown unit \"x\" in duration \"3x\"".to_owned()));
        for text in ["", "-", "s", ".", "99999999999999999999h", "1é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
