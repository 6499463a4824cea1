//! Clear-signed indexes and the keys that may sign them.
//!
//! Trusted are the keys of [`embedded`] (Debian 12 and 13: archive, security, release) and those of the machine's own
//! `debian-archive-keyring`. A key counts when its self-signature verifies, it may sign, it is neither revoked nor
//! expired; a subkey needs a binding in both directions besides. One good signature is enough (a release is signed by the old
//! and the new keys in turn), a bad one by a trusted key is refused even beside a good one, and digests weaker than
//! SHA-256 do not count.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};

use crate::error::BaseError;

/// Where Debian's keyring package puts its keys.
const HOST_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Signatures looked at in one index; Debian's have three at most.
const MAX_SIGNATURES: usize = 16;
/// A signature may be this many seconds ahead of our clock.
const CLOCK_SLACK: i64 = 24 * 3600;
/// The expiry of a key that has none.
const NEVER: i64 = i64::MAX;

/// Debian's public keys as this crate carries them: primary fingerprint, what the key is for, the transferable key.
pub(crate) fn embedded() -> [(&'static str, &'static str, &'static [u8]); 6] {
    [
        (
            "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8",
            "Debian 12 archive",
            include_bytes!("keys/debian-bookworm-automatic.pgp"),
        ),
        (
            "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",
            "Debian 12 security archive",
            include_bytes!("keys/debian-bookworm-security-automatic.pgp"),
        ),
        (
            "4D64FEC119C2029067D6E791F8D2585B8783D481",
            "Debian 12 stable release",
            include_bytes!("keys/debian-bookworm-stable.pgp"),
        ),
        (
            "04B54C3CDCA79751B16BC6B5225629DF75B188BD",
            "Debian 13 archive",
            include_bytes!("keys/debian-trixie-automatic.pgp"),
        ),
        (
            "5E04A1E3223A19A20706E20F9904613D4CCE68C6",
            "Debian 13 security archive",
            include_bytes!("keys/debian-trixie-security-automatic.pgp"),
        ),
        (
            "41587F7DB8C774BCCF131416762F67A0B2C39DE4",
            "Debian 13 stable release",
            include_bytes!("keys/debian-trixie-stable.pgp"),
        ),
    ]
}

/// One key that may sign, primary or subkey.
#[derive(Debug, Clone)]
struct Signer {
    key: SignerKey,
    fingerprint: String,
    /// Seconds since 1970; [`NEVER`] when it does not.
    expires: i64,
}

#[derive(Debug, Clone)]
enum SignerKey {
    Primary(PublicKey),
    Sub(PublicSubkey),
}

/// The keys that are trusted to sign an index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    signers: Vec<Signer>,
}

/// Text whose signature was good.
#[derive(Debug)]
pub(crate) struct Signed {
    /// Exactly the bytes that were signed, with `\n` line ends.
    pub(crate) text: String,
    /// Fingerprints of the keys whose signatures were good.
    pub(crate) signers: Vec<String>,
}

impl Keyring {
    /// The keys that this crate carries and those of the machine, if it has some. Checked once in a process.
    pub(crate) fn debian() -> &'static Self {
        static KEYRING: OnceLock<Keyring> = OnceLock::new();
        KEYRING.get_or_init(|| {
            let mut keyring = Self::carried();
            if let Ok(bytes) = std::fs::read(Path::new(HOST_KEYRING)) {
                keyring.add(&bytes);
            }
            keyring
        })
    }

    fn carried() -> Self {
        let mut keyring = Self::default();
        for (_, _, bytes) in embedded() {
            keyring.add(bytes);
        }
        keyring
    }

    /// Adds every key in a binary keyring that is fit to sign; others are left out without a word, as `gpgv` does.
    pub(crate) fn add(&mut self, keyring: &[u8]) {
        let Ok(keys) = SignedPublicKey::from_bytes_many(Cursor::new(keyring)) else { return };
        for key in keys.flatten() {
            let Some(expires) = primary_expiry(&key) else { continue };
            for sub in &key.public_subkeys {
                if let Some(own) = subkey_expiry(&key.primary_key, sub) {
                    self.push(SignerKey::Sub(sub.key.clone()), &sub.key, own.min(expires));
                }
            }
            self.push(SignerKey::Primary(key.primary_key.clone()), &key.primary_key, expires);
        }
    }

    fn push(&mut self, key: SignerKey, details: &impl KeyDetails, expires: i64) {
        let fingerprint = hex(details.fingerprint().as_bytes());
        if !self.signers.iter().any(|signer| signer.fingerprint == fingerprint) {
            self.signers.push(Signer { key, fingerprint, expires });
        }
    }

    /// Checks a clear-signed file (RFC 9580 section 7) and gives back only what was signed. `now` is in seconds since 1970.
    pub(crate) fn verify(&self, file: &str, bytes: &[u8], now: i64) -> Result<Signed, BaseError> {
        let fail = |cause: String| BaseError::Signature { file: file.to_owned(), cause };
        let text = std::str::from_utf8(bytes).map_err(|_| fail("it is not UTF-8 text".to_owned()))?;
        let (message, _) = CleartextSignedMessage::from_string(text)
            .map_err(|error| fail(format!("it is not a clear-signed text: {error}")))?;
        let signed_text = message.signed_text();
        let mut good = Vec::new();
        let mut reasons = Vec::new();
        for signature in message.signatures().iter().take(MAX_SIGNATURES) {
            for signer in self.signers.iter().filter(|signer| signer.made(signature)) {
                match signer.check(signature, signed_text.as_bytes(), now) {
                    Ok(()) => good.push(signer.fingerprint.clone()),
                    Err(Refusal::Bad) => {
                        return Err(fail(format!(
                            "the signature by {} does not fit the text",
                            signer.fingerprint
                        )));
                    }
                    Err(Refusal::Unfit(reason)) => reasons.push(format!("{reason} ({})", signer.fingerprint)),
                }
            }
        }
        if good.is_empty() {
            let cause = if reasons.is_empty() {
                "no signature is by a trusted key".to_owned()
            } else {
                reasons.join(", ")
            };
            return Err(fail(cause));
        }
        good.dedup();
        Ok(Signed { text: signed_text.replace("\r\n", "\n"), signers: good })
    }
}

