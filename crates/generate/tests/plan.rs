//! What cannot be planned is said with its reason, and nothing from a repository breaks out of a generated file.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::collections::BTreeMap;

use plimsoll_generate::{Policy, SecretError, Stack, generate, make_secrets, missing_secrets, plan};
use plimsoll_survey::{Repository, survey};

/// A small repository that can be planned; `change` replaces texts in it.
fn repository(change: &[(&str, &str)]) -> Repository {
    let files = [
        (
            "package.json",
            r#"{ "name": "shop", "packageManager": "pnpm@10.34.9+sha512.00", "engines": { "node": ">=22" } }"#,
        ),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        ("pnpm-workspace.yaml", "packages: [apps/*]\n"),
        (
            "apps/api/package.json",
            r#"{ "name": "@shop/api", "dependencies": { "express": "5", "pg": "8" },
                "scripts": { "build": "tsc", "start": "node dist/main.js" } }"#,
        ),
        ("apps/api/tsconfig.json", r#"{ "compilerOptions": { "outDir": "dist" } }"#),
        (
            "apps/api/src/main.ts",
            "const url = process.env.DATABASE_URL ?? read(process.env.DATABASE_URL_FILE);\n\
             const mode = process.env.MODE ?? 'fast'; const key = process.env.LICENCE;\n\
             app.get('/health', f); app.get('/api/x', f); app.listen(process.env.PORT ?? 8000);",
        ),
        (
            "apps/web/package.json",
            r#"{ "name": "web", "devDependencies": { "vite": "8" }, "scripts": { "build": "vite build" } }"#,
        ),
        ("apps/web/index.html", "<html>"),
    ];
    Repository::from_files(
        "shop",
        files.map(|(path, text)| {
            let text = change.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            (path, text)
        }),
    )
}

fn stack(change: &[(&str, &str)]) -> Stack {
    plan(&survey(&repository(change)), &Policy::default()).unwrap()
}

fn file(stack: &Stack, path: &str) -> String {
    generate(stack).unwrap().into_iter().find(|file| file.path == path).unwrap().text
}

fn refusal(change: &[(&str, &str)]) -> String {
    plan(&survey(&repository(change)), &Policy::default()).unwrap_err().to_string()
}

#[test]
fn a_stack_without_redis_migrations_and_settings_is_written_without_them() {
    let stack = stack(&[]);
    let compose = file(&stack, "compose.production.yml");
    assert!(!compose.contains("redis") && !compose.contains("migrate:") && !compose.contains("API_BASE_URL"));
    // Without a handler of SIGTERM.
    assert!(compose.contains("    init: true\n"));
    assert!(
        compose.contains("MODE: ${MODE:-fast}\n") && compose.contains("LICENCE: ${LICENCE:?set LICENCE}\n")
    );
    assert!(file(&stack, "apps/api/Dockerfile").contains("NODE_IMAGE=node:22-trixie-slim\n"));
    let nginx = file(&stack, "apps/web/nginx/nginx.conf");
    assert!(!nginx.contains("config.js") && nginx.contains("http://api:8000;"));
    // No recipe makes Node.js 22.
    assert!(!file(&stack, "plimsoll.toml").contains("base:node"));
    assert!(generate(&stack).unwrap().iter().all(|file| !file.path.contains("config.js")));
}

#[test]
fn what_is_missing_is_named() {
    assert!(refusal(&[("pnpm@10.34.9+sha512.00", "yarn@4.0.0")]).contains("only pnpm workspaces"));
    assert!(refusal(&[("\"vite\"", "\"other\"")]).contains("exactly one static site so far; none was found"));
    assert!(refusal(&[("app.listen(process.env.PORT ?? 8000)", "")]).contains("the port is not known"));
    assert!(
        refusal(&[("?? read(process.env.DATABASE_URL_FILE)", "")]).contains("DATABASE_URL_FILE is not read")
    );
    assert!(refusal(&[("/api/x", "/x")]).contains("no route under /api/"));
}

#[test]
fn hostile_texts_are_refused() {
    for (from, to) in [
        ("\"shop\"", "\"shop\\nservices:\""),
        ("@shop/api", "a\\\" && touch /x && \\\""),
        ("dist/main.js", "dist/$(reboot).js"),
        ("'fast'", "'fast}\\nFROM evil'"),
        ("10.34.9", "10.34.9 && evil"),
    ] {
        let message = refusal(&[(from, to)]);
        assert!(
            message.contains("cannot be used") || message.contains("no start command"),
            "{to}: {message}"
        );
    }
}

fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    bytes.fill(0xa5);
    Ok(())
}

#[test]
fn secrets_are_made_once_and_derived_from_what_is_there() {
    let stack = stack(&[]);
    assert_eq!(missing_secrets(&stack, &|_| false).len(), 2);
    let made = make_secrets(&stack, &|_| None, &mut fill).unwrap();
    let password = made[0].text.expose();
    assert_eq!(password.len(), 43);
    assert_eq!(made[1].text.expose(), format!("postgresql://shop:{password}@postgres:5432/shop"));

    let own = BTreeMap::from([("secrets/postgres_password", "p@ss/word\n")]);
    let read = |path: &str| own.get(path).map(|text| (*text).to_owned());
    let derived = make_secrets(&stack, &read, &mut fill).unwrap();
    assert_eq!(derived.len(), 1);
    assert_eq!(derived[0].text.expose(), "postgresql://shop:p%40ss%2Fword@postgres:5432/shop");

    let all = make_secrets(&stack, &|_| Some("x".to_owned()), &mut fill).unwrap();
    assert!(all.is_empty());
    let empty =
        make_secrets(&stack, &|path| (path == "secrets/postgres_password").then(String::new), &mut fill);
    assert!(matches!(empty, Err(SecretError::NoPassword { .. })));
    let deaf = make_secrets(&stack, &|_| None, &mut |_| Err(std::io::ErrorKind::Other.into()));
    assert!(matches!(deaf, Err(SecretError::Random(_))));
}
