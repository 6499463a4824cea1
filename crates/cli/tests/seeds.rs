//! The Dockerfiles in the descriptions of the five systems: those that are right build, those that are wrong say where
//! and why. The applications here are not those of the descriptions, which come without sources: each is the least
//! that its Dockerfile asks of its context.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use support::{Kitchen, base, log};

/// Which of them is what.
enum Seed {
    /// Not a Dockerfile: the line of the error and its text.
    Wrong(usize, &'static str),
    /// Builds with this application, and these images for those that it names.
    Builds(fn(&Kitchen, &str), &'static [(&'static str, Image)]),
    /// A step fails as it is written: its line and cause. With that text replaced by the other one it builds.
    Fails {
        application: fn(&Kitchen, &str),
        images: &'static [(&'static str, Image)],
        line: usize,
        cause: &'static str,
        repair: (&'static str, &'static str),
    },
}

/// What stands for an image that cannot be pulled.
#[derive(Clone, Copy)]
enum Image {
    Debian,
    Node,
    DistrolessNode,
    Nginx,
    /// Node.js with `addgroup` and `adduser` as Alpine has them, which Debian has no more.
    NodeAdduser,
    /// Node.js with Corepack, as the official images have it: not switched on.
    NodeCorepack,
    /// Busybox with the programs that Alpine has, and the user that the official nginx image has already.
    AlpineNginx,
}

const NO_STAGE: &str = "no build stage in current context";

const SEEDS: &[(&str, usize, Seed)] = &[
    ("000", 0, Seed::Wrong(2, NO_STAGE)),
    ("000", 1, Seed::Wrong(2, NO_STAGE)),
    ("000", 2, Seed::Builds(express, &[("node:18-alpine", Image::NodeAdduser)])),
    ("000", 3, Seed::Wrong(2, NO_STAGE)),
    (
        "002",
        0,
        // pnpm is switched on in one stage and used in another
        Seed::Fails {
            application: workspace,
            images: &[
                ("node:20-bookworm-slim", Image::NodeCorepack),
                ("gcr.io/distroless/nodejs20-debian12", Image::DistrolessNode),
            ],
            line: 14,
            cause: "pnpm: not found",
            repair: ("RUN pnpm -C packages/shared", "RUN corepack enable && pnpm -C packages/shared"),
        },
    ),
    (
        "002",
        1,
        // Debian's busybox takes it that the group is there already; whether Alpine's does cannot be seen here
        Seed::Builds(
            workspace,
            &[("node:20-alpine", Image::NodeCorepack), ("nginx:1.27-alpine", Image::AlpineNginx)],
        ),
    ),
    ("003", 0, Seed::Builds(nest, &[("node:20-alpine", Image::NodeAdduser)])),
    ("003", 1, Seed::Wrong(2, NO_STAGE)),
    ("003", 2, Seed::Wrong(10, "FROM requires either one or three arguments")),
    ("004", 0, Seed::Wrong(2, NO_STAGE)),
    ("004", 1, Seed::Builds(nothing, &[("python:3.12-slim", Image::Debian)])),
    (
        "004",
        2,
        Seed::Builds(nothing, &[("node:20-alpine", Image::Node), ("nginx:1.27-alpine", Image::Nginx)]),
    ),
];

fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name)
}

/// The fenced blocks called `dockerfile` of each description.
fn seeds() -> Option<Vec<(String, usize, String)>> {
    let folder = shared("seeds");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("skipped: no descriptions in {}", folder.display());
        return None;
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        let name: String = file.file_name().unwrap().to_string_lossy().chars().take(3).collect();
        for (index, block) in text.split("```dockerfile\n").skip(1).enumerate() {
            let block = block.split("```").next().unwrap();
            found.push((name.clone(), index, block.to_owned()));
        }
    }
    Some(found)
}

