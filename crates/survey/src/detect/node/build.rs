//! How a package is built, checked, and where its build writes.

use plimsoll_source::{Span, json};

use super::{tasks, tsconfig};
use crate::{
    context::{Context, has_extension, join},
    manifest::Manifest,
    model::{Evidence, Fact},
};

/// Names under which projects keep each check; the first one that exists is taken.
const CHECKS: [(&[&str], &str); 3] = [
    (&["type-check", "typecheck", "check-types"], "checks the types"),
    (&["lint:ci", "lint"], "looks for mistakes"),
    (&["test:ci", "test:unit", "test"], "runs the tests"),
];

/// Scripts that must pass.
pub(super) fn checks(manifest: &Manifest) -> Vec<Fact<String>> {
    CHECKS.iter().filter_map(|(names, reason)| script(manifest, names, reason)).collect()
}

/// Whether a check reads the folder that the build writes.
pub(super) fn read_output(manifest: &Manifest, checks: &[Fact<String>], output: &str) -> bool {
    checks.iter().filter_map(|check| manifest.script(&check.value)).any(|(command, _)| {
        command.split([' ', '\'', '"', '=']).any(|word| {
            let path = word.trim_start_matches("./");
            path == output || path.strip_prefix(output).is_some_and(|rest| rest.starts_with('/'))
        })
    })
}

/// The script that builds, where it builds anything.
pub(super) fn build(manifest: &Manifest) -> Option<Fact<String>> {
    let found =
        ["build:prod", "build"].iter().find_map(|name| script(manifest, &[name], "builds the service"))?;
    let (command, _) = manifest.script(&found.value)?;
    let first = command.split_whitespace().next().unwrap_or_default();
    let runs = first == "node" && manifest.script("start").is_some_and(|(start, _)| start == command);
    let nothing = matches!(first, "echo" | "true" | ":" | "exit" | "");
    (!runs && !nothing).then_some(found)
}

fn script(manifest: &Manifest, names: &[&str], reason: &str) -> Option<Fact<String>> {
    names.iter().find_map(|name| {
        let (command, span) = manifest.script(name)?;
        // What `npm init` writes.
        let placeholder = command.contains("no test specified");
        let evidence = Evidence::new(&manifest.source, span, format!("{reason}: {command}"));
        (!placeholder).then(|| Fact::new((*name).to_owned(), evidence))
    })
}

/// The words of all commands that a script runs in the end.
fn words(manifest: &Manifest, script: &str) -> Vec<String> {
    let line = manifest.script(script).map_or("", |(line, _)| line);
    tasks::commands(manifest, script, line).into_iter().flatten().collect()
}

/// Where the compiler or bundler of the build script writes.
pub(super) fn output(context: &Context<'_>, manifest: &Manifest) -> Option<Fact<String>> {
    let build = build(manifest)?;
    let (_, span) = manifest.script(&build.value)?;
    let texts = words(manifest, &build.value);
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    let behind = |names: &[&str]| {
        words.iter().enumerate().find_map(|(at, word)| {
            let value = match word.split_once('=') {
                Some((name, value)) if names.contains(&name) => value,
                None if names.contains(word) => words.get(at + 1).copied()?,
                _ => return None,
            };
            Some(clean(value)).filter(|value| !value.is_empty())
        })
    };
    let fact =
        |value: String| Fact::new(value, Evidence::new(&manifest.source, span, "where the build writes"));
    let has = |name: &str| words.contains(&name);
    if has("nest") {
        return compiler_settings(context, manifest, "tsconfig.build.json")
            .map(|settings| settings.output)
            .or_else(|| compiler_settings(context, manifest, "tsconfig.json").map(|settings| settings.output))
            .or_else(|| Some(fact("dist".to_owned())));
    }
    if has("tsup") || has("unbuild") || has("tsdown") {
        return Some(fact(behind(&["--out-dir", "-d"]).unwrap_or_else(|| "dist".to_owned())));
    }
    if let Some(folder) = behind(&["--outdir", "--out-dir", "-d", "--outDir"]).filter(|_| !has("tsc")) {
        return Some(fact(folder));
    }
    if let Some(file) = behind(&["--outfile", "-o", "--out-file"]).filter(|_| !has("tsc")) {
        let folder = file.rsplit_once('/').map(|(folder, _)| folder.to_owned())?;
        return Some(fact(folder));
    }
    if has("swc") {
        return Some(fact("dist".to_owned()));
    }
    has("tsc").then(|| compiler(context, manifest, &words)).flatten().map(|settings| settings.output)
}

