//! Which variables hold something that others must not know, by their names.

/// Words that stand for something secret at any place of a name.
const SECRET: [&str; 12] = [
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "TOKEN",
    "CREDENTIALS",
    "SALT",
    "PEPPER",
    "APIKEY",
    "PRIVATEKEY",
    "PASS",
];

/// Words before a final `KEY` that make it one that others may see.
const OPEN_KEYS: [&str; 10] = [
    "PUBLIC",
    "PUBLISHABLE",
    "PRIMARY",
    "FOREIGN",
    "SORT",
    "CACHE",
    "PARTITION",
    "SITE",
    "OBJECT",
    "ROUTING",
];

/// Last words of names that say something about a secret and are none.
const ABOUT: [&str; 32] = [
    "URL",
    "URI",
    "FILE",
    "PATH",
    "DIR",
    "NAME",
    "ID",
    "TTL",
    "EXPIRE",
    "EXPIRES",
    "EXPIRY",
    "EXPIRATION",
    "LIFETIME",
    "SECONDS",
    "MINUTES",
    "HOURS",
    "DAYS",
    "ALGORITHM",
    "ALG",
    "HEADER",
    "LENGTH",
    "ROUNDS",
    "ENABLED",
    "ISSUER",
    "AUDIENCE",
    "PREFIX",
    "TYPE",
    "COOKIE",
    "HASHERS",
    "VERSION",
    "AGE",
    "LIMIT",
];

/// Whether the name is that of a secret: `SECRET_KEY`, `JWT_SECRET`, `SMTP_PASSWORD`, `STRIPE_API_KEY`.
pub(super) fn is_secret(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    let Some(last) = words.last() else { return false };
    if ABOUT.contains(last)
        || words.iter().any(|word| matches!(*word, "EXPIRE" | "EXPIRES" | "EXPIRATION" | "LIFETIME" | "TTL"))
    {
        return false;
    }
    let key = *last == "KEY" && words.len() > 1 && !OPEN_KEYS.contains(&words[words.len() - 2]);
    key || words.iter().any(|word| SECRET.contains(word)) || *last == "PGPASSWORD"
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn secrets_are_known_by_the_words_of_their_names() {
        for name in [
            "SECRET_KEY",
            "JWT_SECRET",
            "DB_PASSWORD",
            "STRIPE_API_KEY",
            "GITHUB_TOKEN",
            "FERNET_KEY",
            "EMAIL_HOST_PASSWORD",
            "PGPASSWORD",
            "SMTP_PASS",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "PUBLIC_KEY",
            "ACCESS_TOKEN_EXPIRE_MINUTES",
            "TOKEN_URL",
            "SECRET_NAME",
            "KEY",
            "COMPASS",
            "MONKEY",
            "STRIPE_PUBLISHABLE_KEY",
            "JWT_SECRET_FILE",
            "AWS_ACCESS_KEY_ID",
            "PORT",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
