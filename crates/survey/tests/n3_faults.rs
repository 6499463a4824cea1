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
