//! Variables of Node.js programs: which of several addresses is set, which variable names SQLite's file, what is a default,
//! and what the program refuses to be without.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_survey::{Address, Service, StoreKind, Survey};
use support::of;

const LOCK: (&str, &str) = ("package-lock.json", r#"{ "lockfileVersion": 3 }"#);

/// One server with these packages besides Express, and these files.
fn server(packages: &str, files: &[(&str, &str)]) -> Survey {
    let manifest = format!(
        r#"{{ "name": "shop", "scripts": {{ "start": "node index.js" }}, "dependencies": {{ "express": "5"{packages} }} }}"#
    );
    let mut all = vec![("package.json", manifest.as_str()), LOCK];
    all.extend_from_slice(files);
    of(&all)
}

/// The variables with whole addresses of one kind.
fn addresses(service: &Service, kind: StoreKind) -> Vec<&str> {
    let of_kind = service.stores.iter().filter(|used| used.kind == kind);
    let variable = |address: &'_ Address| match address {
        Address::Url { variable, .. } => Some(variable.value.clone()),
        _ => None,
    };
    let names = of_kind.filter_map(|used| variable(used.address.as_ref()?));
    names
        .map(|name| service.environment.iter().find(|known| known.name == name).unwrap().name.as_str())
        .collect()
}

fn default<'a>(survey: &'a Survey, name: &str) -> Option<&'a str> {
    let variable = survey.services[0].environment.iter().find(|known| known.name == name);
    variable.unwrap_or_else(|| panic!("{name} is not read")).default.as_deref()
}

fn required(survey: &Survey, name: &str) -> bool {
    survey.services[0].environment.iter().any(|known| known.name == name && known.required)
}

const LISTENS: &str = "require('express')().listen(process.env.PORT || 3000);\n";

