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
    assert!(dockerfile.contains("RUN npx prisma generate\nRUN npx next build\n"), "{dockerfile}");
    assert!(!dockerfile.contains("migrate deploy"), "{dockerfile}");
}

#[test]
fn steps_of_a_member_run_in_its_folder() {
    let root = r#"{ "name": "fair", "workspaces": ["apps/*"] }"#;
    let member = r#"{ "name": "@fair/booth", "scripts": { "build": "prisma db push && next build" },
        "dependencies": { "next": "15.1.0" }, "devDependencies": { "prisma": "6.0.0" } }"#;
    let files = [("package.json", root), ("package-lock.json", "{}"), ("apps/booth/package.json", member)];
    let dockerfile = file(&planned(&files), "apps/booth/Dockerfile");
    assert!(dockerfile.contains("RUN (cd apps/booth && npx next build)\n"), "{dockerfile}");
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
        "RUN export POSTGRES_URL=postgresql://build:build@localhost:5432/build \\\n    && npm run build\n";
    assert!(dockerfile.contains(line), "{dockerfile}");
    let (_, runtime) = dockerfile.split_once("AS runtime").unwrap();
    assert!(!runtime.contains("build:build"), "{runtime}");
    let compose = file(&planned, "compose.production.yml");
    assert!(compose.contains("NEXT_PUBLIC_NAME: ${NEXT_PUBLIC_NAME:?set NEXT_PUBLIC_NAME}"), "{compose}");
}
