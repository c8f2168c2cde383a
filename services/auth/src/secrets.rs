//! Secrets that the service makes: refresh tokens, client secrets and the first password. Only their hashes are kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh::time::Chance;
use sha2::{Digest, Sha256};

/// The SHA-256 of a text. Enough for secrets of 256 random bits; passwords are hashed with argon2id instead.
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// 256 random bits in base64url.
pub(crate) fn random_secret(chance: &Chance) -> String {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A password of 120 random bits that a person can type: six groups of four, from 32 letters and digits without
/// look-alikes.
pub(crate) fn random_password(chance: &Chance) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let group = |_| {
        (0..4)
            .map(|_| char::from(LETTERS[chance.below(32) as usize]))
            .collect::<String>()
    };
    (0..6).map(group).collect::<Vec<_>>().join("-")
}

/// A random id of 128 bits, in hexadecimal.
pub(crate) fn random_id(chance: &Chance) -> String {
    format!("{:016x}{:016x}", chance.u64(), chance.u64())
}

/// A refresh token: the id of its family, and a secret. `<32 hexadecimal digits>.<43 of base64url>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken<'a> {
    /// The family.
    pub(crate) session: &'a str,
    /// What proves its bearer.
    pub(crate) secret: &'a str,
}

impl<'a> RefreshToken<'a> {
    /// Reads a token; none when it has not the form of one.
    pub(crate) fn parse(token: &'a str) -> Option<RefreshToken<'a>> {
        let (session, secret) = token.split_once('.')?;
        let is_id = session.len() == 32 && session.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_secret = secret.len() == 43;
        (is_id && is_secret).then_some(RefreshToken { session, secret })
    }

    /// The token as its bearer keeps it.
    pub(crate) fn text(&self) -> String {
        format!("{}.{}", self.session, self.secret)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mesh::time::Chance;

    use super::{RefreshToken, random_id, random_password, random_secret, sha256};

    #[test]
    fn secrets_have_their_length_and_do_not_repeat() {
        let chance = Chance::from_entropy();
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let (secret, id, password) = (random_secret(&chance), random_id(&chance), random_password(&chance));
            assert_eq!((secret.len(), id.len(), password.len()), (43, 32, 29));
            assert!((12..=256).contains(&password.len()), "one that could be chosen");
            assert!(seen.insert(secret) && seen.insert(id) && seen.insert(password));
        }
    }

    #[test]
    fn refresh_tokens_read_back_and_others_do_not() {
        let chance = Chance::seeded(1);
        let (session, secret) = (random_id(&chance), random_secret(&chance));
        let token = RefreshToken {
            session: &session,
            secret: &secret,
        };
        assert_eq!(RefreshToken::parse(&token.text()), Some(token));
        let upper = token.text().to_uppercase();
        let long = format!("{}x", token.text());
        for text in ["", ".", "a.b", &session, &upper, &long] {
            assert_eq!(RefreshToken::parse(text), None, "{text}");
        }
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            hex::encode(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
