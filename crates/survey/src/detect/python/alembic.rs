//! Alembic's address: where its settings hold that of a developer's database, the migrations get the stack's.

use plimsoll_source::{Source, Span};

use crate::{
    context::{Context, has_extension, join},
    model::{Address, Evidence, Fact, Gap, Service, StoreKind},
    python::{Kind, Module},
    rules,
};

/// Gives the migrations the address that the program reads, where `alembic.ini` has one of its own and `env.py` takes it.
/// Where that cannot be done for sure there is no job, and the place is said.
pub(super) fn connect(context: &Context<'_>, service: &mut Service) -> Option<Gap> {
    let migration = service.migration.as_ref().filter(|migration| migration.tool.name == "alembic")?;
    let folder = migration.folder.as_ref().map_or("alembic", |folder| folder.value.as_str());
    let source = context.repository.source(&join(&service.path, "alembic.ini"))?;
    let (address, span) = literal(&source)?;
    let env = context.repository.source(&join(&service.path, &join(folder, "env.py")))?;
    if !takes_literal(&Module::new(env)) {
        return None;
    }
    let (scheme, _) = address.split_once("://")?;
    let kind = kind(scheme);
    let relational = [StoreKind::Postgresql, StoreKind::Mysql];
    // A file of SQLite is the same for the program and its migrations.
    if kind.is_none() && service.stores.iter().all(|used| !relational.contains(&used.kind)) {
        return None;
    }
    let evidence = Evidence::new(&source, span, "the address of a developer's database");
    let store = service.stores.iter().find(|used| Some(used.kind) == kind);
    let variable = store.and_then(|used| match &used.address {
        Some(Address::Url { variable, .. }) => Some(variable.clone()),
        _ => None,
    });
    let Some(variable) = variable.filter(|variable| is_name(&variable.value)) else {
        service.migration = None;
        return Some(Gap { rule: rules::MIGRATIONS_NOT_APPLIED,
            subject: service.name.clone(),
            message: "its migrations would ask the database of a developer's machine: nothing applies them".to_owned(),
            hint: "let env.py take the address that the program reads: config.set_main_option(\"sqlalchemy.url\", …)"
                .to_owned(),
            evidence: vec![evidence],
        });
    };
    let command = ["python", "-c", &upgrade(scheme, &variable.value)].map(str::to_owned).to_vec();
    let reason =
        format!("alembic.ini has an address of its own: the migrations get that of {}", variable.value);
    let mut fact = Fact::new(command, Evidence { reason, ..evidence });
    fact.evidence.extend(variable.evidence);
    if let Some(migration) = &mut service.migration {
        migration.command = Some(fact);
    }
    None
}

/// Revisions of one folder that are looked at.
const MAX_REVISIONS: usize = 2000;

/// Revisions that no other one builds on: of more than one `upgrade head` takes none, and `upgrade heads` all.
pub(super) fn heads(context: &Context<'_>, service: &mut Service) -> Option<Gap> {
    let migration = service.migration.as_ref()?;
    if migration.tool.name != "alembic" {
        return None;
    }
    let folder = migration.folder.as_ref().map_or("alembic", |folder| folder.value.as_str());
    let versions = join(&service.path, &join(folder, "versions"));
    let (mut revisions, mut below) = (Vec::new(), Vec::new());
    let files = context.repository.under(&versions).filter(|file| has_extension(file, "py"));
    for source in files.take(MAX_REVISIONS).filter_map(|file| context.repository.source(file)) {
        let module = Module::new(source);
        for (name, value) in module.assignments() {
            let end = module.line_end(name);
            let texts = (value..end).filter_map(|at| module.string(at));
            match module.text(name) {
                "revision" => {
                    let evidence = Evidence::new(&module.source, module.span(name, value), "a revision");
                    revisions.extend(texts.take(1).map(|revision| (revision, evidence.clone())));
                }
                "down_revision" => below.extend(texts),
                _ => {}
            }
        }
    }
    revisions.retain(|(revision, _)| !below.contains(revision));
    let names: Vec<&str> = revisions.iter().map(|(revision, _)| revision.as_str()).collect();
    if names.len() < 2 {
        return None;
    }
    let gap = Gap {
        rule: rules::MIGRATION_HEADS,
        subject: service.name.clone(),
        message: format!(
            "its migrations have {} heads ({}): all of them are applied",
            names.len(),
            names.join(", ")
        ),
        hint: "bring them together with `alembic merge heads`: they may contradict one another".to_owned(),
        evidence: revisions.iter().map(|(_, evidence)| evidence.clone()).collect(),
    };
    let command = service.migration.as_mut().and_then(|migration| migration.command.as_mut());
    match command.and_then(|command| command.value.last_mut()) {
        Some(word) if word == "head" => "heads".clone_into(word),
        Some(word) => *word = word.replace("config,'head')", "config,'heads')"),
        None => {}
    }
    Some(gap)
}

/// Python that migrates with the address in a variable, or in the file that `NAME_FILE` names. The scheme stays that of
/// the settings: `env.py` is written for its driver.
fn upgrade(scheme: &str, variable: &str) -> String {
    format!(
        "import os; from alembic import command; from alembic.config import Config; \
         url=os.environ.get('{variable}') or open(os.environ['{variable}_FILE']).read().strip(); \
         config=Config('alembic.ini'); \
         config.set_main_option('sqlalchemy.url',('{scheme}://'+url.split('://',1)[1]).replace('%','%%')); \
         command.upgrade(config,'head')"
    )
}

/// The literal address in the settings; nothing for a placeholder.
fn literal(source: &Source) -> Option<(String, Span)> {
    (1..=source.text().lines().count().min(500)).find_map(|number| {
        let span = source.line_span(number);
        let (key, value) = source.slice(span).split_once('=')?;
        let value = value.trim();
        let (scheme, rest) = value.split_once("://").filter(|_| key.trim() == "sqlalchemy.url")?;
        let plain = scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '_'));
        let whole = plain && scheme != "driver" && !rest.contains("%(") && !rest.contains(['$', '{']);
        whole.then(|| (value.to_owned(), span))
    })
}

fn kind(scheme: &str) -> Option<StoreKind> {
    match scheme.split('+').next().unwrap_or(scheme) {
        "postgresql" | "postgres" => Some(StoreKind::Postgresql),
        "mysql" | "mariadb" => Some(StoreKind::Mysql),
        _ => None,
    }
}

/// Whether `env.py` connects to what the settings say, and puts no other address there.
fn takes_literal(env: &Module) -> bool {
    let called = |at: usize, names: &[&str]| env.is(at + 1, "(") && names.contains(&env.text(at));
    let mut takes = false;
    for at in 0..env.tokens.len() {
        let sets = called(at, &["set_main_option", "set_section_option"])
            || called(at, &["create_engine", "create_async_engine", "get_engine"])
            || env.is(at, "current_app");
        // `configuration["sqlalchemy.url"] = …`, `{"sqlalchemy.url": …}`.
        let key = env.kind(at) == Some(Kind::String)
            && env.string(at).as_deref() == Some("sqlalchemy.url")
            && (env.is(at + 1, ":") || (env.is(at + 1, "]") && env.is(at + 2, "=")));
        let makes = called(at, &["engine_from_config", "async_engine_from_config"]);
        if sets || key || (makes && env.keyword(at + 1, "url").is_some()) {
            return false;
        }
        takes |= makes;
    }
    takes
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
