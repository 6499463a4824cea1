//! Files for programs in Python that were wrong without a word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use support::{file, planned};

#[test]
fn a_package_below_src_is_installed_with_its_sources() {
    let program = "from quart import Quart\nfrom chat.broker import Broker\napp = Quart(__name__)\n";
    let with = |manifest: &str, lock: &str| {
        let files = [
            ("pyproject.toml", manifest),
            (lock, ""),
            ("src/chat/__init__.py", program),
            ("src/chat/broker.py", ""),
        ];
        file(&planned(&files), "Dockerfile")
    };
    let poetry = "[tool.poetry]\nname = \"chat\"\nversion = \"1\"\n[tool.poetry.dependencies]\nquart = \"*\"\n[build-system]\nrequires = [\"poetry-core\"]\n";
    let text = with(poetry, "poetry.lock");
    let (before, behind) = text.split_once("COPY . ./").unwrap();
    assert!(before.contains("    poetry install --only main --no-root\n"), "{text}");
    assert!(behind.contains("    poetry install --only main\n"), "{text}");
    assert!(behind.contains("WORKDIR /app\n") && behind.contains("\"chat:app\""), "{text}");
    let pdm = "[project]\nname = \"chat\"\ndependencies = [\"quart\"]\n[build-system]\nrequires = [\"pdm-backend\"]\n";
    let text = with(pdm, "pdm.lock");
    let (_, behind) = text.split_once("COPY . ./").unwrap();
    assert!(behind.contains("    pdm sync --prod --no-editable\n"), "{text}");
    // A package that no build system finds is found where the program runs.
    let text = with(&pdm.replace("\"chat\"", "\"talk\""), "pdm.lock");
    assert!(!text.contains("--no-editable\n") && text.contains("WORKDIR /app/src\n"), "{text}");
}
