//! Sizes and times for people.

use std::time::Duration;

/// Bytes: binary units where they are exact, as limits are written, else decimal ones, as images are counted.
pub(crate) fn bytes(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{} {unit}", bytes / factor);
        }
    }
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Seconds with one decimal.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(bytes(512 << 20), "512 MiB");
        assert_eq!(bytes(2_000_000_000), "2.00 GB");
        assert_eq!(bytes(139_400_000), "139.4 MB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(seconds(Duration::from_millis(1250)), "1.2 s");
    }
}
