//! Files of visitors: where a server takes them, where it puts them, and under which path it hands them out.

use super::{
    processes::import_of,
    traffic::{folder_of, path_text},
};
use crate::{
    javascript::{Kind, Script, modules::Origin, values::Program},
    model::{Evidence, Fact, HANDS_OUT, Route, Service},
};

/// Packages that read the files of a form.
const PACKAGES: [&str; 11] = [
    "multer",
    "busboy",
    "connect-busboy",
    "@fastify/busboy",
    "@fastify/multipart",
    "formidable",
    "multiparty",
    "express-fileupload",
    "@koa/multer",
    "graphql-upload",
    "@tus/server",
];

/// Tokens of a function in which its callback is looked for.
const MAX_TOKENS: usize = 300;
/// Folders of files that one server hands out.
const MAX_COUNT: usize = 20;

/// The first place where a server takes files.
pub(super) fn taken(program: &Program) -> Option<Fact<String>> {
    program.scripts().find_map(|script| {
        let package =
            PACKAGES.iter().find_map(|package| Some(((*package).to_owned(), import_of(script, package)?)));
        let (name, at) = package.or_else(|| {
            let at = (1..script.tokens.len()).find(|&at| takes(script, at))?;
            Some((script.text(at).trim_matches(['"', '\'', '`']).to_owned(), at))
        })?;
        let evidence = Evidence::new(&script.source, script.span(at, at), "it takes files of its visitors");
        Some(Fact::new(name, evidence))
    })
}

/// `readMultipartFormData(event)`, `@UseInterceptors(FileInterceptor(…))`, `raw({ type: "application/octet-stream" })`,
/// and `request.formData()` where the same file reads the bytes of a file.
fn takes(script: &Script, at: usize) -> bool {
    let called = script.is(at + 1, "(");
    match script.text(at) {
        "readMultipartFormData" | "FileInterceptor" | "FilesInterceptor" | "AnyFilesInterceptor" => called,
        "formData" => {
            let reads =
                |at: usize| matches!(script.text(at), "arrayBuffer" | "stream") && script.is(at + 1, "(");
            let object = at.checked_sub(2).map_or("", |object| script.text(object));
            called
                && script.is(at - 1, ".")
                && matches!(object, "req" | "request")
                && (0..script.tokens.len()).any(reads)
        }
        _ => {
            script.kind(at) == Some(Kind::String)
                && script.text(at).contains("application/octet-stream")
                && script.is(at - 1, ":")
                && (at.saturating_sub(8)..at).any(|at| script.is(at, "raw") && script.is(at + 1, "("))
        }
    }
}

/// The folder that multer's function for it hands to its callback: `destination: (request, file, done) => done(null, "x")`,
/// `destination(request, file, done) { … }`. `at` is the key.
pub(super) fn called_back(script: &Script, at: usize) -> Option<usize> {
    let mut open = if script.is(at + 1, ":") { at + 2 } else { at + 1 };
    while script.is(open, "async") || script.is(open, "function") || (open > at + 1 && script.is_word(open)) {
        open += 1;
    }
    script.is(open, "(").then_some(())?;
    let callback = *script.arguments(open).get(2)?;
    let name = script.text(callback).to_owned();
    let close = script.close(open)?;
    let body = (close + 1..close + 4).find(|&at| script.is(at, "{"));
    let end = body.and_then(|body| script.close(body)).unwrap_or(close + MAX_TOKENS).min(close + MAX_TOKENS);
    (close + 1..end).find_map(|at| {
        let called = script.is(at, &name) && script.is(at + 1, "(");
        called.then(|| script.arguments(at + 1).get(1).copied()).flatten()
    })
}

/// The fixed beginning of a path whose end is known when the program runs: `"uploads/" + name`, `path.join(FOLDER, name)`,
/// `${__dirname}/uploads/${name}`. A name stands for what is not known.
pub(super) fn leading(
    program: &Program,
    module: usize,
    script: &Script,
    at: usize,
    file: bool,
) -> Option<String> {
    // const FOLDER = path.join(__dirname, "uploads")
    if let Some(from) = expression(program, module, script, at) {
        return path_text(program, module, script, from)
            .or_else(|| file.then(|| beginning(program, module, script, from)).flatten());
    }
    file.then(|| beginning(program, module, script, at)).flatten()
}

fn expression(program: &Program, module: usize, script: &Script, at: usize) -> Option<usize> {
    if !script.is_word(at) || script.is(at + 1, ".") || script.is(at + 1, "(") {
        return None;
    }
    match program.modules[module].binding(script.text(at), at)?.origin {
        Origin::Expression(from) => Some(from),
        _ => None,
    }
}

