//! What the life of a stack does to containers, volumes and addresses, with the real binary and the real engine. Each
//! test is named after what went wrong in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Attributes of a service that does nothing and ends at once.
const IDLE: &str = "image: plimsoll-test/busybox:1, init: true, stop_grace_period: 0s, command: sleep 1000";

struct Stack {
    name: String,
    directory: PathBuf,
}

impl Stack {
    /// `None`, with the reason printed, where no engine answers.
    fn new(name: &str, compose: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("life-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let stack = Self { name: format!("plimsoll-test-life-{name}"), directory };
        stack.forget();
        stack.write("compose.yml", compose);
        Some(stack)
    }

    /// Writes a file; `IDLE` stands for the attributes of an idle service.
    fn write(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("IDLE", IDLE)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Both streams of a run that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with(arguments, &[])
    }

    fn ok_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.command(arguments).envs(variables.iter().copied()).output().unwrap();
        let said = both(&output);
        assert!(output.status.success(), "{arguments:?}: {}\n{said}", output.status);
        said
    }

    /// Names of the project's containers, sorted.
    fn containers(&self) -> Vec<String> {
        Self::docker_lines(&["ps", "-a", "--format", "{{.Names}}", "--filter", &self.label()])
    }

    fn running(&self) -> Vec<String> {
        Self::docker_lines(&["ps", "--format", "{{.Names}}", "--filter", &self.label()])
    }

    fn label(&self) -> String {
        format!("label=com.docker.compose.project={}", self.name)
    }

    /// Lines of a command of docker's, sorted.
    fn docker_lines(arguments: &[&str]) -> Vec<String> {
        let output = docker(arguments);
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        lines.retain(|line| !line.is_empty());
        lines.sort();
        lines
    }

    fn names(&self, services: &[&str]) -> Vec<String> {
        services.iter().map(|service| format!("{}-{service}-1", self.name)).collect()
    }

