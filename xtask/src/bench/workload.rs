//! The four workloads. Everything is made here; lock files are resolved once by npm itself.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::shell;

/// One context with its Dockerfile.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) context: PathBuf,
    /// The file of which one line changes.
    source: &'static str,
    /// The RUN commands, as phases of commands that may run at the same time. A change repeats those from
    /// `changed_phase` on.
    pub(crate) floor: Option<Floor>,
}

/// What the RUN steps alone do.
pub(crate) struct Floor {
    pub(crate) image: &'static str,
    /// Where the context lies in the root.
    pub(crate) at: &'static str,
    /// The cache mount, kept between runs.
    pub(crate) cache: &'static str,
    pub(crate) phases: &'static [&'static [&'static str]],
}

/// The images that the Dockerfiles start from, with a Dockerfile for each; `base` names what it is made from.
pub(crate) const IMAGES: [(&str, &str, &str); 4] = [
    (
        "plimsoll-bench/node:1",
        "node",
        "FROM plimsoll.local/node:20\nCOPY ca.pem /etc/ca.pem\nENV NODE_EXTRA_CA_CERTS=/etc/ca.pem\n",
    ),
    ("plimsoll-bench/nginx:1", "nginx", "FROM plimsoll.local/nginx:1.26\n"),
    (
        "plimsoll-bench/python:1",
        "debian",
        "FROM plimsoll.local/debian:13\nRUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists\n\
         COPY ca.pem /etc/ca.pem\nENV PIP_CERT=/etc/ca.pem PIP_DISABLE_PIP_VERSION_CHECK=1\n",
    ),
    ("plimsoll-bench/debian:1", "debian", "FROM plimsoll.local/debian:13\n"),
];

const API: &str = "FROM plimsoll-bench/node:1 AS deps\nWORKDIR /app\nCOPY package.json package-lock.json ./\n\
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund\n\
FROM deps AS build\nCOPY tsconfig.json ./\nCOPY src ./src\nRUN npx tsc -p .\n\
FROM deps AS prod\nRUN --mount=type=cache,target=/root/.npm npm prune --omit=dev --no-audit --no-fund\n\
FROM plimsoll-bench/node:1\nWORKDIR /app\nENV NODE_ENV=production\n\
COPY --from=prod /app/node_modules ./node_modules\nCOPY --from=build /app/dist ./dist\nCMD [\"node\", \"dist/index.js\"]\n";

const SPA: &str = "FROM plimsoll-bench/node:1 AS build\nWORKDIR /app\nCOPY package.json package-lock.json ./\n\
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund\nCOPY index.html vite.config.js ./\nCOPY src ./src\nRUN npx vite build\n\
FROM plimsoll-bench/nginx:1\nCOPY --from=build /app/dist /usr/share/nginx/html\n";

const FLASK: &str = "FROM plimsoll-bench/python:1 AS build\nWORKDIR /app\nCOPY requirements.txt ./\n\
RUN --mount=type=cache,target=/root/.cache/pip python3 -m venv /venv && /venv/bin/pip install -q -r requirements.txt\n\
COPY app ./app\nRUN /venv/bin/python -m compileall -q app\n\
FROM plimsoll-bench/python:1\nWORKDIR /app\nCOPY --from=build /venv /venv\nCOPY --from=build /app/app ./app\nCMD [\"/venv/bin/flask\", \"--app\", \"app\", \"run\"]\n";

const FILES: &str = "FROM plimsoll-bench/debian:1\nCOPY . /data\nRUN find /data/d0 /data/d1 /data/d2 /data/d3 /data/d4 -type f -exec touch {} +\n";

/// Makes all four in `folder`; contexts that are there already are kept.
pub(crate) fn all(folder: &Path) -> Result<Vec<Workload>> {
    let all = vec![
        Workload {
            name: "api",
            title: "Express/TypeScript API",
            context: folder.join("api"),
            source: "src/routes/r7.ts",
            floor: Some(Floor {
                image: "plimsoll-bench/node:1",
                at: "/app",
                cache: "/root/.npm",
                phases: &[
                    &["npm ci --no-audit --no-fund"],
                    &["npx tsc -p .", "npm prune --omit=dev --no-audit --no-fund"],
                ],
            }),
        },
        Workload {
            name: "spa",
            title: "Vite SPA",
            context: folder.join("spa"),
            source: "src/c7.jsx",
            floor: Some(Floor {
                image: "plimsoll-bench/node:1",
                at: "/app",
                cache: "/root/.npm",
                phases: &[&["npm ci --no-audit --no-fund"], &["npx vite build"]],
            }),
        },
        Workload {
            name: "flask",
            title: "Flask with wheels",
            context: folder.join("flask"),
            source: "app/__init__.py",
            floor: Some(Floor {
                image: "plimsoll-bench/python:1",
                at: "/app",
                cache: "/root/.cache/pip",
                phases: &[
                    &["python3 -m venv /venv && /venv/bin/pip install -q -r requirements.txt"],
                    &["/venv/bin/python -m compileall -q app"],
                ],
            }),
        },
        Workload {
            name: "files",
            title: "20,000 files, 200 MB",
            context: folder.join("files"),
            source: "d0/s0/f7.txt",
            floor: None,
        },
    ];
    for workload in &all {
        if !workload.context.join("Dockerfile").exists() {
            workload.make().with_context(|| format!("cannot make the workload {}", workload.name))?;
        }
    }
    Ok(all)
}

impl Workload {
    fn make(&self) -> Result<()> {
        match self.name {
            "api" => self.api()?,
            "spa" => self.spa()?,
            "flask" => self.flask()?,
            _ => self.files()?,
        }
        let dockerfile = match self.name {
            "api" => API,
            "spa" => SPA,
            "flask" => FLASK,
            _ => FILES,
        };
        self.write(".dockerignore", "Dockerfile\nnode_modules\n")?;
        // last, because it says that the context is complete
        self.write("Dockerfile", dockerfile)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.context.join(name);
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn lock(&self) -> Result<()> {
        let mut npm = Command::new("npm");
        npm.args(["install", "--package-lock-only", "--no-audit", "--no-fund"]).current_dir(&self.context);
        shell::run(&mut npm)
    }

    fn api(&self) -> Result<()> {
        self.write(
            "package.json",
            r#"{"name": "api", "version": "1.0.0", "private": true,
 "dependencies": {"body-parser": "1.20.3", "compression": "1.7.5", "cookie-parser": "1.4.7", "cors": "2.8.5", "dotenv": "16.4.7", "express": "4.21.2", "express-rate-limit": "7.5.0", "helmet": "8.0.0", "jsonwebtoken": "9.0.2", "lodash": "4.17.21", "morgan": "1.10.0", "pg": "8.13.1", "pino": "9.6.0", "pino-http": "10.4.0", "uuid": "11.0.5", "winston": "3.17.0", "zod": "3.24.1"},
 "devDependencies": {"@types/cookie-parser": "1.4.8", "@types/cors": "2.8.17", "@types/express": "4.17.21", "@types/jsonwebtoken": "9.0.7", "@types/lodash": "4.17.14", "@types/morgan": "1.9.9", "@types/node": "20.17.12", "@types/pg": "8.11.10", "typescript": "5.7.3"}}
"#,
        )?;
        self.write(
            "tsconfig.json",
            "{\"compilerOptions\": {\"target\": \"ES2022\", \"module\": \"commonjs\", \"outDir\": \"dist\", \"rootDir\": \"src\", \"strict\": true, \"esModuleInterop\": true, \"skipLibCheck\": true}, \"include\": [\"src\"]}\n",
        )?;
        let mut index = String::from("import express from 'express';\nconst app = express();\n");
        for number in 0..60 {
            writeln!(
                index,
                "import {{ router as r{number} }} from './routes/r{number}';\napp.use('/r{number}', r{number});"
            )?;
            let mut route = String::from(
                "import { Router } from 'express';\nimport { z } from 'zod';\nexport const router = Router();\n",
            );
            for path in 0..8 {
                writeln!(
                    route,
                    "const s{path} = z.object({{ id: z.number(), name: z.string().min({path}) }});\n\
                     router.post('/p{path}', (req, res) => {{ const item = s{path}.parse(req.body); res.json({{ ...item, route: {number} }}); }});"
                )?;
            }
            self.write(&format!("src/routes/r{number}.ts"), &route)?;
        }
        self.write("src/index.ts", &(index + "app.listen(3000);\n"))?;
        self.lock()
    }

