//! Which names and texts say that something is a secret, though nobody declared it as one.

/// The last words of names that hold a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "requirepass",
    "masterauth",
    "masterpass",
    "auth",
    "authpass",
    "pin",
];
/// Words before `key` with which it is a secret, whatever it looks like.
const SECRET_KEYS: &[&str] = &[
    "secret",
    "private",
    "api",
    "access",
    "encryption",
    "signing",
    "auth",
    "master",
    "session",
    "app",
    "jwt",
    "license",
    "account",
    "storage",
    "service",
    "admin",
    "deploy",
    "cipher",
    "crypto",
    "aes",
    "hmac",
    "webhook",
];
/// Words before `key` that say that it is none.
const PUBLIC_KEYS: &[&str] = &[
    "public",
    "pub",
    "publishable",
    "gpg",
    "pgp",
    "site",
    "sort",
    "partition",
    "primary",
    "foreign",
    "cache",
    "routing",
    "host",
    "hot",
    "index",
    "map",
    "group",
    "order",
    "row",
    "hash",
];
/// Values that switch something on or off, or that say that there is none.
const SETTINGS: &[&str] = &[
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "0",
    "1",
    "none",
    "null",
    "nil",
    "disabled",
    "enabled",
    "auto",
    "default",
    "required",
    "optional",
    "basic",
    "bearer",
    "md5",
    "trust",
    "scram-sha-256",
];
/// The longest value that is quoted in a finding's name: none. Names of variables are cut at this length.
const NAME: usize = 80;
/// Behind so many bytes of an address no user and password are looked for.
const LONGEST: usize = 4 << 10;

/// True if a variable of this name holds a secret: `DATABASE_PASSWORD`, `sessionSecret`, `API_KEY`; neither
/// `POSTGRES_PASSWORD_FILE` nor `TOKEN_LIFETIME` nor `PUBLIC_KEY`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    matches!(strength(name), Strength::Secret)
}

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    None,
    /// A secret if its value looks random.
    Perhaps,
    Secret,
}

fn strength(name: &str) -> Strength {
    // Of the shell, not of anybody's password.
    if name == "PWD" || name == "OLDPWD" {
        return Strength::None;
    }
    let words = words(name);
    let Some(last) = words.last().map(String::as_str) else { return Strength::None };
    let before = words.len().checked_sub(2).map_or("", |at| words[at].as_str());
    if last == "key" || last == "keys" {
        return match before {
            public if words.iter().any(|word| PUBLIC_KEYS.contains(&word.as_str())) || public == "ssh" => {
                Strength::None
            }
            secret if SECRET_KEYS.contains(&secret) => Strength::Secret,
            _ => Strength::Perhaps,
        };
    }
    if last == "dsn" {
        // Its password is found as that of a URL; a key before the `@` alone is often public.
        return Strength::None;
    }
    let glued = ["password", "passwd", "secret", "apikey", "passphrase"];
    if SECRET_WORDS.contains(&last) || glued.iter().any(|word| last.ends_with(word)) {
        // `AUTH` and `PIN` alone are too many things.
        return if matches!(last, "auth" | "pin" | "pass" | "pwd") && words.len() == 1 && last != "pass" {
            Strength::Perhaps
        } else {
            Strength::Secret
        };
    }
    Strength::None
}

/// `sessionSecret`, `SESSION_SECRET` and `session-secret` are the same two words.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for letter in name.chars().take(200) {
        if !letter.is_alphanumeric() {
            words.push(String::new());
            lower = false;
            continue;
        }
        if letter.is_uppercase() && lower {
            words.push(String::new());
        }
        lower = letter.is_lowercase() || letter.is_ascii_digit();
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// True if `name=value` gives a secret away: the name says so, and the value is one, neither the path of a file nor a
/// reference that is filled in later.
pub(crate) fn gives_away(name: &str, value: &str) -> bool {
    let value = unquoted(value);
    let strength = strength(name);
    if strength == Strength::None || !is_literal(value) {
        return false;
    }
    strength == Strength::Secret || (value.len() >= 12 && super::forms::is_mixed(value.as_bytes()))
}

