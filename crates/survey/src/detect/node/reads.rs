//! Files and folders of a package that its compiled program reads when it runs: pages that it serves, templates,
//! certificates of others. A compiler writes none of them into its output.

use std::cell::OnceCell;

use super::{build, tsconfig};
use crate::{
    context::{Context, has_extension, join},
    detect::documents,
    javascript::{Kind, Script, values::Program},
    manifest::Manifest,
    model::{Ecosystem, Evidence, Fact, Role, Service, Shape, Survey, is_below},
};

/// Paths of one service that are kept, and places that name one.
const MAX_COUNT: usize = 40;
const MAX_FOUND: usize = 400;

/// Tokens of a call that are looked at for the folder in which it begins.
const MAX_TOKENS: usize = 60;

/// Folders that count where the program names them at all.
const USUAL: [&str; 8] =
    ["public", "views", "templates", "static", "assets", "locales", "partials", "emails"];

/// Functions whose first argument is the path of a file or folder.
const READERS: [&str; 16] = [
    "readFile",
    "readFileSync",
    "createReadStream",
    "readdir",
    "readdirSync",
    "opendir",
    "existsSync",
    "readJson",
    "readJsonSync",
    "readJSON",
    "sendFile",
    "sendfile",
    "static",
    "serveStatic",
    "loadSync",
    "compileFile",
];

/// Settings whose value is the path of a file or folder.
const KEYS: [&str; 9] = [
    "root",
    "rootPath",
    "views",
    "directory",
    "partialsDir",
    "layoutsDir",
    "loadPath",
    "protoPath",
    "templates",
];

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let built = outputs(survey, &services);
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        let output = service.output.as_ref().filter(|output| output.value != ".");
        if service.role == Role::Site || service.shape != Shape::Package || output.is_none() {
            continue;
        }
        let Some(manifest) = context.manifest(&service.path) else { continue };
        let program = context.closure(survey, &service.path);
        let package = Package { context, manifest, service, built: &built };
        service.reads = package.reads(&program);
    }
    survey.services = services;
}

/// Folders that builds write: no context of a build has them.
fn outputs(survey: &Survey, services: &[Service]) -> Vec<String> {
    let of_packages = survey.workspaces.iter().filter_map(|workspace| workspace.output.as_ref());
    let of_services = services.iter().filter_map(|service| service.output.as_ref());
    let all = of_packages.chain(of_services).map(|output| output.value.clone());
    all.filter(|output| !matches!(output.as_str(), "" | ".")).collect()
}

/// From where a path leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// The file's own folder.
    File,
    /// The folder in which the program runs.
    Working,
}

/// A source file below the package's folder, and the file that the build makes of it.
struct SourceFile<'a> {
    source: &'a str,
    built: OnceCell<Option<String>>,
}

struct Package<'a> {
    context: &'a Context<'a>,
    manifest: &'a Manifest,
    service: &'a Service,
    built: &'a [String],
}

