//! Settings of a store, as the running server reports them.

use std::time::Duration;

use plimsoll_engine::ExecSpec;
use serde_json::Value;

use crate::{
    inside::Inside,
    stack::{Member, Stack},
};

const LIMIT: Duration = Duration::from_secs(10);
/// The largest file that a password is read from.
const FILE: u64 = 64 << 10;

/// A server that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Postgres,
    Redis,
    MariaDb,
}

/// What the server says of the setting, and the command that it was asked with.
pub(super) async fn ask(stack: &Stack<'_>, member: &Member, name: &str) -> Result<(String, String), String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        return Err(format!("`{name}` is no setting's name"));
    }
    let pid = stack.visible_pid(member)?;
    let Some(server) = server(stack, member, pid)? else {
        return Err(format!("{} runs no PostgreSQL, MariaDB, MySQL, Redis or Valkey server", member.service));
    };
    let (command, env) = match server {
        Server::Postgres => (postgres(member, name), Vec::new()),
        Server::Redis => redis(&Files { stack, pid }, member, name),
        Server::MariaDb => mariadb(&Files { stack, pid }, member, name)?,
    };
    let shown = command.join(" ");
    let spec = ExecSpec { command, env, ..ExecSpec::default() };
    let output = stack.engine.exec(member.id(), &spec, LIMIT).await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.exit_code != 0 {
        return Err(format!("`{shown}` ended with {}: {}", output.exit_code, output.text().trim()));
    }
    let value = match server {
        // A name and a value, each on its line; a setting that is not there is an empty list.
        Server::Redis => text.lines().nth(1).map(str::to_owned),
        Server::Postgres | Server::MariaDb => Some(text.trim().to_owned()),
    };
    value.map(|value| (value, shown.clone())).ok_or_else(|| format!("`{shown}`: there is no such setting"))
}

/// By the first process's name.
fn server(stack: &Stack<'_>, member: &Member, pid: u32) -> Result<Option<Server>, String> {
    let pids = stack.procfs.processes_of(member.id(), pid).map_err(|error| error.to_string())?;
    let names = pids.into_iter().filter_map(|pid| stack.procfs.read(pid, "comm").ok());
    let servers = names.filter_map(|name| match String::from_utf8_lossy(&name).trim() {
        "postgres" => Some(Server::Postgres),
        "redis-server" | "valkey-server" => Some(Server::Redis),
        "mariadbd" | "mysqld" => Some(Server::MariaDb),
        _ => None,
    });
    Ok(servers.into_iter().next())
}

/// Over the server's own socket, where the images of PostgreSQL trust whoever is in the container.
fn postgres(member: &Member, name: &str) -> Vec<String> {
    let user = variable(member, "POSTGRES_USER").unwrap_or("postgres");
    let database = variable(member, "POSTGRES_DB").unwrap_or(user);
    let statement = format!("SHOW {name}");
    ["psql", "-X", "-A", "-t", "-U", user, "-d", database, "-c", &statement].map(str::to_owned).to_vec()
}

fn redis(files: &Files<'_>, member: &Member, name: &str) -> (Vec<String>, Vec<String>) {
    let command = ["redis-cli", "-e", "--raw", "CONFIG", "GET", name].map(str::to_owned).to_vec();
    let arguments = strings(member, "/Config/Cmd");
    let given = arguments.iter().skip_while(|word| *word != "--requirepass").nth(1).cloned();
    let mut password = given;
    for file in arguments.iter().filter(|word| word.starts_with('/')) {
        if password.is_some() {
            break;
        }
        let text = files.read(file).unwrap_or_default();
        password = text
            .lines()
            .find_map(|line| line.strip_prefix("requirepass "))
            .map(|word| word.trim().to_owned());
    }
    (command, password.map(|password| format!("REDISCLI_AUTH={password}")).into_iter().collect())
}

fn mariadb(files: &Files<'_>, member: &Member, name: &str) -> Result<(Vec<String>, Vec<String>), String> {
    for prefix in ["MARIADB", "MYSQL"] {
        let Some(user) = variable(member, &format!("{prefix}_USER")) else { continue };
        let plain = variable(member, &format!("{prefix}_PASSWORD")).map(str::to_owned);
        let password = match (plain, variable(member, &format!("{prefix}_PASSWORD_FILE"))) {
            (Some(password), _) => password,
            (None, Some(file)) => files.read(file).unwrap_or_default().trim().to_owned(),
            (None, None) => String::new(),
        };
        let statement = format!("SELECT @@global.{name}");
        let program = if prefix == "MARIADB" { "mariadb" } else { "mysql" };
        let command = [program, "-N", "-B", "-u", user, "-e", &statement].map(str::to_owned).to_vec();
        return Ok((command, vec![format!("MYSQL_PWD={password}")]));
    }
    Err(format!("{} names no user of its own in its environment", member.service))
}

fn variable<'a>(member: &'a Member, name: &str) -> Option<&'a str> {
    member.variables().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn strings(member: &Member, pointer: &str) -> Vec<String> {
    let words = member.raw.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The files of a container that runs.
struct Files<'a> {
    stack: &'a Stack<'a>,
    pid: u32,
}

impl Files<'_> {
    fn read(&self, path: &str) -> Option<String> {
        let bytes = Inside::of(&self.stack.procfs, self.pid).ok()?.read(path, FILE).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