enum Refusal {
    /// Tampered with: the key is right and the text is not.
    Bad,
    /// A signature that does not count, with the reason.
    Unfit(&'static str),
}

impl Signer {
    fn made(&self, signature: &Signature) -> bool {
        let by_fingerprint = signature.issuer_fingerprint();
        if by_fingerprint.is_empty() {
            let id = &self.fingerprint[self.fingerprint.len().saturating_sub(16)..];
            return signature.issuer_key_id().iter().any(|issuer| hex(issuer.as_ref()) == id);
        }
        by_fingerprint.iter().any(|issuer| hex(issuer.as_bytes()) == self.fingerprint)
    }

    fn check(&self, signature: &Signature, text: &[u8], now: i64) -> Result<(), Refusal> {
        let strong = matches!(
            signature.hash_alg(),
            Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512)
        );
        if !strong {
            return Err(Refusal::Unfit("the digest is weaker than SHA-256"));
        }
        if !matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary)) {
            return Err(Refusal::Unfit("it is not a signature of a document"));
        }
        let fits = match &self.key {
            SignerKey::Primary(key) => signature.verify(key, text),
            SignerKey::Sub(key) => signature.verify(key, text),
        };
        if fits.is_err() {
            return Err(Refusal::Bad);
        }
        let Some(created) = signature.created().map(|time| i64::from(time.as_secs())) else {
            return Err(Refusal::Unfit("the signature has no date"));
        };
        if created > now + CLOCK_SLACK {
            return Err(Refusal::Unfit("the signature is dated in the future"));
        }
        if let Some(seconds) = signature.signature_expiration_time().map(|time| i64::from(time.as_secs()))
            && seconds != 0
            && created + seconds < now
        {
            return Err(Refusal::Unfit("the signature expired"));
        }
        if self.expires < now {
            return Err(Refusal::Unfit("the key expired"));
        }
        Ok(())
    }
}

/// When the primary key expires, by its newest good self-signature that lets it sign; `None` when it must not be used.
fn primary_expiry(key: &SignedPublicKey) -> Option<i64> {
    let primary = &key.primary_key;
    if key.details.revocation_signatures.iter().any(|signature| signature.verify_key(primary).is_ok()) {
        return None;
    }
    // Debian's keys have further direct signatures that only name who may revoke them, and say nothing of signing.
    let states_use =
        |signature: &&Signature| signature.key_flags().sign() && signature.verify_key(primary).is_ok();
    let direct = key.details.direct_signatures.iter().filter(states_use);
    let of_users = key.details.users.iter().flat_map(|user| {
        let good = |signature: &&Signature| {
            signature.is_certification()
                && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(good)
    });
    let newest = direct.chain(of_users).max_by_key(|signature| signature.created().map(pgp_seconds))?;
    newest.key_flags().sign().then(|| expiry(primary, newest))
}

/// The same for a subkey: bound by the primary key, and binding itself to it.
fn subkey_expiry(primary: &PublicKey, sub: &SignedPublicSubKey) -> Option<i64> {
    let bound: Vec<_> = sub
        .signatures
        .iter()
        .filter(|signature| signature.verify_subkey_binding(primary, &sub.key).is_ok())
        .collect();
    if bound.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return None;
    }
    let newest = bound.into_iter().max_by_key(|signature| signature.created().map(pgp_seconds))?;
    let binds_back = newest
        .embedded_signature()
        .is_some_and(|signature| signature.verify_primary_key_binding(&sub.key, primary).is_ok());
    (newest.key_flags().sign() && binds_back).then(|| expiry(&sub.key, newest))
}

