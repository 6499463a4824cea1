//! What belongs to a program of Node.js, and what runs it in production: files by what they are to the program and not by
//! their names, wrappers, runners, processes of a Procfile. Each case is a small repository.

mod support;

use plimsoll_survey::{Address, Confidence, Part, Role, StoreKind, StoreUse, Survey, answer};

use support::{gap, of, service};

/// A package in the root with these scripts, dependencies and development dependencies.
fn package(scripts: &str, dependencies: &str, development: &str, more: &[(&str, &str)]) -> Survey {
    let manifest = format!(
        "{{ \"name\": \"desk\",\n \"scripts\": {{ {scripts} }},\n \"dependencies\": {{ {dependencies} }},\n \
         \"devDependencies\": {{ {development} }} }}"
    );
    of(&[&[("package.json", manifest.as_str()), ("package-lock.json", "{}")], more].concat())
}

fn command(survey: &Survey) -> String {
    let desk = service(survey, "desk");
    desk.command.as_ref().map(|command| command.value.join(" ")).unwrap_or_default()
}

const LISTEN: &str = "const app = require('express')();\napp.listen(process.env.PORT || 3000);\n";
const EXPRESS: &str = "\"express\": \"5\"";
const START: &str = "\"start\": \"node index.js\"";

/// The variables of a store's address by part.
fn parts(used: &StoreUse) -> Vec<(Part, &str)> {
    let Some(Address::Parts { variables, .. }) = &used.address else { panic!("{used:?}") };
    variables.iter().map(|(part, variable)| (*part, variable.value.as_str())).collect()
}

#[test]
fn a_settings_file_that_the_program_imports_is_a_part_of_it() {
    let index = format!(
        "const db = require('./app/config/db.config.js');\nconst Sequelize = require('sequelize');\n\
         new Sequelize(db.NAME, db.USER, db.PASSWORD, {{ host: db.HOST, dialect: db.dialect }});\n{LISTEN}"
    );
    let settings = "module.exports = {\n  HOST: process.env.SQL_HOST,\n  USER: process.env.SQL_USER,\n  \
                    PASSWORD: process.env.SQL_PASSWORD,\n  NAME: process.env.SQL_NAME,\n  dialect: 'mysql',\n};\n";
    let survey = package(
        START,
        "\"express\": \"5\", \"sequelize\": \"6\", \"mysql2\": \"3\"",
        "\"jest\": \"30\"",
        &[
            ("index.js", &index),
            ("app/config/db.config.js", settings),
            ("jest.config.js", "module.exports = { x: process.env.ONLY_FOR_TESTS };"),
        ],
    );
    let desk = service(&survey, "desk");
    assert_eq!(desk.stores[0].kind, StoreKind::Mysql);
    assert_eq!(
        parts(&desk.stores[0]),
        [
            (Part::Host, "SQL_HOST"),
            (Part::User, "SQL_USER"),
            (Part::Password, "SQL_PASSWORD"),
            (Part::Database, "SQL_NAME")
        ]
    );
    assert!(survey.questions.is_empty(), "{:?}", survey.questions);
    assert!(desk.settings.is_empty(), "{:?}", desk.settings);
    assert!(!desk.environment.iter().any(|variable| variable.name == "ONLY_FOR_TESTS"));
}

const NEST: &str =
    "\"@nestjs/core\": \"11\", \"@nestjs/typeorm\": \"11\", \"typeorm\": \"0.3\", \"pg\": \"8\"";
const MAIN: &str = "import { AppModule } from './app.module';\nconst app = await NestFactory.create(AppModule);\n\
                    await app.listen(process.env.PORT ?? 3000);\n";

