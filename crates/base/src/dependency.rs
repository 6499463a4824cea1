//! Relationship fields: `Depends`, `Provides`, `Conflicts` and the like (Policy 7.1).

use std::fmt;

use crate::version::Version;

/// How a version must stand to the one named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Earlier,
    EarlierOrEqual,
    Equal,
    LaterOrEqual,
    Later,
}

/// One package, with the version that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Atom {
    pub(crate) name: String,
    pub(crate) constraint: Option<(Relation, Version)>,
}

/// Alternatives, of which one is enough; most have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) alternatives: Vec<Atom>,
}

/// Clauses in one field; texlive's largest has 300.
const MAX_CLAUSES: usize = 4096;

/// Reads a relationship field; the error is the part that is not understood.
pub(crate) fn parse(field: &str) -> Result<Vec<Clause>, String> {
    let mut clauses = Vec::new();
    for part in field.split(',').map(str::trim_ascii).filter(|part| !part.is_empty()) {
        if clauses.len() == MAX_CLAUSES {
            return Err("too many clauses".to_owned());
        }
        let alternatives = part.split('|').map(|text| atom(text).ok_or_else(|| text.trim_ascii().to_owned()));
        clauses.push(Clause { alternatives: alternatives.collect::<Result<_, _>>()? });
    }
    Ok(clauses)
}

fn atom(text: &str) -> Option<Atom> {
    let text = text.trim_ascii();
    let (name, constraint) = match text.split_once('(') {
        Some((name, rest)) => (name.trim_ascii(), Some(constraint(rest.strip_suffix(')')?)?)),
        None => (text, None),
    };
    // The qualifiers `:any` and `:native` do not matter with one architecture.
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    is_package_name(name).then(|| Atom { name: name.to_owned(), constraint })
}

fn constraint(text: &str) -> Option<(Relation, Version)> {
    let text = text.trim_ascii();
    let operator_len = text.bytes().take_while(|byte| b"<>=".contains(byte)).count();
    let (operator, version) = text.split_at(operator_len);
    let relation = match operator {
        "<<" => Relation::Earlier,
        "<=" | "<" => Relation::EarlierOrEqual,
        "=" => Relation::Equal,
        ">=" | ">" => Relation::LaterOrEqual,
        ">>" => Relation::Later,
        _ => return None,
    };
    Some((relation, Version::parse(version.trim_ascii())?))
}

/// Policy 5.6.7: lower-case letters, digits, `+`, `-`, `.`; at least two characters, the first alphanumeric.
pub(crate) fn is_package_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (2..=128).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(b))
}

impl Atom {
    /// Whether a real package of this version will do.
    pub(crate) fn accepts(&self, version: &Version) -> bool {
        match &self.constraint {
            None => true,
            Some((Relation::Earlier, wanted)) => version < wanted,
            Some((Relation::EarlierOrEqual, wanted)) => version <= wanted,
            Some((Relation::Equal, wanted)) => version == wanted,
            Some((Relation::LaterOrEqual, wanted)) => version >= wanted,
            Some((Relation::Later, wanted)) => version > wanted,
        }
    }

    /// Whether something that another package provides will do. An unversioned `Provides` meets only an
    /// unversioned dependency (Policy 7.5).
    pub(crate) fn accepts_provided(&self, provided: &Self) -> bool {
        self.name == provided.name
            && match (&self.constraint, &provided.constraint) {
                (None, _) => true,
                (Some(_), Some((Relation::Equal, version))) => self.accepts(version),
                (Some(_), _) => false,
            }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let Some((relation, version)) = &self.constraint else { return Ok(()) };
        let operator = match relation {
            Relation::Earlier => "<<",
            Relation::EarlierOrEqual => "<=",
            Relation::Equal => "=",
            Relation::LaterOrEqual => ">=",
            Relation::Later => ">>",
        };
        write!(f, " ({operator} {version})")
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, atom) in self.alternatives.iter().enumerate() {
            write!(f, "{}{atom}", if at == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_alternatives_versions_and_qualifiers() {
        let clauses =
            parse("libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0, perl:any,\n base-passwd(<<4)").unwrap();
        let shown: Vec<_> = clauses.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["libc6 (>= 2.38)", "debconf (>= 0.5) | debconf-2.0", "perl", "base-passwd (<< 4)"]
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn names_what_is_not_understood() {
        for wrong in ["a", "Foo", "foo (>= )", "foo (~ 1)", "foo (>= 1", "foo bar", "foo [amd64]", "a/b"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("libc6, foo (~ 1)").unwrap_err(), "foo (~ 1)");
    }

    #[test]
    fn versions_are_held_to() {
        let wanted = |text: &str| parse(text).unwrap().remove(0).alternatives.remove(0);
        let version = |text: &str| Version::parse(text).unwrap();
        assert!(wanted("ab (<< 2)").accepts(&version("1.9")));
        assert!(!wanted("ab (<< 2)").accepts(&version("2")));
        assert!(wanted("ab (= 2)").accepts(&version("2-0")));
        assert!(wanted("ab (>> 2)").accepts(&version("2-1")));
        assert!(wanted("ab").accepts_provided(&wanted("ab")));
        assert!(
            !wanted("ab (>= 1)").accepts_provided(&wanted("ab")),
            "an unversioned provides has no version"
        );
        assert!(wanted("ab (>= 1)").accepts_provided(&wanted("ab (= 1.5)")));
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_the_same(text in "[a-c]{2}( \\((<<|<=|=|>=|>>) [0-9.]{1,3}\\))?( ?[|,] ?[a-c]{2}:any)*") {
            let clauses = parse(&text).map_err(proptest::test_runner::TestCaseError::fail)?;
            let shown: Vec<_> = clauses.iter().map(ToString::to_string).collect();
            proptest::prop_assert_eq!(parse(&shown.join(", ")), Ok(clauses));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9 :(),|<=>~\\[\\]ß-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
