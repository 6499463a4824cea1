//! The servers that stores run, and how they are asked from inside of their container.

use serde_json::Value;

use crate::{
    inside::Inside,
    stack::{Member, Stack},
};

/// The largest file that a password is read from.
const FILE: u64 = 64 << 10;

/// A server that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Postgres,
    /// Valkey too.
    Redis,
    /// MySQL too.
    MariaDb,
}

/// A command, and what it needs in its environment.
pub(crate) type Question = (Vec<String>, Vec<String>);

/// By the first process's name.
pub(crate) fn of(stack: &Stack<'_>, member: &Member, pid: u32) -> Result<Option<Server>, String> {
    let pids = stack.procfs.processes_of(member.id(), pid).map_err(|error| error.to_string())?;
    let names = pids.into_iter().filter_map(|pid| stack.procfs.read(pid, "comm").ok());
    let mut servers = names.filter_map(|name| of_process(String::from_utf8_lossy(&name).trim()));
    Ok(servers.next())
}

/// The server that a process is, if it is the process of one that can be asked.
fn of_process(name: &str) -> Option<Server> {
    let software =
        plimsoll_facts::store_of_process(name).filter(|software| software.processes.contains(&name))?;
    match software.id {
        "postgres" => Some(Server::Postgres),
        "redis" | "valkey" => Some(Server::Redis),
        "mariadb" | "mysql" => Some(Server::MariaDb),
        _ => None,
    }
}

/// Over the server's own socket, where the images of PostgreSQL trust whoever is in the container.
pub(crate) fn postgres(member: &Member, statement: &str) -> Question {
    let user = variable(member, "POSTGRES_USER").unwrap_or("postgres");
    let database = variable(member, "POSTGRES_DB").unwrap_or(user);
    let command = ["psql", "-X", "-A", "-t", "-U", user, "-d", database, "-c", statement];
    (command.map(str::to_owned).to_vec(), Vec::new())
}

/// With the password of its command line or of a file that the command line names.
pub(crate) fn redis(stack: &Stack<'_>, member: &Member, pid: u32, words: &[&str]) -> Question {
    let command = ["redis-cli", "-e", "--raw"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    let arguments = strings(member, "/Config/Cmd");
    let given = arguments.iter().skip_while(|word| *word != "--requirepass").nth(1).cloned();
    let mut password = given;
    for path in arguments.iter().filter(|word| word.starts_with('/')) {
        if password.is_some() {
            break;
        }
        let text = file(stack, pid, path).unwrap_or_default();
        password = text
            .lines()
            .find_map(|line| line.strip_prefix("requirepass "))
            .map(|word| word.trim().to_owned());
    }
    (command, password.map(|password| format!("REDISCLI_AUTH={password}")).into_iter().collect())
}

/// As the user that the image was told to make.
pub(crate) fn mariadb(
    stack: &Stack<'_>,
    member: &Member,
    pid: u32,
    statement: &str,
) -> Result<Question, String> {
    for prefix in ["MARIADB", "MYSQL"] {
        let Some(user) = variable(member, &format!("{prefix}_USER")) else { continue };
        let plain = variable(member, &format!("{prefix}_PASSWORD")).map(str::to_owned);
        let password = match (plain, variable(member, &format!("{prefix}_PASSWORD_FILE"))) {
            (Some(password), _) => password,
            (None, Some(path)) => file(stack, pid, path).unwrap_or_default().trim().to_owned(),
            (None, None) => String::new(),
        };
        let program = if prefix == "MARIADB" { "mariadb" } else { "mysql" };
        let command = [program, "-N", "-B", "-u", user, "-e", statement].map(str::to_owned).to_vec();
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

/// A file of the container, as its processes see it.
fn file(stack: &Stack<'_>, pid: u32, path: &str) -> Option<String> {
    let bytes = Inside::of(&stack.procfs, pid).ok()?.read(path, FILE).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
