//! What of a package is not unpacked: dpkg's `path-exclude` and `path-include`, in dpkg's meaning (last match wins).

/// Left out of every base. Copyright files stay, since the licences ask for it.
const EVERYWHERE: [(bool, &str); 9] = [
    (false, "usr/share/doc/*"),
    (true, "usr/share/doc/*/copyright"),
    (false, "usr/share/man/*"),
    (false, "usr/share/groff/*"),
    (false, "usr/share/info/*"),
    (false, "usr/share/lintian/*"),
    (false, "usr/share/linda/*"),
    (false, "usr/share/locale/*"),
    (true, "usr/share/locale/locale.alias"),
];

/// Character sets that `iconv` knows without these are Unicode, ISO 8859-1 and -15, and CP1252 (8 MB of tables less).
const GCONV: [(bool, &str); 9] = [
    (false, "usr/lib/*/gconv/*"),
    (true, "usr/lib/*/gconv/gconv-modules*"),
    (true, "usr/lib/*/gconv/UNICODE.so"),
    (true, "usr/lib/*/gconv/UTF-16.so"),
    (true, "usr/lib/*/gconv/UTF-32.so"),
    (true, "usr/lib/*/gconv/UTF-7.so"),
    (true, "usr/lib/*/gconv/ISO8859-1.so"),
    (true, "usr/lib/*/gconv/ISO8859-15.so"),
    (true, "usr/lib/*/gconv/CP1252.so"),
];

/// An ordered list of patterns; paths are relative to the root, without a slash at the start.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    rules: Vec<(bool, String)>,
}

impl Filter {
    /// The filter of all bases, and what a recipe leaves out besides.
    pub(crate) fn new(dropped: &[&str]) -> Self {
        let general = EVERYWHERE.iter().chain(&GCONV).map(|(keep, pattern)| (*keep, (*pattern).to_owned()));
        let own = dropped.iter().map(|pattern| match pattern.strip_prefix('!') {
            Some(kept) => (true, kept.to_owned()),
            None => (false, (*pattern).to_owned()),
        });
        Self { rules: general.chain(own).collect() }
    }

    /// Whether a path is unpacked.
    pub(crate) fn keeps(&self, path: &str) -> bool {
        self.rules.iter().rev().find(|(_, pattern)| matches(pattern, path)).is_none_or(|(keep, _)| *keep)
    }

    /// Whether a symbolic link is unpacked: a package's documentation may be a link to another's, which holds the copyright file.
    pub(crate) fn keeps_link(&self, path: &str) -> bool {
        self.keeps(path) || path.strip_prefix("usr/share/doc/").is_some_and(|rest| !rest.contains('/'))
    }

    /// The same as configuration for the dpkg inside the base.
    pub(crate) fn dpkg_config(&self) -> String {
        let mut text = String::new();
        for (keep, pattern) in &self.rules {
            text.push_str(if *keep { "path-include /" } else { "path-exclude /" });
            text.push_str(pattern);
            text.push('\n');
        }
        text
    }
}

/// Shell pattern in which `*` matches slashes too, as in dpkg (fnmatch(3) without `FNM_PATHNAME`).
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < path.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p + 1, s));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == path[s]) {
            p += 1;
            s += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (p, s) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("usr/share/doc/*/copyright", "usr/share/doc/a/b/copyright"));
        assert!(matches("*", "") && matches("a?c", "abc") && matches("a*", "a"));
        assert!(!matches("a?c", "ac") && !matches("a*c", "ab") && !matches("", "a"));
    }

    #[test]
    fn documentation_goes_and_copyright_stays() {
        let filter = Filter::new(&["usr/bin/x*", "!usr/bin/xz"]);
        assert!(!filter.keeps("usr/share/doc/bash/README"));
        assert!(filter.keeps("usr/share/doc/bash/copyright"));
        assert!(!filter.keeps("usr/share/locale/de/LC_MESSAGES/bash.mo"));
        assert!(!filter.keeps("usr/lib/x86_64-linux-gnu/gconv/BIG5.so"));
        assert!(filter.keeps("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"));
        assert!(filter.keeps("usr/bin/bash"));
        assert!(!filter.keeps("usr/bin/xzcat") && filter.keeps("usr/bin/xz"));
        assert!(filter.keeps_link("usr/share/doc/libstdc++6") && !filter.keeps_link("usr/share/doc/a/b"));
    }

    /// The same by its definition: slow, and plainly right.
    fn by_definition(pattern: &[u8], path: &[u8]) -> bool {
        match pattern.split_first() {
            None => path.is_empty(),
            Some((b'*', rest)) => (0..=path.len()).any(|skip| by_definition(rest, &path[skip..])),
            Some((wanted, rest)) => path
                .split_first()
                .is_some_and(|(byte, left)| (*wanted == b'?' || wanted == byte) && by_definition(rest, left)),
        }
    }

    proptest::proptest! {
        #[test]
        fn patterns_mean_what_they_say(pattern in "[ab/*?]{0,8}", path in "[ab/]{0,10}") {
            proptest::prop_assert_eq!(matches(&pattern, &path), by_definition(pattern.as_bytes(), path.as_bytes()));
        }
    }
}