impl Package<'_> {
    fn reads(&self, program: &Program) -> Vec<Fact<String>> {
        let mut found: Vec<Fact<String>> = Vec::new();
        for (module, other) in program.modules.iter().enumerate() {
            let script = &other.script;
            if !is_below(script.source.name(), &self.service.path) {
                continue;
            }
            let named = (0..script.tokens.len()).filter_map(|at| {
                named(program, module, script, at).map(|(base, text, last)| (base, text, at, last))
            });
            let place = self.place(script);
            // `require("../config/rules.json")`
            let imported = script.imported().iter().flat_map(|(at, specifier)| {
                let ends = ["", ".js", ".json", "/index.js"].into_iter();
                ends.map(move |end| (Base::File, format!("{specifier}{end}"), *at, *at))
            });
            let imported = imported.filter(|(_, specifier, ..)| specifier.starts_with("../"));
            for (base, text, at, last) in named.chain(imported) {
                if found.len() >= MAX_FOUND {
                    break;
                }
                for path in self.paths(&place, base, &text) {
                    let evidence =
                        Evidence::new(&script.source, script.span(at, last), "it reads it when it runs");
                    found.push(Fact::new(path, evidence));
                }
            }
        }
        let mut kept: Vec<Fact<String>> = Vec::new();
        for fact in &found {
            let inside = |other: &str| fact.value != other && is_below(&fact.value, other);
            let known = kept.iter().any(|known| known.value == fact.value);
            if kept.len() < MAX_COUNT && !known && !found.iter().any(|other| inside(&other.value)) {
                kept.push(fact.clone());
            }
        }
        kept
    }

    fn place<'a>(&self, script: &'a Script) -> SourceFile<'a> {
        let source = script.source.name().get(self.manifest.folder.len()..).unwrap_or_default();
        SourceFile { source: source.trim_start_matches('/'), built: OnceCell::new() }
    }

    /// What of the package a path names, below its folder.
    fn paths(&self, place: &SourceFile<'_>, base: Base, text: &str) -> Vec<String> {
        let own = place.source;
        let from = |file: &str| tsconfig::inside(file, text).filter(|path| !path.is_empty());
        let mut paths = Vec::new();
        if base == Base::Working {
            paths.extend(from(""));
        } else {
            // What lies beside a source is copied by the build, or lost whatever the image holds.
            let top = own.split_once('/').map_or("", |(top, _)| top);
            paths.extend(from(own).filter(|path| top.is_empty() || !is_below(path, top)));
            let built = place.built.get_or_init(|| build::built(self.context, self.manifest, own));
            paths.extend(built.as_deref().and_then(from));
        }
        paths.retain(|path| self.fits(path));
        paths.dedup();
        paths
    }

    /// It is there, it is neither the whole package nor what a build writes, and a build's context has it.
    fn fits(&self, path: &str) -> bool {
        let full = join(&self.manifest.folder, path);
        let left_out = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let secret = name == ".env" || name.starts_with(".env.") || has_extension(name, "pem");
            let composes = name.starts_with("docker-compose") || name.starts_with("compose");
            secret
                || (composes && (has_extension(name, "yml") || has_extension(name, "yaml")))
                || has_extension(name, "key")
                || matches!(name, "Dockerfile" | "package.json")
                || documents::NAMES.contains(&name)
        };
        let written = self.service.writes.iter().any(|writes| is_below(path, &writes.path.value));
        let built = self
            .built
            .iter()
            .any(|output| is_below(path, output) || format!("/{path}/").contains(&format!("/{output}/")));
        let first = path.split('/').next().unwrap_or_default();
        if path.is_empty() || written || built || matches!(first, "node_modules" | "secrets" | ".git") {
            return false;
        }
        let file = self.context.repository.contains(&full) && !left_out(&full);
        file || self.context.repository.under(&full).any(|file| !left_out(file))
    }
}

/// The path that the program names at a token, with its last token.
fn named(program: &Program, module: usize, script: &Script, at: usize) -> Option<(Base, String, usize)> {
    if script.kind(at) == Some(Kind::Template) {
        return template(script.text(at)).map(|(base, text)| (base, text, at));
    }
    if let Some(text) = script.string(at) {
        return usual(&text).map(|text| (Base::Working, text, at));
    }
    if let Some((base, end)) = base(script, at) {
        // `__dirname + "/../public"`
        let text = script.string(end + 1).filter(|_| script.is(end, "+"));
        return text.map(|text| (base, text, end + 1));
    }
    // `new URL("../public/index.html", import.meta.url)`
    if script.is(at, "URL") && script.is(at + 1, "(") {
        let arguments = script.arguments(at + 1);
        let beside = arguments.get(1).is_some_and(|second| base(script, *second).is_some());
        let text = arguments.first().and_then(|first| script.string(*first)).filter(|_| beside);
        return text.map(|text| (Base::File, text, at + 2));
    }
    if script.is(at + 1, "(") && matches!(script.text(at), "join" | "resolve") {
        return joined(program, module, script, at + 1).map(|(base, text)| (base, text, at));
    }
    if script.is(at + 1, "(") && (READERS.contains(&script.text(at)) || is_views(script, at)) {
        let place = if is_views(script, at) { at + 4 } else { at + 2 };
        return literal(program, module, script, place).map(|text| (Base::Working, text, place));
    }
    if script.is(at + 1, ":") && KEYS.contains(&script.text(at)) {
        return literal(program, module, script, at + 2).map(|text| (Base::Working, text, at + 2));
    }
    None
}