    fn forget(&self) {
        self.run(&["-p", &self.name, "down", "--volumes"]);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The docker command, or curl's place for it: the engine's own client says what the engine has.
fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn down_takes_what_is_not_in_the_file() {
    let text = "
services:
  app: {IDLE, networks: [front]}
  tool: {IDLE, volumes: ['tooldata:/data'], profiles: [tools], networks: [front]}
volumes: {tooldata: }
networks: {front: }
";
    let Some(stack) = Stack::new("down", text) else { return };
    stack.write(
        "db.yml",
        "services: {db: {IDLE, volumes: ['dbdata:/data'], networks: [back]}}\nvolumes: {dbdata: }\nnetworks: {back: }\n",
    );
    stack.ok(&["-f", "db.yml", "up"]);
    let said = stack.ok(&["--profile", "tools", "up"]);
    assert!(!said.contains("has the profile"), "{said}");
    let said = stack.ok(&["--profile", "tools", "--profile", "tolos", "ps"]);
    assert_eq!(
        said.matches("note: no service has the profile `tolos`; the project has tools").count(),
        1,
        "{said}"
    );
    assert_eq!(stack.running(), stack.names(&["app", "db", "tool"]));
    for verb in ["stop", "start", "restart", "kill"] {
        stack.ok(&[verb]);
        let running = stack.running();
        assert!(running.contains(&stack.names(&["db"])[0]), "{verb}: {running:?}");
        assert!(running.contains(&stack.names(&["tool"])[0]), "{verb}: {running:?}");
    }
    let said = stack.ok(&["down", "-v"]);
    assert_eq!(stack.containers(), stack.names(&["db", "tool"]), "{said}");
    assert!(said.contains("db-1 belongs to no service of the compose file and stays"), "{said}");
    assert!(said.contains("front stays"), "{said}");
    let volumes = || Stack::docker_lines(&["volume", "ls", "-q", "--filter", &stack.label()]);
    assert_eq!(volumes(), [format!("{}_dbdata", stack.name), format!("{}_tooldata", stack.name)]);
    // the tool's profile makes it the file's again, the orphan goes when that is said, its volume stays
    stack.ok(&["--profile", "tools", "down", "-v", "--remove-orphans"]);
    assert_eq!(stack.containers(), Vec::<String>::new());
    assert_eq!(volumes(), [format!("{}_dbdata", stack.name)]);
    stack.ok(&["-p", &stack.name, "down", "-v"]);
    assert_eq!(volumes(), Vec::<String>::new());
}

#[test]
fn declared_anonymous_volumes_are_lost() {
    let text = "services: {a: {IDLE, volumes: ['/data', {type: volume, target: /more}], environment: {V: '${V:-1}'}}}\n";
    let Some(stack) = Stack::new("anonymous", text) else { return };
    stack.ok(&["up"]);
    stack.ok(&["exec", "-T", "a", "sh", "-c", "echo precious > /data/x; echo too > /more/x"]);
    let read = || stack.ok(&["exec", "-T", "a", "cat", "/data/x", "/more/x"]);
    stack.ok_with(&["up"], &[("V", "2")]);
    assert_eq!(read(), "precious\ntoo\n");
    stack.ok_with(&["up", "--force-recreate"], &[("V", "2")]);
    assert_eq!(read(), "precious\ntoo\n");
    // the file gives one of them a name: that one is new
    stack.write(
        "compose.yml",
        &text.replace("'/data'", "'named:/data'").replace("}}}\n", "}}}\nvolumes: {named: }\n"),
    );
    stack.ok(&["up"]);
    assert!(!stack.run(&["exec", "-T", "a", "cat", "/data/x"]).status.success());
    assert_eq!(stack.ok(&["exec", "-T", "a", "cat", "/more/x"]), "too\n");
    // and only -V renews them
    stack.ok_with(&["up", "-V"], &[("V", "3")]);
    assert!(!stack.run(&["exec", "-T", "a", "cat", "/more/x"]).status.success());
}

#[test]
fn one_secret_mounted_twice() {
    let text = "
services:
  a:
    image: plimsoll-test/busybox:1
    user: '1001:1001'
    command: sh -c \"stat -c '%a %u %n' /run/secrets/key /etc/app/key /run/secrets/token /etc/app/token; cat /run/secrets/key\"
    secrets:
      - key
      - {source: key, target: /etc/app/key, uid: '5', mode: 0400}
      - token
      - {source: token, target: /etc/app/token, mode: 0444}
secrets: {key: {file: ./key}, token: {environment: TOKEN}}
";
    let Some(stack) = Stack::new("secrets", text) else { return };
    stack.write("key", "secret\n");
    stack.ok_with(&["up"], &[("TOKEN", "t")]);
    let said = stack.ok(&["logs", "--no-color", "--no-log-prefix"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "400 1001 /run/secrets/key",
            "400 5 /etc/app/key",
            "400 1001 /run/secrets/token",
            "444 1001 /etc/app/token",
            "secret"
        ]
    );
}

#[test]
fn container_name_changes_nothing() {
    let text = "services:\n  a: {IDLE, container_name: '${A}'}\n  b: {IDLE, container_name: '${B}'}\n";
    let Some(stack) = Stack::new("names", text) else { return };
    let name = |end: &str| format!("{}-{end}", stack.name);
    let (one, two) = (name("one"), name("two"));
    let up = |a: &str, b: &str| stack.ok_with(&["up"], &[("A", a), ("B", b)]);
    let service = |container: &str| {
        let format = "{{index .Config.Labels \"com.docker.compose.service\"}}";
        Stack::docker_lines(&["inspect", "-f", format, container]).join("")
    };
    up(&one, &two);
    assert_eq!((service(&one), service(&two)), ("a".into(), "b".into()));
    // they exchange their names in one `up`
    up(&two, &one);
    assert_eq!((service(&one), service(&two)), ("b".into(), "a".into()));
    assert_eq!(stack.containers().len(), 2);
    docker(&["rename", &two, &name("by-hand")]);
    up(&two, &one);
    assert_eq!(stack.containers(), [one.clone(), two.clone()]);
    stack.write("compose.yml", "services:\n  a: {IDLE}\n  b: {IDLE}\n");
    stack.ok(&["up"]);
    assert_eq!(stack.running(), stack.names(&["a", "b"]));
    assert!(stack.ok(&["up"]).contains("nothing to do"));
}

#[test]
fn addresses_change_hands() {
    let text = "
services:
  a: {IDLE, networks: {n: {ipv4_address: '10.201.177.${A:-10}'}}, ports: ['127.0.0.1:${P:-21771}:80']}
  b: {IDLE, networks: {n: {ipv4_address: '10.201.177.${B:-11}'}}, ports: ['127.0.0.1:${Q:-21772}:80']}
  c: {IDLE, networks: {n: {ipv4_address: '10.201.177.${C:-12}'}}, depends_on: [a]}
networks: {n: {ipam: {config: [{subnet: 10.201.177.0/24}]}}}
";
    let Some(stack) = Stack::new("addresses", text) else { return };
    let addresses = || -> Vec<String> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        stack
            .names(&["a", "b", "c"])
            .iter()
            .flat_map(|name| Stack::docker_lines(&["inspect", "-f", format, name]))
            .collect()
    };
    stack.ok(&["up"]);
    assert_eq!(addresses(), ["10.201.177.10", "10.201.177.11", "10.201.177.12"]);
    // a circle of three, and ports that change places
    stack.ok_with(&["up"], &[("A", "11"), ("B", "12"), ("C", "10"), ("P", "21772"), ("Q", "21771")]);
    assert_eq!(addresses(), ["10.201.177.11", "10.201.177.12", "10.201.177.10"]);
    assert_eq!(stack.running(), stack.names(&["a", "b", "c"]));
    // what a removed service had goes to a new one
    stack.write(
        "compose.yml",
        "services:\n  d: {IDLE, networks: {n: {ipv4_address: 10.201.177.12}}, ports: ['127.0.0.1:21771:80']}\n\
         networks: {n: {ipam: {config: [{subnet: 10.201.177.0/24}]}}}\n",
    );
    stack.ok(&["up", "--remove-orphans"]);
    assert_eq!(stack.running(), stack.names(&["d"]));
    // all of a range that the engine chooses from
    let range = |d: &str, e: &str| {
        stack.write("compose.yml", &format!("services:\n  d: {{IDLE, scale: 2{d}}}\n  e: {{IDLE{e}}}\n"));
        stack.ok(&["up"]);
        assert_eq!(stack.running().len(), 3);
    };
    range(", ports: ['127.0.0.1:21773-21774:80']", "");
    range("", ", ports: ['127.0.0.1:21773-21774:80']");
}

#[test]
fn an_override_cannot_change_a_subnet() {
    let text = "services: {a: {IDLE, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.203.177.0/24}]}}}\n";
    let Some(stack) = Stack::new("subnet", text) else { return };
    stack.write("prod.yml", "networks: {n: {ipam: {config: [{subnet: 10.204.177.0/24}]}}}\n");
    stack.ok(&["-f", "compose.yml", "-f", "prod.yml", "up"]);
    let network = format!("{}_n", stack.name);
    let subnets = Stack::docker_lines(&[
        "network",
        "inspect",
        &network,
        "-f",
        "{{range .IPAM.Config}}{{.Subnet}} {{end}}",
    ]);
    assert_eq!(subnets, ["10.204.177.0/24 "]);
}

#[test]
fn healthy_without_a_health_check() {
    let text = "
services:
  db: {IDLE}
  app: {IDLE, depends_on: {db: {condition: service_healthy}}}
";
    let Some(stack) = Stack::new("unhealthy", text) else { return };
    let output = stack.run(&["up"]);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("db has no health check") && said.contains("compose.yml:4"), "{said}");
    assert_eq!(stack.containers(), Vec::<String>::new());
    stack.write(
        "compose.yml",
        &text
            .replace("service_healthy", "service_completed_successfully")
            .replace("db: {", "db: {restart: always, "),
    );
    let output = stack.run(&["up"]);
    assert_eq!(output.status.code(), Some(2), "{}", both(&output));
    stack.write("compose.yml", &text.replace("service_healthy", "service_healthy, required: false"));
    let said = stack.ok(&["up"]);
    assert!(said.contains("db has no health check; it is not required"), "{said}");
}