/// A value and no reference, path, switch or placeholder.
fn is_literal(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let reference = value.starts_with('$')
        || value.starts_with("{{")
        || value.starts_with('`')
        || value.contains("${")
        || value.contains("$(");
    let placeholder = (value.starts_with('<') && value.ends_with('>'))
        || (!value.is_empty() && value.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.')));
    let path = value.starts_with('/') && !value.contains(['+', '=']) && !value[1..].is_empty()
        || value.starts_with("./")
        || value.starts_with("file:");
    !value.is_empty() && !reference && !placeholder && !path && !SETTINGS.contains(&lower.as_str())
}

/// The password of `scheme://user:password@host`, if the text has one that is a value and no reference.
pub(crate) fn password_of_url(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.bytes().next_back().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let end = (LONGEST.min(rest.len())..rest.len()).find(|at| rest.is_char_boundary(*at));
    let rest = &rest[..end.unwrap_or(rest.len())];
    // Up to the path; a password may hold an `@` that somebody forgot to encode.
    let authority = rest.split(['/', '?', '#', '"', '\'', ' ', '\n', '\t', '<', '>']).next()?;
    let authority = match rest.split_once('@') {
        Some((before, _)) if authority.len() < before.len() && !before.contains(char::is_whitespace) => {
            // `redis://:pass/word@host`: the slash belongs to the password.
            if before.split(':').next().is_none_or(|user| user.contains('/')) || !before.contains(':') {
                return None;
            }
            &rest[..=before.len()]
        }
        _ => authority,
    };
    let (user, _) = authority.rsplit_once('@')?;
    let password = user.split_once(':')?.1;
    is_literal_in_url(password).then_some(password)
}

fn is_literal_in_url(password: &str) -> bool {
    !password.is_empty()
        && !password.starts_with(['$', '{', '<', '%'])
        && !password.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'))
}

/// Every URL with a password in a text.
pub(crate) fn url_passwords(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, _)| {
        let start = text[..at].rfind(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let start =
            start.map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
        password_of_url(&text[start..])
    })
}

/// A private key as a text: what begins one, enough of it, and its end.
pub(crate) fn has_private_key(text: &[u8]) -> bool {
    let find = |from: usize, needle: &[u8]| {
        text.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
    };
    let mut from = 0;
    while let Some(begin) = find(from, b"-----BEGIN ") {
        from = begin + 11;
        let head = &text[from..text.len().min(from + 44)];
        let Some(end) = head.windows(5).position(|window| window == b"-----").map(|at| from + at) else {
            continue;
        };
        if !text[from..end].ends_with(b"PRIVATE KEY") && !text[from..end].ends_with(b"PRIVATE KEY BLOCK") {
            continue;
        }
        // None behind this one, none behind a later one.
        let Some(last) = find(end + 5, b"-----END ") else { return false };
        let body = text[end + 5..last].iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        if body >= 40 {
            return true;
        }
    }
    false
}

/// The secrets that the arguments of a command give away: `--password=x`, `--requirepass x`, `PGPASSWORD=x`. The names.
pub(crate) fn in_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    let mut flag: Option<&str> = None;
    for argument in arguments {
        if let Some(name) = flag.take()
            && !argument.starts_with('-')
            && gives_away(name, argument)
        {
            found.push((cut(name), unquoted(argument)));
        }
        let is_flag = argument.starts_with('-');
        let bare = argument.trim_start_matches('-');
        match bare.split_once('=') {
            Some((name, value)) if is_name(name) && gives_away(name, value) => {
                found.push((cut(name), unquoted(value)));
            }
            Some(_) => {}
            None if is_flag && is_name(bare) => flag = Some(bare),
            None => {}
        }
    }
    found
}