    fn spa(&self) -> Result<()> {
        self.write(
            "package.json",
            r#"{"name": "spa", "version": "1.0.0", "private": true, "type": "module",
 "dependencies": {"@tanstack/react-query": "5.64.1", "date-fns": "4.1.0", "lodash-es": "4.17.21", "react": "18.3.1", "react-dom": "18.3.1", "react-router-dom": "6.28.1", "recharts": "2.15.0", "zustand": "5.0.3"},
 "devDependencies": {"@vitejs/plugin-react": "4.3.4", "vite": "5.4.11"}}
"#,
        )?;
        self.write(
            "vite.config.js",
            "import react from '@vitejs/plugin-react';\nexport default { plugins: [react()] };\n",
        )?;
        self.write(
            "index.html",
            "<!doctype html><div id=root></div><script type=module src=/src/main.jsx></script>\n",
        )?;
        let mut main = String::from(
            "import { createRoot } from 'react-dom/client';\nimport { BrowserRouter, Routes, Route } from 'react-router-dom';\nimport { LineChart, Line } from 'recharts';\nimport { format } from 'date-fns';\nimport { groupBy } from 'lodash-es';\n",
        );
        let mut routes = String::new();
        for number in 0..60 {
            writeln!(main, "import C{number} from './c{number}.jsx';")?;
            writeln!(routes, "<Route path='/c{number}' element={{<C{number} />}} />")?;
            self.write(
                &format!("src/c{number}.jsx"),
                &format!("import {{ useState }} from 'react';\nexport default function C{number}() {{\n  const [n, set] = useState({number});\n  return <button onClick={{() => set(n + 1)}}>{{n}} of {number}</button>;\n}}\n"),
            )?;
        }
        writeln!(
            main,
            "createRoot(document.getElementById('root')).render(<BrowserRouter><Routes>{routes}<Route path='/' element={{<LineChart data={{[]}}><Line dataKey={{format(new Date(), 'P') + Object.keys(groupBy([]))}} /></LineChart>}} /></Routes></BrowserRouter>);"
        )?;
        self.write("src/main.jsx", &main)?;
        self.lock()
    }

