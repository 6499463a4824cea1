//! Variables that a library reads by itself: no source of the project names them, and production needs them.

use super::{frameworks::nuxt, processes};
use crate::{
    context::{Context, join},
    detect::secret,
    javascript::values::Program,
    manifest::Manifest,
    model::{Evidence, Fact, Service, Setting, Variable},
};

/// Packages of Auth.js besides next-auth.
const AUTH_JS: [&str; 5] =
    ["@auth/core", "@auth/sveltekit", "@auth/express", "@auth/solid-start", "@auth/qwik"];

/// Adds what the packages and the settings of the framework read.
pub(super) fn detect(
    context: &Context<'_>,
    program: &Program,
    manifests: &[&Manifest],
    service: &mut Service,
) {
    let dependency = |name: &str| {
        manifests.iter().find_map(|manifest| {
            let found = manifest.any_dependency(name)?;
            let reason = format!("{name} reads it by itself");
            Some((found.range.to_owned(), Evidence::new(&manifest.source, found.span, reason)))
        })
    };
    let imported = |name: &str| program.scripts().any(|script| processes::imports(script, name));
    if let Some((_, evidence)) = dependency("nuxt-auth-utils") {
        add(service, "NUXT_SESSION_PASSWORD", true, evidence);
        oauth(program, service);
    }
    if let Some((range, evidence)) = dependency("next-auth").filter(|_| imported("next-auth")) {
        let major =
            range.trim_start_matches(['^', '~', '>', '=', 'v', ' ']).split('.').next().unwrap_or_default();
        if matches!(major, "1" | "2" | "3" | "4") {
            add(service, "NEXTAUTH_SECRET", true, evidence.clone());
            add(service, "NEXTAUTH_URL", false, evidence);
        } else {
            auth_js(service, evidence);
        }
    }
    if let Some((_, evidence)) = AUTH_JS.into_iter().filter(|name| imported(name)).find_map(dependency) {
        auth_js(service, evidence);
    }
    if let Some((_, evidence)) = dependency("better-auth").filter(|_| imported("better-auth")) {
        add(service, "BETTER_AUTH_SECRET", true, evidence.clone());
        add(service, "BETTER_AUTH_URL", false, evidence);
    }
    if service.frameworks.iter().any(|tool| tool.name == "nuxt") {
        let config = ["ts", "js", "mjs"]
            .iter()
            .find_map(|end| context.script(&join(&service.path, &format!("nuxt.config.{end}"))));
        for fact in config.map(|script| nuxt::settings(&script)).unwrap_or_default() {
            let Some(evidence) = fact.evidence.into_iter().next() else { continue };
            let secret = secret::is_own(&fact.value, None, || false);
            add(service, &fact.value, secret, evidence);
        }
    }
}

/// Auth.js: it signs with this secret, and trusts the front's headers where it is told so.
fn auth_js(service: &mut Service, evidence: Evidence) {
    add(service, "AUTH_SECRET", true, evidence);
    if service.environment.iter().all(|known| known.name != "AUTH_TRUST_HOST") {
        service.settings.push(Setting {
            name: "AUTH_TRUST_HOST".to_owned(),
            value: "true".to_owned(),
            reason: "Auth.js refuses requests that come through a front, unless it is told to trust it."
                .to_owned(),
            at_build: false,
        });
    }
}

/// `defineOAuthGitHubEventHandler` of nuxt-auth-utils: the keys of that provider.
fn oauth(program: &Program, service: &mut Service) {
    let mut found: Vec<Fact<String>> = Vec::new();
    for script in program.scripts() {
        for at in 0..script.tokens.len() {
            let name = script.text(at).strip_prefix("define").unwrap_or_else(|| script.text(at));
            let provider = name
                .strip_prefix("OAuth")
                .or_else(|| name.strip_prefix("oauth"))
                .and_then(|rest| rest.strip_suffix("EventHandler"))
                .filter(|provider| !provider.is_empty() && script.is(at + 1, "(") && found.len() < 20);
            if let Some(provider) = provider {
                let place =
                    Evidence::new(&script.source, script.span(at, at), "nuxt-auth-utils reads its keys");
                found.push(Fact::new(provider.to_uppercase(), place));
            }
        }
    }
    for fact in found {
        for (key, place) in ["CLIENT_ID", "CLIENT_SECRET"].into_iter().zip(fact.evidence.iter().cycle()) {
            add(service, &format!("NUXT_OAUTH_{}_{key}", fact.value), false, place.clone());
        }
    }
}

fn add(service: &mut Service, name: &str, secret: bool, evidence: Evidence) {
    if let Some(known) = service.environment.iter_mut().find(|known| known.name == name) {
        known.secret |= secret;
        return;
    }
    service.environment.push(Variable { secret, ..Variable::named(name, vec![evidence]) });
    service.environment.sort_by(|a, b| a.name.cmp(&b.name));
}
