//! Images of builds that need what a build does not have.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use support::{file, planned};

#[test]
fn an_image_is_built_without_the_part_that_migrates() {
    let manifest = r#"{ "name": "booth", "scripts": { "build": "prisma generate && prisma migrate deploy && next build" },
        "dependencies": { "next": "15.1.0" }, "devDependencies": { "prisma": "6.0.0" } }"#;
    let planned = planned(&[("package.json", manifest), ("package-lock.json", "{}")]);
    let dockerfile = file(&planned, "Dockerfile");
    assert!(dockerfile.contains("RUN npx prisma generate\nRUN --mount=type=cache,"), "{dockerfile}");
    assert!(dockerfile.contains("&& npx next build\n"), "{dockerfile}");
    assert!(!dockerfile.contains("migrate deploy"), "{dockerfile}");
}

#[test]
fn steps_of_a_member_run_in_its_folder() {
    let root = r#"{ "name": "fair", "workspaces": ["apps/*"] }"#;
    let member = r#"{ "name": "@fair/booth", "scripts": { "build": "prisma db push && next build" },
        "dependencies": { "next": "15.1.0" }, "devDependencies": { "prisma": "6.0.0" } }"#;
    let files = [("package.json", root), ("package-lock.json", "{}"), ("apps/booth/package.json", member)];
    let dockerfile = file(&planned(&files), "apps/booth/Dockerfile");
    assert!(dockerfile.contains("    && (cd apps/booth && npx next build)\n"), "{dockerfile}");
}

#[test]
fn placeholders_are_there_for_the_build_alone() {
    let manifest = r#"{ "name": "booth", "scripts": { "build": "next build" }, "dependencies": { "next": "15.1.0", "pg": "8" } }"#;
    let database = "import pg from 'pg';\nif (!process.env.POSTGRES_URL) { throw new Error('POSTGRES_URL is not set'); }\n\
        export const pool = new pg.Pool({ connectionString: process.env.POSTGRES_URL });\n\
        export const name = process.env.NEXT_PUBLIC_NAME!;\n";
    let planned =
        planned(&[("package.json", manifest), ("package-lock.json", "{}"), ("lib/db.ts", database)]);
    let dockerfile = file(&planned, "Dockerfile");
    let line =
        "    && export POSTGRES_URL=postgresql://build:build@localhost:5432/build \\\n    && npm run build\n";
    assert!(dockerfile.contains(line), "{dockerfile}");
    let (_, runtime) = dockerfile.split_once("AS runtime").unwrap();
    assert!(!runtime.contains("build:build"), "{runtime}");
    let compose = file(&planned, "compose.production.yml");
    assert!(compose.contains("NEXT_PUBLIC_NAME: ${NEXT_PUBLIC_NAME:?set NEXT_PUBLIC_NAME}"), "{compose}");
}

#[test]
fn what_next_has_compiled_is_kept_for_the_next_build_and_what_it_has_fetched_is_not() {
    let manifest = r#"{ "name": "booth", "scripts": { "build": "next build" }, "dependencies": { "next": "15.1.0", "react": "19.0.0" } }"#;
    for config in ["module.exports = {};\n", "module.exports = { output: 'export' };\n"] {
        let planned = planned(&[
            ("package.json", r#"{ "name": "shop", "workspaces": ["apps/*"] }"#),
            ("package-lock.json", r#"{ "lockfileVersion": 3 }"#),
            ("apps/booth/package.json", manifest),
            ("apps/booth/next.config.js", config),
        ]);
        let dockerfile = file(&planned, "apps/booth/Dockerfile");
        let mount = "RUN --mount=type=cache,id=checkout-booth-build,target=/app/apps/booth/.next/cache,sharing=locked \\\n    \
                     rm -rf /app/apps/booth/.next/cache/fetch-cache \\\n    && npm run build --workspace \"booth\"";
        let mount = mount.replace("checkout", &project(&planned));
        assert!(dockerfile.contains(&mount), "{dockerfile}");
    }
}

/// The project's name in the compose file.
fn project(planned: &plimsoll_generate::Planned) -> String {
    let compose = file(planned, "compose.production.yml");
    compose.lines().find_map(|line| line.strip_prefix("name: ")).unwrap().to_owned()
}