#[test]
fn every_verb_needs_the_env_files() {
    let text =
        "services: {a: {IDLE, env_file: a.env, secrets: [s], build: ./gone}}\nsecrets: {s: {file: ./s}}\n";
    let Some(stack) = Stack::new("envfile", text) else { return };
    stack.write("a.env", "A=1\n");
    stack.write("s", "s");
    stack.ok(&["up", "--no-build"]);
    fs::remove_file(stack.directory.join("a.env")).unwrap();
    fs::remove_file(stack.directory.join("s")).unwrap();
    for verb in [
        &["ps"][..],
        &["logs"],
        &["exec", "-T", "a", "true"],
        &["stop"],
        &["start"],
        &["config", "--services"],
    ] {
        stack.ok(verb);
    }
    let output =
        stack.command(&["ps"]).env_remove("COMPOSE_PROJECT_NAME").args(["-f", "none.yml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(both(&output).contains("-p"), "{}", both(&output));
    stack.ok(&["down"]);
    assert_eq!(stack.containers(), Vec::<String>::new());
}

#[test]
fn a_container_off_its_network() {
    let text = "
services: {a: {IDLE, networks: {ext: , own: {aliases: [other]}}}}
networks: {ext: {external: true, name: plimsoll-test-life-ext}, own: }
";
    let Some(stack) = Stack::new("off", text) else { return };
    let (ext, own) = ("plimsoll-test-life-ext", format!("{}_own", stack.name));
    docker(&["network", "rm", ext]);
    docker(&["network", "create", ext]);
    stack.ok(&["up"]);
    let container = stack.names(&["a"])[0].clone();
    let networks = || {
        let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}\n{{end}}";
        Stack::docker_lines(&["inspect", "-f", format, &container])
    };
    docker(&["network", "disconnect", &own, &container]);
    let said = stack.ok(&["up"]);
    assert!(said.contains(&format!("connect {container} to {own}")), "{said}");
    assert_eq!(networks(), [ext.to_owned(), own.clone()]);
    // the aliases are there too
    stack.ok(&["exec", "-T", "a", "busybox", "nslookup", "other"]);
    docker(&["network", "disconnect", ext, &container]);
    docker(&["network", "rm", ext]);
    docker(&["network", "create", ext]);
    stack.ok(&["up"]);
    assert_eq!(networks(), [ext.to_owned(), own]);
    // one that is stopped keeps the id of a network that is gone
    stack.ok(&["stop"]);
    docker(&["network", "rm", ext]);
    docker(&["network", "create", ext]);
    let said = stack.ok(&["up"]);
    assert!(said.contains("was made anew"), "{said}");
    assert!(stack.ok(&["up"]).contains("nothing to do"));
    // what `docker update` changed, and names that a reconnection by hand did not give
    docker(&["update", "--memory", "64m", "--memory-swap", "64m", &container]);
    assert!(stack.ok(&["up"]).contains("its memory limit was changed"));
    docker(&["network", "disconnect", ext, &container]);
    docker(&["network", "connect", ext, &container]);
    assert!(stack.ok(&["up"]).contains("a is not its name on"));
    assert!(stack.ok(&["up"]).contains("nothing to do"));
    stack.forget();
    docker(&["network", "rm", ext]);
}

#[test]
fn a_job_whose_files_changed() {
    let text = "
services:
  migrate:
    image: plimsoll-test/busybox:1
    command: [sh, -c, 'for f in /sql/*; do cat $$f >> /data/done; done']
    volumes: ['./migrations:/sql:ro', 'data:/data']
  app: {IDLE, volumes: ['data:/data'], depends_on: {migrate: {condition: service_completed_successfully}}}
volumes: {data: }
";
    let Some(stack) = Stack::new("job", text) else { return };
    stack.write("migrations/001", "one\n");
    stack.ok(&["up"]);
    let done = || stack.ok(&["exec", "-T", "app", "cat", "/data/done"]);
    assert_eq!(done(), "one\n");
    assert!(stack.ok(&["up"]).contains("nothing to do"));
    stack.write("migrations/002", "two\n");
    let said = stack.ok(&["up"]);
    assert!(said.contains("migrate runs again: what it reads in"), "{said}");
    assert_eq!(done(), "one\none\ntwo\n");
    assert!(stack.ok(&["up"]).contains("nothing to do"));
}

#[test]
fn isolation_default() {
    let text =
        "services: {a: {IDLE, isolation: default, credential_spec: {}, userns_mode: '', storage_opt: {}}}\n";
    let Some(stack) = Stack::new("isolation", text) else { return };
    stack.ok(&["up"]);
    stack.write("compose.yml", "services:\n  a:\n    image: x\n    isolation: hyperv\n");
    let output = stack.run(&["up", "--no-build", "--pull", "never"]);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains("credential_spec"), "{said}");
}

