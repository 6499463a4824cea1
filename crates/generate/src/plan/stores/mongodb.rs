//! MongoDB, by the contract of its official image.

use plimsoll_facts::images::mongo;
use plimsoll_survey::{Address, Service, Store, StoreUse};

use super::{Opened, Passes, Stores, data, is_deaf, password, unit, user_and_database, version, written};
use crate::{
    rules,
    stack::{Reader, StoreTexts},
};

/// `{hello: 1}` to the database `admin`, which asks for no login: `OP_MSG` of the MongoDB Wire Protocol. The dollar sign
/// of `$db` is `\x24`, because Compose reads the text.
pub(super) const HELLO: &str = r"\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02\x24db\x00\x06\x00\x00\x00admin\x00\x00";

/// The path of an address and its options. The image makes its user in `admin`: a client that is not told so looks for
/// the user in the database of the path.
pub(super) fn suffix(database: &str, wanted: Option<&str>, login: bool) -> String {
    let wanted = wanted.unwrap_or_default();
    let (path, options) = wanted.split_once('?').unwrap_or((wanted, ""));
    let path = if path.len() > 1 && path.starts_with('/') { path.to_owned() } else { format!("/{database}") };
    let is_source = |option: &&str| option.to_ascii_lowercase().starts_with("authsource=");
    let mut options: Vec<&str> =
        options.split('&').filter(|option| !option.is_empty() && !is_source(option)).collect();
    if login {
        options.push("authSource=admin");
    }
    if options.is_empty() { path } else { format!("{path}?{}", options.join("&")) }
}

impl Stores {
    pub(super) fn mongodb(
        &mut self,
        passes: &mut Passes<'_>,
        store: &Store,
        name: &str,
        users: &[(&Service, &StoreUse)],
    ) -> Opened {
        let limit = passes.policy.mongodb.megabytes;
        let (user, database) = user_and_database(passes, store);
        let deaf = is_deaf(passes, name, users, "MONGODB_URI");
        let secret = (!deaf)
            .then(|| passes.secrets.add(&[&format!("{name}_password")], &Reader::Store, &password(store)));
        let version = version(store, "8.0");
        notes(passes, store, users, secret.is_some());
        let texts = StoreTexts {
            user: user.clone(),
            database: database.clone(),
            secret: secret.clone().unwrap_or_default(),
            volume: format!("{name}_data"),
            data: data(store.kind, None),
            cache_gigabytes: mongo::CACHE.of(limit),
            shell: mongo::shell(&version),
            ..StoreTexts::default()
        };
        let limits = passes.policy.mongodb.clone();
        let secrets: Vec<&str> = secret.as_deref().into_iter().collect();
        self.units.push(unit(
            passes,
            "mongodb",
            name,
            format!("mongo:{version}"),
            texts,
            &limits,
            &secrets,
            60,
        ));
        Opened {
            name: name.to_owned(),
            kind: store.kind,
            user,
            database,
            password: secret,
            written: written(store),
        }
    }
}

/// What a team has to know of a server that it had in another form.
fn notes(passes: &mut Passes<'_>, store: &Store, users: &[(&Service, &StoreUse)], login: bool) {
    if let Some(image) = &store.image {
        passes.note(
            rules::IMAGE_REPLACED,
            &store.name,
            format!("{} has a contract of its own: the official image takes its place", image.value),
            "set `image:` and its variables by hand if you need it; what you change is kept".to_owned(),
            &image.evidence,
        );
    }
    let prisma = users.iter().find_map(|(service, _)| {
        let tool = service.migration.as_ref().map(|migration| &migration.tool);
        tool.filter(|tool| tool.name == "prisma").map(|tool| (service, tool))
    });
    if let Some((service, tool)) = prisma {
        passes.note(rules::NO_REPLICA_SET,
            &service.name,
            "Prisma writes to MongoDB in transactions, which need a replica set: the stack's MongoDB is one server \
             without one, so every `create` and `update` with relations fails"
                .to_owned(),
            "give its service `--replSet rs0` and `--keyFile` with a key of your own, call `rs.initiate()` once, and end \
             the address with &replicaSet=rs0; or take a MongoDB outside of the stack"
                .to_owned(),
            &tool.evidence,
        );
    }
    passes.note(rules::NO_REPLICA_SET,
        &store.name,
        "MongoDB runs as one server, without a replica set: transactions and change streams are refused, and so are \
         Prisma's writes"
            .to_owned(),
        "nothing, unless the program uses them; `rs.initiate()` has to be called once then".to_owned(),
        &store.evidence,
    );
    let apart = |(_, used): &&(&Service, &StoreUse)| matches!(used.address, Some(Address::Parts { .. }));
    if let Some((service, used)) = users.iter().find(apart).filter(|_| login) {
        passes.note(
            rules::ADDRESS_IN_PROGRAM,
            &service.name,
            "it puts the address of MongoDB together from parts: the user is in the database admin"
                .to_owned(),
            "end the address with ?authSource=admin, or read it whole from one variable, as MONGODB_URI"
                .to_owned(),
            &used.evidence,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_database_and_where_its_user_is() {
        let of = |wanted| suffix("app", wanted, true);
        assert_eq!(of(None), "/app?authSource=admin");
        assert_eq!(of(Some("/todos")), "/todos?authSource=admin");
        assert_eq!(of(Some("?retryWrites=true")), "/app?retryWrites=true&authSource=admin");
        assert_eq!(of(Some("/todos?authSource=todos&w=1")), "/todos?w=1&authSource=admin");
        assert_eq!(suffix("app", Some("/todos"), false), "/todos");
        assert_eq!(suffix("app", Some("/"), false), "/app");
    }

    #[test]
    fn the_hello_has_the_length_that_it_says() {
        let (mut bytes, mut rest) = (Vec::new(), HELLO);
        while let Some(first) = rest.chars().next() {
            if let Some(digits) = rest.strip_prefix("\\x") {
                bytes.push(u8::from_str_radix(&digits[..2], 16).expect("two digits"));
                rest = &digits[2..];
            } else {
                bytes.push(u8::try_from(first).expect("a letter"));
                rest = &rest[1..];
            }
        }
        let length =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
        assert_eq!(length(0), bytes.len());
        // the document, behind the head, the flags and the kind of the section
        assert_eq!(21 + length(21), bytes.len());
    }
}
