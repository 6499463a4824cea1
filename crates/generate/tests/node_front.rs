//! What the plan makes of websockets, uploads, pages of another service and policies.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_generate::Planned;
use support::{file, planned};

const SHOP: &str = r#"{ "name": "shop", "dependencies": { "express": "5", "multer": "2", "socket.io": "4", "ws": "8" }, "scripts": { "start": "node index.js" } }"#;
const CLIENT: &str = r#"{ "name": "client", "scripts": { "build": "vite build" }, "dependencies": { "react": "19" }, "devDependencies": { "vite": "7" } }"#;

/// A server with these lines, and pages of their own with those.
fn beside_pages(server: &str, page: &str) -> Planned {
    let server = format!(
        "const path = require('path');\nconst app = require('express')();\nconst server = app.listen(process.env.PORT || 5000);\n\
         app.get('/api/items', f);\n{server}\n"
    );
    planned(&[
        ("package.json", SHOP),
        ("package-lock.json", "{}"),
        ("index.js", &server),
        ("client/package.json", CLIENT),
        ("client/package-lock.json", "{}"),
        ("client/index.html", "<html>"),
        ("client/src/main.jsx", page),
    ])
}

/// A server alone.
fn alone(server: &str) -> Planned {
    let server = format!(
        "const app = require('express')();\nconst server = app.listen(process.env.PORT || 5000);\n{server}\n"
    );
    planned(&[("package.json", SHOP), ("package-lock.json", "{}"), ("index.js", &server)])
}

fn nginx(planned: &Planned) -> String {
    file(planned, "client/nginx/nginx.conf")
}

fn says(planned: &Planned, part: &str) -> bool {
    planned.notes.iter().any(|note| note.message.contains(part))
}

#[test]
fn websockets_reach_the_server_beside_pages() {
    let with = beside_pages("const sockets = require('socket.io');\nsockets(server);", "");
    assert!(nginx(&with).contains("location ^~ /socket.io/ {"), "{}", nginx(&with));
    assert!(!says(&with, "websockets at /"));
    let lost =
        beside_pages("const { WebSocketServer } = require('ws');\nnew WebSocketServer({ server });", "");
    assert!(says(&lost, "it takes websockets at /, which is a page of client"));
}

#[test]
fn a_socket_of_socket_io_is_opened_as_its_clients_do() {
    let smoke = file(
        &alone("import { Server as Live } from 'socket.io';\nnew Live(server, { path: '/live' });"),
        "smoke.toml",
    );
    assert!(smoke.contains("/live/?EIO=4&transport=websocket"), "{smoke}");
}

#[test]
fn uploads_have_a_volume_a_way_and_room() {
    let with = beside_pages(
        "const multer = require('multer');\nmulter.diskStorage({ destination(request, file, done) { done(null, 'uploads/'); } });\n\
         app.use('/uploads', require('express').static(path.join(__dirname, '/uploads')));",
        "",
    );
    let nginx = nginx(&with);
    assert!(nginx.contains("location ^~ /uploads/ {"), "{nginx}");
    assert!(nginx.contains("location ^~ /api/ {"), "{nginx}");
    assert!(nginx.contains("client_max_body_size 20m;"), "{nginx}");
    let compose = file(&with, "compose.production.yml");
    assert!(compose.contains("shop_uploads:/app/uploads"), "{compose}");
}

#[test]
fn whoever_takes_files_without_a_limit_has_room_for_them() {
    let takes = alone("const multer = require('multer');\nmulter({ storage: multer.memoryStorage() });");
    assert!(file(&takes, "proxy/nginx.conf").contains("client_max_body_size 20m;"));
    assert!(says(&takes, "it takes files that visitors send and names no limit"));
    let none = alone("app.get('/', f);");
    assert!(file(&none, "proxy/nginx.conf").contains("client_max_body_size 1m;"));
}

#[test]
fn pages_of_another_image_are_not_asked_for_health() {
    let sends = |folder: &str| {
        let route = format!(
            "app.get('*', (req, res) => res.sendFile(path.join(__dirname, '{folder}', 'dist', 'index.html')));"
        );
        file(&beside_pages(&route, ""), "compose.production.yml")
    };
    let other = sends("client");
    assert!(other.contains("fetch('http://127.0.0.1:5000/',{method:'OPTIONS',signal"), "{other}");
    assert!(!sends("own").contains("method:'OPTIONS'"));
}

#[test]
fn the_policy_has_what_the_code_loads() {
    let with = beside_pages(
        "const user = { avatar: 'https://faces.example.com/a.png' };",
        "const script = document.createElement('script');\nscript.src = 'https://www.paypal.com/sdk/js';\n\
         const socket = io('https://shop.example.com');\nexport const Face = ({ user }) => <img alt=\"\" src={user.avatar} />;\n",
    );
    let nginx = nginx(&with);
    for wanted in [
        "script-src 'self' https://www.paypal.com",
        "frame-src 'self' https://www.paypal.com",
        "img-src 'self' data: https://www.paypalobjects.com blob: https:",
    ] {
        assert!(nginx.contains(wanted), "{wanted}: {nginx}");
    }
    assert!(says(&with, "its pages call https://shop.example.com as their own server"));
    assert!(says(&with, "pictures come from every host"));
    assert!(!says(&beside_pages("", "fetch('https://weather.example.com/now');"), "as their own server"));
}

#[test]
fn prisma_on_mongodb_is_told_what_it_lacks() {
    let with = planned(&[
        (
            "package.json",
            r#"{ "name": "notes", "dependencies": { "express": "5", "@prisma/client": "6" }, "devDependencies": { "prisma": "6" }, "scripts": { "start": "node index.js" } }"#,
        ),
        ("package-lock.json", "{}"),
        (
            "prisma/schema.prisma",
            "datasource db {\n  provider = \"mongodb\"\n  url = env(\"DATABASE_URL\")\n}\ngenerator client {\n  provider = \"prisma-client-js\"\n}\nmodel Note {\n  id String @id @map(\"_id\")\n}\n",
        ),
        (
            "index.js",
            "const { PrismaClient } = require('@prisma/client');\nconst db = new PrismaClient();\nconst app = require('express')();\n\
             app.get('/notes', f);\napp.listen(process.env.PORT || 3000);\n",
        ),
    ]);
    assert!(says(&with, "Prisma writes to MongoDB in transactions, which need a replica set"));
    assert!(!says(&with, "cannot be run in production"));
}
