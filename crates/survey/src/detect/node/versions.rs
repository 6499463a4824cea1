//! Version ranges as npm reads them: `^`, `~`, comparisons, x-ranges, hyphens and `||`, as intervals.

/// A version's three numbers.
pub(crate) type Version = (u32, u32, u32);

const END: Version = (u32::MAX, 0, 0);

/// Versions from the first to below the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    from: Version,
    to: Version,
}

/// A range: its intervals in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range(Vec<Interval>);

/// Alternatives and comparisons of one range that are read; nobody writes more.
const MAX_PARTS: usize = 64;

impl Range {
    /// Reads a range; `None` where npm would not read it either.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let alternatives: Vec<&str> = text.split("||").collect();
        if alternatives.len() > MAX_PARTS {
            return None;
        }
        let mut intervals = Vec::new();
        for alternative in alternatives {
            intervals.push(alternative_of(alternative.trim())?);
        }
        intervals.retain(|interval| interval.from < interval.to);
        Some(Self(intervals))
    }

    /// Whether some version from this one on is accepted.
    pub(crate) fn accepts_from(&self, version: Version) -> bool {
        !self.and(&Self(vec![Interval { from: version, to: END }])).is_empty()
    }

    /// Whether some version before this one is accepted.
    pub(crate) fn accepts_before(&self, version: Version) -> bool {
        !self.and(&Self(vec![Interval { from: (0, 0, 0), to: version }])).is_empty()
    }

    /// Every version.
    pub(crate) fn any() -> Self {
        Self(vec![Interval { from: (0, 0, 0), to: END }])
    }

    /// All releases of a major version.
    pub(crate) fn major(major: u32) -> Self {
        Self(vec![Interval { from: (major, 0, 0), to: (major.saturating_add(1), 0, 0) }])
    }

    /// The versions that both accept.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for a in &self.0 {
            for b in &other.0 {
                let interval = Interval { from: a.from.max(b.from), to: a.to.min(b.to) };
                if interval.from < interval.to && both.len() < MAX_PARTS {
                    both.push(interval);
                }
            }
        }
        Self(both)
    }

    /// Whether no version is accepted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|interval| interval.from >= interval.to)
    }

    /// Whether some release of the major version is accepted.
    pub(crate) fn accepts_major(&self, major: u32) -> bool {
        !self.and(&Self::major(major)).is_empty()
    }
}

/// The three numbers of an exact version, without what stands behind them.
pub(crate) fn exact(text: &str) -> Option<Version> {
    let partial = Partial::parse(text)?;
    Some((partial.major?, partial.minor?, partial.patch?))
}

/// Comparisons that all hold; the interval is empty where they exclude one another.
fn alternative_of(text: &str) -> Option<Interval> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (Partial::parse(low.trim())?, Partial::parse(high.trim())?);
        return Some(Interval { from: low.first(), to: high.behind() });
    }
    let mut all = Interval { from: (0, 0, 0), to: END };
    let spaced = join_operators(text);
    for word in spaced.split_whitespace().take(MAX_PARTS) {
        let next = comparison(word)?;
        all = Interval { from: all.from.max(next.from), to: all.to.min(next.to) };
    }
    Some(all)
}

/// `>= 18` is `>=18`.
fn join_operators(text: &str) -> String {
    let mut out = String::new();
    let mut operator = false;
    for c in text.chars() {
        if c.is_whitespace() && operator {
            continue;
        }
        operator = matches!(c, '>' | '<' | '=' | '^' | '~');
        out.push(if c == ',' { ' ' } else { c });
    }
    out
}

fn comparison(word: &str) -> Option<Interval> {
    let rest = word.trim_start_matches(['<', '>', '=', '^', '~']);
    let operator = &word[..word.len() - rest.len()];
    let partial = Partial::parse(rest)?;
    let (from, to) = match operator {
        "" | "=" => (partial.first(), partial.behind()),
        ">=" => (partial.first(), END),
        ">" => (partial.behind(), END),
        "<" => ((0, 0, 0), partial.first()),
        "<=" => ((0, 0, 0), partial.behind()),
        "~" | "~>" => (partial.first(), Partial { patch: None, ..partial }.behind()),
        "^" => (partial.first(), partial.caret()),
        _ => return None,
    };
    Some(Interval { from, to })
}

