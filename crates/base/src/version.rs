//! Debian version numbers and their order (Policy 5.6.12).

use std::cmp::Ordering;
use std::fmt;

/// A version as written: `[epoch:]upstream[-revision]`. Compared by Debian's order, not as text:
/// `1.0` and `1.0-0` are equal, `1.0~rc1` comes before `1.0`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Version(String);

/// Longest version that is read; Debian's longest has 90 bytes.
const MAX_VERSION: usize = 256;

impl Version {
    /// Takes a version apart to see that it is one; `None` for text that is no version.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+-~:".contains(&byte);
        if text.is_empty() || text.len() > MAX_VERSION || !text.bytes().all(allowed) {
            return None;
        }
        if let Some((epoch, rest)) = text.split_once(':')
            && (rest.is_empty()
                || epoch.is_empty()
                || epoch.len() > 9
                || !epoch.bytes().all(|b| b.is_ascii_digit()))
        {
            return None;
        }
        Some(Self(text.to_owned()))
    }

    /// The text of the version.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part between epoch and revision: what the upstream project calls its version.
    pub fn upstream(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (u64, &str, &str) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("0", &self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.parse().unwrap_or(u64::MAX), upstream, revision)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (epoch, upstream, revision) = self.parts();
        let (other_epoch, other_upstream, other_revision) = other.parts();
        epoch
            .cmp(&other_epoch)
            .then_with(|| compare_part(upstream.as_bytes(), other_upstream.as_bytes()))
            .then_with(|| compare_part(revision.as_bytes(), other_revision.as_bytes()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Runs of non-digits by the modified ASCII order and runs of digits as numbers, in turn.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split_while(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split_while(right, |byte| !byte.is_ascii_digit());
        let (left_number, left_rest) = split_while(left_rest, |byte| byte.is_ascii_digit());
        let (right_number, right_rest) = split_while(right_rest, |byte| byte.is_ascii_digit());
        let order =
            compare_text(left_text, right_text).then_with(|| compare_number(left_number, right_number));
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split_while(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !wanted(*byte)).unwrap_or(bytes.len()))
}

/// `~` sorts before the end of the text, letters before everything else.
fn compare_text(left: &[u8], right: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    };
    (0..left.len().max(right.len()))
        .map(|at| weight(left.get(at)).cmp(&weight(right.get(at))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Numbers of any length: without leading zeros, longer is larger.
fn compare_number(left: &[u8], right: &[u8]) -> Ordering {
    let (_, left) = split_while(left, |byte| byte == b'0');
    let (_, right) = split_while(right, |byte| byte == b'0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn order_of_policy_5_6_12() {
        // "the sorted order of parts": ~~, ~~a, ~, the empty part, a
        let parts = ["1~~", "1~~a", "1~", "1", "1a"];
        for pair in parts.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        for (low, high) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~beta1~svn1245", "1.0~beta1"),
            ("1.0~beta1", "1.0"),
            ("1.0", "1.0+dfsg"),
            ("1.0a", "1.0+"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0-1~bpo12+1", "1.0-1"),
            ("9", "1:1"),
            ("1:9", "2:1"),
            ("1.2-3", "1.2.1-1"),
            ("1.0-9", "1.0-10"),
            ("20.19.2+dfsg-1+deb13u1", "20.19.2+dfsg-1+deb13u2"),
            ("2.41-12", "2.41-12+deb13u4"),
            ("1.0-", "1.0-1"),
            ("99999999999999999999998", "99999999999999999999999"),
        ] {
            assert!(version(low) < version(high), "{low} < {high}");
            assert!(version(high) > version(low), "{high} > {low}");
        }
        for (left, right) in
            [("1.0", "1.0-0"), ("0:1.0", "1.0"), ("1.01", "1.1"), ("1.0-00", "1.0"), ("a0", "a")]
        {
            assert_eq!(version(left), version(right));
        }
    }

    #[test]
    fn agrees_with_dpkg() {
        let parts = [
            "1", "1.0", "1.0~", "1.0~~a", "1.0a", "1.0+", "1.0-1", "1.0-1~", "1.0-1+b1", "1:0", "1.10",
            "1.9", "01.0-0",
        ];
        for left in parts {
            for right in parts {
                let status = std::process::Command::new("dpkg")
                    .args(["--compare-versions", left, "lt", right])
                    .status();
                let Ok(status) = status else {
                    eprintln!("skipped: no dpkg here");
                    return;
                };
                assert_eq!(status.success(), version(left) < version(right), "{left} < {right}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "a:1", ":1", "1:", "1 2", "1_2", "1/2", "ä", &"1".repeat(300)] {
            assert!(Version::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn upstream_part() {
        assert_eq!(version("5:8.0.2-3+deb13u2").upstream(), "8.0.2");
        assert_eq!(version("1.2-3-4").upstream(), "1.2-3");
        assert_eq!(version("12").upstream(), "12");
    }

    proptest::proptest! {
        #[test]
        fn is_an_order(texts in proptest::collection::vec("[0-9]{0,2}:?[a-z0-9.+~-]{1,6}", 3)) {
            let versions: Option<Vec<_>> = texts.iter().map(|text| Version::parse(text)).collect();
            proptest::prop_assume!(versions.is_some());
            let mut versions = versions.unwrap_or_default();
            versions.sort();
            for (low, high) in [(0, 1), (1, 2), (0, 2)] {
                proptest::prop_assert!(versions[low] <= versions[high], "{versions:?}");
                proptest::prop_assert_eq!(versions[low].cmp(&versions[high]), versions[high].cmp(&versions[low]).reverse());
            }
        }
    }
}
