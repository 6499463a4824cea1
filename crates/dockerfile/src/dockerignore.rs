//! .dockerignore, with the semantics of Docker's pattern matcher.
//!
//! Patterns are anchored at the root of the context; `**` is any number of directories; a pattern that matches a
//! directory matches everything in it; the last pattern that matches decides; `!` makes an exception.
//!
//! One thing differs from Docker: there a `*`, `?` or `\d` inside or behind brackets leaks into a regular expression
//! and means something odd. Here brackets and backslashes mean what Go's `filepath.Match` documents.
use crate::{
    glob::{Glob, Token, class},
    path::clean,
};

/// A list of more patterns than this is refused.
pub const MAX_PATTERNS: usize = 10_000;

/// The patterns of a .dockerignore file, or of `--exclude` flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    patterns: Vec<Pattern>,
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}: {pattern:?}")]
pub struct IgnoreError {
    /// The line from 1, or the number of the pattern in a list.
    pub line: usize,
    /// The pattern as it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What is known of one path while walking a tree: pass the parent's to its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the path is excluded.
    pub excluded: bool,
    /// For each pattern whether it matched; empty above the root.
    matched: Vec<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// Cleaned, without `!`.
    text: String,
    exception: bool,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// No wildcards.
    Exact,
    /// `dir/**`
    Prefix,
    /// `**/name`: also ends of names when no slash follows the stars.
    Suffix,
    Glob(Glob),
}

impl Matcher {
    /// Reads the text of a .dockerignore file.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        Self::compile(lines.map(|(number, line)| (number + 1, from_context_root(line))))
    }

    /// Uses patterns as they are, such as those of `COPY --exclude`.
    pub fn from_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, IgnoreError> {
        Self::compile(patterns.into_iter().enumerate().map(|(number, text)| (number + 1, text.to_owned())))
    }

    fn compile(patterns: impl Iterator<Item = (usize, String)>) -> Result<Self, IgnoreError> {
        let mut compiled = Vec::new();
        for (line, text) in patterns {
            let trimmed = text.trim();
            if !trimmed.is_empty() {
                let pattern = Pattern::compile(&clean(trimmed));
                compiled.push(pattern.map_err(|reason| IgnoreError {
                    line,
                    pattern: trimmed.to_owned(),
                    reason,
                })?);
            }
        }
        Ok(Self { patterns: compiled })
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether any pattern is an exception (`!`).
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.exception)
    }

    /// The patterns, cleaned, exceptions with their `!`.
    pub fn patterns(&self) -> impl Iterator<Item = String> {
        self.patterns.iter().map(|pattern| {
            if pattern.exception { format!("!{}", pattern.text) } else { pattern.text.clone() }
        })
    }

    /// Whether `path`, relative to the context's root and separated by slashes, is excluded by itself or by one of
    /// its parent directories. The root itself never is. Whether it is a directory makes no difference.
    pub fn matches(&self, path: &str) -> bool {
        let path = clean(path);
        path != "." && self.verdict(&path, &Verdict::default()).excluded
    }

    /// The verdict on `path` (clean, relative to the root), given that on its parent directory. Start with the
    /// default verdict for the entries of the root. This is how BuildKit reads a context.
    ///
    /// Without exceptions it says the same as [`Self::matches`]. With them it may not, as in Docker: a pattern that
    /// could not change the verdict on the parent was not tried on it, so that `a/*` and then `!a` exclude `a/b` here,
    /// while asking for `a/b` alone finds that `!a` matches its parent.
    pub fn verdict(&self, path: &str, parent: &Verdict) -> Verdict {
        let mut verdict = Verdict { excluded: false, matched: vec![false; self.patterns.len()] };
        let parents = if parent.matched.is_empty() { parents(path) } else { Vec::new() };
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut matched = parent.matched.get(index).copied().unwrap_or(false);
            if !matched {
                // An exception matters only for what is excluded, and the other way round.
                if pattern.exception != verdict.excluded {
                    continue;
                }
                matched = pattern.matches(path) || parents.iter().any(|parent| pattern.matches(parent));
            }
            verdict.matched[index] = matched;
            if matched {
                verdict.excluded = !pattern.exception;
            }
        }
        verdict
    }

    /// Whether nothing inside the excluded directory `path` can be an exception, so that it need not be walked.
    pub fn can_skip_dir(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        self.patterns.iter().filter(|pattern| pattern.exception).all(|pattern| match &pattern.how {
            How::Exact | How::Prefix => {
                let fixed = format!("{}/", pattern.text.strip_suffix("/**").unwrap_or(&pattern.text));
                !fixed.starts_with(&inside)
            }
            // A wildcard may match at any depth.
            How::Suffix | How::Glob(_) => false,
        })
    }
}

/// A line as a pattern relative to the context's root: `/a` and `a` are the same.
fn from_context_root(line: &str) -> String {
    let line = line.trim();
    let (exception, pattern) = line.strip_prefix('!').map_or(("", line), |rest| ("!", rest.trim()));
    if pattern.is_empty() {
        return exception.to_owned();
    }
    let pattern = clean(pattern);
    let relative = if pattern.len() > 1 { pattern.strip_prefix('/').unwrap_or(&pattern) } else { &pattern };
    format!("{exception}{relative}")
}

