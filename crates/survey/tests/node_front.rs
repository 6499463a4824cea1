//! Websockets, health paths, written folders and calls of Node.js programs, in the spellings that programs have.

mod support;

use support::{of, service};

const API: &str = r#"{ "name": "api", "dependencies": { "express": "5", "socket.io": "4", "ws": "8" }, "scripts": { "start": "node index.js" } }"#;

/// The paths of websockets of a server whose entry begins with these lines.
fn sockets(lines: &str) -> Vec<String> {
    let script = format!(
        "const express = require('express');\nconst app = express();\nconst server = app.listen(process.env.PORT || 3000);\n{lines}\n"
    );
    let survey = of(&[("package.json", API), ("index.js", &script)]);
    service(&survey, "api").websockets.iter().map(|path| path.value.clone()).collect()
}

#[test]
fn socket_io_is_known_by_any_name() {
    for lines in [
        "const socket = require('socket.io');\nconst io = socket(server, { cors: { origin: '*' } });",
        "const socketio = require('socket.io');\nconst io = socketio(server);",
        "const io = require('socket.io')(server);",
        "const io = require('socket.io').listen(server);",
        "const io = require('socket.io');\nio.listen(server);",
        "const { Server } = require('socket.io');\nnew Server(server);",
        "const Chat = require('socket.io').Server;\nnew Chat(server);",
        "const io = new (require('socket.io').Server)(server);",
        "import { Server } from 'socket.io';\nnew Server(server);",
        "import { Server as Chat } from 'socket.io';\nconst io = new Chat(server, { transports: ['websocket'] });",
        "import * as io from 'socket.io';\nnew io.Server<In, Out>(server);",
        "import Chat from 'socket.io';\nnew Chat.Server(server);",
        "import io = require('socket.io');\nio(server);",
    ] {
        assert_eq!(sockets(lines), ["/socket.io/"], "{lines}");
    }
}

#[test]
fn the_path_of_socket_io_is_the_one_of_its_options() {
    for (options, path) in [
        ("{ path: '/live' }", "/live/"),
        ("{ path: '/live/' }", "/live/"),
        ("{ path: '/api/socket/io', addTrailingSlash: false }", "/api/socket/io"),
        ("options", "/chat/"),
        ("{ path: PATH }", "/named/"),
    ] {
        let lines = format!(
            "import {{ Server as Chat }} from 'socket.io';\nconst PATH = '/named';\nconst options = {{ path: '/chat' }};\nnew Chat(server, {options});"
        );
        assert_eq!(sockets(&lines), [path], "{options}");
    }
}

#[test]
fn websockets_have_the_path_that_their_upgrade_asks_for() {
    for (lines, path) in [
        ("const { WebSocketServer } = require('ws');\nnew WebSocketServer({ server });", "/"),
        ("const WebSocket = require('ws');\nnew WebSocket.Server({ server, path: '/live' });", "/live"),
        (
            "import { WebSocketServer as Sockets } from 'ws';\nnew Sockets({ server, path: '/live' });",
            "/live",
        ),
        ("const { Server } = require('ws');\nnew Server({ server });", "/"),
        (
            "const { WebSocketServer } = require('ws');\nconst live = new WebSocketServer({ noServer: true });\n\
             server.on('upgrade', (request, socket, head) => {\n  const { pathname } = new URL(request.url, 'http://x');\n\
             if (pathname === '/live') { live.handleUpgrade(request, socket, head, f); }\n});",
            "/live",
        ),
        ("require('express-ws')(app);\napp.ws('/rooms/:id', f);", "/rooms/"),
        ("uWS.App().ws('/*', { message: f });", "/"),
        ("app.get('/live', upgradeWebSocket(f));", "/live"),
        ("apollo.installSubscriptionHandlers(server);", "/graphql"),
        ("SubscriptionServer.create({ schema }, { server, path: '/subscriptions' });", "/subscriptions"),
    ] {
        assert_eq!(sockets(lines), [path], "{lines}");
    }
}