fn expiry(key: &impl KeyDetails, signature: &Signature) -> i64 {
    match signature.key_expiration_time().map(|time| i64::from(time.as_secs())) {
        None | Some(0) => NEVER,
        Some(lifetime) => pgp_seconds(key.created_at()) + lifetime,
    }
}

fn pgp_seconds(time: pgp::types::Timestamp) -> i64 {
    i64::from(time.as_secs())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian's own updates suite of one day, with its signatures by two subkeys.
    const REAL: &str = include_str!("../tests/data/trixie-updates.InRelease");
    /// 2026-11-20 12:00 UTC, a day after it was signed.
    const THEN: i64 = 1_795_176_000;

    /// Only what the crate carries, so that the tests mean the same on every machine.
    fn debian() -> &'static Keyring {
        static KEYRING: OnceLock<Keyring> = OnceLock::new();
        KEYRING.get_or_init(Keyring::carried)
    }

    fn refusal(keyring: &Keyring, text: &str, now: i64) -> String {
        keyring.verify("InRelease", text.as_bytes(), now).unwrap_err().to_string()
    }

    #[test]
    fn carries_the_keys_that_it_says() {
        for (fingerprint, what, bytes) in embedded() {
            let mut keyring = Keyring::default();
            keyring.add(bytes);
            let primary = keyring.signers.iter().find(|signer| matches!(signer.key, SignerKey::Primary(_)));
            assert_eq!(primary.map(|signer| signer.fingerprint.as_str()), Some(fingerprint), "{what}");
            assert!(keyring.signers.iter().all(|signer| signer.expires < NEVER), "{what} expires one day");
            // The release keys are held by people and have no subkey.
            assert_eq!(keyring.signers.len(), if what.contains("stable release") { 1 } else { 2 }, "{what}");
        }
    }

    #[test]
    fn accepts_a_real_index_by_its_subkeys() {
        let signed = debian().verify("InRelease", REAL.as_bytes(), THEN).unwrap();
        assert_eq!(
            signed.signers,
            ["4CB50190207B4758A3F73A796ED0E7B82643E131", "B8E5F13176D2A7A75220028078DBA3BC47EF2265"]
        );
        assert!(signed.text.starts_with("Origin: Debian\n"), "{:?}", &signed.text[..40]);
        assert!(!signed.text.contains("PGP"));
    }

    #[test]
    fn one_changed_digit_is_refused() {
        let changed = REAL.replacen("Date: Thu, 19", "Date: Thu, 18", 1);
        assert_ne!(changed, REAL);
        let error = refusal(debian(), &changed, THEN);
        assert!(error.starts_with("InRelease is not properly signed: the signature by "), "{error}");
    }

    #[test]
    fn text_beside_the_signed_part_is_refused_or_not_returned() {
        let before = format!("SHA256: evil\n{REAL}");
        let after = format!("{REAL}\nSHA256: evil\n");
        for text in [before, after] {
            match debian().verify("InRelease", text.as_bytes(), THEN) {
                Ok(signed) => assert!(!signed.text.contains("evil")),
                Err(error) => assert!(matches!(error, BaseError::Signature { .. })),
            }
        }
    }

    #[test]
    fn unknown_keys_unsigned_text_and_rubbish_are_refused() {
        let none = Keyring::default();
        assert_eq!(
            refusal(&none, REAL, THEN),
            "InRelease is not properly signed: no signature is by a trusted key"
        );
        let unsigned = REAL.split("-----BEGIN PGP SIGNATURE").next().unwrap();
        for text in ["", "Origin: Debian\n", unsigned] {
            assert!(refusal(debian(), text, THEN).contains("not a clear-signed text"), "{text:.20}");
        }
        assert!(debian().verify("InRelease", b"\xff\xfe", THEN).is_err());
    }

    #[test]
    fn keys_expire_and_the_future_does_not_count() {
        let in_2040 = 2_208_988_800;
        assert!(refusal(debian(), REAL, in_2040).contains("the key expired"));
        assert!(refusal(debian(), REAL, THEN - 30 * 86_400).contains("dated in the future"));
    }
}
