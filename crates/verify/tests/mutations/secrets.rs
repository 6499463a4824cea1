//! Secret values where they must not be: in other forms, undeclared, plain, in what an image holds.

use crate::{
    rows,
    stand::{Row, failed, is, proved},
};
use plimsoll_verify::Status;

/// `RIGHT` with a secret file for the store.
const SECRET: &str = "secrets: { key: { file: ./key } }\nservices: { store: { secrets: [key] } }\n";

const USUAL: Row = Row { files: &[("key", "requirepass kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE\n")], ..Row::RIGHT };

/// The secret, and variables of the backend.
macro_rules! with {
    ($($variable:literal),*) => {
        concat!(
            "secrets: { key: { file: ./key } }\nservices: { store: { secrets: [key] }, backend: { environment: [",
            $("'", $variable, "',",)* "] } }"
        )
    };
}

rows! {
    /// Nothing is anywhere; names that only look like it are no secrets.
    secrets_that_are_kept: Row {
        over: with!("POSTGRES_PASSWORD_FILE=/run/secrets/key", "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
            "TOKEN_LIFETIME=3600", "DATABASE_URL=postgres://app@store/app", "PUBLIC_KEY=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"),
        claims: &[proved("secrets-runtime", "backend"), proved("secrets-runtime", "store"), proved("secrets-image", "front, backend, store, job")],
        ..USUAL
    };
    /// In an Authorization header.
    secret_in_base64: Row { over: with!("AUTH_HEADER=Basic cGl2b3RhbDprWDl2UTJtVDdyQjRuTDh3WjNwRDZzRjFoSjVnQzBhRQ=="), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// In hexadecimal.
    secret_in_hexadecimal: Row { over: with!("X=6b58397651326d54377242346e4c38775a33704436734631684a356743306145"), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// In two halves.
    secret_in_another_form: Row { over: with!("A=kX9vQ2mT7rB4nL8wZ3pD6", "B=sF1hJ5gC0aEx"), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// Backwards.
    secret_reversed: Row { over: with!("A=Ea0Cg5Jh1Fs6Dp3Zw8Ln4Br7Tm2Qv9Xk"), claims: &[failed("secrets-runtime", "backend")], ..USUAL };
    /// Nobody declared them; their names say it.
    passwords_that_are_no_secret_files: Row {
        over: "services: { backend: { environment: { SESSION_SECRET: kJ8s7dfg6sdf98g7sdfg98sdf7g } }, store: { environment: { DB_PASSWORD: hunter2hunter2 } } }",
        claims: &[failed("secrets-runtime", "backend"), failed("secrets-runtime", "store"), proved("secrets-runtime", "front")],
        ..Row::RIGHT
    };
    /// A URL with a password, and an argument.
    passwords_in_urls_and_arguments: Row {
        over: "services: { backend: { environment: { DATABASE_URL: 'postgres://app:hunter2@store/app' } }, store: { command: [sh, -c, 'exec busybox httpd -f -p 6379 -h /etc', --requirepass, hunter2hunter2] } }",
        claims: &[failed("secrets-runtime", "backend"), failed("secrets-runtime", "store"), proved("secrets-runtime", "front")],
        ..Row::RIGHT
    };
    /// A label.
    a_token_in_a_label: Row {
        over: "services: { backend: { labels: { org.example.api-token: abcdef123456 } } }",
        claims: &[failed("secrets-runtime", "backend"), proved("secrets-runtime", "front")],
        ..Row::RIGHT
    };
    /// Words, and a PIN of seven characters: found where they are a variable's value, and named as not checked.
    passwords_too_plain_to_be_searched: Row {
        files: &[("phrase", "requirepass correct-horse-battery-staple\n"), ("pin", "s3cr3t!")],
        over: r"
secrets: { phrase: { file: ./phrase }, pin: { file: ./pin } }
services:
  backend: { environment: { SENTENCE: correct-horse-battery-staple } }
  store: { secrets: [phrase, pin], environment: { CODE: s3cr3t! } }
",
        claims: &[
            failed("secrets-runtime", "backend"),
            failed("secrets-runtime", "store"),
            proved("secrets-runtime", "front"),
            is(Status::NotChecked, "secrets-runtime", "secret pin"),
        ],
        ..Row::RIGHT
    };
    /// A key that is in the image as well: a line of its /etc/passwd.
    secret_that_is_a_file_of_the_image: Row {
        over: SECRET,
        files: &[("key", "app:x:1000:1000::/:/bin/sh\n")],
        claims: &[failed("secrets-image", "front, backend, store, job")],
        ..USUAL
    };
    /// Somebody made the file readable for all, on the host.
    secret_that_all_can_read: Row {
        over: "secrets: { key: { file: ./key } }\nservices: { store: { secrets: [key] }, backend: { secrets: [key] } }",
        act: |stand| Box::pin(async move {
            use std::os::unix::fs::PermissionsExt as _;
            let all = stand.files_holding("kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE");
            let of_store: Vec<_> = all.iter().filter(|path| path.display().to_string().contains("store")).collect();
            assert!(!of_store.is_empty(), "{all:?}");
            for path in of_store {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
            }
        }),
        claims: &[failed("secret-files", "store"), proved("secret-files", "backend")],
        ..USUAL
    };
}