#[test]
fn registered_settings_of_nestjs_are_followed() {
    let module = "import { TypeOrmModule } from '@nestjs/typeorm';\nimport databaseConfig from './config/database.config';\nimport docs from '@/docs/swagger';\n\
                  @Module({ imports: [ConfigModule.forRoot({ load: [databaseConfig] }),\n\
                  TypeOrmModule.forRootAsync({ inject: [ConfigService], useFactory: (config: ConfigService) => ({\n\
                  type: 'postgres', host: config.get('database.host'), password: config.getOrThrow('database.password'),\n\
                  }) })] })\nexport class AppModule {}\n";
    let settings = "export default registerAs('database', () => ({\n  host: process.env.DESK_HOST,\n  \
                    password: process.env.DESK_PASSWORD,\n}));\n";
    let scripts = "\"build\": \"nest build\", \"start:prod\": \"node dist/main\"";
    let files = [
        ("src/main.ts", MAIN),
        ("src/app.module.ts", module),
        ("src/config/database.config.ts", settings),
        ("src/docs/swagger.ts", "export default process.env.DOCS_TITLE;"),
    ];
    let survey = package(scripts, NEST, "", &files);
    let desk = service(&survey, "desk");
    assert_eq!(parts(&desk.stores[0]), [(Part::Host, "DESK_HOST"), (Part::Password, "DESK_PASSWORD")]);
    assert!(desk.environment.iter().any(|variable| variable.name == "DOCS_TITLE"));
    // What ConfigModule loads is a function by itself, and its settings may be made by a class.
    let loaded = "export default () => ({ port: 1, database: { url: process.env.DESK_URL } });";
    let module = "import configuration from './config/configuration';\nimport { Options } from './options';\n\
                  ConfigModule.forRoot({ load: [configuration] });\n\
                  import { TypeOrmModule } from '@nestjs/typeorm';\nTypeOrmModule.forRootAsync({ useClass: Options });\n";
    let options = "export class Options {\n createTypeOrmOptions(): TypeOrmModuleOptions {\n  return {\n   type: 'postgres', \
                   url: this.config.get('database.url'),\n  };\n }\n}\n";
    let files = [
        ("src/main.ts", MAIN),
        ("src/app.module.ts", module),
        ("src/config/configuration.ts", loaded),
        ("src/options.ts", options),
    ];
    let survey = package(scripts, NEST, "", &files);
    let Some(Address::Url { variable, .. }) = &service(&survey, "desk").stores[0].address else {
        panic!("{:?}", service(&survey, "desk").stores)
    };
    assert_eq!(
        (variable.value.as_str(), variable.evidence[0].file.as_str()),
        ("DESK_URL", "src/config/configuration.ts")
    );
}

#[test]
fn mikroorm_has_a_settings_file_and_variables_of_its_own() {
    let settings = "import { defineConfig } from '@mikro-orm/mysql';\nexport default defineConfig({ port: 3307, dbName: 'desk' });\n";
    let module = "MikroOrmModule.forRoot();\nexport class AppModule {}\n";
    let kinds = |version: &str| {
        let dependencies = format!(
            "\"@nestjs/core\": \"11\", \"@mikro-orm/core\": \"{version}\", \"@mikro-orm/mysql\": \"{version}\""
        );
        let files =
            [("src/main.ts", MAIN), ("src/app.module.ts", module), ("src/mikro-orm.config.ts", settings)];
        let survey = package("\"start:prod\": \"node dist/main\"", &dependencies, "", &files);
        service(&survey, "desk").stores.clone()
    };
    let stores = kinds("^6.4.0");
    assert_eq!((stores.len(), stores[0].kind), (1, StoreKind::Mysql));
    assert!(parts(&stores[0]).contains(&(Part::Host, "MIKRO_ORM_HOST")));
    assert_eq!(kinds("^7.0.0")[0].address, None);
}

#[test]
fn the_second_argument_of_a_conversion_is_no_default() {
    let defaults = |program: &str| {
        let survey = package(START, EXPRESS, "", &[("index.js", &format!("{LISTEN}{program}"))]);
        let desk = service(&survey, "desk");
        let variable = desk.environment.iter().find(|variable| variable.name == "SIZE").cloned();
        variable.and_then(|variable| variable.default)
    };
    let chosen = "const size = process.env.SIZE ? parseInt(process.env.SIZE, 10) : 5432;";
    assert_eq!(defaults(chosen).as_deref(), Some("5432"));
    assert_eq!(
        defaults("const size = process.env.SIZE ? Number.parseInt(process.env.SIZE, 10) : 7;").as_deref(),
        Some("7")
    );
    assert_eq!(defaults("const size = parseInt(process.env.SIZE, 10);"), None);
    let port = |program: &str| {
        let survey = package(START, EXPRESS, "", &[("index.js", program)]);
        service(&survey, "desk").port.as_ref().map(|port| port.value)
    };
    assert_eq!(port("const port = parseInt(process.env.PORT, 10);\napp.listen(port);"), None);
    assert_eq!(
        port("const port = Number.parseInt(process.env.PORT, 10) || 4100;\napp.listen(port);"),
        Some(4100)
    );
    assert_eq!(port("app.listen(Math.max(process.env.PORT, 1024));"), None);
    let own = "function parseInt(text, other) { return text ?? other; }\napp.listen(parseInt(process.env.PORT, 4200));";
    assert_eq!(port(own), Some(4200));
}

