//! Options before the verb, where docker compose has them: `plimsoll -f stack.yml -p shop up`.

use std::ffi::OsString;

/// Options with a value that belong to a project: short and long.
const VALUED: [(&str, &str); 5] = [
    ("-f", "--file"),
    ("-p", "--project-name"),
    ("", "--project-directory"),
    ("", "--profile"),
    ("", "--env-file"),
];

/// Moves what stands before the verb behind it, in its long form: `-p` and `-f` mean something else to some verbs.
pub(super) fn behind_the_verb(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let all: Vec<OsString> = arguments.collect();
    let mut moved: Vec<OsString> = Vec::new();
    let mut at = 1;
    while let Some(text) = all.get(at).and_then(|argument| argument.to_str()) {
        let Some((_, long)) = VALUED.iter().find(|(short, long)| {
            text == *long
                || text.strip_prefix(long).is_some_and(|rest| rest.starts_with('='))
                || (!short.is_empty() && text.starts_with(short) && !text.starts_with("--"))
        }) else {
            break;
        };
        moved.push((*long).into());
        let glued = match text.strip_prefix(long) {
            Some(rest) => rest.strip_prefix('='),
            // `-fFILE` and `-f=FILE`
            None => Some(text[2..].trim_start_matches('=')).filter(|value| !value.is_empty()),
        };
        match (glued, all.get(at + 1)) {
            (Some(value), _) => {
                moved.push(value.into());
                at += 1;
            }
            (None, Some(value)) => {
                moved.push(value.clone());
                at += 2;
            }
            // the parser says that a value is missing
            (None, None) => return all,
        }
    }
    if moved.is_empty() || at >= all.len() {
        return all;
    }
    let verb = [all[0].clone(), all[at].clone()];
    verb.into_iter().chain(moved).chain(all[at + 1..].iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(line: &str) -> String {
        let words = behind_the_verb(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_of_the_project_may_stand_before_the_verb() {
        assert_eq!(moved("plimsoll up -f a"), "plimsoll up -f a");
        assert_eq!(
            moved("plimsoll -f a.yml --file=b.yml -pshop --profile x logs -f web"),
            "plimsoll logs --file a.yml --file b.yml --project-name shop --profile x -f web"
        );
        for untouched in ["plimsoll", "plimsoll -f", "plimsoll -f a.yml", "plimsoll --help", "plimsoll -V"] {
            assert_eq!(moved(untouched), untouched);
        }
    }
}
