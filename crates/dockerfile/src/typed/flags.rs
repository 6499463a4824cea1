//! The flags of one instruction: which exist, and that each is given at most once.
use crate::{
    Word, suggest,
    syntax::{Flag, Node},
    typed::Wrong,
};

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, `true` or `false`.
    Switch,
    /// One value.
    Text,
    /// A value each time it is given.
    Texts,
}

/// The flags that were given.
pub(super) struct Flags<'n> {
    given: Vec<&'n Flag>,
}

impl<'n> Flags<'n> {
    /// Checks that `node` has no flags.
    pub(super) fn none(node: &Node) -> Result<(), Wrong> {
        Flags::parse(node, &[]).map(drop)
    }

    /// Checks the flags of `node` against those that its instruction knows.
    pub(super) fn parse(node: &'n Node, known: &[(&str, Kind)]) -> Result<Self, Wrong> {
        let mut given: Vec<&Flag> = Vec::new();
        for flag in &node.flags {
            let name = flag.name();
            let wrong = |title: String| Err((title, flag.word.clone()));
            let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
                let names = known.iter().map(|(known, _)| *known);
                return wrong(suggest::with_suggestion(
                    format!("unknown flag: --{name}"),
                    name,
                    names,
                    false,
                ));
            };
            if *kind != Kind::Texts && given.iter().any(|other| other.name() == name) {
                return wrong(format!("duplicate flag specified: --{name}"));
            }
            match (kind, flag.value().as_ref().map(Word::as_str)) {
                (Kind::Switch, Some("")) => return wrong(format!("missing value on flag: --{name}")),
                (Kind::Switch, Some(value))
                    if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") =>
                {
                    return wrong(format!("expecting boolean value for flag --{name}, not: {value}"));
                }
                (Kind::Text | Kind::Texts, None) => {
                    return wrong(format!("missing a value on flag: --{name}"));
                }
                _ => given.push(flag),
            }
        }
        Ok(Self { given })
    }

    /// The flags called `name`.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'n Flag> {
        self.given.iter().copied().filter(move |flag| flag.name() == name)
    }

    /// The value of a flag; an empty one counts as not given.
    pub(super) fn text(&self, name: &str) -> Option<Word> {
        self.all(name).next()?.value().filter(|value| !value.text.is_empty())
    }

    /// The values of a flag that may be given several times.
    pub(super) fn texts(&self, name: &str) -> Vec<Word> {
        self.all(name).filter_map(Flag::value).collect()
    }

    /// A switch, if it was given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        let flag = self.all(name).next()?;
        Some(flag.value().is_none_or(|value| value.text.eq_ignore_ascii_case("true")))
    }
}