#[test]
fn what_is_only_called_like_a_server_of_websockets_is_none() {
    for lines in [
        "const { io } = require('socket.io-client');\nconst other = io('http://peer:4000');",
        "const { Server } = require('http');\nnew Server(app);",
        "const socket = require('socket.io');\nfunction socketOf(socket) { return socket.id; }",
        "const WebSocket = require('ws');\nnew WebSocket('wss://stream.example.com');",
    ] {
        assert!(sockets(lines).is_empty(), "{lines}: {:?}", sockets(lines));
    }
}

const SHOP: &str = r#"{ "name": "shop", "dependencies": { "express": "5", "multer": "2", "express-fileupload": "1", "axios": "1" }, "scripts": { "start": "node index.js" } }"#;

/// A server whose entry begins with these lines.
fn shop(lines: &str) -> plimsoll_survey::Service {
    let script = format!(
        "const path = require('path');\nconst app = require('express')();\napp.listen(process.env.PORT || 3000);\n{lines}\n"
    );
    let survey = of(&[("package.json", SHOP), ("index.js", &script)]);
    service(&survey, "shop").clone()
}

#[test]
fn uploads_are_kept_however_their_folder_is_said() {
    for lines in [
        "const multer = require('multer');\nmulter.diskStorage({ destination(request, file, done) { done(null, 'uploads/') } });",
        "const multer = require('multer');\nmulter.diskStorage({ destination: (request, file, done) => done(null, 'uploads') });",
        "const multer = require('multer');\nmulter.diskStorage({ destination: function (req, file, cb) { cb(null, './uploads'); } });",
        "const multer = require('multer');\nmulter.diskStorage({ destination: async (req, file, cb) => { cb(null, 'uploads'); } });",
        "const multer = require('multer');\nconst FOLDER = path.join(__dirname, 'uploads');\n\
         multer.diskStorage({ destination: (req, file, cb) => cb(null, FOLDER) });",
        "const up = require('express-fileupload');\napp.post('/f', (req) => req.files.a.mv('./uploads/' + req.files.a.name));",
        "const up = require('express-fileupload');\napp.post('/f', (req) => req.files.a.mv(`${__dirname}/uploads/${name}`));",
        "fs.writeFile(path.join(process.cwd(), 'uploads', name), bytes, done);",
    ] {
        let service = shop(lines);
        let kept: Vec<(&str, bool)> =
            service.writes.iter().map(|writes| (writes.path.value.as_str(), writes.keep)).collect();
        assert_eq!(kept, [("uploads", true)], "{lines}");
    }
    assert!(shop("fs.writeFile(path.join(target, name), bytes, done);").writes.is_empty());
}

#[test]
fn a_folder_of_uploads_is_a_part_of_the_server() {
    let handed = |lines: &str| {
        let routes = shop(lines).routes;
        routes.into_iter().map(|route| route.path).filter(|path| path.ends_with('*')).collect::<Vec<_>>()
    };
    let multer = "const multer = require('multer');\nmulter({ dest: 'pictures' });\n";
    assert_eq!(
        handed(&format!("{multer}app.use('/media', express.static(path.join(__dirname, 'pictures')));")),
        ["/media/*"]
    );
    assert_eq!(
        handed("app.use('/uploads', express.static(path.join(__dirname, '/uploads')));"),
        ["/uploads/*"]
    );
    assert_eq!(
        handed("app.useStaticAssets(join(__dirname, '..', 'uploads'), { prefix: '/uploads/' });"),
        ["/uploads/*"]
    );
    // What another image has stays there.
    assert!(
        handed("app.use('/static', express.static(path.join(__dirname, 'client/build/static')));").is_empty()
    );
}

#[test]
fn a_server_that_takes_files_says_so() {
    for (lines, taken) in [
        ("const multer = require('multer');\nmulter({ storage });", Some("multer")),
        (
            "app.use(express.raw({ type: 'application/octet-stream', limit }));",
            Some("application/octet-stream"),
        ),
        (
            "const form = await request.formData();\nconst bytes = await form.get('f').arrayBuffer();",
            Some("formData"),
        ),
        ("const form = await request.formData();\nconst name = form.get('name');", None),
        ("app.use(express.json());", None),
    ] {
        assert_eq!(shop(lines).uploads.map(|fact| fact.value).as_deref(), taken, "{lines}");
    }
}

