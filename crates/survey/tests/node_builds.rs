//! Builds that need what a build of an image does not have, and programs that are not what they look like, each as a
//! small repository.

mod support;

use std::collections::BTreeMap;

use plimsoll_survey::{Bind, Role, Service, Shape, Survey, answer};

use support::{gap, of, service};

/// A Next.js application with these scripts and files.
fn booth(scripts: &str, more: &[(&str, &str)]) -> Survey {
    let manifest = format!(
        r#"{{ "name": "booth", "scripts": {{ {scripts} }}, "dependencies": {{ "next": "15.1.0", "react": "19.0.0" }},
            "devDependencies": {{ "prisma": "6.0.0", "drizzle-kit": "0.30.0", "npm-run-all": "4.1.5", "tsx": "4.0.0" }} }}"#
    );
    of(&[&[("package.json", manifest.as_str()), ("package-lock.json", "{}")], more].concat())
}

fn steps(service: &Service) -> Vec<String> {
    service.build_steps.iter().map(|step| step.value.join(" ")).collect()
}

#[test]
fn a_build_that_migrates_is_taken_apart() {
    let survey = booth(r#""build": "prisma generate && prisma db push && next build""#, &[]);
    assert_eq!(steps(service(&survey, "booth")), ["npx prisma generate", "npx next build"]);
    let said = gap(&survey, "works on a database");
    assert!(said.message.contains("`prisma db push`") && said.evidence[0].line == 1, "{said:?}");
    let survey = booth(
        r#""build": "run-s db:migrate build:next", "db:migrate": "dotenv -c -- drizzle-kit migrate", "build:next": "NODE_ENV=production next build""#,
        &[],
    );
    assert_eq!(steps(service(&survey, "booth")), ["npm run build:next"]);
    let survey = booth(r#""build": "tsx lib/db/migrate && BASE=/x next build""#, &[]);
    assert_eq!(steps(service(&survey, "booth")), ["env BASE=/x npx next build"]);
}

#[test]
fn hooks_of_a_build_are_a_part_of_it() {
    let scripts = r#""prebuild": "run-s generate migrate", "generate": "prisma generate", "migrate": "prisma migrate deploy", "build": "next build""#;
    let survey = booth(scripts, &[]);
    assert_eq!(steps(service(&survey, "booth")), ["npm run generate", "npx next build"]);
    // Yarn 2 and later run none.
    let manifest = format!(
        r#"{{ "name": "booth", "packageManager": "yarn@4.6.0", "scripts": {{ {scripts} }}, "dependencies": {{ "next": "15.1.0" }} }}"#
    );
    let survey = of(&[("package.json", &manifest), ("yarn.lock", "__metadata:\n  version: 8\n")]);
    assert!(service(&survey, "booth").build_steps.is_empty());
}

#[test]
fn a_script_for_images_builds_them() {
    let scripts = r#""build": "npm-run-all check-db build-app", "check-db": "node scripts/check-db.js", "build-app": "next build",
        "build-docker": "npm-run-all build-app""#;
    let program = "const client = new PrismaClient();\nclient.$connect();\n";
    let survey = booth(scripts, &[("scripts/check-db.js", program)]);
    let booth = service(&survey, "booth");
    assert_eq!(booth.build.as_ref().map(|build| build.value.as_str()), Some("build-docker"));
    assert!(booth.build_steps.is_empty());
}

#[test]
fn a_build_without_a_database_stays_as_it_is() {
    let scripts = r#""prebuild": "prisma generate", "build": "next build && node scripts/map.js""#;
    let survey = booth(scripts, &[("scripts/map.js", "console.log('migrate later');\n")]);
    let booth = service(&survey, "booth");
    assert_eq!(booth.build.as_ref().map(|build| build.value.as_str()), Some("build"));
    assert!(booth.build_steps.is_empty());
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("works on a database")), "{:?}", survey.gaps);
}

#[test]
fn a_build_that_only_a_shell_can_read_is_asked_for() {
    let scripts = r#""build": "prisma migrate deploy || true && next build", "pages": "next build""#;
    let mut survey = booth(scripts, &[]);
    let question = survey.questions.iter().find(|question| question.id == "booth.build").unwrap();
    assert_eq!(question.default, None);
    let answers = BTreeMap::from([("booth.build".to_owned(), "pages".to_owned())]);
    answer(&mut survey, &answers).unwrap();
    assert_eq!(service(&survey, "booth").build.as_ref().map(|build| build.value.as_str()), Some("pages"));
    assert!(survey.questions.iter().all(|question| question.id != "booth.build"));
}