#[test]
fn a_driver_that_is_loaded_by_its_name_is_needed() {
    let driver = "\"express\": \"5\", \"typeorm\": \"0.2.45\", \"mysql\": \"2\"";
    let program = format!("import {{ createConnection }} from 'typeorm';\ncreateConnection();\n{LISTEN}");
    let files = [
        ("index.js", program.as_str()),
        ("ormconfig.json", "{ \"type\": \"mysql\",\n \"host\": \"localhost\" }"),
    ];
    let survey = package(START, driver, "", &files);
    let desk = service(&survey, "desk");
    let Some(Address::Fixed { host, .. }) = &desk.stores[0].address else { panic!("{:?}", desk.stores) };
    assert_eq!(
        (host.value.as_str(), host.evidence[0].file.as_str(), host.evidence[0].line),
        ("localhost", "ormconfig.json", 2)
    );
    assert!(survey.questions.is_empty(), "{:?}", survey.questions);
    // Without the file the driver says the kind.
    let survey = package(START, driver, "", &files[..1]);
    assert_eq!(service(&survey, "desk").stores[0].kind, StoreKind::Mysql);
    // Nothing calls the library where it could be followed.
    let survey = package(START, driver, "", &[("index.js", LISTEN)]);
    assert_eq!(
        (survey.questions[0].id.as_str(), survey.questions[0].default.as_deref()),
        ("desk.mysql", Some("yes"))
    );
    assert_eq!(
        (survey.questions[0].confidence, survey.stores[0].kind),
        (Confidence::Likely, StoreKind::Mysql)
    );
}

#[test]
fn a_client_that_nothing_opens_is_asked_about_and_both_answers_count() {
    let client = "\"express\": \"5\", \"ioredis\": \"5\"";
    let mut left_over = package(START, client, "", &[("index.js", LISTEN)]);
    assert_eq!((left_over.questions[0].default.as_deref(), left_over.stores.len()), (Some("no"), 0));
    let yes = [("desk.redis".to_owned(), "yes".to_owned())].into();
    answer(&mut left_over, &yes).unwrap();
    assert_eq!((left_over.stores.len(), service(&left_over, "desk").stores[0].store.as_str()), (1, "redis"));
    let compose = "services:\n  db:\n    image: redis:8\n";
    let mut started = package(START, client, "", &[("index.js", LISTEN), ("compose.yaml", compose)]);
    assert_eq!((started.questions[0].default.as_deref(), started.stores.len()), (Some("yes"), 1));
    assert_eq!(started.questions[0].evidence[1].file, "compose.yaml");
    answer(&mut started, &[("desk.redis".to_owned(), "no".to_owned())].into()).unwrap();
    assert!(service(&started, "desk").stores.is_empty());
}

#[test]
fn a_start_of_the_procfile_is_all_its_processes() {
    for start in ["nf start", "foreman start", "heroku local"] {
        let survey = package(
            &format!("\"start\": \"{start}\""),
            EXPRESS,
            "",
            &[
                (
                    "Procfile",
                    "web: node server.js\nworker: node worker.js\nclock: npm run tick\nrelease: node setup.js\nmail: ./mail.sh\n",
                ),
                ("server.js", LISTEN),
                ("worker.js", "work();"),
                ("setup.js", "setup();"),
            ],
        );
        assert_eq!(command(&survey), "node server.js", "{start}");
        let desk = service(&survey, "desk");
        let processes: Vec<(&str, Role, String, usize)> = desk
            .processes
            .iter()
            .map(|it| (it.name.as_str(), it.role, it.command.value.join(" "), it.command.evidence[0].line))
            .collect();
        assert_eq!(processes, [("desk-worker", Role::Worker, "node worker.js".to_owned(), 2)]);
        assert_eq!(
            desk.migration.as_ref().unwrap().command.as_ref().unwrap().value.join(" "),
            "node setup.js"
        );
        assert_eq!(gap(&survey, "`clock` (`npm run tick`)").evidence[0].line, 3);
        assert_eq!(gap(&survey, "`mail` (`./mail.sh`)").evidence[0].line, 5);
    }
    // A start script of its own stays, and the worker comes from the Procfile, or from the development compose file.
    let compose = "services:\n  worker:\n    build: .\n    command: node jobs.js\n  web:\n    build: .\n    command: npm run dev\n";
    for file in [("Procfile", "web: npm start\nworker: node jobs.js\n"), ("compose.yaml", compose)] {
        let survey = package(START, EXPRESS, "", &[("index.js", LISTEN), ("jobs.js", ""), file]);
        assert_eq!(command(&survey), "node index.js");
        assert_eq!(service(&survey, "desk").processes[0].command.value, ["node", "jobs.js"]);
    }
}

