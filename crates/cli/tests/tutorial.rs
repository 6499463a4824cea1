//! docs/tutorial.md shows what the verbs print. Those that need no engine are run here, in the page's order.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use plimsoll_survey::{ReadLimits, Repository};

/// A copy of the tutorial's application, and the page.
struct Reader {
    folder: tempfile::TempDir,
    page: String,
}

impl Reader {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let example = root.join("examples/quickstart/express-sql");
        let folder = tempfile::tempdir().unwrap();
        for path in Repository::open(&example, ReadLimits::default()).unwrap().files() {
            let target = folder.path().join("notes").join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(example.join(path), target).unwrap();
        }
        Self { folder, page: fs::read_to_string(root.join("docs/tutorial.md")).unwrap() }
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    /// What the command prints to standard output; the page has the command.
    fn types(&self, line: &str) -> String {
        self.reads(&format!("$ plimsoll {line}\n"));
        let binary =
            std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into());
        let output = Command::new(binary)
            .args(line.split(' '))
            .current_dir(self.notes())
            .env("PLIMSOLL_HOME", self.folder.path().join("home"))
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The page has this text.
    fn reads(&self, text: &str) {
        let text = text.trim_end();
        assert!(!text.is_empty() && self.page.contains(text), "docs/tutorial.md lacks:\n{text}");
    }
}

#[test]
fn the_tutorial_shows_what_is_printed() {
    let reader = Reader::new();
    reader.reads(&reader.types("survey"));

    let init = reader.types("init --apply --no-input");
    let (found, _) = init.split_once("\n\n").unwrap();
    reader.reads(found);
    reader.reads(&init[init.find("Written\n").unwrap()..]);
    reader.reads(&reader.types("config --services"));

    // the page's edit, by sed there
    let conf = reader.notes().join("proxy/nginx.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let edited = text.replace("client_max_body_size 1m", "client_max_body_size 4m");
    assert_ne!(text, edited);
    fs::write(&conf, edited).unwrap();
    let answered = reader.types("init --apply --no-input --answer express-sql-notes.checks=test");
    let (_, end) = answered.split_once("\nproxy/nginx.conf: ").unwrap();
    reader.reads(&format!("proxy/nginx.conf: {}", end.split("\n\nTo read").next().unwrap()));
    let check = "+FROM sources AS check\n+RUN npm run test\n";
    assert!(answered.contains(check), "{answered}");
    reader.reads(check);

    reader.reads(&reader.types("config --set services.express-sql-notes.environment.LOG_LEVEL=info"));
}