    fn flask(&self) -> Result<()> {
        let wheels = "flask==3.1.0\ngunicorn==23.0.0\npsycopg2-binary==2.9.10\ncelery==5.4.0\nredis==5.2.1\nsqlalchemy==2.0.37\n\
            requests==2.32.3\npydantic==2.10.5\ncryptography==44.0.0\nmarshmallow==3.25.1\n";
        self.write("requirements.txt", wheels)?;
        self.write("app/__init__.py", "from flask import Flask\n\napp = Flask(__name__)\n")?;
        for number in 0..40 {
            let module =
                format!("def handler_{number}(value):\n    return {{'value': value, 'number': {number}}}\n");
            self.write(&format!("app/m{number}.py"), &module)?;
        }
        Ok(())
    }

    /// 20 folders of 10 of 100 files of 10 kB, no two alike.
    fn files(&self) -> Result<()> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for (top, middle) in (0..20).flat_map(|top| (0..10).map(move |middle| (top, middle))) {
            let folder = self.context.join(format!("d{top}/s{middle}"));
            fs::create_dir_all(&folder)?;
            for file in 0..100 {
                let mut text = String::with_capacity(10_100);
                while text.len() < 10_000 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    writeln!(text, "{state:x} of file {file} in folder {top}/{middle}")?;
                }
                fs::write(folder.join(format!("f{file}.txt")), text)?;
            }
        }
        Ok(())
    }

    /// Changes one line of one source file.
    pub(crate) fn change(&self, round: usize) -> Result<()> {
        let path = self.context.join(self.source);
        let text = fs::read_to_string(&path)?;
        let kept: String =
            text.lines().filter(|line| !line.contains("bench round")).flat_map(|line| [line, "\n"]).collect();
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
        let line = match path.extension().and_then(|extension| extension.to_str()) {
            Some("py") => format!("# bench round {round} {stamp}\n"),
            Some("ts") => format!("// bench round {round} {stamp}\n"),
            // a comment would not reach the bundle
            Some("jsx") => format!("globalThis.round = 'bench round {round} {stamp}';\n"),
            _ => format!("bench round {round} {stamp}\n"),
        };
        fs::write(&path, kept + &line)?;
        Ok(())
    }

    /// Gives every file another time; the content stays.
    pub(crate) fn touch(&self) -> Result<()> {
        shell::quiet(
            Command::new("find").arg(&self.context).args(["-type", "f", "-exec", "touch", "{}", "+"]),
        )
    }
}
