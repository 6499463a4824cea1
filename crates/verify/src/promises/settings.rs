//! Settings of a store, as the running server reports them.

use std::time::Duration;

use plimsoll_engine::ExecSpec;

use crate::{
    server::{self, Server},
    stack::{Member, Stack},
};

const LIMIT: Duration = Duration::from_secs(10);

/// What the server says of the setting, and the command that it was asked with.
pub(super) async fn ask(stack: &Stack<'_>, member: &Member, name: &str) -> Result<(String, String), String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        return Err(format!("`{name}` is no setting's name"));
    }
    let pid = stack.visible_pid(member)?;
    let Some(server) = server::of(stack, member, pid)? else {
        return Err(format!("{} runs no PostgreSQL, MariaDB, MySQL, Redis or Valkey server", member.service));
    };
    let (command, env) = match server {
        Server::Postgres => server::postgres(member, &format!("SHOW {name}")),
        Server::Redis => server::redis(stack, member, pid, &["CONFIG", "GET", name]),
        Server::MariaDb => server::mariadb(stack, member, pid, &format!("SELECT @@global.{name}"))?,
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
