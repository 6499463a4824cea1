//! `--chmod`: octal, or symbolic as chmod(1) has it.

/// A change of permission bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chmod {
    /// These bits.
    Octal(u32),
    /// Clauses like `u=rwX,go-w`, applied in order.
    Symbolic(Vec<Clause>),
}

/// One clause of a symbolic mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Mask of the classes concerned: user 0o4700, group 0o2070, other 0o1007.
    who: u32,
    operator: char,
    /// `rwxst` as bits for all classes.
    bits: u32,
    /// `X`: execute only where it is a directory or executable already.
    conditional_execute: bool,
    /// `u=g`: the bits of another class.
    copy_from: Option<char>,
}

impl Chmod {
    /// Reads `0755`, `u+x` or `u=rwX,go=rX`; `None` when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).map(Self::Octal);
        }
        let mut clauses = Vec::new();
        for clause in text.split(',') {
            clauses.extend(parse_clause(clause)?);
        }
        (!clauses.is_empty()).then_some(Self::Symbolic(clauses))
    }

    /// The new bits of a file that has `mode`.
    pub fn apply(&self, mode: u32, directory: bool) -> u32 {
        match self {
            Self::Octal(mode) => *mode,
            Self::Symbolic(clauses) => {
                clauses.iter().fold(mode, |mode, clause| clause.apply(mode, directory))
            }
        }
    }
}

fn parse_clause(text: &str) -> Option<Vec<Clause>> {
    let at = text.find(['+', '-', '='])?;
    let mut who = 0;
    for class in text[..at].chars() {
        who |= match class {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    if who == 0 {
        who = 0o7777;
    }
    let mut clauses: Vec<Clause> = Vec::new();
    for letter in text[at..].chars() {
        if matches!(letter, '+' | '-' | '=') {
            clauses.push(Clause {
                who,
                operator: letter,
                bits: 0,
                conditional_execute: false,
                copy_from: None,
            });
            continue;
        }
        let clause = clauses.last_mut()?;
        match letter {
            'r' => clause.bits |= 0o444,
            'w' => clause.bits |= 0o222,
            'x' => clause.bits |= 0o111,
            's' => clause.bits |= 0o6000,
            't' => clause.bits |= 0o1000,
            'X' => clause.conditional_execute = true,
            'u' | 'g' | 'o' => clause.copy_from = Some(letter),
            _ => return None,
        }
    }
    Some(clauses)
}

impl Clause {
    fn apply(&self, mode: u32, directory: bool) -> u32 {
        let mut bits = self.bits;
        if self.conditional_execute && (directory || mode & 0o111 != 0) {
            bits |= 0o111;
        }
        if let Some(class) = self.copy_from {
            let shift = match class {
                'u' => 6,
                'g' => 3,
                _ => 0,
            };
            bits |= (mode >> shift & 7) * 0o111;
        }
        let bits = bits & self.who;
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => mode & !(self.who & 0o777) | bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_applied_as_chmod_does() {
        for (text, mode, directory, expected) in [
            ("644", 0o777, false, 0o644),
            ("4755", 0, false, 0o4755),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("go-w", 0o666, false, 0o644),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o700, true, 0o755),
            ("g=u", 0o740, false, 0o770),
            ("a=r", 0o755, false, 0o444),
            ("u+s", 0o755, false, 0o4755),
            ("+t", 0o755, true, 0o1755),
        ] {
            assert_eq!(Chmod::parse(text).unwrap().apply(mode, directory), expected, "{text} on {mode:o}");
        }
        for text in ["", "999", "77777", "z+x", "u", "u+q"] {
            assert_eq!(Chmod::parse(text), None, "{text}");
        }
    }
}