#[test]
fn an_exit_code_of_no_program() {
    let text = "services: {a: {IDLE, devices: ['/dev/no-such-device:/dev/x']}}\n";
    let Some(stack) = Stack::new("device", text) else { return };
    let output = stack.run(&["up"]);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("device /dev/no-such-device: no such file or directory"), "{said}");
    assert!(said.contains("it did not start") && !said.contains("exit code: 128"), "{said}");
}

#[test]
fn a_named_service_has_its_profile() {
    let text = "
services:
  web: {IDLE}
  db: {IDLE, profiles: [debug]}
  dbg: {IDLE, profiles: [debug], depends_on: [db]}
  other: {IDLE, profiles: [debug, more]}
";
    let Some(stack) = Stack::new("profile", text) else { return };
    stack.ok(&["up", "dbg"]);
    assert_eq!(stack.running(), stack.names(&["db", "dbg"]));
    stack.ok(&["stop", "dbg"]);
    assert_eq!(stack.running(), stack.names(&["db"]));
    stack.ok(&["start", "dbg"]);
    stack.ok(&["logs", "dbg"]);
    stack.ok(&["create", "other"]);
    assert_eq!(stack.running(), stack.names(&["db", "dbg"]));
    assert_eq!(stack.containers(), stack.names(&["db", "dbg", "other"]));
    let config = stack.ok(&["config", "--services", "dbg"]);
    let mut services: Vec<&str> = config.lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["db", "dbg"]);
    let output = stack.run(&["up", "nobody"]);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`nobody`") && said.contains("web, db, dbg, other"), "{said}");
}

