//! What goes in and out of a server besides plain requests: websockets, large bodies, files that it writes, and what it
//! calls outside.

use std::rc::Rc;

use super::{callers, processes::imports, sockets, uploads};
use crate::{
    context::has_extension,
    javascript::{
        Kind, Script,
        modules::Origin,
        values::{Program, is_variable},
    },
    manifest::Manifest,
    model::{Evidence, Fact, HOST_IN, Service, StoreKind, Variable, Writes, is_below},
};

/// Facts of one kind that are kept.
const MAX_COUNT: usize = 50;

pub(super) fn detect(program: &Program, service: &mut Service) {
    service.websockets = sockets::detect(program);
    service.body_limit = body_limit(program);
    service.uploads = uploads::taken(program);
}

/// The largest body that some parser or upload takes.
fn body_limit(program: &Program) -> Option<Fact<u64>> {
    let mut largest: Option<Fact<u64>> = None;
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        for at in 1..script.tokens.len() {
            let key = script.text(at);
            if !matches!(key, "limit" | "fileSize" | "maxFileSize" | "bodyLimit") || !script.is(at + 1, ":") {
                continue;
            }
            let parser =
                key != "limit" || near(script, at, &["json", "urlencoded", "raw", "text", "bodyParser"]);
            let Some(bytes) = bytes(program, module, script, at + 2).filter(|_| parser) else { continue };
            if largest.as_ref().is_none_or(|known| known.value < bytes) {
                let evidence =
                    Evidence::new(&script.source, script.span(at, at + 2), "the largest body that it takes");
                largest = Some(Fact::new(bytes, evidence));
            }
        }
    }
    largest
}

fn near(script: &Script, at: usize, names: &[&str]) -> bool {
    (at.saturating_sub(8)..at).any(|at| names.contains(&script.text(at)) && script.is(at + 1, "("))
}

