//! The secret files of a stack, and who reads each.

use crate::{
    policy::Policy,
    stack::{Reader, Secret, SecretContent, SecretOwner},
};

/// The secrets that are planned so far.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    list: Vec<Secret>,
}

impl Secrets {
    /// Adds a secret and returns its name. The same content under the same name is the same secret; another content
    /// gets the next free name.
    pub(super) fn add(&mut self, wanted: &[&str], reader: &Reader, content: &SecretContent) -> String {
        for name in wanted {
            match self.list.iter().find(|secret| secret.name == *name) {
                Some(known) if known.content == *content && known.reader == *reader => {
                    return known.name.clone();
                }
                Some(_) => {}
                None => return self.push((*name).to_owned(), reader, content),
            }
        }
        let last = wanted.last().copied().unwrap_or("secret");
        let name = (2..).map(|number| format!("{last}_{number}"));
        let free = name.into_iter().find(|name| self.list.iter().all(|secret| secret.name != *name));
        self.push(free.unwrap_or_else(|| last.to_owned()), reader, content)
    }

    fn push(&mut self, name: String, reader: &Reader, content: &SecretContent) -> String {
        let path = format!("secrets/{name}");
        let of_team = *content == SecretContent::OfTeam;
        let (reader, content) = (reader.clone(), content.clone());
        self.list.push(Secret { name: name.clone(), path, of_team, reader, content });
        name
    }

    pub(super) fn into_list(self) -> Vec<Secret> {
        self.list
    }
}

/// The name of a secret for a variable: `DATABASE_URL` -> `database_url`.
pub(super) fn name_of(variable: &str) -> String {
    variable.to_ascii_lowercase()
}

/// Files by the user that reads them.
pub(super) fn owners(secrets: &[Secret], policy: &Policy) -> Vec<SecretOwner> {
    let mut owners: Vec<SecretOwner> = Vec::new();
    let uid = |reader: &Reader| match reader {
        Reader::Store => policy.store_uid.to_string(),
        Reader::Program => policy.app_uid.to_string(),
        Reader::Front => policy.nginx_uid.to_string(),
        Reader::Image { uid } => uid.clone(),
    };
    let of = |wanted: fn(&Reader) -> bool| secrets.iter().filter(move |secret| wanted(&secret.reader));
    let stores = of(|reader| *reader == Reader::Store);
    let programs = of(|reader| *reader == Reader::Program);
    let fronts = of(|reader| *reader == Reader::Front);
    let images = of(|reader| matches!(reader, Reader::Image { .. }));
    for secret in stores.chain(programs).chain(fronts).chain(images) {
        let uid = uid(&secret.reader);
        match owners.iter_mut().find(|owner| owner.uid == uid) {
            Some(owner) => owner.files.push(secret.path.clone()),
            None => owners.push(SecretOwner { uid, files: vec![secret.path.clone()] }),
        }
    }
    owners
}