#[test]
fn mac_address_is_dropped() {
    let text = "
services:
  a: {IDLE, mac_address: '02:42:ac:15:00:77'}
  b: {IDLE, networks: {default: {mac_address: '02:42:ac:15:00:78'}}}
";
    let Some(stack) = Stack::new("mac", text) else { return };
    stack.ok(&["up"]);
    let format = "{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}";
    let mac =
        |service: &str| Stack::docker_lines(&["inspect", "-f", format, &stack.names(&[service])[0]]).join("");
    assert_eq!((mac("a"), mac("b")), ("02:42:ac:15:00:77".into(), "02:42:ac:15:00:78".into()));
    assert!(stack.ok(&["up"]).contains("nothing to do"));
}

#[test]
fn proxies_of_the_docker_configuration() {
    let text = "
services:
  a: {image: plimsoll-test/busybox:1, command: [sh, -c, 'env | grep -i _proxy | sort'], environment: {NO_PROXY: own}}
";
    let Some(stack) = Stack::new("proxies", text) else { return };
    let folder = stack.directory.join("docker");
    stack.write(
        "docker/config.json",
        r#"{"proxies": {"default": {"httpProxy": "http://proxy.example:3128", "noProxy": "localhost"}}}"#,
    );
    let with = [("DOCKER_CONFIG", folder.to_str().unwrap())];
    let wanted = "HTTP_PROXY=http://proxy.example:3128\nNO_PROXY=own\nhttp_proxy=http://proxy.example:3128\nno_proxy=localhost\n";
    stack.ok_with(&["up"], &with);
    assert_eq!(stack.ok(&["logs", "--no-color", "--no-log-prefix"]), wanted);
    let output = stack.command(&["run", "--rm", "a"]).envs(with).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).replace('\r', ""), wanted);
    // they are this machine's: nobody is replaced because of them
    stack.ok(&["up"]);
    assert_eq!(stack.ok(&["logs", "--no-color", "--no-log-prefix"]).lines().count() % 4, 0);
}

#[test]
fn forbidden_is_not_unauthorised() {
    let text = "services: {a: {IDLE}}\nnetworks: {default: {ipam: {config: [{subnet: 10.222.177.0/24}]}}}\n";
    let Some(stack) = Stack::new("forbidden", text) else { return };
    let other = "plimsoll-test-life-forbidden-other";
    docker(&["network", "rm", other]);
    docker(&["network", "create", "--subnet", "10.222.0.0/16", other]);
    let output = stack.run(&["up"]);
    docker(&["network", "rm", other]);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("overlaps with 10.222.0.0/16 of network `{other}`")), "{said}");
    assert!(!said.contains("log in") && !said.contains("not authorised"), "{said}");
}

#[test]
fn an_up_names_what_refuses_its_first_visitor() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |status: &str| {
        format!(
            "
services:
  web:
    image: plimsoll-test/busybox:1
    command: [sh, -c, 'exec busybox nc -ll -p 8080 -e sh /web.sh']
    stop_grace_period: 1s
    ports: ['127.0.0.1:{port}:8080']
    environment: {{ STATUS: {status} }}
    configs: [{{ source: web, target: /web.sh, mode: 0444 }}]
configs:
  web:
    content: |
      read -r line
      busybox printf 'HTTP/1.1 %s\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n' \"$$STATUS\"
"
        )
    };
    let Some(stack) = Stack::new("refuses", &file("400 Bad Request")) else { return };
    let output = stack.run(&["up"]);
    assert!(both(&output).contains(&format!("note: port {port} answers 400")), "{}", both(&output));
    // nothing was changed, and nobody is asked
    assert!(!both(&stack.run(&["up"])).contains("answers 400"));
    stack.write("compose.yml", &file("404 Not Found"));
    let output = stack.run(&["up"]);
    assert!(!both(&output).contains("answers"), "{}", both(&output));
}
