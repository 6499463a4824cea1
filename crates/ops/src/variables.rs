//! Variables that are true or false, as docker compose reads them.

use crate::Failure;

/// Go's forms of a truth value, as docker compose reads its variables; absent for any other text.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The value of a variable that is true or false; absent and empty are false, and so is what is neither, with a note.
pub fn is_on(name: &str, value: Option<&str>) -> bool {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return false };
    truth(text).unwrap_or_else(|| {
        note!("note  {name}={text} is neither true nor false, so it does not count; write 1 or 0");
        false
    })
}

/// What becomes of containers whose service is gone from the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orphans {
    /// They go.
    pub remove: bool,
    /// Nothing is said about them.
    pub ignore: bool,
}

impl Orphans {
    /// `asked` is the option; a project's variables stand for it.
    pub fn of(asked: bool, env: &indexmap::IndexMap<String, String>) -> Result<Self, Failure> {
        let on = |name: &str| is_on(name, env.get(name).map(String::as_str));
        let remove = asked || on("COMPOSE_REMOVE_ORPHANS");
        let ignore = on("COMPOSE_IGNORE_ORPHANS");
        if remove && ignore {
            return Err(Failure::new(
                "orphans cannot be removed and ignored",
                "leave out one of --remove-orphans (COMPOSE_REMOVE_ORPHANS) and COMPOSE_IGNORE_ORPHANS",
            ));
        }
        Ok(Self { remove, ignore })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_what_go_takes_for_it() {
        for text in ["1", "t", "T", "true", "TRUE", "True"] {
            assert!(is_on("X", Some(text)), "{text}");
        }
        for text in ["0", "f", "False", "", "yes", "on"] {
            assert!(!is_on("X", Some(text)), "{text}");
        }
        assert!(!is_on("X", None));
    }
}
