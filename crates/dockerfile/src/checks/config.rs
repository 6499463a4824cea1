//! `# check=skip=A,B;error=true;experimental=all`, at the top of the file or above an instruction.
use std::collections::BTreeSet;

use super::Rule;
use crate::{Word, mount::parse_bool, quote::quote, syntax::in_comment};

/// Which rules run, and whether a finding fails the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckConfig {
    /// `skip=`
    pub skip: Selection,
    /// `experimental=`
    pub experimental: Selection,
    /// `error=`
    pub error: bool,
}

/// All rules, or some by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// These.
    Some(BTreeSet<String>),
}

impl Default for Selection {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Selection {
    fn parse(value: &str) -> Self {
        match value.trim() {
            "all" => Self::All,
            names => Self::Some(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.contains(name),
        }
    }

    fn merged(&self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Some(mine), Self::Some(mut names)) => {
                names.extend(mine.iter().cloned());
                Self::Some(names)
            }
        }
    }
}

/// Check options that cannot be read; BuildKit's wording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse check options: {0}")]
pub struct ConfigError(String);

impl CheckConfig {
    /// Reads the value of a `# check=` directive.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if text.trim().is_empty() {
            return Ok(config);
        }
        for part in text.trim().splitn(3, ';') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(ConfigError(format!("invalid check option {}", quote(part))));
            };
            match key.trim() {
                "skip" => config.skip = Selection::parse(value),
                "experimental" => config.experimental = Selection::parse(value),
                "error" => {
                    let value = value.trim();
                    config.error = parse_bool(value).ok_or_else(|| {
                        let cause = format!("strconv.ParseBool: parsing {}: invalid syntax", quote(value));
                        ConfigError(format!("failed to parse check option {}: {cause}", quote(part)))
                    })?;
                }
                other => return Err(ConfigError(format!("invalid check option {}", quote(other)))),
            }
        }
        Ok(config)
    }

    /// The options of the first `check=` among the comments above an instruction; wrong ones count as none.
    pub(super) fn from_comments(comments: &[Word]) -> Option<Self> {
        let value = comments.iter().filter_map(in_comment).find(|(name, _)| name == "check")?.1;
        Self::parse(value.text.split(' ').next().unwrap_or_default()).ok()
    }

    /// Both together.
    pub(super) fn merged(&self, other: Self) -> Self {
        Self {
            skip: self.skip.merged(other.skip),
            experimental: self.experimental.merged(other.experimental),
            error: self.error || other.error,
        }
    }

    /// Whether `rule` runs.
    pub fn runs(&self, rule: &Rule) -> bool {
        if rule.experimental { self.experimental.contains(rule.name) } else { !self.skip.contains(rule.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let config = CheckConfig::parse("skip=A, B;error=true;experimental=all").unwrap();
        assert!(config.error && config.skip.contains("B") && !config.skip.contains("C"));
        assert_eq!(config.experimental, Selection::All);
        let message = |text| CheckConfig::parse(text).unwrap_err().to_string();
        assert_eq!(message("skip"), r#"failed to parse check options: invalid check option "skip""#);
        assert_eq!(message("fail=1"), r#"failed to parse check options: invalid check option "fail""#);
        assert!(message("error=maybe").ends_with(r#"parsing "maybe": invalid syntax"#));
    }

    #[test]
    fn comments_switch_rules_off_for_one_instruction() {
        let text = "FROM scratch\n# check=skip=WorkdirRelativePath\nWORKDIR a\nFROM scratch\nWORKDIR b\n";
        assert_eq!(super::super::findings(text).len(), 1);
    }
}