/// `"20mb"`, `5 * 1024 * 1024`, `1048576`.
fn bytes(program: &Program, module: usize, script: &Script, at: usize) -> Option<u64> {
    if script.kind(at) == Some(Kind::Number) {
        let mut product: u64 = script.text(at).replace('_', "").parse().ok()?;
        let mut index = at + 1;
        while script.is(index, "*") && script.kind(index + 1) == Some(Kind::Number) {
            product = product.checked_mul(script.text(index + 1).replace('_', "").parse().ok()?)?;
            index += 2;
        }
        return Some(product);
    }
    let text = program.value(module, at)?.literal?.trim().to_lowercase();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = match text[digits.len()..].trim() {
        "" | "b" => 1,
        "kb" | "k" => 1 << 10,
        "mb" | "m" => 1 << 20,
        "gb" | "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Folders that a program writes: uploads, files of its own, a database's file.
pub(super) fn writes(program: &Program, service: &Service) -> Vec<Writes> {
    let mut found: Vec<Writes> = Vec::new();
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        if !is_below(script.source.name(), &service.path) {
            continue;
        }
        for at in 0..script.tokens.len() {
            let Some((place, file)) = written_at(script, at) else { continue };
            let whole = path_text(program, module, script, place);
            let Some(text) = whole.or_else(|| uploads::leading(program, module, script, place, file)) else {
                continue;
            };
            let Some((path, keep)) = folder_of(&text, file) else { continue };
            if found.len() < MAX_COUNT && !found.iter().any(|known| known.path.value == path) {
                let evidence = Evidence::new(&script.source, script.span(at, place), "writes there");
                found.push(Writes { path: Fact::new(path, evidence), keep });
            }
        }
    }
    let kept: Vec<Writes> = service.environment.iter().filter_map(storage).collect();
    let changes = |script: &Rc<Script>| {
        is_below(script.source.name(), &service.path)
            && (0..script.tokens.len()).any(|at| {
                let lists = [&WRITE_FILES[..], &MAKE_FOLDERS, &MOVE];
                script.is(at + 1, "(") && lists.iter().any(|list| list.contains(&script.text(at)))
            })
    };
    if !kept.is_empty() && program.scripts().any(changes) {
        for writes in kept {
            if !found.iter().any(|known| known.path.value == writes.path.value) {
                found.push(writes);
            }
        }
    }
    found
}

/// Functions that write a file.
const WRITE_FILES: [&str; 6] =
    ["writeFile", "writeFileSync", "appendFile", "appendFileSync", "createWriteStream", "outputFile"];

/// Functions that make a folder.
const MAKE_FOLDERS: [&str; 4] = ["mkdir", "mkdirSync", "ensureDir", "ensureDirSync"];

/// Functions that put a file somewhere.
const MOVE: [&str; 5] = ["rename", "renameSync", "copyFile", "copyFileSync", "multer"];

/// The folder that a variable names and that keeps what comes in.
fn storage(variable: &Variable) -> Option<Writes> {
    let default = variable.default.as_deref().filter(|default| is_storage(&variable.name, default))?;
    let (path, _) = folder_of(default, false)?;
    Some(Writes { path: Fact { value: path, evidence: variable.evidence.clone() }, keep: true })
}

/// `UPLOADS_DIR` with the default `./uploads`: the variable of a folder that keeps what comes in.
fn is_storage(name: &str, default: &str) -> bool {
    let mut words = name.split('_').rev();
    let place =
        words.next().is_some_and(|last| matches!(last, "DIR" | "PATH" | "FOLDER" | "ROOT" | "DIRECTORY"));
    let kept = words.any(|word| {
        matches!(
            word.trim_end_matches('S'),
            "UPLOAD" | "MEDIA" | "STORAGE" | "DATA" | "FILE" | "ATTACHMENT" | "IMAGE" | "DOCUMENT" | "BACKUP"
        )
    });
    place && kept && (default.starts_with('/') || default.starts_with("./") || !default.contains('.'))
}

/// The token of a path that is written, and whether it is a file's.
fn written_at(script: &Script, at: usize) -> Option<(usize, bool)> {
    // multer({ dest: "uploads/" }), destination: "uploads"
    if matches!(script.text(at), "dest" | "destination" | "uploadDir") && script.is(at + 1, ":") {
        return (imports(script, "multer")
            || imports(script, "formidable")
            || imports(script, "express-fileupload"))
        .then_some((uploads::called_back(script, at).unwrap_or(at + 2), false));
    }
    // multer.diskStorage({ destination(request, file, done) { done(null, "uploads") } })
    if script.is(at, "destination") && script.is(at + 1, "(") && imports(script, "multer") {
        return uploads::called_back(script, at).map(|place| (place, false));
    }
    // request.files.picture.mv("./uploads/" + name) of express-fileupload
    let moved = at > 0 && script.is(at - 1, ".") && script.is(at, "mv") && script.is(at + 1, "(");
    if moved && imports(script, "express-fileupload") {
        return Some((at + 2, true));
    }
    if !script.is(at + 1, "(") {
        return None;
    }
    let declared = at > 0 && script.is(at - 1, "function");
    if declared {
        return None;
    }
    if WRITE_FILES.contains(&script.text(at)) {
        return Some((at + 2, true));
    }
    if MAKE_FOLDERS.contains(&script.text(at)) {
        return Some((at + 2, false));
    }
    let database = script.is(at, "Database") && at > 0 && script.is(at - 1, "new");
    (database && (imports(script, "better-sqlite3") || imports(script, "sqlite3"))).then_some((at + 2, true))
}

/// The text of a path: a literal, a variable's default, `path.join(__dirname, "..", "uploads")`.
pub(super) fn path_text(program: &Program, module: usize, script: &Script, at: usize) -> Option<String> {
    let joined =
        script.is(at, "path") && matches!(script.text(at + 2), "join" | "resolve") && script.is(at + 3, "(");
    if joined || matches!(script.text(at), "join" | "resolve") && script.is(at + 1, "(") {
        let open = if joined { at + 3 } else { at + 1 };
        let parts = script.arguments(open);
        let mut text = Vec::new();
        let mut own = false;
        for part in parts {
            if script.is(part, "__dirname") || script.is(part, "import") {
                // Where the built file lies is not where the source lies: only a path that goes up to the package fits.
                text.clear();
                own = true;
                continue;
            }
            if script.is(part, "process") {
                own = true;
                continue;
            }
            text.push(program.value(module, part).and_then(|value| value.literal)?);
        }
        let path = text.join("/");
        // `join(__dirname, "/uploads")` stays below the program's folder.
        let joins = script.is(open - 1, "join");
        let path = if own && joins { path.trim_start_matches('/') } else { path.as_str() };
        let path = path.trim_start_matches("../").trim_start_matches("./").to_owned();
        return Some(path).filter(|path| !path.is_empty() && !path.contains(".."));
    }
    program.value(module, at)?.literal
}

/// The folder of a path, and whether its content must be kept.
pub(super) fn folder_of(text: &str, file: bool) -> Option<(String, bool)> {
    if text.is_empty() || text.contains("://") || text == ":memory:" || text.starts_with("/dev/") {
        return None;
    }
    let folder = if file { text.rsplit_once('/').map(|(folder, _)| folder)? } else { text };
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    if folder.is_empty() || folder == "." || folder.starts_with("..") {
        return None;
    }
    let first = folder.trim_start_matches('/').split('/').next().unwrap_or_default();
    let keep = !matches!(first, "tmp" | "temp" | "cache" | ".cache" | "logs" | "log");
    Some((folder.to_owned(), keep))
}

/// Hosts in calls, and packages that call one.
pub(super) fn calls(program: &Program, manifests: &[&Manifest]) -> Vec<Fact<String>> {
    let mut found: Vec<Fact<String>> = Vec::new();
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        for at in 0..script.tokens.len() {
            let host = match called_url(program, module, script, at) {
                Some(Called::Url(url)) => outside(&url),
                Some(Called::Told(host)) => Some(host),
                None => None,
            };
            let Some(host) = host else { continue };
            if found.len() < MAX_COUNT && !found.iter().any(|fact| fact.value == host) {
                let evidence = Evidence::new(&script.source, script.span(at, at + 2), "calls it");
                found.push(Fact::new(host, evidence));
            }
        }
    }
    for manifest in manifests {
        for dependency in manifest.all("dependencies") {
            let Some(host) = callers::host(dependency.name) else { continue };
            let imported = program.scripts().any(|script| imports(script, dependency.name));
            if imported && !found.iter().any(|fact| fact.value == host) {
                let reason = format!("{} calls {host}", dependency.name);
                found.push(Fact::new(
                    host.to_owned(),
                    Evidence::new(&manifest.source, dependency.span, reason),
                ));
            }
        }
    }
    found
}

