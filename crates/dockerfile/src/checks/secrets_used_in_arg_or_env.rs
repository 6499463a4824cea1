//! The value of an ARG or ENV stays in the image's history and config, for everyone who can pull it.
use super::{Location, Rule, Sink};
use crate::{Word, quote::quote};

pub(super) const RULE: Rule = Rule::new(
    "SecretsUsedInArgOrEnv",
    "Sensitive data should not be used in the ARG or ENV commands",
    "https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/",
);

const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

/// `POSTGRES_PASSWORD_FILE` names a file, `PUBLIC_KEY` is public, `TOKEN_VERSION` is no token.
const HARMLESS: [&str; 3] = ["public", "file", "version"];

/// Whether the value of a variable with this name is likely to be a secret. Names are judged by their parts between
/// underscores.
pub fn names_a_secret(name: &str) -> bool {
    let has =
        |words: &[&str]| name.split('_').any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)));
    has(&SECRET) && !has(&HARMLESS)
}

/// `keyword` is `ARG` or `ENV`.
pub(super) fn check(keyword: &str, name: &Word, place: Location<'_>, sink: &mut Sink) {
    if names_a_secret(&name.text) {
        let detail = format!(
            "Do not use ARG or ENV instructions for sensitive data ({keyword} {})",
            quote(&name.text)
        );
        sink.report(&RULE, place.at(name.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn names_are_judged_by_their_parts() {
        let text = "FROM scratch\nARG NPM_TOKEN\nENV api_key=x MONKEY=1 DB_PASSWORD_FILE=/run/x AUTHOR=me\n";
        assert_eq!(
            findings(text),
            [
                "2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"NPM_TOKEN\")",
                "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV \"api_key\")",
            ]
        );
    }
}
