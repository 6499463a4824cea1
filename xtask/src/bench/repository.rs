//! A repository of 5,000 files, always the same: a workspace with two programs of TypeScript, a site and twenty libraries,
//! a program of Python, a development store, documents, and what lies about in a real one.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// How many files there are.
pub(crate) const FILES: usize = 5000;
/// What `init` has to find in it.
pub(crate) const SERVICES: [&str; 4] = ["orders", "billing", "web", "reports"];

const LIBRARIES: usize = 20;
const MODULES_OF_LIBRARY: usize = 40;
const ROUTES: usize = 30;
const MODULES_OF_PROGRAM: usize = 470;
const COMPONENTS: usize = 900;
const MODULES_OF_PYTHON: usize = 900;
const JUNK: usize = 450;
/// Packages in the lock file that no manifest names.
const LOCKED: usize = 700;

/// Path and content of every file.
type Files = BTreeMap<String, Vec<u8>>;

/// Writes the repository into `folder`, which must not hold another one.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for (path, content) in files() {
        let file = folder.join(path);
        let parent = file.parent().context("a file has a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// All files; documents fill what the rest leaves.
fn files() -> Files {
    let mut files = Files::new();
    root(&mut files);
    libraries(&mut files);
    orders(&mut files);
    billing(&mut files);
    web(&mut files);
    reports(&mut files);
    junk(&mut files);
    let mut number = 0;
    while files.len() < FILES {
        let mut text = format!("# Note {number}\n\n");
        for line in 0..=number % 40 {
            // writing to a string cannot fail
            let _ = writeln!(
                text,
                "- see `packages/lib{}/src/m{line}.ts`, port 3000 is an example",
                number % LIBRARIES
            );
        }
        add(&mut files, format!("docs/notes/n{number}.md"), text);
        number += 1;
    }
    files
}

fn add(files: &mut Files, path: impl Into<String>, text: impl Into<Vec<u8>>) {
    files.insert(path.into(), text.into());
}

fn add_json(files: &mut Files, path: impl Into<String>, value: &Value) {
    add(files, path, format!("{value:#}\n"));
}

const EXPRESS: (&str, &str) = ("express", "5.3.0");
const FASTIFY: (&str, &str) = ("fastify", "5.12.8");
const PG: (&str, &str) = ("pg", "8.23.1");
const REACT: (&str, &str) = ("react", "19.3.1");
const REACT_DOM: (&str, &str) = ("react-dom", "19.3.1");
const PLUGIN: (&str, &str) = ("@vitejs/plugin-react", "6.3.0");
const VITE: (&str, &str) = ("vite", "8.3.8");
const TYPESCRIPT: (&str, &str) = ("typescript", "5.9.3");

/// A package.json of the workspace; `libraries` of ours are used.
fn manifest(
    name: &str,
    scripts: Value,
    libraries: usize,
    run: &[(&str, &str)],
    dev: &[(&str, &str)],
) -> Value {
    let own = (0..libraries).map(|number| (format!("@depot/lib{number}"), "1.0.0".to_owned()));
    let others = run.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned()));
    let dependencies: BTreeMap<String, String> = own.chain(others).collect();
    let development: BTreeMap<&str, &str> = dev.iter().copied().collect();
    json!({
        "name": format!("@depot/{name}"),
        "version": "1.0.0",
        "private": true,
        "type": "module",
        "scripts": scripts,
        "dependencies": dependencies,
        "devDependencies": development,
    })
}

fn root(files: &mut Files) {
    add_json(
        files,
        "package.json",
        &json!({
            "name": "depot",
            "version": "1.0.0",
            "private": true,
            "packageManager": "npm@11.19.1",
            "engines": { "node": ">=20.19" },
            "workspaces": ["apps/*", "packages/*"],
            "scripts": { "build": "npm run build --workspaces" },
        }),
    );
    add_json(files, "package-lock.json", &lock());
    add_json(
        files,
        "tsconfig.base.json",
        &json!({ "compilerOptions": {
            "target": "ES2023", "module": "NodeNext", "moduleResolution": "NodeNext", "strict": true,
            "skipLibCheck": true, "declaration": true,
        }}),
    );
    add(files, ".gitignore", "node_modules\ndist\n.venv\n__pycache__\n");
    add(files, "README.md", "# Depot\n\nOrders, bills and reports of a depot.\n");
    add(
        files,
        "docker-compose.yml",
        "services:\n  postgres:\n    image: postgres:17\n    environment:\n      POSTGRES_USER: depot\n      POSTGRES_PASSWORD: depot\n\
         \x20     POSTGRES_DB: depot\n    ports:\n      - \"127.0.0.1:5432:5432\"\n",
    );
}

