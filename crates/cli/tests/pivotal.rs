//! examples/pivotal from bare source to proof, and every fault on the way, with the real binary and the real engine.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use serde_json::Value;
use support::{Project, docker};

/// Everything that the engine holds for the project.
fn left_in_engine(project: &Project) -> [String; 3] {
    let label = format!("label=com.docker.compose.project={}", project.name);
    [
        docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &label]),
        docker(&["network", "ls", "--quiet", "--filter", &label]),
        docker(&["volume", "ls", "--quiet", "--filter", &label]),
    ]
}

/// Removes what is kept of a project's images in the engine.
fn remove_images(project: &Project, release: &str) {
    let names = ["backend", "frontend"].map(|service| format!("{}-{service}:{release}", project.name));
    docker(&["image", "rm", "--force", &names[0], &names[1]]);
}

/// The answer to a GET, whole.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the published port answers");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn bare_source_to_proof() {
    let Some(project) = Project::of("pivotal", "proof") else { return };

    let survey: Value =
        serde_json::from_str(&project.ok(&["survey", "--json"]).stdout).expect("survey prints JSON");
    assert_eq!(survey["workspaces"].as_array().map(Vec::len), Some(3));
    let services = survey["services"].as_array().expect("services");
    assert_eq!(services.len(), 2, "{services:?}");
    assert_eq!(survey["stores"].as_array().map(Vec::len), Some(2));

    project.ok(&["init"]).says(&["compose.production.yml", "apps/backend/Dockerfile"]);
    assert!(!project.path("compose.production.yml").exists(), "a diff alone writes nothing");
    project.ok(&["init", "--yes"]);
    project.ok(&["init"]).says(&["no changes"]);

    project.ok(&["up"]).says(&[&format!("http://localhost:{}", project.port)]);
    let [containers, ..] = left_in_engine(&project);
    project.ok(&["up"]).says(&["nothing to do"]);
    assert_eq!(left_in_engine(&project)[0], containers, "a second up touches no container");

    let run = project.run(&["verify", "--json"]);
    let certificate: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let claims = certificate["claims"].as_array().expect("claims");
    let of = |status: &str| claims.iter().filter(|claim| claim["status"] == status).collect::<Vec<_>>();
    assert!(of("failed").is_empty(), "{:#?}", of("failed"));
    // the one sentence of which promises.toml says that nothing measures it
    let open: Vec<_> = of("not_checked").iter().map(|claim| claim["id"].as_str().unwrap_or("")).collect();
    assert_eq!(open, ["promise/prometheus-and-grafana-watch-the-stack"], "{:#?}", of("not_checked"));
    assert!(of("proved").len() >= 100, "{} proved", of("proved").len());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(project.path(".plimsoll/certificate.html").exists());

    project.ok(&["down"]);
    let [containers, networks, volumes] = left_in_engine(&project);
    assert_eq!((containers.as_str(), networks.as_str()), ("", ""), "down leaves nothing but volumes");
    let name = &project.name;
    assert_eq!(volumes, format!("{name}_postgres_data\n{name}_redis_data"));
    project.ok(&["down", "--volumes"]);
    assert_eq!(left_in_engine(&project), [String::new(), String::new(), String::new()]);
    remove_images(&project, "local");
}

/// The generated Dockerfiles are plain Dockerfiles: BuildKit builds them, and the result passes the same checks.
#[test]
fn plain_docker_builds_the_same_application() {
    let Some(project) = Project::of("pivotal", "by-docker") else { return };
    project.ok(&["init", "--yes"]);
    project.ok(&["base", "make", "node", "distroless-node", "nginx"]);
    // what a company's own base would hold: the certificates that its network needs
    project.write(
        "Dockerfile.node",
        "FROM plimsoll.local/node:20\nCOPY ca.pem /etc/ca.pem\nENV NODE_EXTRA_CA_CERTS=/etc/ca.pem\n",
    );
    let bundle =
        std::env::var("SSL_CERT_FILE").unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".into());
    std::fs::create_dir_all(project.path("base")).expect("a folder");
    std::fs::copy(&bundle, project.path("base/ca.pem")).expect("the machine's certificates");
    project.ok(&["image", "build", "--load", "-t", "plimsoll-e2e/node:ca", "-f", "Dockerfile.node", "base"]);
    for (image, base) in [("distroless-node", "distroless-node:20"), ("nginx", "nginx:1.26")] {
        project.write("Dockerfile.base", &format!("FROM plimsoll.local/{base}\n"));
        let tag = format!("plimsoll-e2e/{image}:base");
        project.ok(&["image", "build", "--load", "-t", &tag, "-f", "Dockerfile.base", "base"]);
    }
    for (service, runtime) in [
        ("backend", "RUNTIME_IMAGE=plimsoll-e2e/distroless-node:base"),
        ("frontend", "NGINX_IMAGE=plimsoll-e2e/nginx:base"),
    ] {
        let built = Command::new("/usr/bin/docker")
            .args([
                "build",
                "--quiet",
                "--network=host",
                "--build-arg",
                "NODE_IMAGE=plimsoll-e2e/node:ca",
                "--build-arg",
                runtime,
            ])
            .args([
                "--tag",
                &format!("{}-{service}:by-docker", project.name),
                "--file",
                &format!("apps/{service}/Dockerfile"),
                ".",
            ])
            .current_dir(&project.dir)
            .env("DOCKER_BUILDKIT", "1")
            .output()
            .expect("docker starts");
        assert!(built.status.success(), "{service}: {}", String::from_utf8_lossy(&built.stderr));
        project.replace(
            "compose.production.yml",
            &format!("    build: {{ context: ., dockerfile: apps/{service}/Dockerfile }}\n"),
            "",
        );
    }
    project.write(".env", "RELEASE=by-docker\n");
    project.ok(&["up"]);
    let run = project.run(&["verify", "--json", "--no-disturb"]);
    let certificate: Value = serde_json::from_str(&run.stdout).expect("verify prints JSON");
    let smoke: Vec<&Value> = certificate["claims"]
        .as_array()
        .expect("claims")
        .iter()
        .filter(|claim| claim["id"].as_str().is_some_and(|id| id.starts_with("smoke")))
        .collect();
    assert!(smoke.len() >= 8, "{smoke:?}");
    assert!(smoke.iter().all(|claim| claim["status"] == "proved"), "{smoke:#?}");
    project.ok(&["down", "--volumes"]);
    remove_images(&project, "by-docker");
}