#[test]
fn hosts_that_are_called_need_a_way_out() {
    for (lines, host) in [
        ("await fetch(`https://${server}/api`);", Some("hosts that it is told")),
        (
            "const BASE = 'https://movies.example.com';\n$fetch(url, { baseURL: `${BASE}/list` });",
            Some("movies.example.com"),
        ),
        (
            "const url = encodeURI(`https://api.example.com/users/${name}`);\naxios.get(url, { headers });",
            Some("api.example.com"),
        ),
        ("const url = 'https://api.example.com/?q=' + name;\nfetch(url);", Some("api.example.com")),
        ("axios({ method: 'get', url: `https://api.example.com/${id}` });", Some("api.example.com")),
        ("await fetch(process.env.CATALOGUE);", Some("the host in CATALOGUE")),
        ("await fetch(`${process.env.CATALOGUE}/items`);", Some("the host in CATALOGUE")),
        ("export default defineOAuthGitHubEventHandler({ onSuccess });", Some("the servers of the accounts")),
        ("await fetch('/api/items');", None),
        ("await fetch(`/api/items/${id}`);", None),
        ("await fetch(`http://localhost:4000/${id}`);", None),
    ] {
        let calls: Vec<String> = shop(lines).calls.into_iter().map(|fact| fact.value).collect();
        assert_eq!(calls.first().map(String::as_str), host, "{lines}: {calls:?}");
    }
}

#[test]
fn pages_of_another_service_are_no_sign_of_health() {
    let files = |folder: &str| {
        let server = format!(
            "const path = require('path');\nconst app = require('express')();\napp.get('/api/items', f);\n\
             app.get('*', (req, res) => res.sendFile(path.resolve(__dirname, '{folder}', 'build', 'index.html')));\n\
             app.listen(process.env.PORT || 5000);\n"
        );
        let survey = of(&[
            ("package.json", SHOP),
            ("package-lock.json", "{}"),
            ("index.js", &server),
            (
                "client/package.json",
                r#"{ "name": "client", "scripts": { "build": "react-scripts build" }, "dependencies": { "react-scripts": "5" } }"#,
            ),
            ("client/package-lock.json", "{}"),
            ("client/src/index.js", "fetch('/api/items');"),
        ]);
        service(&survey, "shop").foreign_page.as_ref().map(|page| page.value.clone())
    };
    assert_eq!(files("client").as_deref(), Some("client/build/index.html"));
    assert_eq!(files("own"), None);
}