/// A package-lock.json with the workspace and many packages that others have brought.
fn lock() -> Value {
    let mut packages = serde_json::Map::new();
    packages.insert(String::new(), json!({ "name": "depot", "workspaces": ["apps/*", "packages/*"] }));
    let of_workspace = ["orders", "billing", "web"].map(|name| (name.to_owned(), format!("apps/{name}")));
    let libraries = (0..LIBRARIES).map(|number| (format!("lib{number}"), format!("packages/lib{number}")));
    for (name, folder) in of_workspace.into_iter().chain(libraries) {
        packages.insert(folder.clone(), json!({ "name": format!("@depot/{name}"), "version": "1.0.0" }));
        packages.insert(format!("node_modules/@depot/{name}"), json!({ "resolved": folder, "link": true }));
    }
    for ((name, version), dev) in [
        (EXPRESS, false),
        (FASTIFY, false),
        (PG, false),
        (REACT, false),
        (REACT_DOM, false),
        (PLUGIN, true),
        (VITE, true),
        (TYPESCRIPT, true),
    ] {
        packages.insert(format!("node_modules/{name}"), json!({ "version": version, "dev": dev }));
    }
    for number in 0..LOCKED {
        let package = json!({
            "version": format!("{}.{}.0", number % 9, number % 20),
            "integrity": format!("sha512-{number:086}=="),
            "dev": number % 3 == 0,
            "license": "MIT",
            "dependencies": { format!("brought-{}", (number * 7) % LOCKED): "^1.0.0" },
        });
        packages.insert(format!("node_modules/brought-{number}"), package);
    }
    json!({ "name": "depot", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": packages })
}

fn tsconfig() -> Value {
    json!({
        "extends": "../../tsconfig.base.json",
        "compilerOptions": { "rootDir": "src", "outDir": "dist" },
        "include": ["src"],
    })
}

/// A module that does what modules do, of one to twelve functions.
fn module(owner: &str, number: usize) -> String {
    let mut text = format!(
        "/** Module {number} of {owner}. */\nexport interface Item{number} {{\n  id: number;\n  name: string;\n}}\n"
    );
    for function in 0..=number % 12 {
        let _ = writeln!(
            text,
            "\nexport function find{function}(items: Item{number}[], id: number): Item{number} | undefined {{\n  \
               const found = items.filter((item) => item.id === id + {function});\n  \
               return found.find((item) => item.name !== 'none{number}') ?? found.at(0);\n}}"
        );
    }
    text
}

fn libraries(files: &mut Files) {
    for library in 0..LIBRARIES {
        let folder = format!("packages/lib{library}");
        let mut package =
            manifest(&format!("lib{library}"), json!({ "build": "tsc" }), 0, &[], &[TYPESCRIPT]);
        package["exports"] = json!({ ".": { "types": "./dist/index.d.ts", "default": "./dist/index.js" } });
        add_json(files, format!("{folder}/package.json"), &package);
        add_json(files, format!("{folder}/tsconfig.json"), &tsconfig());
        let mut index = String::new();
        for number in 0..MODULES_OF_LIBRARY {
            let _ = writeln!(index, "export * as m{number} from './m{number}.js';");
            let text = module(&format!("lib{library}"), number);
            add(files, format!("{folder}/src/m{number}.ts"), text);
        }
        add(files, format!("{folder}/src/index.ts"), index);
    }
}

/// Modules of a program that no route names.
fn modules(files: &mut Files, folder: &str, owner: &str) {
    for number in 0..MODULES_OF_PROGRAM {
        add(files, format!("{folder}/src/parts/p{number}.ts"), module(owner, number));
    }
}

const BUILT: &str = "node dist/index.js";

/// Express with routers and PostgreSQL.
fn orders(files: &mut Files) {
    let scripts = json!({ "build": "tsc", "start": BUILT });
    let package = manifest("orders", scripts, 6, &[EXPRESS, PG], &[TYPESCRIPT]);
    add_json(files, "apps/orders/package.json", &package);
    add_json(files, "apps/orders/tsconfig.json", &tsconfig());
    let mut index = String::from(
        "import express from 'express';\nimport pg from 'pg';\nimport { m0 } from '@depot/lib0';\n",
    );
    let mut mounts = String::new();
    for number in 0..ROUTES {
        let _ = writeln!(index, "import {{ router as r{number} }} from './routes/r{number}.js';");
        let _ = writeln!(mounts, "app.use('/api/orders/r{number}', r{number});");
        let mut text = format!(
            "import {{ Router }} from 'express';\nimport {{ find0 }} from '../parts/p{number}.js';\n\nexport const router = Router();\n"
        );
        for path in 0..8 {
            let _ = writeln!(
                text,
                "router.get('/items{path}', (_request, response) => {{ response.json(find0([], {path}) ?? null); }});"
            );
        }
        add(files, format!("apps/orders/src/routes/r{number}.ts"), text);
    }
    index += "\nconst pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });\nconst app = express();\n\
        app.get('/health', (_request, response) => { response.json({ status: 'ok' }); });\n\
        app.get('/ready', async (_request, response) => { await pool.query('select 1'); response.json(m0.find0([], 1) ?? {}); });\n";
    index += &mounts;
    index += "const server = app.listen(Number(process.env.PORT ?? 4001), '0.0.0.0');\n\
        process.once('SIGTERM', () => server.close());\n";
    add(files, "apps/orders/src/index.ts", index);
    modules(files, "apps/orders", "orders");
}

/// Fastify without a store.
fn billing(files: &mut Files) {
    let scripts = json!({ "build": "tsc", "start": BUILT });
    let package = manifest("billing", scripts, 4, &[FASTIFY], &[TYPESCRIPT]);
    add_json(files, "apps/billing/package.json", &package);
    add_json(files, "apps/billing/tsconfig.json", &tsconfig());
    let mut index = String::from(
        "import Fastify from 'fastify';\nimport { m1 } from '@depot/lib1';\n\nconst app = Fastify({ logger: true });\n",
    );
    index += "app.get('/health', async () => ({ status: 'ok' }));\n";
    for number in 0..ROUTES {
        let _ = writeln!(
            index,
            "app.get('/api/billing/bills{number}', async () => m1.find0([], {number}) ?? null);"
        );
    }
    index += "await app.listen({ port: Number(process.env.PORT ?? 4002), host: process.env.HOST ?? '0.0.0.0' });\n\
        process.once('SIGTERM', () => app.close());\n";
    add(files, "apps/billing/src/index.ts", index);
    modules(files, "apps/billing", "billing");
}

/// A site of React that Vite builds.
fn web(files: &mut Files) {
    let scripts = json!({ "dev": "vite", "build": "vite build", "preview": "vite preview" });
    let package = manifest("web", scripts, 0, &[REACT, REACT_DOM], &[PLUGIN, VITE, TYPESCRIPT]);
    add_json(files, "apps/web/package.json", &package);
    add(
        files,
        "apps/web/vite.config.ts",
        "import react from '@vitejs/plugin-react';\nimport { defineConfig } from 'vite';\n\nexport default defineConfig({\n  plugins: [react()],\n  \
         server: {\n    proxy: {\n      '/api/orders': 'http://localhost:4001',\n      '/api/billing': 'http://localhost:4002',\n      \
         '/reports': 'http://localhost:5000',\n    },\n  },\n});\n",
    );
    add(
        files,
        "apps/web/index.html",
        "<!doctype html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"utf-8\" />\n    <title>Depot</title>\n    \
         <script type=\"module\" src=\"/src/main.tsx\"></script>\n  </head>\n  <body>\n    <div id=\"root\"></div>\n  </body>\n</html>\n",
    );
    let mut main = String::from("import { createRoot } from 'react-dom/client';\n");
    let mut shown = String::new();
    for number in 0..COMPONENTS {
        if number % 30 == 0 {
            let _ = writeln!(main, "import {{ Part{number} }} from './parts/Part{number}.tsx';");
            let _ = write!(shown, "<Part{number} />");
        }
        let text = format!(
            "import {{ useEffect, useState }} from 'react';\n\nexport function Part{number}() {{\n  const [items, setItems] = useState<string[]>([]);\n  \
             useEffect(() => {{\n    fetch('/api/orders/r{}/items{}').then((answer) => answer.json()).then(setItems, () => setItems([]));\n  \
             }}, []);\n  return (\n    <section className=\"part\">\n      <h2>Part {number}</h2>\n      <p>{{items.length}}</p>\n    </section>\n  );\n}}\n",
            number % ROUTES,
            number % 8
        );
        add(files, format!("apps/web/src/parts/Part{number}.tsx"), text);
    }
    let _ = writeln!(main, "\ncreateRoot(document.getElementById('root')!).render(<>{shown}</>);");
    add(files, "apps/web/src/main.tsx", main);
}

/// Flask.
fn reports(files: &mut Files) {
    add(files, "services/reports/requirements.txt", "Flask==3.1.3\ngunicorn==27.0.1\n");
    add(
        files,
        "services/reports/app/__init__.py",
        "import os\n\nfrom flask import Flask, jsonify\n\nfrom .tables.t0 import rows_0\n\n\ndef create_app():\n    app = Flask(__name__)\n    \
         app.config[\"TITLE\"] = os.environ.get(\"REPORTS_TITLE\", \"Depot\")\n\n    @app.get(\"/health\")\n    def health():\n        return jsonify(status=\"ok\")\n\n    \
         @app.get(\"/reports/tables\")\n    def tables():\n        return jsonify(rows_0([], 1))\n\n    return app\n",
    );
    add(files, "services/reports/app/wsgi.py", "from . import create_app\n\napp = create_app()\n");
    add(files, "services/reports/app/tables/__init__.py", "");
    for number in 0..MODULES_OF_PYTHON {
        let mut text = format!("\"\"\"Table {number}.\"\"\"\n");
        for function in 0..=number % 10 {
            let _ = write!(
                text,
                "\n\ndef rows_{function}(rows, least):\n    kept = [row for row in rows if row[\"count\"] > least + {function}]\n    \
                 return sorted(kept, key=lambda row: row[\"name\"] or \"table {number}\")\n"
            );
        }
        add(files, format!("services/reports/app/tables/t{number}.py"), text);
    }
}

/// Pictures, data, copies, a minified library, broken JSON, bytes that are no text.
fn junk(files: &mut Files) {
    for number in 0..JUNK {
        let (path, content): (String, Vec<u8>) = match number % 6 {
            0 => (
                format!("assets/icons/i{number}.svg"),
                format!("<svg viewBox=\"0 0 {number} 9\"><path d=\"M0 0\"/></svg>\n").into(),
            ),
            1 => (format!("data/d{number}.json"), format!("{{ \"rows\": [{number}, ").into()),
            2 => {
                let mut rows = String::from("number;name;count\n");
                for row in 0..number {
                    let _ = writeln!(rows, "{row};depot {row};{}", row * number);
                }
                (format!("data/d{number}.csv"), rows.into())
            }
            3 => (
                format!("assets/pictures/p{number}.png"),
                (0..2000).map(|at: usize| (at * number % 256) as u8).collect(),
            ),
            4 => (format!("apps/orders/old/server{number}.ts.bak"), "app.listen(9999);\n".into()),
            _ => (
                format!("apps/web/public/vendor/v{number}.min.js"),
                "!function(e){for(var t=0;t<9;t++)e(t)}(function(e){return e*e});"
                    .repeat(20 + number % 50)
                    .into(),
            ),
        };
        add(files, path, content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_always_the_same_and_has_its_size() {
        let files = files();
        assert_eq!(files.len(), FILES);
        assert!(files == super::files());
        let count = |end: &str| files.keys().filter(|path| path.ends_with(end)).count();
        for (end, least) in [(".ts", 1500), (".tsx", 900), (".py", 900), (".md", 100), ("package.json", 24)] {
            assert!(count(end) >= least, "{} files end in {end}", count(end));
        }
        let bytes: usize = files.values().map(Vec::len).sum();
        assert!((3_000_000..20_000_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn manifests_are_json() {
        let files = files();
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with("package.json")) {
            let value: Value = serde_json::from_slice(text).unwrap();
            assert!(value["name"].is_string(), "{path}");
        }
        let lock: Value = serde_json::from_slice(&files["package-lock.json"]).unwrap();
        assert_eq!(lock["packages"]["node_modules/@depot/lib3"]["resolved"], "packages/lib3");
    }
}