/// The variables that a text of assignments gives away: a line of an image's history, an `.env` file.
pub(crate) fn in_assignments(text: &str) -> Vec<(String, &str)> {
    let words = text.split(|c: char| c.is_whitespace() || c == ';' || c == '&');
    let assigned = words.filter_map(|word| word.split_once('='));
    assigned
        .filter(|(name, value)| is_name(name) && gives_away(name, value))
        .map(|(name, value)| (cut(name), unquoted(value)))
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

fn cut(name: &str) -> String {
    name.chars().take(NAME).collect()
}

pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim().trim_end_matches([';', ',']);
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In quadratic time it takes minutes.
    #[test]
    fn a_long_text_is_read_whole() {
        for (piece, end) in
            [("a://", "@b"), ("a://b:c", "@d"), ("-----BEGIN PRIVATE KEY-----\n", ""), ("-----BEGIN ", "")]
        {
            let text = format!("{}{end}", piece.repeat((1 << 20) / piece.len()));
            let _ = (url_passwords(&text).count(), has_private_key(text.as_bytes()));
        }
        assert!(has_private_key(
            format!("-----BEGIN -----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "a".repeat(40))
                .as_bytes()
        ));
    }

    #[test]
    fn names_that_say_it() {
        for name in [
            "DATABASE_PASSWORD",
            "SESSION_SECRET",
            "MYSQL_PWD",
            "NPM_TOKEN",
            "API_KEY",
            "RABBITMQ_DEFAULT_PASS",
            "AWS_SECRET_ACCESS_KEY",
            "sessionSecret",
            "PGPASSWORD",
            "SECRET_KEY",
            "REDIS_AUTH",
            "requirepass",
            "client-secret",
            "APP_KEY",
        ] {
            assert!(gives_away(name, "hunter2hunter2"), "{name}");
        }
        for name in [
            "POSTGRES_PASSWORD_FILE",
            "TOKEN_LIFETIME",
            "PUBLIC_KEY",
            "GPG_KEY",
            "PWD",
            "OLDPWD",
            "AUTHOR",
            "MONKEY",
            "PASSWORD_MIN_LENGTH",
            "SORT_KEY",
            "SECRET_NAME",
            "PATH",
            "COMPASS",
            "BYPASS",
        ] {
            assert!(!gives_away(name, "E3FF2839C048B25C084DEBE9B26995E310250568"), "{name}");
        }
        assert!(gives_away("STRIPE_KEY", "sk_live_51Hx9aBcDeFg"));
        assert!(!gives_away("PARTITION_NAME_KEY", "customer_id"));
    }

    #[test]
    fn values_that_are_none() {
        for value in
            ["", "/run/secrets/x", "true", "yes", "${DB_PASSWORD}", "$(cat /run/x)", "$1", "<secret>", "***"]
        {
            assert!(!gives_away("DB_PASSWORD", value), "{value}");
        }
        assert!(gives_away("DB_PASSWORD", "1234"));
    }

    #[test]
    fn passwords_of_urls() {
        let of = |text: &'static str| url_passwords(text).collect::<Vec<_>>();
        assert_eq!(of("x DATABASE_URL=postgres://u:s3cret@db:5432/x?y y"), ["s3cret"]);
        assert_eq!(of("redis://:s3cret@h http://a/b:c@d amqp://u@h http://h:80/p"), ["s3cret"]);
        assert_eq!(of("postgres://u:${PW}@db postgres://u:***@db http://x/@y"), Vec::<&str>::new());
        assert_eq!(of("redis://:pass/word@host/0"), ["pass/word"]);
    }

    #[test]
    fn private_keys_are_whole() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
        assert!(has_private_key(
            format!("x-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----").as_bytes()
        ));
        assert!(!has_private_key(b"-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----"));
        assert!(!has_private_key(
            format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----").as_bytes()
        ));
    }

    #[test]
    fn arguments_and_assignments() {
        let names = |found: Vec<(String, &str)>| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            names(in_arguments([
                "redis-server",
                "--requirepass",
                "x1y2",
                "--port",
                "6379",
                "--password=a",
                "--token",
                "-v"
            ])),
            ["requirepass", "password"]
        );
        assert_eq!(names(in_assignments("|1 NPM_TOKEN=abc123 /bin/sh -c npm ci")), ["NPM_TOKEN"]);
        assert!(in_assignments("/bin/sh -c X_PASSWORD=$(cat /run/secrets/x) make").is_empty());
    }
}
