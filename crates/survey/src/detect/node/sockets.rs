//! Paths at which a server takes websockets. The name that makes a server of websockets is followed to the package that
//! it comes from: programs call it as they like.

use crate::{
    context::has_extension,
    javascript::{Kind, Script, modules::Origin, values::Program},
    model::{Evidence, Fact},
};

/// Facts that are kept.
const MAX_COUNT: usize = 50;
/// Where Socket.IO listens unless it is told otherwise.
const SOCKET_IO: &str = "/socket.io/";
/// Why a path is known at which a client has to speak Socket.IO's protocol.
const OF_SOCKET_IO: &str = "takes websockets of Socket.IO";

/// What makes a server of websockets, by whose rules its path is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    SocketIo,
    Plain,
}

pub(super) fn detect(program: &Program) -> Vec<Fact<String>> {
    let mut found: Vec<Fact<String>> = Vec::new();
    let plain_gateways = program.scripts().any(|script| {
        (1..script.tokens.len()).any(|at| script.is(at, "WsAdapter") && script.is(at - 1, "new"))
    });
    for (module, other) in program.modules.iter().enumerate() {
        let reader = Reader { program, module, script: &other.script, plain_gateways };
        for at in 0..reader.script.tokens.len() {
            let Some((path, last, family)) = reader.socket_at(at) else { continue };
            if found.len() < MAX_COUNT && !found.iter().any(|fact| fact.value == path) {
                let reason = if family == Family::SocketIo { OF_SOCKET_IO } else { "takes websockets" };
                let evidence = Evidence::new(&reader.script.source, reader.script.span(at, last), reason);
                found.push(Fact::new(path, evidence));
            }
        }
    }
    found
}

struct Reader<'a> {
    program: &'a Program,
    module: usize,
    script: &'a Script,
    /// The gateways of NestJS speak without Socket.IO.
    plain_gateways: bool,
}

