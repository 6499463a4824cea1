//! Prisma: the schema names the kind of store and the variable of its address.

use plimsoll_source::{Source, Span};

use crate::{
    context::{Context, has_extension, join},
    manifest::Manifest,
    model::{Address, Evidence, Fact, StoreKind, StoreUse},
};

pub(super) fn detect(context: &Context<'_>, manifest: &Manifest, uses: &mut Vec<StoreUse>) {
    let Some(client) = manifest.dependency("@prisma/client") else { return };
    let Some(path) = schema(context, manifest) else { return };
    let Some(source) = context.repository.source(&path) else { return };
    let mut kind = None;
    let mut address = None;
    let mut evidence = vec![Evidence::new(&manifest.source, client.span, "@prisma/client opens a database")];
    for (key, value, span) in settings(&source, "datasource") {
        let place = |reason: &str| Evidence::new(&source, span, reason);
        match key {
            "provider" => {
                kind = provider(value.trim_matches('"'));
                evidence.push(place("the kind of database"));
            }
            "url" => address = variable(value).map(|name| url(name, place("reads the variable"))),
            _ => {}
        }
    }
    // Since version 7 the address stands in prisma.config.ts.
    let address = address.or_else(|| in_config(context, manifest));
    if let Some(kind) = kind {
        let address = match address {
            Some(Address::Url { variable, suffix, file_variant, .. }) if kind == StoreKind::Sqlite => {
                Some(Address::Url { variable, scheme: Some("file".to_owned()), suffix, file_variant })
            }
            other => other,
        };
        uses.push(StoreUse { kind, store: String::new(), address, evidence });
    }
}

/// The folder among the installed packages that `prisma generate` writes, where the schema names no other.
pub(in crate::detect::node) fn generated(context: &Context<'_>, manifest: &Manifest) -> Option<Fact<String>> {
    manifest.dependency("@prisma/client")?;
    let source = context.repository.source(&schema(context, manifest)?)?;
    let (mut client, mut elsewhere) = (None, false);
    for (key, value, span) in settings(&source, "generator") {
        match (key, value.trim_matches('"')) {
            ("provider", "prisma-client-js") => client = Some(span),
            ("output", _) => elsewhere = true,
            _ => {}
        }
    }
    let span = client.filter(|_| !elsewhere)?;
    let evidence = Evidence::new(&source, span, "its client is generated among the packages");
    Some(Fact::new("node_modules/.prisma".to_owned(), evidence))
}

/// The database whose compiler of queries a client needs from the package itself; empty where the client that is generated
/// among the packages has a copy.
pub(in crate::detect::node) fn compilers(context: &Context<'_>, manifest: &Manifest) -> Option<Fact<String>> {
    if let Some(generated) = generated(context, manifest) {
        return Some(Fact { value: String::new(), evidence: generated.evidence });
    }
    manifest.dependency("@prisma/client")?;
    let source = context.repository.source(&schema(context, manifest)?)?;
    let (_, value, span) = settings(&source, "datasource").find(|(key, ..)| *key == "provider")?;
    let name = match value.trim_matches('"') {
        "postgres" => "postgresql",
        name @ ("postgresql" | "mysql" | "sqlite" | "sqlserver" | "cockroachdb") => name,
        _ => return None,
    };
    Some(Fact::new(name.to_owned(), Evidence::new(&source, span, "the kind of database")))
}

/// The lines `key = value` in the blocks of a kind, with their places.
fn settings<'a>(source: &'a Source, block: &'a str) -> impl Iterator<Item = (&'a str, &'a str, Span)> {
    let mut inside = false;
    source.text().lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        let begins = line.strip_prefix(block).is_some_and(|rest| rest.starts_with(' '));
        inside = inside && line != "}" || begins;
        let (key, value) = line.split_once('=').filter(|_| inside)?;
        Some((key.trim(), value.trim(), source.line_span(at + 1)))
    })
}

/// The schema's file: the usual places, else what package.json says.
pub(in crate::detect::node) fn schema(context: &Context<'_>, manifest: &Manifest) -> Option<String> {
    let named = manifest.string(&["prisma", "schema"], "").map(|fact| fact.value);
    let named = named.map(|path| join(&manifest.folder, path.trim_start_matches("./")));
    let usual = ["prisma/schema.prisma", "schema.prisma", "src/prisma/schema.prisma"];
    named.into_iter().chain(usual.iter().map(|path| join(&manifest.folder, path))).find_map(|path| {
        if context.repository.contains(&path) {
            return Some(path);
        }
        // A folder of schemas: the file with the data source.
        context.repository.under(&path).find(|file| has_extension(file, "prisma")).map(str::to_owned)
    })
}

fn provider(name: &str) -> Option<StoreKind> {
    Some(match name {
        "postgresql" | "postgres" | "cockroachdb" => StoreKind::Postgresql,
        "mysql" => StoreKind::Mysql,
        "sqlite" => StoreKind::Sqlite,
        "mongodb" => StoreKind::Mongodb,
        _ => return None,
    })
}

/// `env("DATABASE_URL")`.
fn variable(value: &str) -> Option<String> {
    let inner = value.trim().strip_prefix("env(")?.split(')').next()?;
    Some(inner.trim().trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty())
}

fn url(name: String, evidence: Evidence) -> Address {
    Address::Url { variable: Fact::new(name, evidence), scheme: None, suffix: None, file_variant: false }
}

fn in_config(context: &Context<'_>, manifest: &Manifest) -> Option<Address> {
    let script = ["prisma.config.ts", "prisma.config.js", "prisma.config.mjs"]
        .iter()
        .find_map(|file| context.script(&join(&manifest.folder, file)))?;
    let at = (0..script.tokens.len()).find(|&at| script.is(at, "url") && script.is(at + 1, ":"))?;
    let read = crate::javascript::values::environment_read(&script, at + 2);
    let name = read.map(|(name, _)| name).or_else(|| {
        (script.is(at + 2, "env") && script.is(at + 3, "(")).then(|| script.string(at + 4)).flatten()
    })?;
    Some(url(name, Evidence::new(&script.source, script.span(at, at + 4), "reads the variable")))
}
