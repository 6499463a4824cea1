//! Which variables hold something that others must not know, and which of them are the program's own: those can be made.

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
const OPEN_KEYS: [&str; 14] = [
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
    "DEPENDENCY",
    "LOOKUP",
    "LOCK",
    "QUEUE",
];

/// Words of names whose key is one of cryptography, whatever its default is.
const CRYPTIC: [&str; 9] =
    ["JWT", "JWE", "JWS", "ENCRYPTION", "SIGNING", "SIGNATURE", "HMAC", "CSRF", "FERNET"];

/// Last words of names that say something about a secret and are none.
const ABOUT: [&str; 33] = [
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
    "ROTATION",
];

/// Names of keys that a program signs, encrypts or protects its own things with.
const OWN: [&str; 16] = [
    "JWT",
    "SESSION",
    "COOKIE",
    "AUTH_SECRET",
    "APP_SECRET",
    "TOKEN_SECRET",
    "APP_KEY",
    "SECRET_KEY",
    "ENCRYPTION",
    "CSRF",
    "SIGNING",
    "HMAC",
    "SALT",
    "ACCESS_TOKEN",
    "REFRESH_TOKEN",
    "FERNET",
];

/// Words of names whose keys come from somebody else: nobody can make them up.
const FOREIGN: [&str; 71] = [
    "STRIPE",
    "OPENAI",
    "ANTHROPIC",
    "AWS",
    "AZURE",
    "GOOGLE",
    "GITHUB",
    "GITLAB",
    "TWILIO",
    "SENDGRID",
    "SLACK",
    "DISCORD",
    "TELEGRAM",
    "FACEBOOK",
    "TWITTER",
    "PAYPAL",
    "MAILGUN",
    "RESEND",
    "SENTRY",
    "CLOUDINARY",
    "S3",
    "SMTP",
    "MAIL",
    "EMAIL",
    "PUSHER",
    "ALGOLIA",
    "FIREBASE",
    "SUPABASE",
    "CLERK",
    "AUTH0",
    "OAUTH",
    "MATRIX",
    "TRELLO",
    "PUSHOVER",
    "PUSHBULLET",
    "SHOPIFY",
    "HUBSPOT",
    "NOTION",
    "LINEAR",
    "JIRA",
    "ATLASSIAN",
    "ZENDESK",
    "INTERCOM",
    "MAPBOX",
    "CLOUDFLARE",
    "VERCEL",
    "HEROKU",
    "DIGITALOCEAN",
    "LINKEDIN",
    "SPOTIFY",
    "INSTAGRAM",
    "WHATSAPP",
    "MAILCHIMP",
    "POSTMARK",
    "SEGMENT",
    "MIXPANEL",
    "DATADOG",
    "ROLLBAR",
    "BUGSNAG",
    "HUGGINGFACE",
    "GEMINI",
    "MISTRAL",
    "GROQ",
    "OPENROUTER",
    "COHERE",
    "PINECONE",
    "TURNSTILE",
    "RECAPTCHA",
    "HCAPTCHA",
    "PAGERDUTY",
    "OPSGENIE",
];

/// Ends of names that a maker of interfaces gives its users: `MATRIX_ACCESS_TOKEN` is no token of the program.
const GIVEN: [&str; 3] = ["APP_KEY", "ACCESS_TOKEN", "REFRESH_TOKEN"];

/// Words before such an end that say nothing of another maker.
const GENERAL: [&str; 8] = ["JWT", "AUTH", "APP", "SESSION", "API", "USER", "ADMIN", "LARAVEL"];

/// Words of what a program signs for its own users: `AUTH_REFRESH_SECRET`, `PASSWORD_RESET_SECRET`.
const SIGNED: [&str; 8] =
    ["REFRESH", "FORGOT", "CONFIRM", "CONFIRMATION", "RESET", "VERIFY", "VERIFICATION", "ACCESS"];

/// Texts that stand in a program until somebody sets a real secret.
const STAND_INS: [&str; 9] =
    ["change", "secret", "dev", "your", "default", "example", "replace", "insecure", "password"];

/// Prefixes of variables about stores, whose passwords come with the store.
const STORES: [&str; 10] =
    ["DATABASE", "DB_", "PG", "POSTGRES", "MYSQL", "MARIADB", "REDIS", "MONGO", "RABBITMQ", "AMQP"];