#[test]
fn an_interpreter_behind_a_wrapper_stays() {
    let babel = "\"@babel/node\": \"7\", \"nodemon\": \"3\"";
    let files = [("src/index.js", LISTEN)];
    let start = "\"start\": \"nodemon --watch src --exec babel-node src/index.js --fast\"";
    let survey = package(start, EXPRESS, babel, &files);
    assert_eq!(command(&survey), "node node_modules/@babel/node/bin/babel-node.js src/index.js --fast");
    let needed = service(&survey, "desk").development_packages.as_ref().unwrap();
    assert_eq!((needed.value.as_str(), needed.evidence[0].line), ("@babel/node", 4));
    let built = format!("{start}, \"build\": \"babel src --out-dir dist\"");
    assert_eq!(command(&package(&built, EXPRESS, babel, &files)), "node dist/index.js --fast");
    let start = |line: &str, development: &str, file: &str| {
        command(&package(&format!("\"start\": \"{line}\""), EXPRESS, development, &[(file, LISTEN)]))
    };
    assert_eq!(start("nodemon index.js", "", "index.js"), "node index.js");
    assert_eq!(
        start("nodemon -x 'tsx src/a.ts'", "\"tsx\": \"4\"", "src/a.ts"),
        "node --import tsx src/a.ts"
    );
    assert_eq!(start("nodemon --exec coffee src/a.coffee", "", "src/a.coffee"), "");
    assert_eq!(start("babel-node src/index.js", "", "src/index.js"), "");
}

#[test]
fn a_runner_for_development_runs_in_production_and_is_said() {
    let start = |line: &str, dependencies: &str, development: &str| {
        let dependencies = format!("{EXPRESS}{dependencies}");
        let survey =
            package(&format!("\"start\": \"{line}\""), &dependencies, development, &[("src/a.ts", LISTEN)]);
        let desk = service(&survey, "desk");
        let set = desk.settings.iter().map(|setting| setting.name.clone()).collect::<Vec<_>>().join(" ");
        (command(&survey), desk.development_packages.as_ref().map(|fact| fact.value.clone()), set)
    };
    let said = |command: &str, package: Option<&str>, set: &str| {
        (command.to_owned(), package.map(str::to_owned), set.to_owned())
    };
    let tsx = "\"tsx\": \"4\"";
    let cached = "TSX_DISABLE_CACHE";
    assert_eq!(start("tsx src/a.ts", "", tsx), said("node --import tsx src/a.ts", Some("tsx"), cached));
    assert_eq!(
        start("tsx src/a.ts", ", \"tsx\": \"4\"", ""),
        said("node --import tsx src/a.ts", None, cached)
    );
    assert_eq!(
        start("node --import tsx src/a.ts", "", tsx),
        said("node --import tsx src/a.ts", Some("tsx"), cached)
    );
    let paths = "\"ts-node\": \"10\", \"tsconfig-paths\": \"4\"";
    assert_eq!(
        start("ts-node -P tsconfig.json -r tsconfig-paths/register src/a.ts", "", paths),
        said(
            "node --require ts-node/register --require tsconfig-paths/register src/a.ts",
            Some("ts-node"),
            ""
        )
    );
    assert_eq!(start("tsx src/a.ts", "", "").0, "");
    assert_eq!(start("tsx watch src/a.ts", "", tsx).0, "");
    // Settings from a developer's file are not there, and the package that reads them may not be either.
    let read = start("node -r dotenv/config src/a.ts", "", "\"dotenv\": \"17\"");
    assert_eq!(read, said("node src/a.ts", None, ""));
}