#[test]
fn a_pools_address_and_the_usual_one_are_both_those_of_the_store() {
    let program = format!(
        "const {{ Sequelize }} = require('sequelize');\n\
         function direct() {{ return process.env.DATABASE_URL; }}\n\
         const address = process.env.DATABASE_POOL_URL || direct();\n\
         new Sequelize(address, {{ dialect: 'postgres' }});\n\
         const search = process.env.SEARCH_PROVIDER || 'none';\n\
         if (search === 'postgres') {{ require('./search'); }}\n{LISTENS}"
    );
    let survey = server(r#", "sequelize": "6", "pg": "8""#, &[("index.js", &program)]);
    let service = &survey.services[0];
    assert_eq!(addresses(service, StoreKind::Postgresql), ["DATABASE_POOL_URL", "DATABASE_URL"]);
    assert_eq!(survey.stores.len(), 1);
    // A text of another setting is no value of an address.
    assert!(service.settings.is_empty(), "{:#?}", service.settings);
}

#[test]
fn a_previews_address_gives_way_to_that_of_production() {
    let program = format!(
        "const {{ Pool }} = require('pg');\n\
         new Pool({{ connectionString: process.env.PREVIEW_DATABASE_URL ?? process.env.DATABASE_URL }});\n{LISTENS}"
    );
    let survey = server(r#", "pg": "8""#, &[("index.js", &program)]);
    assert_eq!(addresses(&survey.services[0], StoreKind::Postgresql), ["DATABASE_URL"]);
}

#[test]
fn sqlites_file_is_named_by_the_key_of_a_file_alone() {
    let settings = "const env = require('./env');\nconst small = env.DB_CLIENT === 'better-sqlite3';\n\
        require('knex')({ client: env.DB_CLIENT, connection: { ...(small && { filename: env.DB_FILENAME }), \
        host: env.DB_HOST, database: env.DB_NAME, user: env.DB_USER, password: env.DB_PASSWORD } });\n";
    let env = "const { cleanEnv, str } = require('envalid');\nmodule.exports = cleanEnv(process.env, {\n\
        DB_CLIENT: str({ default: 'better-sqlite3' }), DB_FILENAME: str({ default: 'db/data' }),\n\
        DB_HOST: str({ default: 'localhost' }), DB_NAME: str({ default: 'kept' }), DB_USER: str({ default: 'postgres' }),\n\
        DB_PASSWORD: str({ default: '' }) });\n";
    let survey = server(
        r#", "knex": "3", "better-sqlite3": "11", "envalid": "8""#,
        &[("index.js", &format!("{settings}{LISTENS}")), ("env.js", env)],
    );
    let service = &survey.services[0];
    assert_eq!(addresses(service, StoreKind::Sqlite), ["DB_FILENAME"]);
    let kept: Vec<&str> = service.writes.iter().map(|writes| writes.path.value.as_str()).collect();
    assert_eq!(kept, ["db"]);
    assert!(service.settings.iter().all(|setting| setting.name != "DB_NAME"), "{:#?}", service.settings);
}

#[test]
fn sqlites_file_under_other_keys() {
    for (package, call, wanted) in [
        (
            r#", "sequelize": "6", "sqlite3": "5""#,
            "const { Sequelize } = require('sequelize');\nnew Sequelize(process.env.NAME_OF_IT, process.env.ADMIN_NAME, process.env.ADMIN_WORD, { dialect: 'sqlite', host: process.env.HOST_OF_IT, storage: process.env.PLACE });\n",
            "PLACE",
        ),
        (
            r#", "typeorm": "0.3", "better-sqlite3": "11""#,
            "const { DataSource } = require('typeorm');\nnew DataSource({ type: 'better-sqlite3', host: process.env.HOST_OF_IT, database: process.env.PLACE });\n",
            "PLACE",
        ),
        (
            r#", "better-sqlite3": "11""#,
            "const Database = require('better-sqlite3');\nnew Database(process.env.PLACE);\n",
            "PLACE",
        ),
    ] {
        let survey = server(package, &[("index.js", &format!("{call}{LISTENS}"))]);
        let service = &survey.services[0];
        assert_eq!(addresses(service, StoreKind::Sqlite), [wanted], "{call}");
        let set = service.settings.iter().find(|setting| setting.name == wanted);
        assert_eq!(set.map(|setting| setting.value.as_str()), Some("/data/app.db"), "{call}");
    }
}

#[test]
fn variables_of_a_machine_of_tests_and_of_a_bundler_are_none_of_the_program() {
    let program = format!(
        "const a = process.env.PWD || process.cwd();\nconst b = `x:${{process.env.PATH ?? ''}}`;\n\
         const c = process.env.CI; const d = process.env.VITEST_POOL_ID; const e = process.env.TEST_DATABASE_URL;\n\
         const f = import.meta.env.DEV; const g = import.meta.env.BASE_URL; const h = process.env.GREETING;\n\
         const i = process.env.MODE;\n{LISTENS}"
    );
    let survey = server("", &[("index.js", &program)]);
    let names: Vec<&str> = survey.services[0].environment.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(names, ["GREETING", "MODE", "PORT"]);
}

#[test]
fn the_default_of_a_chain_hides_no_later_variable() {
    let program = "const port = process.env.HOSTER_PORT || process.env.PORT || 8080;\n\
         const at = process.env.BASE + process.env.NAME || 'mongodb://localhost/shop';\n\
         require('express')().listen(port);\n";
    let survey = server("", &[("index.js", program)]);
    assert_eq!(default(&survey, "HOSTER_PORT"), None);
    assert_eq!(default(&survey, "PORT"), Some("8080"));
    assert_eq!((default(&survey, "BASE"), default(&survey, "NAME")), (None, None));
}

#[test]
fn keys_of_a_parsed_object_are_the_variables_that_it_reads() {
    let settings = "const { z } = require('zod');\n\
         const schema = z.object({ API_URL: z.string(), TOKEN: z.string(), WAY: z.string().default('short') });\n\
         const read = { API_URL: process.env.SHOP_API_URL, TOKEN: process.env.TOKEN, WAY: process.env.SHOP_WAY };\n\
         exports.env = schema.parse(read);\n";
    let program = format!("const {{ env }} = require('./env');\nfetch(env.API_URL + env.WAY);\n{LISTENS}");
    let survey = server(r#", "zod": "3""#, &[("index.js", &program), ("env.js", settings)]);
    let names: Vec<(&str, bool)> =
        survey.services[0].environment.iter().map(|known| (known.name.as_str(), known.required)).collect();
    assert_eq!(names, [("PORT", false), ("SHOP_API_URL", true), ("SHOP_WAY", false), ("TOKEN", true)]);
    assert_eq!(default(&survey, "SHOP_WAY"), Some("short"));
}

#[test]
fn what_only_another_variable_switches_on_is_not_demanded() {
    let settings = "const { cleanEnv, bool, str } = require('envalid');\n\
         module.exports = cleanEnv(process.env, { MAIL_ENABLED: bool({ default: false }), SITE: str() });\n";
    let program = format!(
        "const env = require('./env');\n\
         function send() {{ if (!env.MAIL_ENABLED) throw new Error('off'); }}\n\
         if (process.env.HOSTED && !process.env.BUILD_MAP) {{ process.exit(1); }}\n\
         if (process.env.DB_KIND) {{ if (!process.env.DB_CA) throw new Error('DB_CA'); }}\n\
         if (!process.env.NOTHING_TO_DO) {{ process.exit(0); }}\n\
         const paid = process.env.PAY_KEY ? true : false; if (!paid) throw new Error('no');\n\
         if (!process.env.LICENCE) throw new Error('LICENCE');\n\
         if (process.env.NODE_ENV === 'production' && !process.env.ISSUER) throw new Error('ISSUER');\n{LISTENS}"
    );
    let survey = server(r#", "envalid": "8""#, &[("index.js", &program), ("env.js", settings)]);
    for name in ["MAIL_ENABLED", "BUILD_MAP", "DB_CA", "NOTHING_TO_DO", "PAY_KEY"] {
        assert!(!required(&survey, name), "{name}");
    }
    for name in ["SITE", "LICENCE", "ISSUER"] {
        assert!(required(&survey, name), "{name}");
    }
}

#[test]
fn a_schemas_own_function_demands_only_what_production_alone_needs() {
    let settings = "import { z } from 'zod';\nexport default z.object({ NODE_ENV: z.string(), PROVIDER: z.string().optional(), \
         AWS_PART: z.string().optional(), SITE: z.string().optional() }).superRefine((env, context) => {\n\
         if (env.PROVIDER === 'aws' && !env.AWS_PART) { context.addIssue({ path: ['AWS_PART'] }); }\n\
         if (env.NODE_ENV === 'production' && !env.SITE) { context.addIssue({ path: ['SITE'] }); }\n}).parse(process.env);\n";
    let program = format!("const env = require('./env');\n{LISTENS}");
    let survey = server(r#", "zod": "3""#, &[("index.js", &program), ("env.js", settings)]);
    assert!(required(&survey, "SITE") && !required(&survey, "AWS_PART"));
}

#[test]
fn what_a_function_puts_in_front_is_no_default() {
    let program = "const begins = (text, start) => text.startsWith(start) ? text : start + text;\n\
         const domain = process.env.DOMAIN ? begins(process.env.DOMAIN, 'https://') : '';\n\
         const whole = (text, otherwise) => text ? Number(text) : otherwise;\n\
         require('express')().listen(whole(process.env.PORT, 3100));\n";
    let survey = server("", &[("index.js", program)]);
    assert_eq!(default(&survey, "DOMAIN"), Some(""));
    // The second argument of a function that takes it in place of the first is one.
    assert_eq!(survey.services[0].port.as_ref().map(|port| port.value), Some(3100));
}

#[test]
fn fields_of_a_class_say_whether_they_are_optional() {
    let settings = "import { IsOptional, IsNotEmpty, IsNumber } from 'class-validator';\nconst environment = process.env;\n\
         export class Settings {\n\
         @IsOptional() public LOGIN_KEY = environment.LOGIN_KEY;\n\
         @IsNotEmpty() public SITE = environment.SITE;\n\
         @IsNumber() public LIMIT = Number(environment.LIMIT);\n}\n";
    let program = format!(
        "const {{ Settings }} = require('./env');\nif (!process.env.LOGIN_KEY) throw new Error('no');\n{LISTENS}"
    );
    let survey = server(r#", "class-validator": "0.14""#, &[("index.js", &program), ("env.ts", settings)]);
    assert!(required(&survey, "SITE") && !required(&survey, "LOGIN_KEY") && !required(&survey, "LIMIT"));
}
