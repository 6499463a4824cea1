//! Plans of programs in Python that were wrong without a word: each on a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_survey::{Beside, Survey};
use support::of;

fn target(survey: &Survey) -> (String, String) {
    let service = &survey.services[0];
    let word = service.command.as_ref().unwrap().value.iter().find(|word| word.contains(':')).unwrap();
    (service.path.clone(), word.clone())
}

#[test]
fn a_package_below_src_is_installed_or_its_folder_is_where_the_program_runs() {
    let poetry = |name: &str, more: &str| {
        format!(
            "[tool.poetry]\nname = \"{name}\"\nversion = \"1\"\n{more}[tool.poetry.dependencies]\nquart = \"*\"\n[build-system]\nrequires = [\"poetry-core\"]\n"
        )
    };
    let pdm = |name: &str| {
        format!(
            "[project]\nname = \"{name}\"\ndependencies = [\"quart\"]\n[build-system]\nrequires = [\"pdm-backend\"]\n"
        )
    };
    let with = |manifest: &str, lock: &str, program: &str| {
        let survey = of(&[
            ("pyproject.toml", manifest),
            (lock, ""),
            ("src/chat/__init__.py", program),
            ("src/chat/broker.py", ""),
        ]);
        let installed = survey.installs[0].beside.iter().any(|beside| beside.value == Beside::Package);
        let (path, target) = target(&survey);
        (installed, path, target)
    };
    let imports = "from quart import Quart\nfrom chat.broker import Broker\napp = Quart(__name__)\n";
    let alone = "from quart import Quart\napp = Quart(__name__)\n";
    let installed = (true, String::new(), "chat:app".to_owned());
    let beside = (false, "src".to_owned(), "chat:app".to_owned());
    for program in [imports, alone] {
        assert_eq!(with(&poetry("chat", ""), "poetry.lock", program), installed);
        let named = poetry("talk", "packages = [{ include = \"chat\", from = \"src\" }]\n");
        assert_eq!(with(&named, "poetry.lock", program), installed);
        assert_eq!(with(&pdm("Chat"), "pdm.lock", program), installed);
        // No build system would find a package of another name.
        assert_eq!(with(&poetry("talk", ""), "poetry.lock", program), beside);
        assert_eq!(with(&pdm("talk"), "pdm.lock", program), beside);
    }
}

#[test]
fn a_list_of_pip_installs_no_package_below_src() {
    let manifest = "[project]\nname = \"chat\"\ndependencies = [\"quart\"]\n[build-system]\nrequires = [\"hatchling\"]\n";
    let program = "from quart import Quart\nfrom chat.broker import Broker\napp = Quart(__name__)\n";
    let with = |list: &[(&str, &str)]| {
        let files =
            [("pyproject.toml", manifest), ("src/chat/__init__.py", program), ("src/chat/broker.py", "")];
        target(&of(&[&files[..], list].concat()))
    };
    assert_eq!(with(&[("requirements.txt", "quart==0.20\n")]), ("src".to_owned(), "chat:app".to_owned()));
    assert_eq!(with(&[("requirements.txt", "quart==0.20\n-e .\n")]), (String::new(), "chat:app".to_owned()));
    assert_eq!(with(&[("uv.lock", "")]), (String::new(), "chat:app".to_owned()));
    assert_eq!(with(&[]), (String::new(), "chat:app".to_owned()));
}