impl Reader<'_> {
    /// A websocket's path, the last token of what names it, and whose it is.
    fn socket_at(&self, at: usize) -> Option<(String, usize, Family)> {
        if let Some((family, open)) = self.made_at(at) {
            return Some(self.with_path(family, open));
        }
        let script = self.script;
        if script.is(at, "@") && script.is(at + 1, "WebSocketGateway") && script.is(at + 2, "(") {
            let family = if self.plain_gateways { Family::Plain } else { Family::SocketIo };
            return Some(self.with_path(family, at + 2));
        }
        self.of_graphql(at).or_else(|| self.route(at)).or_else(|| self.by_file(at))
    }

    /// `new Server(…)`, `socketio(server)`, `io.listen(server)`, `new ws.Server(…)`, `require("socket.io")(server)`: the
    /// family and the bracket around the arguments.
    fn made_at(&self, at: usize) -> Option<(Family, usize)> {
        let script = self.script;
        if script.is(at, "require") && script.is(at + 1, "(") {
            if at > 0 && script.is(at - 1, "=") && !script.is(at + 4, "(") && !script.is(at + 4, ".") {
                return None;
            }
            let package = script.string(at + 2)?;
            return self.called(&package, "default", at + 4);
        }
        let before = if at > 0 && script.is_word(at) { script.text(at - 1) } else { "" };
        if !script.is_word(at) || matches!(before, "." | "?." | "function" | "class" | "interface") {
            return None;
        }
        let open = script.skip_type_arguments(at + 1);
        let next = if script.is(open, "(") { open } else { at + 1 };
        if !script.is(next, "(") && !script.is(next, ".") {
            return None;
        }
        let constructed = at > 0 && script.is(at - 1, "new");
        if constructed && script.is(at, "WebSocketServer") && script.is(next, "(") {
            return Some((Family::Plain, next));
        }
        let (package, exported) = self.comes_from(at)?;
        self.called(&package, &exported, next)
    }

    /// What a call of a package's export, or of a member of it, makes.
    fn called(&self, package: &str, exported: &str, next: usize) -> Option<(Family, usize)> {
        let script = self.script;
        let whole = matches!(exported, "default" | "*");
        let (name, open) = match (script.is(next, "."), whole) {
            (false, _) => (exported, next),
            // `io.Server(…)`, `io.listen(…)`, and the same behind an import that has no default of its own
            (true, true) => (script.text(next + 1), script.skip_type_arguments(next + 2)),
            (true, false) => return None,
        };
        // `new (require("socket.io").Server)(…)`
        let open = if script.is(open, ")") { open + 1 } else { open };
        script.is(open, "(").then_some(())?;
        let family = match (package, name) {
            ("socket.io", "default" | "Server" | "listen" | "attach") => Family::SocketIo,
            ("ws", "WebSocketServer" | "Server") | ("websocket", "server") => Family::Plain,
            _ => return None,
        };
        Some((family, open))
    }

    /// The package and the export that a name stands for.
    fn comes_from(&self, at: usize) -> Option<(String, String)> {
        let script = self.script;
        let name = script.text(at);
        let required = |from: usize| {
            (script.is(from, "require") && script.is(from + 1, "("))
                .then(|| script.string(from + 2))
                .flatten()
        };
        if let Some(binding) = self.program.modules[self.module].binding(name, at) {
            return match &binding.origin {
                Origin::Import { specifier, exported } => Some((specifier.clone(), exported.clone())),
                Origin::Expression(from) => {
                    // `const Server = require("socket.io").Server`
                    let exported = if script.is(from + 4, ".") { script.text(from + 5) } else { "default" };
                    let ends = matches!(script.text(from + 6), "(" | ".");
                    let whole = !script.is(from + 4, "(") && (exported == "default" || !ends);
                    required(*from).filter(|_| whole).map(|package| (package, exported.to_owned()))
                }
                Origin::Member { from, keys, .. } => Some((required(*from)?, keys.first()?.clone())),
            };
        }
        // `import socketio = require("socket.io")` of TypeScript
        script.imported().iter().find_map(|(text, package)| {
            let assigned = *text > 3 && script.is(text - 2, "require") && script.is(text - 3, "=");
            (assigned && script.is(text - 4, name)).then(|| (package.clone(), "default".to_owned()))
        })
    }

    /// The path that the options in a bracket name, or the family's own.
    fn with_path(&self, family: Family, open: usize) -> (String, usize, Family) {
        let named = self.option(open, "path").and_then(|at| {
            let text = self.program.value(self.module, at)?.literal?;
            Some((text, at))
        });
        let (path, last) = match (named, family) {
            (Some((text, at)), Family::Plain) => (text, at),
            (Some((text, at)), Family::SocketIo) => {
                // Socket.IO puts the slash at the end by itself.
                let bare =
                    self.option(open, "addTrailingSlash").is_some_and(|at| self.script.is(at, "false"));
                let end = if bare { "" } else { "/" };
                (format!("/{}{end}", text.trim_matches('/')), at)
            }
            (None, Family::SocketIo) => (SOCKET_IO.to_owned(), open),
            (None, Family::Plain) => self.upgraded().unwrap_or_else(|| ("/".to_owned(), open)),
        };
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        (path, last, family)
    }

    /// The value of an option among the arguments, which may stand in a constant.
    fn option(&self, open: usize, key: &str) -> Option<usize> {
        let script = self.script;
        let is_key = |at: &usize| script.is(*at, key) && script.is(at + 1, ":");
        script.arguments(open).into_iter().find_map(|argument| {
            let object = if script.is(argument, "{") {
                argument
            } else {
                match self.program.modules[self.module].binding(script.text(argument), argument)?.origin {
                    Origin::Expression(from) if script.is(from, "{") => from,
                    _ => return None,
                }
            };
            script.arguments(object).into_iter().find(is_key).map(|at| at + 2)
        })
    }

    /// The path that a handler of `upgrade` in the same file compares: `if (pathname === "/live")`.
    fn upgraded(&self) -> Option<(String, usize)> {
        let script = self.script;
        let handler = (2..script.tokens.len()).find(|&at| script.string(at).as_deref() == Some("upgrade"))?;
        script.is(handler - 1, "(").then_some(())?;
        let close = script.close(handler - 1)?;
        (handler + 1..close).find_map(|at| {
            let path = script.string(at).filter(|path| path.starts_with('/') && path.len() > 1)?;
            let named = |at: usize| matches!(script.text(at), "pathname" | "url" | "path");
            let compared = script.is(at - 1, "=")
                && (2..6).any(|back| at.checked_sub(back).is_some_and(named))
                || script.is(at - 1, "(") && script.is(at - 2, "startsWith");
            (compared || script.is(at - 1, "case")).then_some((path, at))
        })
    }

    /// Subscriptions of GraphQL, which have the path of the queries.
    fn of_graphql(&self, at: usize) -> Option<(String, usize, Family)> {
        let script = self.script;
        let made = script.is(at, "SubscriptionServer")
            && (script.is(at + 1, ".") && script.is(at + 2, "create") && script.is(at + 3, "("));
        if made {
            let path = self.option(at + 3, "path").and_then(|at| script.string(at));
            return Some((path.unwrap_or_else(|| "/graphql".to_owned()), at + 3, Family::Plain));
        }
        let installed = script.is(at, ".") && script.is(at + 1, "installSubscriptionHandlers");
        let of_nest = matches!(script.text(at), "subscriptions" | "installSubscriptionHandlers")
            && script.is(at + 1, ":")
            && (script.is(at + 2, "{") || script.is(at + 2, "true"))
            && script.imported().iter().any(|(_, package)| package == "@nestjs/graphql");
        (installed || of_nest).then(|| ("/graphql".to_owned(), at + 1, Family::Plain))
    }

    /// `fastify.get("/ws", { websocket: true }, …)`, `app.ws("/ws", …)`, `app.get("/ws", upgradeWebSocket(…))`.
    fn route(&self, at: usize) -> Option<(String, usize, Family)> {
        let script = self.script;
        let method = script.is(at, ".") && matches!(script.text(at + 1), "get" | "ws");
        let open = script.skip_type_arguments(at + 2);
        if !method || !script.is(open, "(") {
            return None;
        }
        let path = script.string(open + 1).filter(|path| path.starts_with('/'))?;
        let options = open + 3;
        let flagged = script.is(options, "{")
            && script
                .arguments(options)
                .into_iter()
                .any(|at| script.is(at, "websocket") && script.is(at + 2, "true"));
        let upgrades = script.is(options, "upgradeWebSocket");
        if !flagged && !upgrades && !script.is(at + 1, "ws") {
            return None;
        }
        // `/*` of uWebSockets, `/rooms/:id`: as far as the path is fixed.
        let fixed = path.find(['*', ':', '{']).map_or(path.as_str(), |end| &path[..end]);
        Some((fixed.to_owned(), open + 1, Family::Plain))
    }

    /// `export default defineWebSocketHandler(…)` in a route's file of Nitro; `Bun.serve({ websocket: … })`.
    fn by_file(&self, at: usize) -> Option<(String, usize, Family)> {
        let script = self.script;
        if script.is(at, "defineWebSocketHandler") && script.is(at + 1, "(") {
            let name = script.source.name();
            let (_, below) = name.rsplit_once("routes/").or_else(|| {
                let (_, path) = name.rsplit_once("server/")?;
                path.starts_with("api/").then_some(("", path))
            })?;
            let path = if has_extension(below, "ts") || has_extension(below, "js") {
                &below[..below.len() - 3]
            } else {
                below
            };
            return Some((format!("/{}", path.trim_end_matches("/index")), at, Family::Plain));
        }
        let served = script.is(at, "Bun") && script.is(at + 2, "serve") && script.kind(at + 3).is_some();
        let open = script.skip_type_arguments(at + 3);
        let takes =
            served && self.option(open, "websocket").is_some_and(|at| script.kind(at) != Some(Kind::Number));
        takes
            .then(|| self.upgraded().unwrap_or_else(|| ("/".to_owned(), open)))
            .map(|(path, last)| (path, last, Family::Plain))
    }
}
