//! Text to values: booleans, whole numbers, sizes, durations, as the reference reads them.

/// `true` in any of the words of YAML 1.1.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A whole number in base 10.
pub(crate) fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `512m`, `1.5 GiB`, `2gb`, `100`: binary units in either case, with `b` or `ib` behind the letter or not.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    let end = text.rfind(|last: char| last.is_ascii_digit() || last == '.' || last == ' ')?;
    let (number, unit) = text.split_at(end + 1);
    let value: f64 = number.strip_suffix(' ').unwrap_or(number).parse().ok()?;
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" | "tib" => 1024f64.powi(4),
        "p" | "pb" | "pib" => 1024f64.powi(5),
        _ => return None,
    };
    let size = value * factor;
    (0.0..9.2e18).contains(&size).then_some(size as i64)
}

const NANOSECONDS: [(&str, f64); 9] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("m", 60e9),
    ("s", 1e9),
    ("h", 3600e9),
    ("d", 86_400e9),
];

/// `1m30s`, `1.5h`, `2d`, `1w`, `0`: nanoseconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let (unit, factor) = NANOSECONDS
            .iter()
            .copied()
            .chain([("w", 7.0 * 86_400e9)])
            .find(|(unit, _)| rest.starts_with(unit))?;
        total += number * factor;
        rest = &rest[unit.len()..];
    }
    (total < 9.2e18).then_some((sign * total).round() as i64)
}

/// A duration as Go prints it: `1m30s`, `1.5s`, `100ms`, `0s`.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    let size = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let rest = value % unit;
        if rest == 0 {
            return (value / unit).to_string();
        }
        let width = unit.ilog10() as usize;
        format!("{}.{}", value / unit, format!("{rest:0width$}").trim_end_matches('0'))
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(size, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(size, 1_000_000)),
        _ => {
            let minutes = size / 60_000_000_000;
            let seconds = fraction(size % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_as_in_go() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("1m30s", "1m30s"),
            ("1.5s", "1.5s"),
            ("100ms", "100ms"),
            ("36h", "36h0m0s"),
            ("2d", "48h0m0s"),
            ("0", "0s"),
            ("1w", "168h0m0s"),
            ("1500us", "1.5ms"),
        ] {
            assert_eq!(duration(text).map(duration_text).as_deref(), Some(printed), "{text}");
        }
        for wrong in ["", "10", "s", "1x", "1..5s", "-"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (text, expected) in
            [("512m", 512 << 20), ("1.5gb", 3 << 29), ("64KiB", 65536), ("100", 100), ("1 mb", 1 << 20)]
        {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for wrong in ["", "m", "1x", "1mm", "a1", "-1", "512Mi", " 1"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
