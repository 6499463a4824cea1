//! What a build script runs in the end, and what the packages of a program reach, each on a repository that shows nothing
//! but its case.

mod support;

use plimsoll_survey::Role;

use support::{gap, of, service};

/// A site whose build script is `build`, with more members of its package.json.
fn site(build: &str, more: &str) -> plimsoll_survey::Survey {
    let manifest = format!(
        r#"{{ "name": "shop", "scripts": {{ "build": "{build}", "build-only": "vite build --outDir out", "build:pages": "vite build",
            "type-check": "vue-tsc --build" }}, "dependencies": {{ "vue": "^3.5.0" }}, "devDependencies": {{ "vite": "^8.0.0" }}{more} }}"#
    );
    of(&[
        ("package.json", &manifest),
        ("package-lock.json", "{}"),
        ("index.html", "<html><script type=\"module\" src=\"/src/main.ts\"></script></html>"),
        ("src/main.ts", "import { createApp } from 'vue'\ncreateApp({}).mount('#app')\n"),
    ])
}

#[test]
fn tasks_in_the_syntax_of_their_runners_are_followed() {
    for (build, output) in [
        (r#"run-p type-check \"build-only {@}\" --"#, "out"),
        ("run-p type-check 'build-only -- {1}'", "out"),
        (r#"concurrently \"npm:type-check\" \"npm:build-only\""#, "out"),
        ("concurrently -n a,b 'npm:build:*' 'vue-tsc --build'", "dist"),
        ("npm-run-all build:*", "dist"),
        ("npm-run-all --parallel type-check build-*", "out"),
        ("pnpm run /^build:.*/", "dist"),
        ("node --max-old-space-size=4096 node_modules/vite/bin/vite.js build", "dist"),
        ("./node_modules/.bin/vite build --outDir=out", "out"),
        ("env-cmd -f .env.production npm run build-only", "out"),
        ("dotenv -e .env -- vite build", "dist"),
        ("sh -c 'vite build'", "dist"),
        ("yarn vite build", "dist"),
        ("vue-tsc -b && vite build", "dist"),
    ] {
        let survey = site(build, "");
        let found = survey.services.iter().find(|service| service.role == Role::Site);
        let found = found.unwrap_or_else(|| panic!("{build}: {:#?}", survey.gaps));
        assert_eq!(found.output.as_ref().unwrap().value, output, "{build}");
        assert!(
            survey.gaps.iter().all(|gap| !gap.message.contains("not known")),
            "{build}: {:#?}",
            survey.gaps
        );
    }
}

#[test]
fn wireit_keeps_its_commands_in_a_table_of_its_own() {
    let table = r#", "wireit": { "build": { "dependencies": ["type-check", { "script": "pages" }] }, "pages": { "command": "vite build" } }"#;
    let survey = site("wireit", table);
    assert_eq!(survey.services[0].role, Role::Site);
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("not known")), "{:#?}", survey.gaps);
}

#[test]
fn a_build_that_nobody_can_read_is_that_of_the_one_bundler_and_says_so() {
    let survey = site("node scripts/build.mjs", "");
    assert_eq!(survey.services[0].role, Role::Site);
    let said = gap(&survey, "taken for a build by Vite");
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("package.json", 1));
    // A compiler alone makes no pages.
    assert!(site("tsc", "").services.is_empty());
}

#[test]
fn what_a_server_is_compiled_to_is_followed_through_scripts() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "api", "scripts": { "build": "run-s clean compile", "clean": "rimraf lib", "compile": "tsc -p .",
                "start": "tsx src/index.ts" }, "dependencies": { "express": "^5.0.0" }, "devDependencies": { "tsx": "^4.0.0" } }"#,
        ),
        ("package-lock.json", "{}"),
        ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "lib" } }"#),
        ("src/index.ts", "import express from 'express'\nconst app = express()\napp.listen(3000)\n"),
    ]);
    let command = service(&survey, "api").command.as_ref().unwrap();
    assert_eq!(command.value, ["node", "lib/index.js"]);
}

