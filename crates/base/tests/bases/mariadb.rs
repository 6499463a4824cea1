//! The base of MariaDB in an engine.

use std::time::{Duration, Instant};

use crate::Test;
use crate::engine::{Container, Volume, docker, once, write};

pub(crate) const TESTS: &[Test] = &[
    ("mariadb: makes the databases, serves, starts again", mariadb),
    ("mariadb: healthy means that the first start is over", mariadb_health),
    ("mariadb: what is missing or not known is refused, with what to do", mariadb_refuses),
    ("mariadb: a first start that was killed is begun anew", mariadb_killed),
];

/// What a read-only root needs.
const WRITABLE: [&str; 4] = ["--tmpfs", "/run/mysqld:uid=999,gid=999,mode=0775", "--tmpfs", "/tmp"];
const HEALTHY: [&str; 3] = ["healthcheck.sh", "--connect", "--innodb_initialized"];
/// Whatever a program could take for a quote, a comment or an end.
const PASSWORD: &str = r#"s3 cr'et"\ `$x;#--"#;

fn mariadb() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("init")).unwrap();
    write(&dir.path().join("password"), &format!("{PASSWORD}\n"), 0o444);
    let init = |name: &str, text: &str| write(&dir.path().join("init").join(name), text, 0o644);
    init("1.sql", "CREATE TABLE story (title text); INSERT INTO story VALUES ('one');");
    init("2.sh", "run_sql_as_root -e \"INSERT INTO story VALUES ('two $MARIADB_DATABASE')\"");
    init("3.txt", "no script");
    let zipped = dir.path().join("init/4.sql.gz");
    let gz = std::fs::File::create(&zipped).unwrap();
    let mut gz = flate2::write::GzEncoder::new(gz, flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, b"INSERT INTO story VALUES ('zipped');").unwrap();
    gz.finish().unwrap();
    let volume = Volume::new();
    let data = format!("{}:/var/lib/mysql", volume.0);
    let secret = format!("{}:/run/secrets/password:ro", dir.path().join("password").display());
    let scripts = format!("{}:/docker-entrypoint-initdb.d:ro", dir.path().join("init").display());
    let options = [
        &WRITABLE[..],
        &["--user", "999:999", "-v", &data, "-v", &secret, "-v", &scripts],
        &[
            "-e",
            "MARIADB_ROOT_PASSWORD_FILE=/run/secrets/password",
            "-e",
            "MYSQL_PASSWORD_FILE=/run/secrets/password",
        ],
        &["-e", "MYSQL_USER=tracker", "-e", "MARIADB_DATABASE=story_book"],
    ]
    .concat();
    let container = Container::start("mariadb", &options, &["--max-connections=77"]);
    container.until(&HEALTHY);
    container.assert_posture("999");
    let variable = format!("MYSQL_PWD={PASSWORD}");
    let ask = |user: &str, password: &str, database: &str, sql: &str| {
        let tcp = [
            "mariadb",
            "--skip-ssl",
            "--protocol=tcp",
            "-h",
            "127.0.0.1",
            "-BN",
            "-u",
            user,
            database,
            "-e",
            sql,
        ];
        docker(&[&["exec", "-e", password, &container.0], &tcp[..]].concat())
    };
    let sql = |sql: &str| ask("tracker", &variable, "story_book", sql).1;
    assert_eq!(sql("SELECT GROUP_CONCAT(title ORDER BY title) FROM story"), "one,two story_book,zipped\n");
    assert_eq!(sql("SELECT @@max_connections, @@skip_networking, @@log_bin"), "77\t0\t0\n");
    assert_eq!(sql("SELECT CONVERT_TZ('2026-07-01 12:00', 'UTC', 'Europe/Oslo')"), "2026-07-01 14:00:00\n");
    assert!(sql("CREATE DATABASE other").contains("denied"), "the user has one database");
    assert!(sql("CREATE DATABASE storyxbook").contains("denied"), "`_` in a grant is that character alone");
    let accounts = "SELECT GROUP_CONCAT(DISTINCT user, '@', host ORDER BY user, host) FROM mysql.global_priv WHERE user NOT LIKE 'mariadb%'";
    let expected =
        "healthcheck@127.0.0.1,healthcheck@::1,healthcheck@localhost,root@%,root@localhost,tracker@%\n";
    assert_eq!(ask("root", &variable, "mysql", accounts), (true, expected.to_owned()));
    for (user, password) in [("root", "MYSQL_PWD="), ("root", "MYSQL_PWD=wrong"), ("tracker", "MYSQL_PWD=")] {
        assert!(ask(user, password, "story_book", "SELECT 1").1.contains("Access denied"));
    }
    let (_, environment) = container.exec(&["cat", "/proc/1/environ"]);
    assert!(!environment.contains("s3 cr"), "the server does not hold the password");
    assert!(container.logs().contains("3.txt is neither"), "{}", container.logs());
    let dump = ["exec", "-e", &variable, &container.0, "mariadb-dump", "-u", "tracker", "story_book"];
    assert!(docker(&dump).1.contains("CREATE TABLE `story`"));
    assert!(
        container.exec(&["healthcheck.sh", "--connect", "--mariadbupgrade", "--innodb_buffer_pool_loaded"]).0
    );
    assert!(!container.exec(&["healthcheck.sh", "--galera_online"]).0, "what cannot be tested is no success");
    assert!(!container.exec(&["healthcheck.sh"]).0);
    assert_eq!(container.stop(), "0");
    docker(&["start", &container.0]);
    container.until(&HEALTHY);
    assert!(container.logs().contains("holds databases already"));
    assert_eq!(sql("SELECT COUNT(*) FROM story"), "3\n");
}