fn placeholders(service: &Service) -> Vec<String> {
    let settings = service.placeholders.iter();
    settings.map(|setting| format!("{}={}", setting.name, setting.value)).collect()
}

const ENVIRONMENT: &str = "import { createEnv } from '@t3-oss/env-nextjs';\nimport { z } from 'zod';\n\
    export const env = createEnv({\n  server: { AUTH_SECRET: z.string().min(1), MAIL_FROM: z.string().optional() },\n\
      client: { NEXT_PUBLIC_NAME: z.string().min(1) },\n\
      runtimeEnv: { AUTH_SECRET: process.env.AUTH_SECRET, MAIL_FROM: process.env.MAIL_FROM, NEXT_PUBLIC_NAME: process.env.NEXT_PUBLIC_NAME },\n});\n";

#[test]
fn a_build_that_checks_its_variables_has_placeholders() {
    let shop = "export const shop = new Shop(process.env.SHOP_URL!);\nexport const debug = process.env.SHOP_DEBUG !== '1';\n";
    let survey = booth(r#""build": "next build""#, &[("src/env.ts", ENVIRONMENT), ("src/shop.ts", shop)]);
    let booth = service(&survey, "booth");
    assert_eq!(
        placeholders(booth),
        ["AUTH_SECRET=placeholder-while-the-image-is-built", "SHOP_URL=http://localhost"]
    );
    assert!(gap(&survey, "placeholders stand in").message.contains("AUTH_SECRET, SHOP_URL"));
    let name = booth.inlined.iter().find(|variable| variable.name == "NEXT_PUBLIC_NAME").unwrap();
    assert!(name.required && name.default.is_none());
}

#[test]
fn a_check_that_can_be_turned_off_is() {
    let environment = format!("{ENVIRONMENT}export const skip = !!process.env.SKIP_ENV_VALIDATION;\n");
    let survey = booth(r#""build": "next build""#, &[("src/env.ts", &environment)]);
    let found = placeholders(service(&survey, "booth"));
    assert!(found.contains(&"SKIP_ENV_VALIDATION=1".to_owned()), "{found:?}");
}

#[test]
fn a_committed_file_of_variables_gives_public_values_alone() {
    let file = "NEXT_PUBLIC_NAME=Booth\nAUTH_SECRET=of-development\n";
    let survey = booth(r#""build": "next build""#, &[("src/env.ts", ENVIRONMENT), (".env", file)]);
    let booth = service(&survey, "booth");
    let name = booth.inlined.iter().find(|variable| variable.name == "NEXT_PUBLIC_NAME").unwrap();
    assert_eq!((name.default.as_deref(), name.required), (Some("Booth"), false));
    let said = gap(&survey, ".env is a part of the repository");
    assert!(said.message.contains("AUTH_SECRET") && said.evidence[0].line == 2, "{said:?}");
    assert!(!said.message.contains("of-development"), "{said:?}");
}

#[test]
fn a_server_whose_build_loads_nothing_of_it_has_none() {
    let manifest = r#"{ "name": "desk", "scripts": { "build": "tsc", "start": "node dist/index.js" }, "dependencies": { "express": "5" } }"#;
    let program = "const key = process.env.API_KEY!;\nconst app = express();\napp.listen(3000);\n";
    let survey = of(&[("package.json", manifest), ("package-lock.json", "{}"), ("src/index.ts", program)]);
    assert!(placeholders(service(&survey, "desk")).is_empty());
}

/// A SvelteKit application with two adapters and this setting.
fn stall(before: &str, adapter: &str) -> Survey {
    let manifest = r#"{ "name": "stall", "scripts": { "build": "vite build" }, "devDependencies": { "@sveltejs/kit": "2.20.0",
        "@sveltejs/adapter-node": "5.2.0", "@sveltejs/adapter-static": "3.0.0", "vite": "6.0.0" } }"#;
    let config = format!(
        "import toServer from '@sveltejs/adapter-node';\nimport toFiles from '@sveltejs/adapter-static';\n{before}\n\
         const config = {{\n  kit: {{ adapter: {adapter}, paths: {{}} }},\n}};\nexport default config;\n"
    );
    of(&[("package.json", manifest), ("package-lock.json", "{}"), ("svelte.config.js", &config)])
}

#[test]
fn an_adapter_that_a_condition_chooses_is_the_one_of_an_image() {
    let cases = [
        (
            "const files = process.env.ADAPTER === 'static';",
            "files ? toFiles({ fallback: 'a.html' }) : toServer()",
            Role::Server,
        ),
        ("", "process.env.VERCEL ? toFiles() : toServer()", Role::Server),
        ("", "!process.env.SERVER ? toFiles() : toServer()", Role::Site),
        ("", "process.env.NODE_ENV === 'production' ? toFiles() : toServer()", Role::Site),
        ("", "process.env.MODE !== 'files' ? toServer() : toFiles()", Role::Server),
        ("", "toFiles()", Role::Site),
        ("", "toServer({ out: 'build' })", Role::Server),
    ];
    for (before, adapter, role) in cases {
        assert_eq!(service(&stall(before, adapter), "stall").role, role, "{before} {adapter}");
    }
}

#[test]
fn an_adapter_that_nothing_here_can_choose_is_not_guessed() {
    let survey = stall("import { mode } from './mode.js';", "mode() ? toFiles() : toServer()");
    assert!(survey.services.is_empty(), "{:?}", survey.services);
    assert_eq!(gap(&survey, "chooses between several adapters").evidence[0].line, 5);
}

#[test]
fn an_output_of_next_that_a_condition_chooses() {
    let role = |output: &str| {
        let config = format!(
            "const nextConfig = {{ reactStrictMode: true, output: {output} }};\nexport default nextConfig;\n"
        );
        service(&booth(r#""build": "next build""#, &[("next.config.mjs", &config)]), "booth").role
    };
    assert_eq!(role("process.env.FILES ? 'export' : undefined"), Role::Server);
    assert_eq!(role("process.env.NODE_ENV === 'production' ? 'export' : undefined"), Role::Site);
    assert_eq!(role("'export'"), Role::Site);
}

#[test]
fn a_next_without_a_server_of_its_own_is_started_whole() {
    let of_range = |range: &str| {
        let manifest = format!(
            r#"{{ "name": "booth", "scripts": {{ "build": "next build", "start": "next start" }}, "dependencies": {{ "next": "{range}" }} }}"#
        );
        let survey = of(&[("package.json", &manifest), ("package-lock.json", "{}")]);
        service(&survey, "booth").clone()
    };
    let old = of_range("^9.1.7");
    assert_eq!((old.shape, old.output), (Shape::Package, None));
    assert_eq!(old.command.unwrap().value.join(" "), "node node_modules/next/dist/bin/next start -p 3000");
    let settings: Vec<&str> = old.settings.iter().map(|setting| setting.name.as_str()).collect();
    assert_eq!(settings, ["NODE_OPTIONS"]);
    // Before 13.4 a server alone is made where the settings ask for it, and then nothing else is known of webpack 4.
    let old = of_range("^12.0.0");
    assert_eq!((old.shape, old.settings.len()), (Shape::Package, 0));
    assert_eq!(of_range("^13.5.0").shape, Shape::Bundle);
}

#[test]
fn a_next_in_a_workspace_lies_where_its_version_and_its_settings_put_it() {
    let of = |range: &str, config: &str, lock: &str| {
        let manifest = format!(
            r#"{{ "name": "booth", "scripts": {{ "build": "next build", "start": "next start" }}, "dependencies": {{ "next": "{range}" }} }}"#
        );
        let survey = of(&[
            ("package.json", r#"{ "name": "shop", "workspaces": ["apps/*"] }"#),
            ("package-lock.json", lock),
            ("apps/booth/package.json", &manifest),
            ("apps/booth/next.config.js", config),
        ]);
        let service = service(&survey, "booth").clone();
        let asked = service.settings.iter().any(|setting| setting.name == "NEXT_PRIVATE_STANDALONE");
        let folder = service.ships.get(1).map(|ships| ships.to.clone());
        let gap = survey.gaps.iter().any(|gap| gap.message.contains(".next/standalone"));
        (service.shape, folder, asked, gap)
    };
    let below = Some("apps/booth/.next/static".to_owned());
    let alone = |asked: bool| (Shape::Bundle, below.clone(), asked, false);
    let whole = (Shape::Package, None, false, false);
    let (standalone, here) = ("output: 'standalone'", "outputFileTracingRoot: __dirname");
    let above = "outputFileTracingRoot: path.join(__dirname, '../../')";
    let config = |inner: &str| format!("const path = require('path');\nmodule.exports = {{ {inner} }};\n");
    assert_eq!(of("14.2.5", &config(""), "{}"), alone(true));
    assert_eq!(of("14.2.5", &config(standalone), "{}"), alone(false));
    assert_eq!(of("latest", &config(above), "{}"), alone(true));
    assert_eq!(of("15.0.0", &config(here), "{}"), whole);
    assert_eq!(of("^12.3.0", &config(standalone), "{}"), whole);
    let traced = format!("{standalone}, experimental: {{ {above} }}");
    assert_eq!(of("^12.3.0", &config(&traced), "{}"), alone(false));
    assert_eq!(of("^12.1.0", &config(&traced), r#"{ "packages": {} }"#), alone(false));
    assert_eq!(of("12.1.6", &config(&traced), "{}"), whole);
    let old = format!("experimental: {{ outputStandalone: true, {above} }}");
    assert_eq!(of("12.1.6", &config(&old), "{}"), alone(false));
    // The range says less than the lock file.
    let lock = |version: &str| format!("{{\n\"node_modules/next\": {{\n\"version\": \"{version}\"\n}}\n}}\n");
    assert_eq!(of("^13.1.0", &config(""), &lock("13.1.6")), whole);
    assert_eq!(of("^13.1.0", &config(""), &lock("13.5.6")), alone(true));
    let unknown = of("15.0.0", &config("outputFileTracingRoot: findRoot()"), "{}");
    assert_eq!(unknown, (Shape::Bundle, below.clone(), true, true));
}

#[test]
fn a_nuxt_before_nitro_makes_other_files() {
    let nuxt = |scripts: &str, config: &str| {
        let manifest = format!(
            r#"{{ "name": "booth", "scripts": {{ {scripts} }}, "dependencies": {{ "nuxt": "^2.17.3" }} }}"#
        );
        let files = [("package.json", manifest.as_str()), ("yarn.lock", ""), ("nuxt.config.js", config)];
        service(&of(&files), "booth").clone()
    };
    let files =
        nuxt(r#""build": "nuxt build", "generate": "nuxt generate""#, "export default { target: 'static' };");
    assert_eq!(files.role, Role::Site);
    assert_eq!(files.build.unwrap().value, "generate");
    assert_eq!(files.output.unwrap().value, "dist");
    let server =
        nuxt(r#""build": "nuxt build", "generate": "nuxt generate""#, "export default { ssr: true };");
    assert_eq!((server.role, server.shape, server.output), (Role::Server, Shape::Package, None));
    assert_eq!(server.command.unwrap().value.join(" "), "node node_modules/nuxt/bin/nuxt.js start");
    assert!(server.settings.iter().all(|setting| setting.name != "NITRO_PRESET"));
}

#[test]
fn pages_below_a_path_of_another_server_are_no_front() {
    let base = |base: &str| {
        let config =
            format!("export default {{ base: '{base}', build: {{ outDir: '../server/pages' }} }};\n");
        of(&[
            ("package.json", r#"{ "name": "fair", "workspaces": ["server", "office"] }"#),
            ("package-lock.json", "{}"),
            (
                "server/package.json",
                r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5" } }"#,
            ),
            ("server/index.js", "const app = express();\napp.listen(3000);\n"),
            (
                "office/package.json",
                r#"{ "name": "office", "scripts": { "build": "vite build" }, "devDependencies": { "vite": "6" } }"#,
            ),
            ("office/index.html", "<html>"),
            ("office/vite.config.js", &config),
        ])
    };
    let survey = base("/office");
    assert!(survey.services.iter().all(|service| service.name != "office"));
    assert!(gap(&survey, "no front serves it").message.contains("server/pages"));
    service(&survey, "desk");
    assert_eq!(service(&base("/"), "office").role, Role::Site);
}

#[test]
fn a_port_that_only_the_program_knows_is_not_where_it_listens() {
    let manifest =
        r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5" } }"#;
    let helper = "import http from 'node:http';\nhttp.createServer().listen(0, '127.0.0.1');\n\
        http.createServer().listen({ host: '127.0.0.1', port: 0 });\n";
    let program = "import './guard.js';\nconst app = express();\napp.listen(4000);\n";
    let survey = of(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("guard.js", helper),
        ("index.js", program),
    ]);
    let desk = service(&survey, "desk");
    assert_eq!(desk.bind, Bind::Any);
    assert_eq!(desk.port.as_ref().map(|port| port.value), Some(4000));
}