#[test]
fn dockerfiles_of_the_descriptions() {
    let Some(kitchen) = Kitchen::new() else { return };
    let Some(blocks) = seeds() else { return };
    assert_eq!(blocks.len(), SEEDS.len());
    for ((name, index, text), (of, place, seed)) in blocks.iter().zip(SEEDS) {
        assert_eq!((name.as_str(), index), (*of, place));
        let context = format!("{name}-{index}");
        kitchen.write(&format!("{context}/Dockerfile"), text);
        match seed {
            Seed::Wrong(line, cause) => {
                for args in [&["--call=outline"][..], &[]] {
                    fails(&kitchen, &context, args, *line, cause);
                }
            }
            Seed::Builds(application, images) => {
                application(&kitchen, &context);
                let images = contexts(&kitchen, images);
                kitchen.build("home", &context, &arguments(&images));
            }
            Seed::Fails { application, images, line, cause, repair: (wrong, right) } => {
                application(&kitchen, &context);
                let images = contexts(&kitchen, images);
                fails(&kitchen, &context, &arguments(&images), *line, cause);
                assert_eq!(text.matches(wrong).count(), 1, "{context}");
                kitchen.write(&format!("{context}/Dockerfile"), &text.replace(wrong, right));
                kitchen.build("home", &context, &arguments(&images));
            }
        }
    }
}

#[track_caller]
fn fails(kitchen: &Kitchen, context: &str, args: &[&str], line: usize, cause: &str) {
    let output = kitchen.command("home", context, args).output().unwrap();
    let log = log(&output);
    assert_eq!(output.status.code(), Some(2), "{context}: {log}");
    assert!(log.contains(cause) && log.contains(&format!("Dockerfile:{line}:")), "{context}: {log}");
}

fn contexts(kitchen: &Kitchen, images: &[(&str, Image)]) -> Vec<String> {
    images.iter().map(|(name, image)| image_for(kitchen, name, *image)).collect()
}

fn arguments(contexts: &[String]) -> Vec<&str> {
    contexts.iter().flat_map(|context| ["--build-context", context.as_str()]).collect()
}

fn nothing(_: &Kitchen, _: &str) {}

/// The least that the Dockerfile of an Express application with Prisma asks of its context.
fn express(kitchen: &Kitchen, context: &str) {
    let file = |name: &str, text: &str| kitchen.write(&format!("{context}/{name}"), text);
    file("package.json", r#"{"name": "app", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}"#);
    file(
        "package-lock.json",
        r#"{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {
            "": {"name": "app", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}},
            "node_modules/ms": {"version": "2.1.3"}}}"#,
    );
    file("dist/index.js", "console.log('up')\n");
    let prisma = file("node_modules/.bin/prisma", "#!/bin/sh\ntest \"$1\" = generate\n");
    fs::set_permissions(prisma, fs::Permissions::from_mode(0o755)).unwrap();
}

const LOCK: &str = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .: {}\n";

/// A workspace of pnpm with a backend that uses a shared package, and a frontend behind nginx.
fn workspace(kitchen: &Kitchen, context: &str) {
    let file = |name: &str, text: &str| kitchen.write(&format!("{context}/{name}"), text);
    file(
        "package.json",
        r#"{"name": "app", "version": "1.0.0", "private": true, "packageManager": "pnpm@10.11.0"}"#,
    );
    file("pnpm-workspace.yaml", "packages: [apps/*, packages/*]\n");
    file(
        "pnpm-lock.yaml",
        &format!(
            "{LOCK}\n  apps/backend:\n    dependencies:\n      shared:\n        specifier: workspace:*\n        version: link:../../packages/shared\n\n  apps/frontend: {{}}\n\n  packages/shared: {{}}\n"
        ),
    );
    file(
        "packages/shared/package.json",
        r#"{"name": "shared", "version": "1.0.0", "scripts": {"build": "node -e 0"}}"#,
    );
    file(
        "apps/backend/package.json",
        r#"{"name": "backend", "version": "1.0.0", "type": "module", "dependencies": {"shared": "workspace:*"},
            "scripts": {"type-check": "node --check src/index.js", "lint": "node --check src/index.js",
                        "test:ci": "node src/index.js", "build": "mkdir -p dist && cp src/index.js dist/"}}"#,
    );
    file("apps/backend/src/index.js", "console.log('up')\n");
    file(
        "apps/frontend/package.json",
        r#"{"name": "frontend", "version": "1.0.0",
            "scripts": {"typecheck": "node -e 0", "lint": "node -e 0", "build": "mkdir -p dist && echo up > dist/index.html"}}"#,
    );
    file("apps/frontend/nginx.conf", "events {}\n");
    file("apps/frontend/nginx-security.conf", "");
}

