//! Each example with one thing changed at a time: another port, path, variable, name, folder, lock. The change is made in
//! the sources and in what is expected, by the same words. What comes out is right, or something says that it is not:
//! a plan that is wrong without a word fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{collections::BTreeMap, fs, path::Path};

use plimsoll_generate::{Policy, generate, plan};
use plimsoll_survey::{Repository, survey};

/// An example and what its plan has to hold: file and text.
struct Example {
    name: &'static str,
    /// Texts that some generated file must have.
    holds: &'static [&'static str],
}

const EXAMPLES: &[Example] = &[
    Example {
        name: "quickstart/express-sql",
        holds: &[
            "http://express-sql-notes:3000",
            "DATABASE_URL_FILE: /run/secrets/database_url",
            "command: [\"migrate.js\"]",
            "127.0.0.1:3000/ready",
        ],
    },
    Example {
        name: "quickstart/fastapi-uv",
        holds: &[
            "http://items:8000",
            "DATABASE_URL_FILE: /run/secrets/database_url",
            "command: [\"alembic\", \"upgrade\", \"head\"]",
            "'GET','/ready'",
            "\"app.main:app\"",
        ],
    },
    Example {
        name: "quickstart/flask-rq",
        holds: &[
            "http://app:8000",
            "REDIS_URL_FILE: /run/secrets/redis_url",
            "RQ_REDIS_URL_FILE: /run/secrets/rq_redis_url",
            "command: [\"rq\", \"worker\"]",
            "noeviction",
        ],
    },
    Example {
        name: "quickstart/nest-bullmq",
        holds: &[
            "http://nest-bullmq-checksums:3000",
            "REDIS_URL_FILE: /run/secrets/redis_url",
            "command: [\"dist/worker.js\"]",
            "noeviction",
        ],
    },
    Example { name: "quickstart/turbo-next", holds: &["api:4000", "API_URL: ${API_URL:-http:"] },
    Example { name: "quickstart/vite-site", holds: &["/app/dist", "location ^~ /assets/"] },
    Example {
        name: "atlantiplex",
        holds: &[
            "http://atlantiplex-stage:9001",
            "location ^~ /api/",
            "location = /ws",
            "DATABASE_URL_FILE: /run/secrets/database_url",
            "command: [\"python\", \"migrate.py\"]",
            "127.0.0.1:9001/ready",
            "'GET','/ready'",
            "\"app.wsgi:app\"",
        ],
    },
    Example {
        name: "maestroverse",
        holds: &[
            "http://maestroverse-server:3001",
            "API_INTERNAL_URL: ${API_INTERNAL_URL:-http://maestroverse-server:3001}",
            "DATABASE_URL_FILE: /run/secrets/database_url",
            "REDIS_URL_FILE: /run/secrets/redis_url",
            "JWT_SECRET_FILE: /run/secrets/jwt_secret",
            "command: [\"migrate.mjs\"]",
            "127.0.0.1:3001/ready",
            "private-uploads\"]",
            "location ^~ /api/",
        ],
    },
    Example {
        name: "edenconz",
        holds: &[
            "http://backend:",
            "location ^~ /api/",
            "CELERY_BROKER_URL_FILE: /run/secrets/celery_broker_url",
            "REDIS_CACHE_URL_FILE: /run/secrets/redis_cache_url",
            "DJANGO_SECRET_KEY_FILE: /run/secrets/django_secret_key",
            "command: [\"celery\", \"-A\", \"config\", \"worker\"",
            "command: [\"celery\", \"-A\", \"config\", \"beat\"",
            "command: [\"python\", \"manage.py\", \"migrate\", \"--noinput\"]",
            "POSTGRES_HOST: db",
            "allkeys-lru",
            ":/app/media",
        ],
    },
    Example {
        name: "pivotal",
        holds: &[
            "http://backend:3000",
            "location ^~ /api/",
            "DATABASE_URL_FILE: /run/secrets/database_url",
            "REDIS_URL_FILE: /run/secrets/redis_url",
            "command: [\"dist/migrate.js\"]",
            "127.0.0.1:3000/ready",
        ],
    },
];

/// A word and what it is replaced by, one at a time.
const WORDS: &[(&str, &[&str])] = &[
    ("3000", &["3100", "4321", "5005", "8123"]),
    ("3001", &["3901", "4001", "8181", "6100"]),
    ("4000", &["4100", "7000", "8400", "9393"]),
    ("9001", &["9100", "4040", "8765", "7777"]),
    ("8000", &["8088", "5050", "9999"]),
    ("DATABASE_URL", &["POSTGRES_URL", "DB_URL", "PG_URL", "NOTES_DATABASE_URL", "DATABASE_DSN"]),
    ("REDIS_URL", &["QUEUE_URL", "REDIS_DSN", "JOBS_REDIS_URL", "REDIS_ADDRESS"]),
    ("CELERY_BROKER_URL", &["BROKER_URL", "TASKS_BROKER_URL"]),
    ("REDIS_CACHE_URL", &["CACHE_URL", "CACHE_REDIS_URL"]),
    ("POSTGRES_HOST", &["DB_HOST", "DATABASE_HOST", "PGHOST"]),
    ("JWT_SECRET", &["TOKEN_SECRET", "AUTH_SECRET", "SIGNING_KEY", "JWT_KEY"]),
    ("DJANGO_SECRET_KEY", &["SECRET_KEY", "APP_SECRET_KEY"]),
    ("API_INTERNAL_URL", &["SERVER_URL", "BACKEND_URL", "TRACKS_API"]),
    ("API_URL", &["API_BASE_URL", "API_INTERNAL_URL", "API_ORIGIN"]),
    ("express-sql-notes", &["tea", "my-notes"]),
    ("nest-bullmq-checksums", &["sums", "check-sums"]),
    ("maestroverse-server", &["tracks", "maestroverse-api"]),
    ("atlantiplex-stage", &["stage", "rooms"]),
    ("migrate.js", &["db-migrate.js", "apply.js"]),
    ("migrate.mjs", &["upgrade.mjs", "schema.mjs"]),
    ("migrate.py", &["run_migrations.py", "db_migrate.py"]),
    ("private-uploads", &["uploads", "files", "var/uploads"]),
    ("media", &["uploaded", "storage"]),
];

