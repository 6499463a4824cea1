//! `pull_policy`: words, and how old an image may get.

/// Seconds after which an image is pulled again, for the policies that have an age.
pub(crate) fn stale_after(policy: &str) -> Option<i64> {
    const DAY: i64 = 86_400;
    match policy {
        "daily" => Some(DAY),
        "weekly" => Some(7 * DAY),
        other => other.strip_prefix("every_").and_then(seconds),
    }
}

/// `12h`, `3d`, `2w`, `1h30m`.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read() {
        assert_eq!(stale_after("daily"), Some(86_400));
        assert_eq!(stale_after("every_1h30m"), Some(5400));
        assert_eq!(stale_after("every_2w"), Some(1_209_600));
        for other in
            ["always", "missing", "every_", "every_x", "every_9", "every_9y", "every_99999999999999999w"]
        {
            assert_eq!(stale_after(other), None, "{other}");
        }
    }
}
