//! Migrations: Alembic, Aerich, Flask-Migrate, Django, and programs that apply a folder of SQL.

use super::{
    alembic,
    apps::App,
    django::{self, Site},
    project::{Project, below},
};
use crate::{
    context::{Context, has_extension, join},
    detect::platform::Launch,
    model::{Evidence, Fact, Framework, Gap, Migration, Probe, Process, Role, Service},
    rules, toml,
};

/// Finds the migrations of a service, and what else has to be done before a release.
pub(super) fn add(
    context: &Context<'_>,
    launches: &[&Launch],
    project: &Project,
    site: Option<&Site>,
    app: Option<&App>,
    service: &mut Service,
) -> Vec<Gap> {
    service.migration = of_django(project, site)
        .or_else(|| flask_migrate(context, project, app, service))
        .or_else(|| of_alembic(context, project, service))
        .or_else(|| of_aerich(context, project, service))
        .or_else(|| own_program(context, project, service));
    let mut gaps = Vec::new();
    for launch in launches.iter().filter(|launch| matches!(launch.process.as_str(), "release")) {
        release(launch, service, &mut gaps);
    }
    if service.migration.is_none() {
        gaps.extend(unapplied(context, service));
    }
    gaps.extend(alembic::connect(context, service));
    gaps.extend(alembic::heads(context, service));
    gaps
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn tool(project: &Project, names: &[&str]) -> Option<Framework> {
    let requirement = project.needs(names)?;
    let evidence = Evidence { reason: "applies migrations".to_owned(), ..requirement.evidence.clone() };
    Some(Framework {
        name: requirement.name.clone(),
        version: requirement.versions.clone(),
        evidence: vec![evidence],
    })
}

fn migration(
    tool: Framework,
    command: Vec<String>,
    evidence: Evidence,
    folder: Option<Fact<String>>,
) -> Migration {
    Migration { tool, script: None, command: Some(Fact::new(command, evidence)), folder, files: Vec::new() }
}

fn of_django(project: &Project, site: Option<&Site>) -> Option<Migration> {
    // Without a database there is nothing to migrate, and the command fails.
    let site = site.filter(|site| !django::without_database(project, site))?;
    let tool = tool(project, &["django"])?;
    Some(migration(
        tool,
        words(&["python", "manage.py", "migrate", "--noinput"]),
        site.evidence.clone(),
        None,
    ))
}

/// Flask-Migrate with its folder of migrations.
fn flask_migrate(
    context: &Context<'_>,
    project: &Project,
    app: Option<&App>,
    service: &Service,
) -> Option<Migration> {
    let tool = tool(project, &["flask-migrate"])?;
    let app = app?;
    let folder = join(&service.path, "migrations");
    let path = join(&folder, "env.py");
    let there = context.repository.contains(&path);
    let evidence = there.then(|| Evidence::file(&path, "Flask-Migrate's folder"))?;
    let target = if app.factory { format!("{}:{}", app.module, app.object) } else { app.target() };
    let command = words(&["flask", "--app", &target, "db", "upgrade"]);
    Some(migration(tool, command, evidence.clone(), Some(Fact::new("migrations".to_owned(), evidence))))
}

/// alembic.ini with the folder that it names.
fn of_alembic(context: &Context<'_>, project: &Project, service: &Service) -> Option<Migration> {
    let tool = tool(project, &["alembic"])?;
    let path = join(&service.path, "alembic.ini");
    let source = context.repository.source(&path)?;
    let line = (1..=source.text().lines().count().min(500)).map(|number| source.line_span(number)).find_map(
        |span| {
            let (key, value) = source.slice(span).split_once('=')?;
            (key.trim() == "script_location").then(|| (value.trim().to_owned(), span))
        },
    );
    let evidence = Evidence::file(&path, "settings of Alembic");
    let folder = line.map(|(value, span)| {
        let value = value.trim_start_matches("%(here)s/").trim_start_matches("./").replace(':', "/");
        Fact::new(
            value.trim_end_matches('/').to_owned(),
            Evidence::new(&source, span, "where Alembic's migrations are"),
        )
    });
    let mut made = migration(tool, words(&["alembic", "upgrade", "head"]), evidence.clone(), folder.clone());
    made.files.push(Fact::new("alembic.ini".to_owned(), evidence));
    made.files.extend(folder);
    Some(made)
}

/// Aerich, the migrations of Tortoise ORM, with the folder that pyproject.toml names.
fn of_aerich(context: &Context<'_>, project: &Project, service: &Service) -> Option<Migration> {
    let tool = tool(project, &["aerich"])?;
    let source = context.repository.source(&join(&service.path, "pyproject.toml"))?;
    let root = toml::parse(&source).ok()?;
    let settings = root.at(&["tool", "aerich"])?;
    let evidence = Evidence::new(&source, settings.span, "settings of Aerich");
    let location = settings.at(&["location"]);
    let folder = location.and_then(toml::Value::str).unwrap_or("migrations");
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    // A folder without migrations is not there yet.
    let mut below = context.repository.under(&join(&service.path, folder));
    let first = below.find(|path| has_extension(path, "py"))?;
    let place = match location {
        Some(location) => Evidence::new(&source, location.span, "where Aerich's migrations are"),
        None => Evidence::file(first, "a migration"),
    };
    let folder = Fact::new(folder.to_owned(), place);
    let mut made = migration(tool, words(&["aerich", "upgrade"]), evidence.clone(), Some(folder.clone()));
    made.files.push(Fact::new("pyproject.toml".to_owned(), evidence));
    made.files.push(folder);
    Some(made)
}

/// A program of the project that applies SQL files: `migrate.py` beside `sql/*.sql`.
fn own_program(context: &Context<'_>, project: &Project, service: &Service) -> Option<Migration> {
    let (folder, first) = sql_folder(context, service)?;
    let module = project.modules.iter().find(|module| {
        let name = below(module.source.name(), &service.path).unwrap_or_default();
        let stem = name.rsplit('/').next().unwrap_or(name);
        let named = matches!(
            stem,
            "migrate.py" | "run_migrations.py" | "apply_migrations.py" | "migrations.py" | "db_migrate.py"
        );
        // It must look for the files; a name alone says nothing.
        named
            && (0..module.tokens.len()).any(|at| {
                module.text(at).contains(".sql") || module.string(at).is_some_and(|text| text == folder)
            })
    })?;
    let name = below(module.source.name(), &service.path)?.to_owned();
    let evidence = Evidence::file(module.source.name(), "applies the SQL files");
    let tool =
        Framework { name: name.clone(), version: "own program".to_owned(), evidence: vec![evidence.clone()] };
    let fact = Fact::new(folder, Evidence::file(&first, "a migration"));
    let mut made = migration(tool, words(&["python", &name]), evidence, Some(fact.clone()));
    made.files.push(fact);
    Some(made)
}

/// A folder of SQL files below the service.
fn sql_folder(context: &Context<'_>, service: &Service) -> Option<(String, String)> {
    [
        "migrations",
        "sql",
        "db/migrations",
        "db/migrate",
        "database/migrations",
        "sql/migrations",
        "db",
        "schema",
    ]
    .iter()
    .find_map(|folder| {
        let first =
            context.repository.under(&join(&service.path, folder)).find(|path| has_extension(path, "sql"))?;
        Some(((*folder).to_owned(), first.to_owned()))
    })
}

/// The command before a release: the migrations, or work of its own.
fn release(launch: &Launch, service: &mut Service, gaps: &mut Vec<Gap>) {
    let Some(line) = &launch.line else {
        gaps.push(Gap {
            rule: rules::STEP_NOT_RUN,
            subject: service.name.clone(),
            message: format!("the release command needs a shell: {}", launch.text),
            hint: "write it as one program with its arguments".to_owned(),
            evidence: vec![launch.evidence.clone()],
        });
        return;
    };
    let commands: Vec<&Vec<String>> = line.before.iter().chain([&line.words]).collect();
    for (number, words) in commands.iter().enumerate() {
        let has = |word: &str| words.iter().any(|known| known == word);
        let migrates = (has("migrate") && has("manage.py"))
            || (has("alembic") && has("upgrade"))
            || (has("db") && has("upgrade"))
            || words.iter().any(|word| word.ends_with("migrate.py"));
        // Static files are collected while the image is built.
        if migrates && service.migration.is_some() || has("collectstatic") {
            continue;
        }
        let name = if number == 0 {
            format!("{}-release", service.name)
        } else {
            format!("{}-release-{}", service.name, number + 1)
        };
        let command = Fact::new((*words).clone(), launch.evidence.clone());
        service.processes.push(Process {
            name,
            role: Role::OneShot,
            command,
            probe: Probe::Process,
            grace: None,
        });
    }
}

/// Migrations that nothing applies.
fn unapplied(context: &Context<'_>, service: &Service) -> Option<Gap> {
    if service.processes.iter().any(|process| process.role == Role::OneShot) || service.stores.is_empty() {
        return None;
    }
    let (folder, first) = sql_folder(context, service)?;
    Some(Gap {
        rule: rules::MIGRATIONS_NOT_APPLIED,
        subject: service.name.clone(),
        message: format!("{folder}/*.sql are there, and nothing is known to apply them in production"),
        hint: "write a program that applies them and a line `release:` in a Procfile".to_owned(),
        evidence: vec![Evidence::file(&first, "a migration")],
    })
}