/// What a call names: a URL, its beginning, or that it comes from outside of the source.
enum Called {
    Url(String),
    /// A host that is not in the source: a visitor or a variable says it.
    Told(String),
}

/// The URL of `fetch(…)`, `axios.get(…)`, `got(…)`, `baseURL: …`.
fn called_url(program: &Program, module: usize, script: &Script, at: usize) -> Option<Called> {
    // nuxt-auth-utils makes these known without an import.
    let text = script.text(at);
    if text.starts_with("defineOAuth") && text.ends_with("EventHandler") && script.is(at + 1, "(") {
        return Some(Called::Told("the servers of the accounts".to_owned()));
    }
    let direct = matches!(
        text,
        "fetch" | "axios" | "got" | "ky" | "request" | "needle" | "$fetch" | "ofetch" | "useFetch"
    ) && script.is(script.skip_type_arguments(at + 1), "(");
    let method = at > 1
        && script.is(at - 1, ".")
        && matches!(
            script.text(at - 2),
            "axios" | "got" | "ky" | "https" | "http" | "undici" | "superagent" | "$fetch"
        )
        && script.is(script.skip_type_arguments(at + 1), "(");
    let base = matches!(text, "baseURL" | "prefixUrl") && script.is(at + 1, ":");
    if !direct && !method && !base {
        return None;
    }
    let argument = if base { at + 2 } else { script.skip_type_arguments(at + 1) + 1 };
    // axios({ url: "https://…" })
    let options = || script.arguments(argument).into_iter();
    let url = |at: &usize| matches!(script.text(*at), "url" | "uri") && script.is(at + 1, ":");
    let place = if script.is(argument, "{") { options().find(url)? + 2 } else { argument };
    address(program, module, script, place)
}