/// Whether a variable is a secret of the program's own: a key or password that nobody else knows. It is one by its name,
/// by a default that waits for a real secret, or by its use (`protects`: the program signs or encrypts with it).
pub(super) fn is_own(name: &str, default: Option<&str>, protects: impl FnOnce() -> bool) -> bool {
    let words = || name.split('_');
    // `AUTH_CONFIRM_EMAIL_SECRET` signs the program's own messages.
    let signs = name.ends_with("_SECRET") && words().any(|word| SIGNED.contains(&word));
    let others = |word: &str| FOREIGN.contains(&word) && !(signs && matches!(word, "EMAIL" | "MAIL"));
    let given = GIVEN.iter().any(|end| {
        let before = name.strip_suffix(end).and_then(|before| before.strip_suffix('_'));
        before.is_some_and(|before| !before.split('_').any(|word| GENERAL.contains(&word)))
    });
    let foreign = name.contains("CLIENT_SECRET") || given || words().any(others);
    if !is_secret(name) || foreign || STORES.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    let default = default.map(str::to_lowercase);
    if default.as_deref().is_some_and(|default| is_name(name, default)) {
        return false;
    }
    let stand_in = default.is_some_and(|default| STAND_INS.iter().any(|word| default.contains(word)));
    name == "SECRET" || signs || OWN.iter().any(|part| name.contains(part)) || stand_in || protects()
}

/// Whether the default of a variable that ends in `KEY` is a name under which something is found, and no secret:
/// `SESSION_KEY = "user_session"`. A random one in its place would find nothing.
fn is_name(variable: &str, default: &str) -> bool {
    let words = || variable.split('_');
    if words().next_back() != Some("KEY")
        || words().any(|word| SECRET.contains(&word) || CRYPTIC.contains(&word))
    {
        return false;
    }
    let parts: Vec<&str> = default.split(['_', '-', ':', '.']).collect();
    let plain = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let shared = || parts.iter().any(|part| words().any(|word| word.eq_ignore_ascii_case(part)));
    let stand_in = parts.iter().any(|part| STAND_INS.iter().any(|word| part.contains(word)));
    parts.iter().all(plain) && (parts.len() == 2 || shared()) && !stand_in
}

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
    use super::{is_own, is_secret};

    #[test]
    fn keys_of_others_are_never_made() {
        for (name, default) in
            [("SECRET_KEY", None), ("JWT_SECRET", Some("change-me")), ("API_TOKEN", Some("dev"))]
        {
            assert!(is_own(name, default, || false), "{name}");
        }
        assert!(is_own("CURSOR_KEY", None, || true));
        assert!(
            is_own("AUTH_CONFIRM_EMAIL_SECRET", None, || false) && is_own("REFRESH_SECRET", None, || false)
        );
        for name in ["MATRIX_ACCESS_TOKEN", "TRELLO_APP_KEY", "ACME_REFRESH_TOKEN"] {
            assert!(!is_own(name, None, || true), "{name}");
        }
        for name in ["APP_KEY", "JWT_ACCESS_TOKEN", "ACCESS_TOKEN_SECRET"] {
            assert!(is_own(name, None, || false), "{name}");
        }
        assert!(!is_own("GITHUB_ACCESS_SECRET", None, || false) && !is_own("EMAIL_SECRET", None, || false));
        for name in
            ["STRIPE_SECRET_KEY", "EMAIL_HOST_PASSWORD", "GITHUB_TOKEN", "DB_PASSWORD", "API_KEY", "PORT"]
        {
            assert!(!is_own(name, None, || false), "{name}");
        }
        assert!(!is_own("GOOGLE_CLIENT_SECRET", Some("change-me"), || true));
    }

    #[test]
    fn a_name_that_is_kept_under_a_key_is_no_secret() {
        for (name, default) in [
            ("API_DB_SESSION_DEPENDENCY_KEY", "db_session"),
            ("SESSION_KEY", "user_session"),
            ("SESSION_KEY", "session"),
            ("COOKIE_KEY", "shop:cookie"),
        ] {
            assert!(!is_own(name, Some(default), || true), "{name}");
        }
        for (name, default) in [
            ("SESSION_KEY", "change_me"),
            ("SESSION_KEY", "k3yb0ardcat"),
            ("SESSION_KEY", ""),
            ("JWT_KEY", "jwt"),
            ("SESSION_SECRET_KEY", "session"),
        ] {
            assert!(is_own(name, Some(default), || false), "{name}");
        }
        assert!(!is_own("DB_DEPENDENCY_KEY", None, || true) && !is_own("JOB_LOCK_KEY", None, || true));
    }

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