fn clean(path: &str) -> String {
    path.trim_matches(['"', '\'']).trim_start_matches("./").trim_end_matches('/').to_owned()
}

/// What a tsconfig says.
struct Settings {
    output: Fact<String>,
    root: Option<String>,
}

fn compiler(context: &Context<'_>, manifest: &Manifest, words: &[&str]) -> Option<Settings> {
    let at = words.iter().position(|word| *word == "tsc")?;
    let project =
        words[at..].windows(2).find(|pair| matches!(pair[0], "-p" | "--project" | "-b" | "--build"));
    let file = project.map_or("tsconfig.json", |pair| pair[1].trim_start_matches("./"));
    let file = match file {
        "." | "" => "tsconfig.json".to_owned(),
        file if has_extension(file, "json") => file.to_owned(),
        folder => format!("{folder}/tsconfig.json"),
    };
    compiler_settings(context, manifest, &file)
}

/// `outDir` and `rootDir` of a tsconfig, through `extends` within the repository.
fn compiler_settings(context: &Context<'_>, manifest: &Manifest, file: &str) -> Option<Settings> {
    let mut file = join(&manifest.folder, file);
    let mut root_folder = None;
    for _ in 0..4 {
        let source = context.repository.source(&file)?;
        let root = json::parse(&source).ok()?;
        let options = root.get("compilerOptions");
        let option = |name: &str| options.and_then(|options| options.value.get(name));
        root_folder =
            root_folder.or_else(|| option("rootDir").and_then(|member| member.value.str()).map(clean));
        if let Some(member) = option("outDir") {
            let span: Span = member.span();
            let output = Fact::new(
                clean(member.value.str()?),
                Evidence::new(&source, span, "where the compiler writes"),
            );
            return Some(Settings { output, root: root_folder });
        }
        let parent = root.get("extends")?.value.str()?.to_owned();
        file = beside(&file, &parent)?;
    }
    None
}

/// A path relative to a file's folder, within the repository.
fn beside(file: &str, path: &str) -> Option<String> {
    if !path.starts_with('.') {
        return None;
    }
    tsconfig::inside(file, path)
}

/// The file that the build makes of a source file.
pub(super) fn built(context: &Context<'_>, manifest: &Manifest, source: &str) -> Option<String> {
    let build = build(manifest)?;
    let texts = words(manifest, &build.value);
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
    let extension = match source.rsplit_once('.') {
        Some((_, "mts")) => "mjs",
        Some((_, "cts")) => "cjs",
        _ => "js",
    };
    if words.contains(&"tsc") {
        let settings = compiler(context, manifest, &words)?;
        // Without `rootDir` the compiler takes the folder that all sources share.
        let root = settings
            .root
            .unwrap_or_else(|| if stem.starts_with("src/") { "src".to_owned() } else { String::new() });
        let below = if root.is_empty() || root == "." {
            stem
        } else {
            stem.strip_prefix(root.as_str())?.trim_start_matches('/')
        };
        return Some(format!("{}/{below}.{extension}", settings.output.value));
    }
    let output = output(context, manifest)?;
    let bundles = ["tsup", "esbuild", "nest", "swc", "babel"].iter().any(|tool| words.contains(tool));
    let below = stem.strip_prefix("src/").unwrap_or(stem);
    bundles.then(|| format!("{}/{below}.{extension}", output.value))
}