fn wait_for(container: &Container, word: &str) {
    let start = Instant::now();
    while !container.logs().contains(word) {
        assert!(start.elapsed() < Duration::from_mins(1), "{}", container.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn mariadb_health() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("1.sh"), "echo waiting; sleep 3", 0o644);
    let scripts = format!("{}:/docker-entrypoint-initdb.d:ro", dir.path().display());
    let tmpfs = "/var/lib/mysql:uid=999,gid=999,mode=0750";
    let options =
        [&WRITABLE[..], &["--tmpfs", tmpfs, "-v", &scripts, "-e", "MYSQL_RANDOM_ROOT_PASSWORD=yes"]].concat();
    for base in ["mariadb", "mariadb@bookworm"] {
        healthy_after_the_first_start(&Container::start(base, &options, &[]));
    }
}

fn healthy_after_the_first_start(container: &Container) {
    wait_for(container, "waiting\n");
    assert!(!container.exec(&HEALTHY).0, "a server of the first start answers nobody over TCP");
    container.until(&HEALTHY);
    let logs = container.logs();
    let password = logs.split("GENERATED ROOT PASSWORD: ").nth(1).unwrap().lines().next().unwrap();
    assert!(password.len() >= 32, "{password}");
    let variable = format!("MYSQL_PWD={password}");
    let ask =
        ["exec", "-e", &variable, &container.0, "mariadb", "-u", "root", "-BNe", "SELECT CURRENT_USER()"];
    assert_eq!(docker(&ask), (true, "root@localhost\n".to_owned()));
}

fn mariadb_refuses() {
    let run = |options: &[&str], command: &[&str]| {
        let tmpfs = ["--tmpfs", "/var/lib/mysql:uid=999,gid=999,mode=0750"];
        once("mariadb", &[&WRITABLE[..], &tmpfs, options].concat(), command)
    };
    let root = "MARIADB_ROOT_PASSWORD=x";
    for (options, cause) in [
        (vec![], "no password for root"),
        (vec!["-e", root, "-e", "MARIADB_USER=a"], "no password for a"),
        (vec!["-e", root, "-e", "MARIADB_USER=root", "-e", "MARIADB_PASSWORD=x"], "MARIADB_USER is root"),
        (vec!["-e", root, "-e", "MARIADB_ROOT_PASSWORD_FILE=/x"], "both MARIADB_ROOT_PASSWORD and"),
        (vec!["-e", root, "-e", "MARIADB_PASSWORD_FILE=/x", "-e", "MARIADB_USER=a"], "cannot read /x"),
        (vec!["-e", root, "-e", "MARIADB_MASTER_HOST=x"], "MARIADB_MASTER_HOST is not supported"),
    ] {
        let (done, text) = run(&options, &[]);
        assert!(!done && text.contains(cause) && text.contains("hint: "), "{cause}: {text}");
    }
    let (done, text) = run(&["-e", root], &["--no-such-setting=1"]);
    assert!(!done && text.contains("no-such-setting"), "{text}");
    let (done, text) = run(&[], &["mariadbd", "--version"]);
    assert!(done && text.contains("MariaDB"), "{text}");
}

fn mariadb_killed() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("1.sh"), "echo waiting; sleep 600", 0o644);
    let volume = Volume::new();
    let data = format!("{}:/var/lib/mysql", volume.0);
    let scripts = format!("{}:/docker-entrypoint-initdb.d:ro", dir.path().display());
    let options =
        [&WRITABLE[..], &["-v", &data, "-e", "MARIADB_ROOT_PASSWORD=x", "-e", "MARIADB_DATABASE=late"]]
            .concat();
    let first = Container::start("mariadb", &[&options[..], &["-v", &scripts]].concat(), &[]);
    wait_for(&first, "waiting\n");
    docker(&["kill", &first.0]);
    drop(first);
    let second = Container::start("mariadb", &options, &[]);
    second.until(&HEALTHY);
    assert!(second.logs().contains("beginning anew"), "{}", second.logs());
    assert_eq!(second.exec(&["mariadb", "-u", "root", "-px", "-BNe", "SELECT 1", "late"]).1, "1\n");
    assert!(!second.exec(&["test", "-e", "/var/lib/mysql/.new"]).0);
}