#[test]
fn a_health_route_is_known_by_its_file_or_by_what_a_platform_asks() {
    let remix = r#"{ "name": "notes", "scripts": { "build": "remix vite:build", "start": "remix-serve ./build/server/index.js" }, "dependencies": { "@remix-run/node": "2", "@remix-run/react": "2", "@remix-run/serve": "2" }, "devDependencies": { "@remix-run/dev": "2", "vite": "5" } }"#;
    for (file, path) in [
        ("app/routes/healthcheck.tsx", "/healthcheck"),
        ("app/routes/resources/healthcheck.tsx", "/resources/healthcheck"),
        ("app/routes/resources+/healthcheck.tsx", "/resources/healthcheck"),
    ] {
        let survey = of(&[
            ("package.json", remix),
            ("vite.config.ts", "export default {};"),
            (file, "export async function loader() { return new Response('OK'); }"),
        ]);
        let found = &service(&survey, "notes").health.live;
        assert_eq!(found.as_ref().map(|path| path.value.as_str()), Some(path), "{file}");
    }
    for (file, text) in [
        ("railway.json", r#"{ "deploy": { "healthcheckPath": "/is/it/there" } }"#),
        ("railway.toml", "[deploy]\nhealthcheckPath = \"/is/it/there\"\n"),
        ("render.yaml", "services:\n  - type: web\n    healthCheckPath: /is/it/there\n"),
        ("fly.toml", "[http_service]\n[[http_service.checks]]\npath = \"/is/it/there\"\n"),
    ] {
        let survey =
            of(&[("package.json", SHOP), ("index.js", "require('express')().listen(3000);"), (file, text)]);
        let found = &service(&survey, "shop").health.live;
        assert_eq!(found.as_ref().map(|path| path.value.as_str()), Some("/is/it/there"), "{file}");
    }
}

#[test]
fn routers_of_a_list_and_routers_in_routers_have_their_whole_path() {
    let entry = "const app = require('express')();\nconst routes = require('./routes');\napp.use('/v1', routes);\napp.listen(3000);\n";
    for each in [
        "list.forEach((entry) => {\n  router.use(entry.path, entry.route);\n});",
        "for (const entry of list) router.use(entry.path, entry.route);",
    ] {
        let index = format!(
            "const router = require('express').Router();\nconst users = require('./users');\n\
             const list = [{{ path: '/users', route: users }}];\n{each}\nmodule.exports = router;\n"
        );
        let survey = of(&[
            ("package.json", SHOP),
            ("index.js", entry),
            ("routes/index.js", &index),
            (
                "routes/users.js",
                "const router = require('express').Router();\nrouter.get('/', f);\nrouter.get('/:id', f);\nmodule.exports = router;\n",
            ),
        ]);
        let paths: Vec<&str> =
            service(&survey, "shop").routes.iter().map(|route| route.path.as_str()).collect();
        assert_eq!(paths, ["/v1/users", "/v1/users/:id"], "{each}");
    }
}

/// What the policy of a site must allow whose code has these lines, beside a server that has those.
fn sources(page: &str, server: &str) -> Vec<String> {
    let server = format!("require('express')().listen(process.env.PORT || 5000);\n{server}\n");
    let survey = of(&[
        ("package.json", SHOP),
        ("package-lock.json", "{}"),
        ("index.js", &server),
        (
            "client/package.json",
            r#"{ "name": "client", "scripts": { "build": "vite build" }, "dependencies": { "react": "19" }, "devDependencies": { "vite": "7" } }"#,
        ),
        ("client/package-lock.json", "{}"),
        ("client/index.html", "<html>"),
        ("client/src/main.jsx", page),
    ]);
    service(&survey, "client").page_sources.iter().map(|source| source.value.clone()).collect()
}

#[test]
fn scripts_that_the_code_loads_are_allowed_with_their_frames() {
    let paypal = sources(
        "const script = document.createElement('script');\nscript.src = `https://www.paypal.com/sdk/js?client-id=${id}`;",
        "",
    );
    for wanted in [
        "script-src https://www.paypal.com",
        "frame-src https://www.paypal.com",
        "connect-src https://www.paypal.com",
    ] {
        assert!(paypal.iter().any(|source| source == wanted), "{wanted}: {paypal:?}");
    }
    let stripe = sources("import { loadStripe } from '@stripe/stripe-js';", "");
    assert!(stripe.iter().any(|source| source == "frame-src https://js.stripe.com"), "{stripe:?}");
    let frame = sources(
        "export const Map = () => <iframe title=\"map\" src=\"https://maps.example.com/embed\" />;",
        "",
    );
    assert!(frame.iter().any(|source| source == "frame-src https://maps.example.com"), "{frame:?}");
}

#[test]
fn pictures_whose_addresses_are_data_come_from_any_host() {
    let any =
        |page: &str, server: &str| sources(page, server).iter().any(|source| source == "img-src https:");
    let shown = "export const Face = ({ user }) => <img alt=\"\" src={user.avatar} />;";
    assert!(any(shown, "const user = { avatar: `https://faces.example.com/${name}` };"));
    assert!(any(
        shown,
        "new Schema({ picture: { type: String, default: 'https://faces.example.com/a.png' } });"
    ));
    assert!(any(shown, "const { secure_url } = await upload(file);"));
    assert!(!any(shown, "const user = { avatar: '/faces/a.png' };"));
    assert!(!any(
        "import logo from './logo.svg';\nexport const Face = () => <img src={logo} />;",
        "const a = { image: 'https://faces.example.com/a' };"
    ));
}