/// An API in a workspace whose build needs no package.
fn nest(kitchen: &Kitchen, context: &str) {
    let file = |name: &str, text: &str| kitchen.write(&format!("{context}/{name}"), text);
    file(
        "package.json",
        r#"{"name": "app", "version": "1.0.0", "private": true, "scripts": {"build": "cd apps/api && node build.js"}}"#,
    );
    file("pnpm-lock.yaml", LOCK);
    file("apps/api/package.json", r#"{"name": "api", "version": "1.0.0"}"#);
    file(
        "apps/api/build.js",
        "const fs = require('fs'); fs.mkdirSync('dist'); fs.writeFileSync('dist/main.js', '')\n",
    );
}

fn image_for(kitchen: &Kitchen, name: &str, image: Image) -> String {
    match image {
        Image::Debian => base(name, "debian", "plimsoll.local/debian:13"),
        Image::Node => base(name, "node", "plimsoll.local/node:20"),
        Image::DistrolessNode => base(name, "distroless-node", "plimsoll.local/distroless-node:20"),
        Image::Nginx => base(name, "nginx", "plimsoll.local/nginx:1.26"),
        Image::NodeAdduser => {
            let node = base("node", "node", "plimsoll.local/node:20");
            kitchen.write("adduser/Dockerfile", "FROM node\nCOPY --chmod=755 addgroup adduser /usr/sbin/\n");
            let programs = [
                ("addgroup", "gid", "groupadd --system"),
                ("adduser", "uid", "useradd --system --no-user-group"),
            ];
            for (name, option, program) in programs {
                let script = format!(
                    "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ $1 = --{option} ] && id=$2; shift; done\n\
                     exec {program} --{option} $id $1\n"
                );
                kitchen.write(&format!("adduser/{name}"), &script);
            }
            made(kitchen, name, "adduser", &node)
        }
        Image::NodeCorepack => {
            let node = base("node", "node", "plimsoll.local/node:20");
            // mirrors of the registry may hand out no signatures
            kitchen.write(
                "corepack/Dockerfile",
                "FROM node\nENV COREPACK_INTEGRITY_KEYS=0\nRUN npm install --global corepack@0.34.0 && corepack disable\n",
            );
            made(kitchen, name, "corepack", &node)
        }
        Image::AlpineNginx => {
            let folder = kitchen.path("alpine");
            fs::create_dir_all(&folder).unwrap();
            let unpacked = Command::new("tar")
                .args(["-I", "zstd -d --long=27", "-xf"])
                .arg(shared("conformance/build/bases.tar.zst"))
                .arg("-C")
                .arg(&folder)
                .status();
            assert!(unpacked.unwrap().success());
            kitchen.write(
                "nginx/Dockerfile",
                "FROM alpine\nRUN addgroup -g 101 -S nginx && adduser -S -D -H -u 101 -G nginx nginx\n",
            );
            made(
                kitchen,
                name,
                "nginx",
                &format!("alpine=oci-layout://{}", folder.join("base/alpine").display()),
            )
        }
    }
}

/// Builds the image in the folder `context`; the value of `--build-context` that makes it `name`.
fn made(kitchen: &Kitchen, name: &str, context: &str, from: &str) -> String {
    let layout = kitchen.path(&format!("{context}-layout"));
    let output = format!("type=oci,tar=false,dest={}", layout.display());
    if !layout.exists() {
        kitchen.build("home", context, &["--build-context", from, "--output", &output]);
    }
    format!("{name}=oci-layout://{}", layout.display())
}
