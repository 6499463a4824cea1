//! Variables of Node.js programs: which of several addresses is set, which variable names SQLite's file, what is a default,
//! and what the program refuses to be without.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_survey::{Address, Part, Service, StoreKind, Survey};
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