/// The parent directories of a clean path, outermost first.
fn parents(path: &str) -> Vec<&str> {
    let mut parents: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
    if path.starts_with('/') {
        parents.push("/");
    }
    parents
}

impl Pattern {
    fn compile(text: &str) -> Result<Self, &'static str> {
        let (exception, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        if text.is_empty() {
            return Err("illegal exclusion pattern");
        }
        Glob::shell(text).map_err(|_| "syntax error in pattern")?;
        let how = how(text).map_err(|_| "syntax error in pattern")?;
        Ok(Self { text: text.to_owned(), exception, how })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.how {
            How::Exact => path == self.text,
            How::Prefix => path.starts_with(&self.text[..self.text.len() - 2]),
            How::Suffix => {
                let suffix = &self.text[2..];
                path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path)
            }
            How::Glob(glob) => glob.matches(path),
        }
    }
}

/// Finds the cheapest way to match `text`.
fn how(text: &str) -> Result<How, crate::glob::BadPattern> {
    let mut how = How::Exact;
    let glob = || How::Glob(Glob { tokens: Vec::new() });
    let mut tokens = Vec::new();
    let mut chars = text.chars();
    let mut first = true;
    while let Some(ch) = chars.next() {
        let mut wild = true;
        match ch {
            '*' if chars.as_str().starts_with('*') => {
                chars.next();
                if chars.as_str().starts_with('/') {
                    chars.next();
                }
                if !chars.as_str().is_empty() {
                    tokens.extend([Token::Dirs, Token::DirsLoop]);
                } else if how == How::Exact {
                    how = How::Prefix;
                    wild = false;
                } else {
                    tokens.push(Token::Rest);
                }
                if first {
                    how = How::Suffix;
                    wild = false;
                }
            }
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::One),
            '[' => {
                let class = class(&mut chars)?;
                if let Token::Class { ranges, .. } = &class
                    && ranges.iter().any(|(low, high)| low > high)
                {
                    return Err(crate::glob::BadPattern);
                }
                tokens.push(class);
            }
            '\\' => tokens.push(Token::Char(chars.next().ok_or(crate::glob::BadPattern)?)),
            _ => {
                tokens.push(Token::Char(ch));
                wild = ch == ']';
            }
        }
        if wild {
            how = glob();
        }
        first = false;
    }
    if let How::Glob(glob) = &mut how {
        glob.tokens = tokens;
    }
    Ok(how)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded<'p>(text: &str, paths: &[&'p str]) -> Vec<&'p str> {
        let matcher = Matcher::parse(text).unwrap();
        paths.iter().copied().filter(|path| matcher.matches(path)).collect()
    }

    #[test]
    fn comments_blanks_roots_and_exceptions() {
        let text = "\u{feff}# comment\n\n  /node_modules  \n**/*.log\n! keep.log\n./dist/\n #hash\n";
        let paths =
            ["node_modules/a/b", "a/node_modules", "x/y.log", "keep.log", "dist", "dist/a", "#hash", "."];
        assert_eq!(excluded(text, &paths), ["node_modules/a/b", "x/y.log", "dist", "dist/a", "#hash"]);
    }

    #[test]
    fn walking_gives_the_same_as_asking() {
        let matcher = Matcher::parse("*\n!src\nsrc/**/*.md\n!src/docs/keep.md\n").unwrap();
        for path in
            ["src", "src/a.md", "src/docs/keep.md", "src/docs/x.md", "src/main.rs", "target/x", "src/docs"]
        {
            let mut verdict = Verdict::default();
            for (at, _) in path.match_indices('/').chain([(path.len(), "")]) {
                verdict = matcher.verdict(&path[..at], &verdict);
            }
            assert_eq!(verdict.excluded, matcher.matches(path), "{path}");
        }
    }

    #[test]
    fn an_exception_that_the_parent_did_not_need_is_not_inherited() {
        let matcher = Matcher::parse("a/*\n!a\n").unwrap();
        let parent = matcher.verdict("a", &Verdict::default());
        assert!(matcher.verdict("a/b", &parent).excluded && !matcher.matches("a/b"));
    }

    #[test]
    fn directories_without_exceptions_are_skipped() {
        let matcher = Matcher::parse("*\n!apps/web\n!docs/**\n").unwrap();
        assert!(matcher.can_skip_dir("node_modules") && matcher.can_skip_dir("apps/api"));
        assert!(!matcher.can_skip_dir("apps") && !matcher.can_skip_dir("docs"));
        assert!(!Matcher::parse("*\n!**/a.txt").unwrap().can_skip_dir("node_modules"));
    }

    #[test]
    fn errors_name_line_and_pattern() {
        let message = |text| Matcher::parse(text).unwrap_err().to_string();
        assert_eq!(message("a\n[b\n"), r#"line 2: syntax error in pattern: "[b""#);
        assert_eq!(message("!"), r#"line 1: illegal exclusion pattern: "!""#);
        assert_eq!(message("[z-a]"), r#"line 1: syntax error in pattern: "[z-a]""#);
    }
}