#[test]
fn a_program_beside_the_output_of_a_build_needs_its_sources() {
    let scripts = "\"build\": \"tsc\", \"start\": \"node server.js\"";
    let settings = ("tsconfig.json", r#"{ "compilerOptions": { "outDir": "dist" } }"#);
    let survey = package(scripts, EXPRESS, "", &[("server.js", LISTEN), settings]);
    assert_eq!(service(&survey, "desk").output, None);
    let scripts = "\"build\": \"tsc\", \"start\": \"node dist/server.js\"";
    let survey = package(scripts, EXPRESS, "", &[("server.ts", LISTEN), settings]);
    assert_eq!(service(&survey, "desk").output.as_ref().unwrap().value, "dist");
}

#[test]
fn arguments_behind_a_script_are_handed_on() {
    let scripts = "\"build\": \"nest build\", \"start:prod\": \"node dist/main\",\n \"migration:run\": \"npm run orm -- \
                   --dataSource=src/data-source.ts migration:run\", \"orm\": \"env-cmd -- ts-node -r tsconfig-paths/register \
                   ./node_modules/typeorm/cli.js\"";
    let files = [
        ("src/main.ts", MAIN),
        ("src/migrations/1.ts", ""),
        ("src/data-source.ts", "new DataSource({ type: 'postgres' });"),
    ];
    let survey = package(scripts, NEST, "", &files);
    let migration = service(&survey, "desk").migration.as_ref().unwrap().command.as_ref().unwrap();
    assert_eq!(
        migration.value.join(" "),
        "node node_modules/typeorm/cli.js --dataSource=dist/data-source.js migration:run"
    );
    let start = |line: &str| {
        let scripts = format!("\"start\": \"{line}\", \"serve\": \"node index.js --all\"");
        command(&package(&scripts, EXPRESS, "", &[("index.js", LISTEN)]))
    };
    assert_eq!(start("npm run serve -- --port 1"), "node index.js --all --port 1");
    assert_eq!(start("npm run serve --silent"), "node index.js --all");
    assert_eq!(start("yarn serve --port 1"), "node index.js --all --port 1");
}

#[test]
fn a_start_that_leads_into_another_package_is_that_package() {
    let root = r#"{ "name": "sample", "scripts": { "start": "node server/app.js" }, "dependencies": { "express": "5" } }"#;
    let server = r#"{ "name": "server", "dependencies": { "express": "5" } }"#;
    let program = "const app = express();\napp.listen(process.env.PORT || 8080);\n";
    let survey = of(&[("package.json", root), ("server/package.json", server), ("server/app.js", program)]);
    let names: Vec<&str> = survey.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["server"]);
    assert_eq!(service(&survey, "server").command.as_ref().unwrap().value, ["node", "app.js"]);
    assert_eq!(gap(&survey, "leads into server").subject, "sample");
    // A package.json that only marks a folder is no package.
    let survey = of(&[
        ("package.json", root),
        ("server/package.json", r#"{ "type": "module" }"#),
        ("server/app.js", program),
    ]);
    assert_eq!(survey.services[0].name, "sample");
}

#[test]
fn variables_of_a_committed_bundle_are_not_the_programs() {
    let bundle = format!(
        "/******/ (() => {{ var m = __webpack_require__(1);\n{}",
        "process.env.MAX_LENGTH;\n".repeat(300)
    );
    let scripts = "\"build\": \"webpack\", \"start\": \"node server.bundle.js\"";
    let program = LISTEN.replace("3000", "3080");
    let survey = package(scripts, EXPRESS, "", &[("server.bundle.js", &bundle), ("server.js", &program)]);
    let desk = service(&survey, "desk");
    assert_eq!(
        (desk.port.as_ref().unwrap().value, command(&survey).as_str()),
        (3080, "node server.bundle.js")
    );
    assert!(desk.environment.iter().all(|variable| variable.name == "PORT"), "{:?}", desk.environment);
}

#[test]
fn names_without_a_declaration_of_their_own_are_followed() {
    let port = |program: &str| {
        let survey = package(START, EXPRESS, "", &[("index.js", program)]);
        service(&survey, "desk").port.as_ref().map(|port| port.value)
    };
    assert_eq!(port("const app = express(),\n  port = 3081;\napp.listen(port);"), Some(3081));
    assert_eq!(port("const app = express();\nport = 3082;\napp.listen(port);"), Some(3082));
    assert_eq!(port("const list = [1, 2], port = 3083, x = f(a, b);\napp.listen(port);"), Some(3083));
}

#[test]
fn files_of_tools_say_what_runs_and_are_no_programs() {
    let scripts = "\"build\": \"tsc\", \"start\": \"nodemon\"";
    let settings = ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#);
    let watched =
        ("nodemon.json", "{ \"watch\": [\"src\"], \"exec\": \"ts-node --transpile-only ./src/app.ts\" }");
    let tool = ("gulpfile.js", "require('child_process').exec('rm');\nprocess.env.ONLY_FOR_GULP;");
    let survey = package(scripts, EXPRESS, "", &[("src/app.ts", LISTEN), settings, watched, tool]);
    assert_eq!(command(&survey), "node dist/app.js");
    let desk = service(&survey, "desk");
    assert!(desk.spawns.is_none() && desk.environment.iter().all(|variable| variable.name == "PORT"));
}

#[test]
fn what_a_start_script_builds_is_built_with_the_image() {
    let survey =
        package("\"start\": \"tsc --strict && node index.js\"", EXPRESS, "", &[("index.ts", LISTEN)]);
    let desk = service(&survey, "desk");
    assert_eq!(desk.build_commands[0].value, ["npx", "tsc", "--strict"]);
    assert_eq!(command(&survey), "node index.js");
}

#[test]
fn a_class_of_validators_is_a_schema() {
    let validators = "class Variables {\n  @IsString()\n  AUTH_REFRESH_SECRET: string;\n\n  @IsOptional()\n  @IsInt()\n  \
                      SIZE: number;\n\n  @IsUrl({ require_tld: false })\n  FRONT: string;\n}\n";
    let main = format!("import './config/app.config';\n{MAIN}");
    let files = [("src/main.ts", main.as_str()), ("src/config/app.config.ts", validators)];
    let survey = package("\"start:prod\": \"node dist/main\"", NEST, "", &files);
    let found: Vec<(&str, bool, bool, usize)> = service(&survey, "desk")
        .environment
        .iter()
        .filter(|variable| variable.name != "PORT")
        .map(|it| (it.name.as_str(), it.required, it.secret, it.evidence[0].line))
        .collect();
    assert_eq!(
        found,
        [("AUTH_REFRESH_SECRET", true, true, 3), ("FRONT", true, false, 10), ("SIZE", false, false, 7)]
    );
}

#[test]
fn the_variable_of_a_dialect_is_set_by_the_driver() {
    let program = "import { DataSource } from 'typeorm';\nnew DataSource({ type: process.env.KIND as any, url: process.env.DESK_URL });\n";
    let survey = package(
        "\"start:prod\": \"node dist/main\"",
        NEST,
        "",
        &[("src/main.ts", &format!("{program}{MAIN}"))],
    );
    let desk = service(&survey, "desk");
    assert_eq!((desk.settings[0].name.as_str(), desk.settings[0].value.as_str()), ("KIND", "postgres"));
    assert_eq!(desk.migrations_read, ["KIND"]);
    assert_eq!(desk.stores[0].kind, StoreKind::Postgresql);
}

#[test]
fn a_question_of_one_of_two_packages_with_one_name_is_asked_of_that_one() {
    let manifest = |start: &str| {
        format!(
            "{{ \"name\": \"desk\", \"scripts\": {{ \"start\": \"{start}\" }}, \"dependencies\": {{ {EXPRESS} }} }}"
        )
    };
    let (plain, typed) = (manifest("node index.js"), manifest("ts-node index.ts"));
    let survey = of(&[
        ("cjs/package.json", plain.as_str()),
        ("cjs/index.js", LISTEN),
        ("ts/package.json", typed.as_str()),
        ("ts/index.ts", LISTEN),
    ]);
    let names: Vec<&str> = survey.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["desk", "ts"]);
    assert_eq!(command(&survey), "node index.js");
    let asked: Vec<&str> = survey.questions.iter().map(|question| question.id.as_str()).collect();
    assert_eq!(asked, ["ts.command"], "{:#?}", survey.questions);
}

#[test]
fn a_package_that_no_source_loads_does_not_say_that_something_listens() {
    let with = |index: &str| package(START, EXPRESS, "", &[("index.js", index)]);
    let asked = |survey: &Survey| survey.questions.iter().find(|asked| asked.id == "desk.port").cloned();
    let unused = asked(&with("console.log('hello');\n")).unwrap();
    assert!(unused.default.is_none() && unused.text.contains("no source of it loads it"), "{unused:?}");
    let silent = asked(&with("const app = require('express')();\nserve(app);\n")).unwrap();
    assert_eq!(silent.default.as_deref(), Some("3000"));
}