/// `app.set("views", …)`
fn is_views(script: &Script, at: usize) -> bool {
    script.is(at, "set")
        && script.string(at + 2).as_deref() == Some("views")
        && script.is(at + 1, "(")
        && script.is(at + 3, ",")
}

/// A text that is no address and no path of the system.
fn literal(program: &Program, module: usize, script: &Script, at: usize) -> Option<String> {
    // Calls are looked at where they stand.
    if script.is(at + 1, "(") || script.is(at + 1, ".") {
        return None;
    }
    let text = program.value(module, at)?.literal?;
    (!text.starts_with('/') && !text.contains("://")).then_some(text)
}

/// `./public/index.html` leads into a folder of the usual names.
fn usual(text: &str) -> Option<String> {
    let path = text.trim_start_matches("../").trim_start_matches("./").trim_start_matches('/');
    let first = path.split('/').next()?;
    USUAL.contains(&first).then(|| first.to_owned())
}

/// The folder that an expression begins with, and the token behind it.
fn base(script: &Script, at: usize) -> Option<(Base, usize)> {
    if script.is(at, "__dirname") {
        return Some((Base::File, at + 1));
    }
    if script.is(at, "import") && script.is(at + 1, ".") && script.is(at + 2, "meta") {
        return Some((Base::File, at + 5));
    }
    let working = script.is(at, "process") && script.is(at + 1, ".") && script.is(at + 2, "cwd");
    working.then_some((Base::Working, at + 5))
}

/// `path.join(__dirname, "..", "public", name)` up to what is not known.
fn joined(program: &Program, module: usize, script: &Script, open: usize) -> Option<(Base, String)> {
    let mut from = None;
    let mut parts: Vec<String> = Vec::new();
    for part in script.arguments(open) {
        if let Some((base, _)) = base(script, part) {
            from = Some(base);
            parts.clear();
            continue;
        }
        // `dirname(fileURLToPath(import.meta.url))`
        let call = if script.is(part + 1, ".") { part + 3 } else { part + 1 };
        if script.is(call, "(") {
            let end = script.close(call).unwrap_or(part);
            if (part..end.min(part + MAX_TOKENS))
                .any(|at| base(script, at).is_some_and(|(base, _)| base == Base::File))
            {
                from = Some(Base::File);
                parts.clear();
                continue;
            }
            break;
        }
        let Some(text) = program.value(module, part).and_then(|value| value.literal) else { break };
        // A beginning of its own: `resolve("public")` leads from where the program runs.
        from = from.or(Some(Base::Working));
        parts.push(text.trim_start_matches('/').to_owned());
    }
    let text = parts.join("/");
    Some((from?, text)).filter(|(_, text)| !text.is_empty())
}

/// `${__dirname}/../public/${name}` up to what is not known.
fn template(text: &str) -> Option<(Base, String)> {
    let rest = text.trim_matches('`').strip_prefix("${")?;
    let (inner, rest) = rest.split_once('}')?;
    let base = match inner.trim() {
        "__dirname" | "import.meta.dirname" => Base::File,
        "process.cwd()" => Base::Working,
        _ => return None,
    };
    let path = match rest.split_once("${") {
        Some((path, _)) => path.rsplit_once('/')?.0,
        None => rest,
    };
    Some((base, path.to_owned())).filter(|(_, path)| !path.trim_matches('/').is_empty())
}