fn beginning(program: &Program, module: usize, script: &Script, at: usize) -> Option<String> {
    let folder = match script.kind(at)? {
        Kind::String if script.is(at + 1, "+") => {
            let text = script.string(at)?;
            text.rsplit_once('/')?.0.to_owned()
        }
        Kind::Template => {
            let text = script.text(at).trim_matches('`');
            let own = ["${__dirname}/", "${process.cwd()}/"].iter().find_map(|own| text.strip_prefix(own));
            let fixed = own.unwrap_or(text).split("${").next()?;
            fixed.rsplit_once('/')?.0.to_owned()
        }
        Kind::Word => {
            let call = if script.is(at, "path") { at + 2 } else { at };
            let joins = matches!(script.text(call), "join" | "resolve") && script.is(call + 1, "(");
            let parts = if joins { script.arguments(call + 1) } else { return None };
            let (_, known) = parts.split_last()?;
            let mut texts: Vec<String> = Vec::new();
            for part in known {
                match script.text(*part) {
                    "__dirname" | "import" | "process" => texts.clear(),
                    _ => {
                        let folder = expression(program, module, script, *part).unwrap_or(*part);
                        texts.push(path_text(program, module, script, folder)?);
                    }
                }
            }
            texts.join("/").trim_start_matches("../").trim_start_matches("./").to_owned()
        }
        _ => return None,
    };
    (!folder.is_empty() && !folder.contains("..")).then(|| format!("{}/name", folder.trim_end_matches('/')))
}

/// Adds a route for each folder of visitors' files that the server hands out: `app.use("/uploads", express.static(…))`.
/// A folder that it does not write may be the pages' own, which another image has.
pub(super) fn handed_out(program: &Program, service: &mut Service) {
    let mut found: Vec<Route> = Vec::new();
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        for at in 1..script.tokens.len() {
            let Some((prefix, folder)) = hands_out(program, module, script, at) else { continue };
            let prefix = format!("/{}/*", prefix.trim_matches('/'));
            let folder = folder.and_then(|text| folder_of(&text, false)).map(|(folder, _)| folder);
            let written = folder.is_some_and(|folder| {
                service
                    .writes
                    .iter()
                    .any(|writes| writes.keep && writes.path.value.trim_end_matches('/') == folder.as_str())
            });
            if prefix.len() > 4
                && (written || prefix.starts_with("/upload"))
                && found.len() < MAX_COUNT
                && found.iter().all(|known| known.path != prefix)
            {
                let evidence = Evidence::new(&script.source, script.span(at, at), HANDS_OUT);
                found.push(Route {
                    method: "GET".to_owned(),
                    path: prefix,
                    stream: false,
                    evidence: vec![evidence],
                });
            }
        }
    }
    service.routes.retain(|route| found.iter().all(|known| known.path != route.path));
    service.routes.extend(found);
    service.routes.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
}

/// Prefix and folder of files that are handed out.
fn hands_out(
    program: &Program,
    module: usize,
    script: &Script,
    at: usize,
) -> Option<(String, Option<String>)> {
    let folder = |at: usize| {
        let from = expression(program, module, script, at).unwrap_or(at);
        path_text(program, module, script, from)
    };
    let option = |open: usize, keys: [&str; 2]| {
        script
            .arguments(open)
            .into_iter()
            .find(|&at| keys.contains(&script.text(at)) && script.is(at + 1, ":"))
            .map(|at| at + 2)
    };
    if !script.is(at + 1, "(") {
        return None;
    }
    let arguments = script.arguments(at + 1);
    match script.text(at) {
        "use" if script.is(at - 1, ".") => {
            let prefix = script.string(*arguments.first()?).filter(|path| path.starts_with('/'))?;
            let handler = arguments.iter().skip(1).find_map(|&argument| {
                // `express.static(…)`, `require("express").static(…)`
                let of_express = [argument + 2, argument + 5]
                    .into_iter()
                    .find(|&at| script.is(at, "static") && script.is(at - 1, "."));
                let plain = matches!(script.text(argument), "serveStatic" | "serve").then_some(argument);
                of_express.or(plain).map(|name| name + 1).filter(|&open| script.is(open, "("))
            })?;
            Some((prefix, folder(handler + 1)))
        }
        // NestJS
        "useStaticAssets" => {
            let options = arguments.iter().copied().find(|&at| script.is(at, "{"))?;
            Some((script.string(option(options, ["prefix", "prefix"])?)?, folder(*arguments.first()?)))
        }
        // ServeStaticModule.forRoot({ rootPath, serveRoot }), register(fastifyStatic, { root, prefix })
        "forRoot" | "register" => {
            let options = arguments.iter().copied().find(|&at| script.is(at, "{"))?;
            let root = option(options, ["rootPath", "root"])?;
            Some((script.string(option(options, ["serveRoot", "prefix"])?)?, folder(root)))
        }
        _ => None,
    }
}