/// `20`, `20.x`, `20.11.0`: a number that is missing or `x` stands for all.
#[derive(Clone, Copy)]
struct Partial {
    major: Option<u32>,
    minor: Option<u32>,
    patch: Option<u32>,
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['v', '=']);
        // Pre-releases and builds do not change which releases fit.
        let text = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = [None; 3];
        for (at, part) in text.split('.').enumerate() {
            let number = match part {
                "" if text.is_empty() => None,
                "x" | "X" | "*" => None,
                part => Some(part.parse().ok()?),
            };
            *numbers.get_mut(at)? = number;
        }
        let [major, minor, patch] = numbers;
        let minor = major.and(minor);
        Some(Self { major, minor, patch: minor.and(patch) })
    }

    fn first(self) -> Version {
        (self.major.unwrap_or(0), self.minor.unwrap_or(0), self.patch.unwrap_or(0))
    }

    /// The first version that is newer than everything that this stands for.
    fn behind(self) -> Version {
        match (self.major, self.minor, self.patch) {
            (Some(major), Some(minor), Some(patch)) => (major, minor, patch.saturating_add(1)),
            (Some(major), Some(minor), None) => (major, minor.saturating_add(1), 0),
            (Some(major), None, _) => (major.saturating_add(1), 0, 0),
            (None, ..) => END,
        }
    }

    /// Behind what `^` accepts: the first number that is not 0 stays.
    fn caret(self) -> Version {
        match (self.major, self.minor, self.patch) {
            (Some(0), Some(0), Some(patch)) => (0, 0, patch.saturating_add(1)),
            (Some(0), Some(minor), _) => (0, minor.saturating_add(1), 0),
            (Some(major), ..) => (major.saturating_add(1), 0, 0),
            (None, ..) => END,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn majors(text: &str) -> Vec<u32> {
        let range = Range::parse(text).unwrap();
        (16..=26).filter(|major| range.accepts_major(*major)).collect()
    }

    #[test]
    fn a_range_lies_around_a_version_or_on_one_side_of_it() {
        let sides = |text: &str| {
            let range = Range::parse(text).unwrap();
            (range.accepts_before((13, 4, 4)), range.accepts_from((13, 4, 4)))
        };
        assert_eq!(sides("^12.1.0"), (true, false));
        assert_eq!(sides("^13.1.0"), (true, true));
        assert_eq!(sides("13.4.4"), (false, true));
        assert_eq!(sides("*"), (true, true));
        assert_eq!(
            (exact("12.3.4"), exact("13.0.0-canary.1"), exact("13.x")),
            (Some((12, 3, 4)), Some((13, 0, 0)), None)
        );
    }

    #[test]
    fn ranges_accept_what_npm_accepts() {
        assert_eq!(majors(">=20.19"), [20, 21, 22, 23, 24, 25, 26]);
        assert_eq!(majors("^18.18 || >=22"), [18, 22, 23, 24, 25, 26]);
        assert_eq!(majors(">= 18 <21"), [18, 19, 20]);
        assert_eq!(majors("18 - 20"), [18, 19, 20]);
        assert_eq!(majors("20.x || 22.x"), [20, 22]);
        assert_eq!(majors("~20.11"), [20]);
        assert_eq!(majors("^20.11.0"), [20]);
        assert_eq!(majors("<=22"), [16, 17, 18, 19, 20, 21, 22]);
        assert_eq!(majors("<22"), [16, 17, 18, 19, 20, 21]);
        assert_eq!(majors(">20"), [21, 22, 23, 24, 25, 26]);
        assert_eq!(majors("v20.11.1"), [20]);
        assert_eq!(majors("*").len(), 11);
        assert_eq!(majors("").len(), 11);
        assert!(majors(">=20.0.0 <20.0.0").is_empty());
        assert_eq!(majors(">=20,<23"), [20, 21, 22]);
        assert_eq!(majors("^20.0.0-rc.1"), [20]);
        assert!(Range::parse("lts/*").is_none() && Range::parse("1.2.3.4").is_none());
        assert!(Range::parse("^^18").is_none() && Range::parse("99999999999").is_none());
    }

    #[test]
    fn the_caret_keeps_the_first_number_that_is_not_zero() {
        let accepts = |range: &str, version: &str| {
            !Range::parse(range).unwrap().and(&Range::parse(version).unwrap()).is_empty()
        };
        assert!(accepts("^0.2.3", "0.2.9") && !accepts("^0.2.3", "0.3.0"));
        assert!(accepts("^0.0.3", "0.0.3") && !accepts("^0.0.3", "0.0.4"));
        assert!(accepts("^1.2", "1.9.0") && !accepts("^1.2", "2.0.0"));
    }
}