/// A path of a URL and others for it.
const PATHS: &[(&str, &[&str])] = &[
    ("/health", &["/healthz", "/livez", "/_health", "/status/live", "/ping"]),
    ("/ready", &["/readyz", "/health/ready", "/_ready", "/status/ready", "/readiness"]),
    ("/api", &["/v2", "/rest", "/backend", "/service"]),
    ("/ws", &["/socket", "/live", "/stage/ws"]),
];

/// Folders that the whole example is moved into.
const FOLDERS: &[&str] =
    &["services/one", "packages/app", "src/project", "code", "a/deep/folder", "platform"];

type Files = BTreeMap<String, String>;

fn load(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if ["node_modules", "dist", ".next", "smoke.toml", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            load(&entry.path(), &format!("{path}/"), files);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.insert(path, text);
        }
    }
}

/// Replaces a text where it is not a part of a longer word.
fn replaced(text: &str, from: &str, to: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(from) {
        let before = rest[..at].chars().next_back().or_else(|| out.chars().next_back());
        let after = rest[at + from.len()..].chars().next();
        let starts = !from.starts_with(word) || !before.is_some_and(word);
        let ends =
            !from.ends_with(word) || !after.is_some_and(|c| word(c) || (from.contains('/') && c == '-'));
        out.push_str(&rest[..at]);
        out.push_str(if starts && ends { to } else { from });
        rest = &rest[at + from.len()..];
    }
    out + rest
}

/// What of a variation is missing in the plan without a word about it.
fn silently_wrong(files: &Files, holds: &[String], moved: &str) -> Vec<String> {
    let repository =
        Repository::from_files("repo", files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let survey = survey(&repository);
    let planned = plan(&survey, &Policy::default(), &|_| false);
    let Ok(planned) = planned else { return Vec::new() };
    let texts: Vec<String> = generate(&planned.stack).unwrap().into_iter().map(|file| file.text).collect();
    let gaps = survey.gaps.iter().chain(&planned.left_out).chain(&planned.notes);
    let mut said: Vec<String> =
        gaps.map(|gap| format!("{}: {} {}", gap.subject, gap.message, gap.hint)).collect();
    said.extend(survey.questions.iter().map(|question| format!("{}: {}", question.id, question.text)));
    let store = |line: &String| {
        line.contains("no variable with its address") || line.contains("how it learns the address")
    };
    let told = !moved.is_empty() && said.iter().any(|line| line.contains(moved) || store(line));
    holds
        .iter()
        .filter(|wanted| !texts.iter().any(|text| text.contains(wanted.as_str())) && !told)
        .map(|wanted| format!("{wanted} is nowhere; said: {said:#?}"))
        .collect()
}

/// What is expected after the change. A variable's `NAME_FILE` and the secret called after it change with it.
fn derived(wanted: &str, from: &str, to: &str) -> String {
    let text = replaced(wanted, from, to);
    let text = replaced(&text, &format!("{from}_FILE"), &format!("{to}_FILE"));
    let (low, new) = (from.to_lowercase(), to.to_lowercase());
    if low == from { text } else { replaced(&text, &low, &new) }
}

#[test]
fn no_variation_is_silently_wrong() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let (mut count, mut wrong) = (0, Vec::new());
    for example in EXAMPLES {
        let mut files = Files::new();
        load(&root.join(example.name), "", &mut files);
        let holds: Vec<String> = example.holds.iter().map(|text| (*text).to_owned()).collect();
        let mut judge = |what: String, files: &Files, holds: &[String], moved: &str| {
            count += 1;
            for missing in silently_wrong(files, holds, moved) {
                wrong.push(format!("{}: {what}: {missing}", example.name));
            }
        };
        judge("as it is".to_owned(), &files, &holds, "");
        for (from, others) in WORDS.iter().chain(PATHS) {
            let there = files.values().any(|text| replaced(text, from, "") != *text);
            let expected = *from != "/api" || holds.iter().any(|wanted| wanted.contains(from));
            if !there || !expected {
                continue;
            }
            for to in *others {
                let changed: Files = files
                    .iter()
                    .map(|(path, text)| {
                        let path =
                            if from.starts_with('/') { path.clone() } else { replaced(path, from, to) };
                        (path, replaced(text, from, to))
                    })
                    .collect();
                let holds: Vec<String> = holds.iter().map(|wanted| derived(wanted, from, to)).collect();
                judge(format!("{from} is {to}"), &changed, &holds, to);
            }
        }
        for folder in FOLDERS {
            let moved: Files =
                files.iter().map(|(path, text)| (format!("{folder}/{path}"), text.clone())).collect();
            // A service is called after its folder where its manifest has no name.
            let holds: Vec<String> = holds
                .iter()
                .map(|wanted| match wanted.strip_prefix("http://").and_then(|rest| rest.split_once(':')) {
                    Some((_, port)) => format!(":{port}"),
                    None => wanted.clone(),
                })
                .collect();
            judge(format!("all of it in {folder}"), &moved, &holds, folder);
        }
    }
    println!("{count} variations, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 300, "{count}");
}
