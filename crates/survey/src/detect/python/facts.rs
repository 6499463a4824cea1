//! What a program writes, what it calls outside of the stack, and the largest request that it takes.

use std::rc::Rc;

use super::{django, project::Project};
use crate::{
    context::has_extension,
    model::{Evidence, Fact, Service, Writes},
    python::{Kind, Module},
};

/// Packages that call a host of their maker.
const CALLERS: &[&str] = &[
    "stripe",
    "boto3",
    "openai",
    "anthropic",
    "twilio",
    "sendgrid",
    "sentry-sdk",
    "google-cloud-storage",
    "google-generativeai",
    "slack-sdk",
    "resend",
    "cloudinary",
    "azure-storage-blob",
    "mailgun",
    "paypalrestsdk",
    "pusher",
    "algoliasearch",
    "langchain-openai",
    "google-cloud-firestore",
    "google-cloud-pubsub",
    "google-cloud-tasks",
    "google-cloud-secret-manager",
    "google-genai",
    "firebase-admin",
    "azure-identity",
    "azure-keyvault-secrets",
    "authlib",
    "python-social-auth",
    "social-auth-app-django",
    "django-allauth",
    "flask-dance",
    "flask-mail",
    "fastapi-mail",
    "django-storages",
    "supabase",
    "pinecone",
    "cohere",
    "replicate",
    "pygithub",
    "python-telegram-bot",
    "discord.py",
    "plaid-python",
    "razorpay",
    "notion-client",
];

/// Functions that send a request.
const SENDS: [&str; 9] = ["get", "post", "put", "patch", "delete", "request", "head", "stream", "urlopen"];

/// Adds what the modules say.
pub(super) fn add(project: &Project, service: &mut Service) {
    for module in &project.modules {
        uploads(module, service);
        calls(module, service);
        service.page = service.page.take().or_else(|| page(module));
    }
    for name in CALLERS {
        if let Some(requirement) = project.needs(&[*name]) {
            let evidence = Evidence {
                reason: format!("{name} calls its maker's hosts"),
                ..requirement.evidence.clone()
            };
            service.calls.push(Fact::new((*name).to_owned(), evidence));
        }
    }
}

/// `UPLOAD_FOLDER` and `MAX_CONTENT_LENGTH` of Flask, in any of the forms in which settings are written.
fn uploads(module: &Rc<Module>, service: &mut Service) {
    for at in 0..module.tokens.len() {
        let name = if module.kind(at) == Some(Kind::String) {
            module.string(at).unwrap_or_default()
        } else {
            module.text(at).to_owned()
        };
        if !matches!(name.as_str(), "UPLOAD_FOLDER" | "MAX_CONTENT_LENGTH" | "UPLOAD_DIR" | "UPLOADS_DIR") {
            continue;
        }
        // `app.config["X"] = value`, `X = value`.
        let behind = if module.is(at + 1, "]") { at + 2 } else { at + 1 };
        if !module.is(behind, "=") {
            continue;
        }
        if name == "MAX_CONTENT_LENGTH" {
            service.body_limit = service.body_limit.take().or_else(|| django::size(module, behind + 1));
            continue;
        }
        let Some(path) = module
            .string(behind + 1)
            .filter(|_| module.tokens.get(behind + 2).is_none_or(|token| token.first))
        else {
            continue;
        };
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let fits = !path.is_empty()
            && !path.contains("..")
            && path.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c));
        if fits && !service.writes.iter().any(|known| known.path.value == path) {
            let evidence =
                Evidence::new(&module.source, module.span(at, behind + 1), "uploads are kept here");
            service.writes.push(Writes { path: Fact::new(path, evidence), keep: true });
        }
    }
}

/// `render_template("index.html")`, `templates.TemplateResponse(request, "index.html")`, `render(request, "index.html")`.
fn page(module: &Rc<Module>) -> Option<Fact<String>> {
    (0..module.tokens.len()).find_map(|at| {
        let (name, open) = module.dotted(at).filter(|(_, next)| module.is(*next, "("))?;
        let renders = ["render_template", "TemplateResponse", "render", "send_static_file", "FileResponse"];
        if !renders.contains(&name.rsplit('.').next().unwrap_or_default()) {
            return None;
        }
        let texts =
            module.arguments(open).into_iter().take(3).filter_map(|argument| module.string(argument.at));
        let file =
            texts.into_iter().find(|text| has_extension(text, "html") || has_extension(text, "jinja2"))?;
        let evidence = Evidence::new(&module.source, module.span(at, open), "it answers with a page");
        Some(Fact::new(file, evidence))
    })
}

/// Requests to absolute addresses: `requests.get("https://api.example.com/…")`.
fn calls(module: &Rc<Module>, service: &mut Service) {
    for at in 0..module.tokens.len() {
        let Some((name, open)) = module.dotted(at).filter(|(name, next)| {
            module.is(*next, "(") && SENDS.contains(&name.rsplit('.').next().unwrap_or_default())
        }) else {
            continue;
        };
        let Some(argument) = module
            .arguments(open)
            .into_iter()
            .take(2)
            .find(|argument| argument.name.is_none_or(|name| name == "url"))
        else {
            continue;
        };
        let text = module.string(argument.at).or_else(|| module.format(argument.at).map(str::to_owned));
        let Some(host) = text.as_deref().and_then(host) else { continue };
        if service.calls.len() < 100 && !service.calls.iter().any(|known| known.value == host) {
            let evidence =
                Evidence::new(&module.source, module.span(at, argument.at), format!("{name} asks it"));
            service.calls.push(Fact::new(host, evidence));
        }
    }
}

/// The public host of an absolute address.
fn host(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', ':']).next()?.to_lowercase();
    let public =
        host.contains('.') && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    (public && !host.starts_with("127.") && host.rsplit('.').next() != Some("local")).then_some(host)
}