#[test]
fn every_fault_names_its_cause() {
    let Some(project) = Project::of("pivotal", "faults") else { return };
    project.ok(&["init", "--yes"]);
    project.ok(&["build"]);

    // a unit test fails: the image cannot be made
    let test = project.read("apps/backend/test/stories.test.ts");
    let broken = "\ntest(\"is broken on purpose\", () => {\n  assert.equal(1, 2);\n});\n";
    project.write("apps/backend/test/stories.test.ts", &format!("{test}{broken}"));
    let run = project.run(&["build"]);
    assert_eq!(run.code, 2);
    run.says(&["apps/backend/Dockerfile", "run test:ci", "is broken on purpose"]);
    project.write("apps/backend/test/stories.test.ts", &test);

    // a secret is missing: nothing is started
    let secret = project.path("secrets/database_url");
    std::fs::rename(&secret, project.path("database_url.away")).expect("the secret is there");
    let run = project.run(&["up"]);
    assert_eq!(run.code, 2);
    run.says(&["database_url", "compose.production.yml:"]);
    assert_eq!(left_in_engine(&project)[0], "", "nothing was started");
    std::fs::rename(project.path("database_url.away"), &secret).expect("the secret comes back");

    // somebody has the port: told before anything is started, with who it is
    let listener = TcpListener::bind(("0.0.0.0", project.port)).expect("the port is free");
    let run = project.run(&["up"]);
    assert_eq!(run.code, 2);
    run.says(&[&project.port.to_string(), &format!("pid {}", std::process::id())]);
    assert_eq!(left_in_engine(&project)[0], "", "nothing was started");
    drop(listener);

    // a migration errors: what depends on it is not started
    let journal = project.read("apps/backend/drizzle/meta/_journal.json");
    let migration = "apps/backend/drizzle/0002_broken.sql";
    project.write(migration, "ALTER TABLE no_such_table ADD COLUMN x integer;\n");
    let mut entries: Value = serde_json::from_str(&journal).expect("the journal is JSON");
    let mut entry = entries["entries"][1].clone();
    entry["idx"] = 2.into();
    entry["tag"] = "0002_broken".into();
    entry["when"] = (entry["when"].as_i64().expect("a time") + 1).into();
    entries["entries"].as_array_mut().expect("entries").push(entry);
    project.write("apps/backend/drizzle/meta/_journal.json", &entries.to_string());
    let run = project.run(&["up"]);
    assert_eq!(run.code, 1);
    run.says(&["migrate", "exit code 1", "no_such_table"]);
    assert_eq!(
        docker(&["ps", "--quiet", "--filter", &format!("name=^/{}-backend", project.name)]),
        "",
        "the backend must not run"
    );
    std::fs::remove_file(project.path(migration)).expect("the migration is there");
    project.write("apps/backend/drizzle/meta/_journal.json", &journal);

    // a health check never passes
    let compose = project.read("compose.production.yml");
    let probe = "fetch('http://127.0.0.1:3000/ready'";
    project.replace("compose.production.yml", probe, "fetch('http://127.0.0.1:3000/no-such-page'");
    let run = project.run(&["up", "--wait-timeout", "15"]);
    assert_eq!(run.code, 1);
    run.says(&["backend: its health check did not pass within 15 s", "last probe: exit code 1"]);
    project.write("compose.production.yml", &compose);

    // killed half-way, at several moments: the next one converges
    project.ok(&["down", "--volumes"]);
    for millis in [300, 900, 2000, 5000] {
        let mut up = project.command(&["up"]).spawn().expect("plimsoll starts");
        thread::sleep(Duration::from_millis(millis));
        up.kill().expect("it can be killed");
        up.wait().expect("it ends");
    }
    project.ok(&["up"]);
    project.ok(&["up"]).says(&["nothing to do"]);
    let label = format!("label=com.docker.compose.project={}", project.name);
    let running = docker(&["ps", "--quiet", "--filter", &label]);
    assert_eq!(running.lines().count(), 4, "no stray container beside the four services");
    assert!(get(project.port, "/api/v1/stories").starts_with("HTTP/1.1 200 "));
    project.ok(&["down", "--volumes"]);
    assert_eq!(left_in_engine(&project), [String::new(), String::new(), String::new()]);
    remove_images(&project, "local");
}