/// The address at a token: a literal, the beginning of a template, a constant or a variable that has it.
fn address(program: &Program, module: usize, script: &Script, at: usize) -> Option<Called> {
    if script.kind(at) == Some(Kind::Template) {
        return of_template(program, module, script, at);
    }
    if let Some(value) = program.value(module, at) {
        return match (value.literal, value.variable) {
            (Some(literal), _) => Some(Called::Url(literal)),
            (None, Some(variable)) => Some(Called::Told(format!("{HOST_IN}{variable}"))),
            (None, None) => None,
        };
    }
    // const url = encodeURI(`https://…`)
    let binding = program.modules[module].binding(script.text(at), at).filter(|_| script.is_word(at))?;
    let Origin::Expression(from) = binding.origin else { return None };
    let made = matches!(script.text(from), "encodeURI" | "String")
        || script.is(from, "new") && script.is(from + 1, "URL");
    let open = (from..from + 3).find(|&at| script.is(at, "("));
    let from = open.filter(|_| made).map_or(from, |open| open + 1);
    match script.kind(from)? {
        Kind::Template => of_template(program, module, script, from),
        Kind::String => {
            // `"https://…/?q=" + query`
            let text = script.text(from);
            Some(Called::Url(text[1..text.len() - 1].to_owned()))
        }
        _ => None,
    }
}

/// `https://host/${path}`, `https://${host}/path`, `${BASE}/path`.
fn of_template(program: &Program, module: usize, script: &Script, at: usize) -> Option<Called> {
    let text = script.text(at).trim_matches('`');
    let (before, behind) = text.split_once("${").unwrap_or((text, ""));
    if matches!(before, "https://" | "http://") {
        return Some(Called::Told("hosts that it is told".to_owned()));
    }
    if !before.is_empty() {
        return Some(Called::Url(before.to_owned()));
    }
    // What stands in front says the host: a constant, or a variable.
    let (name, _) = behind.split_once('}')?;
    if let Some(variable) = name.strip_prefix("process.env.").filter(|name| is_variable(name)) {
        return Some(Called::Told(format!("{HOST_IN}{variable}")));
    }
    let binding = program.modules[module].binding(name, at)?;
    let value = match binding.origin {
        Origin::Expression(from) if script.kind(from) == Some(Kind::Template) => None,
        Origin::Expression(from) => program.value(module, from),
        _ => None,
    }?;
    match (value.literal, value.variable) {
        (Some(literal), _) => Some(Called::Url(literal)),
        (None, Some(variable)) => Some(Called::Told(format!("{HOST_IN}{variable}"))),
        (None, None) => None,
    }
}

/// The host of an absolute URL that is neither this machine nor a name of the stack.
fn outside(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', '`']).next()?;
    let host = host.rsplit('@').next()?.split(':').next()?;
    let real =
        host.contains('.') && !host.starts_with("127.") && host != "0.0.0.0" && !has_extension(host, "local");
    real.then(|| host.to_owned())
}

/// The file of SQLite that a service keeps.
pub(super) fn keep_sqlite(service: &mut Service) {
    let uses = service.stores.iter().any(|used| used.kind == StoreKind::Sqlite);
    if uses {
        let lasting = service.writes.iter_mut().filter(|writes| !is_below(&writes.path.value, "/tmp"));
        lasting.for_each(|writes| writes.keep = true);
    }
}