#[test]
fn tools_of_the_repository_are_no_part_of_the_program() {
    let manifest = r#"{ "name": "api", "scripts": { "build": "tsc", "start": "node dist/main.js", "worker": "node scripts/worker.js",
        "release": "node scripts/release.mjs", "generate": "hygen resource new" }, "dependencies": { "express": "^5.0.0" } }"#;
    let survey = of(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("Procfile", "web: node dist/main.js\nclock: node tools/clock.js\n"),
        ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#),
        (
            "src/main.ts",
            "import express from 'express'\nimport { used } from '../scripts/used'\nconst app = express()\nconst a = process.env.OWN\napp.listen(3000)\n",
        ),
        (
            ".hygen/resource/new/index.js",
            "const fs = require('fs')\nfs.readFileSync('views/one.txt')\nprocess.env.GENERATOR.trim()\n",
        ),
        ("views/one.txt", ""),
        (
            "scripts/release.mjs",
            "import { execSync } from 'child_process'\nif (!process.env.RELEASE_VERSION) { process.exit(1) }\nexecSync('git tag')\n",
        ),
        ("scripts/used.ts", "export const used = process.env.USED\n"),
        ("scripts/worker.js", "const b = process.env.WORKER\n"),
        ("tools/clock.js", "const c = process.env.CLOCK\n"),
    ]);
    let api = service(&survey, "api");
    let names: Vec<&str> = api.environment.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["CLOCK", "OWN", "USED", "WORKER"]);
    assert!(api.spawns.is_none() && api.reads.is_empty(), "{:?} {:?}", api.spawns, api.reads);
}

#[test]
fn old_bundlers_say_what_the_node_that_is_taken_cannot_build() {
    let with = |packages: &str, lock: &str| {
        of(&[
            (
                "package.json",
                &format!(
                    r#"{{ "name": "shop", "scripts": {{ "build": "react-scripts build" }}, "dependencies": {{ "react": "17.0.1", {packages} }} }}"#
                ),
            ),
            ("yarn.lock", lock),
            ("public/index.html", "<html>"),
        ])
    };
    let lock = "postcss@^8.1.0:\n  version \"8.2.4\"\n  resolved \"https://registry.example/postcss/-/postcss-8.2.4.tgz#20a\"\n";
    let survey = with(r#""react-scripts": "4.0.1""#, lock);
    let said = gap(&survey, "yarn.lock holds postcss 8.2.4");
    assert_eq!(
        (said.evidence[0].file.as_str(), said.evidence[1].file.as_str()),
        ("package.json", "yarn.lock")
    );
    let set = survey.services[0].settings.iter().find(|setting| setting.name == "NODE_OPTIONS").unwrap();
    assert!(set.at_build && set.value == "--openssl-legacy-provider");
    let newer = with(r#""react-scripts": "5.0.1""#, lock);
    assert!(newer.gaps.iter().all(|gap| !gap.message.contains("postcss")), "{:#?}", newer.gaps);
    gap(
        &with(r#""react-scripts": "5.0.1", "node-sass": "7.0.0""#, ""),
        "node-sass is made for Node.js up to 20",
    );
}

#[test]
fn where_nothing_is_deployed_the_reason_is_said_and_no_lock_file() {
    let survey = of(&[("package.json", r#"{ "name": "x", "packageManager": "pnpm@10.0.0" }"#)]);
    let messages: Vec<&str> = survey.gaps.iter().map(|gap| gap.message.as_str()).collect();
    assert_eq!(messages, ["nothing was found that can be deployed"]);
    assert_eq!(survey.gaps[0].evidence[0].file, "package.json");
    let alone = of(&[(
        "server.js",
        "const http = require('http')\nhttp.createServer(f).listen(process.env.PORT || 8080)\n",
    )]);
    let said = gap(&alone, "server.js listens, and no package.json says how it is installed and started");
    assert_eq!(said.evidence[0].line, 2);
    let page = of(&[
        ("Procfile", "web: python server.py\n"),
        ("server.py", "import http.server\n"),
        ("web/index.html", "<html>"),
    ]);
    let said = gap(&page, "`python server.py` is started for the web, and nothing in the stack runs it");
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("Procfile", 1));
}

#[test]
fn a_server_that_others_use_is_one_by_its_script_for_production() {
    let survey = of(&[
        ("package.json", r#"{ "name": "root", "scripts": { "prod": "pnpm --filter core run prod" } }"#),
        ("pnpm-workspace.yaml", "packages:\n  - core\n  - tools\n"),
        ("pnpm-lock.yaml", ""),
        (
            "core/package.json",
            r#"{ "name": "core", "scripts": { "prod": "node server.js" }, "dependencies": { "express": "^5.0.0" } }"#,
        ),
        ("core/server.js", "const express = require('express')\nexports.app = express()\n"),
        (
            "tools/package.json",
            r#"{ "name": "tools", "bin": "t.js", "dependencies": { "core": "workspace:*" } }"#,
        ),
    ]);
    assert_eq!(service(&survey, "core").command.as_ref().unwrap().value, ["node", "server.js"]);
}
