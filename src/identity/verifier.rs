//! Verification of tokens, cached by their hash.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};

use super::claims::{AUDIENCE, Claims, ISSUER, TokenType};
use super::keys::{Keys, PublicKey, USERS, public_keys};
use super::principal::{Grants, Principal, Role};
use crate::error::{Error, Result};
use crate::time::Clock;

/// The reason of a refusal that newer keys may change.
const KEY_UNKNOWN: &str = "TOKEN_KEY_UNKNOWN";
/// Keys of this age are as new as keys get, and this long an early fetch is waited for.
const FRESH: Duration = Duration::from_secs(1);
/// A service's first calls: `auth` finds its key within a second, and whoever is called fetches it within another.
const INTRODUCED: Duration = Duration::from_secs(3);

/// The bounds of verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerifierConfig {
    /// How long fetched keys verify after the last successful fetch, in seconds: how long `auth` may be down.
    pub keys_max_age_s: u64,
    /// How far two clocks may differ, in seconds.
    pub leeway_s: u64,
    /// How many verified tokens are remembered.
    pub cache_size: usize,
}

impl Default for VerifierConfig {
    fn default() -> Self {
        VerifierConfig {
            keys_max_age_s: 86_400,
            leeway_s: 5,
            cache_size: 10_000,
        }
    }
}

/// Verifies tokens against the keys in force. Cheap to clone; clones share keys and cache.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    config: VerifierConfig,
    clock: Clock,
    validation: Validation,
    state: RwLock<State>,
    unknown_key: Notify,
    /// Changes with every fetch.
    refreshed: watch::Sender<u64>,
    /// Whether somebody fetches keys at all.
    is_refreshed: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Keys that this process reads itself; they do not age.
    trusted: HashMap<String, PublicKey>,
    /// Keys that `auth` publishes.
    fetched: HashMap<String, PublicKey>,
    fetched_at: Option<Duration>,
    revoked: BTreeSet<String>,
    /// Revocations that this process made itself, with the token's expiry.
    revoked_here: HashMap<String, i64>,
    recent: HashMap<[u8; 32], Arc<Verified>>,
    older: HashMap<[u8; 32], Arc<Verified>>,
}

struct Verified {
    principal: Arc<Principal>,
    kind: TokenType,
    kid: String,
}

impl Verifier {
    /// A verifier that knows no key yet.
    pub fn new(config: VerifierConfig, clock: Clock) -> Verifier {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The times are checked against the injected clock, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Verifier(Arc::new(Inner {
            config,
            clock,
            validation,
            state: RwLock::default(),
            unknown_key: Notify::new(),
            refreshed: watch::Sender::default(),
            is_refreshed: AtomicBool::new(false),
        }))
    }

    /// Trusts a key that this process holds itself, whatever `auth` says.
    pub fn trust(&self, key: PublicKey) {
        self.0.state.write().trusted.insert(key.kid().to_owned(), key);
    }

    /// Trusts the published keys of a folder (see [`public_keys`]).
    ///
    /// # Errors
    /// `Invalid` naming the file that is no key.
    pub fn trust_folder(&self, folder: &Path) -> Result<()> {
        public_keys(folder)?.into_iter().for_each(|key| self.trust(key));
        Ok(())
    }

    /// Replaces the fetched keys and revocations with newer ones.
    pub fn replace(&self, keys: Keys) {
        let now = self.0.clock.monotonic();
        let fetched = keys.keys.into_iter().map(|key| (key.kid().to_owned(), key)).collect();
        let mut state = self.0.state.write();
        state.fetched = fetched;
        state.fetched_at = Some(now);
        state.revoked = keys.revoked_token_ids;
        drop(state);
        self.0.refreshed.send_modify(|fetches| *fetches += 1);
    }

    /// Revokes a token at once, until it expires.
    pub fn revoke(&self, token_id: impl Into<String>, expires_at_micros: i64) {
        let now = self.0.clock.now_micros();
        let leeway = self.leeway_micros();
        let mut state = self.0.state.write();
        state.revoked_here.retain(|_, expiry| *expiry + leeway > now);
        state.revoked_here.insert(token_id.into(), expires_at_micros);
    }

    /// How long ago keys and revocations were fetched; none before the first time.
    pub fn keys_age(&self) -> Option<Duration> {
        let fetched_at = self.0.state.read().fetched_at?;
        Some(self.0.clock.monotonic().saturating_sub(fetched_at))
    }

    /// Verifies an access token: whom the call is made for.
    ///
    /// # Errors
    /// `Unauthenticated` with the reason; `Unavailable` when the keys are too old to decide.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>> {
        self.verify_kind(token, TokenType::Access)
    }

    /// Verifies a service's own token.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_service(&self, token: &str) -> Result<Arc<Principal>> {
        self.verify_kind(token, TokenType::Service)
    }

    /// [`Verifier::verify`], after one early fetch of the keys when the token's key is not known yet.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub async fn verify_fresh(&self, token: &str) -> Result<Arc<Principal>> {
        self.fresh(token, TokenType::Access).await
    }

    /// [`Verifier::verify_service`], after early fetches of the keys, for seconds, while the token's key is not known yet.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub async fn verify_service_fresh(&self, token: &str) -> Result<Arc<Principal>> {
        self.fresh(token, TokenType::Service).await
    }

    async fn fresh(&self, token: &str, kind: TokenType) -> Result<Arc<Principal>> {
        let refreshed = self.0.refreshed.subscribe();
        let verified = self.verify_kind(token, kind);
        let patience = match kind {
            TokenType::Service => INTRODUCED,
            // Whoever makes keys up is not waited for more often than the keys are fetched.
            TokenType::Access if self.keys_age().is_some_and(|age| age < FRESH) => return verified,
            TokenType::Access => FRESH,
        };
        if !is_key_unknown(&verified) || !self.0.is_refreshed.load(Ordering::Relaxed) {
            return verified;
        }
        let known = tokio::time::timeout(patience, self.verify_refreshed(token, kind, refreshed));
        let verified = known.await.unwrap_or(verified);
        if self.keys_age().is_none() {
            // A process that has just started knows nothing of the token yet: that is no fault of the caller's.
            return verified.map_err(not_yet);
        }
        verified
    }

    /// Verifies with the next keys: a service's token again and again, since the first ones may be from before its key came.
    async fn verify_refreshed(
        &self,
        token: &str,
        kind: TokenType,
        mut refreshed: watch::Receiver<u64>,
    ) -> Result<Arc<Principal>> {
        loop {
            // The sender is this verifier's own.
            let _ = refreshed.changed().await;
            let verified = self.verify_kind(token, kind);
            if kind == TokenType::Access || !is_key_unknown(&verified) {
                return verified;
            }
        }
    }

    /// Says that somebody fetches keys, or is about to: tokens whose key is not known are held until then, for a moment.
    pub fn expect_keys(&self) {
        self.0.is_refreshed.store(true, Ordering::Relaxed);
    }

    /// Waits until a token names a key that is not known.
    pub(super) async fn unknown_key(&self) {
        self.expect_keys();
        self.0.unknown_key.notified().await;
    }

    fn verify_kind(&self, token: &str, kind: TokenType) -> Result<Arc<Principal>> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let verified = match self.cached(&hash) {
            Some(verified) => verified,
            None => self.remember(hash, self.check(token)?),
        };
        self.check_still_valid(&verified)?;
        if verified.kind != kind {
            return Err(refused(
                "TOKEN_TYPE",
                "the token is of another type than this place takes",
            ));
        }
        Ok(verified.principal.clone())
    }

    fn check(&self, token: &str) -> Result<Verified> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("TOKEN_MALFORMED", "not a token"))?;
        if header.alg != Algorithm::EdDSA {
            return Err(refused("TOKEN_ALGORITHM", "tokens are signed with EdDSA"));
        }
        let kid = header
            .kid
            .ok_or_else(|| refused("TOKEN_MALFORMED", "the token names no key"))?;
        let key = self.with_key(&kid, PublicKey::clone)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding_key(), &self.0.validation)
            .map_err(|error| refused("TOKEN_INVALID", format!("the token does not verify: {error}")))?
            .claims;
        check_owner(&claims, key.owner())?;
        self.check_not_before(&claims)?;
        Ok(Verified {
            principal: Arc::new(principal(&claims)?),
            kind: claims.typ,
            kid,
        })
    }

    /// What can change while a token is remembered: its key, its revocation, its expiry.
    fn check_still_valid(&self, verified: &Verified) -> Result<()> {
        self.with_key(&verified.kid, |_| ())?;
        let principal = &verified.principal;
        let now = self.0.clock.now_micros();
        if principal.expires_at_micros + self.leeway_micros() <= now {
            return Err(refused("TOKEN_EXPIRED", "the token has expired"));
        }
        let state = self.0.state.read();
        if state.revoked.contains(&principal.token_id) || state.revoked_here.contains_key(&principal.token_id) {
            return Err(refused("TOKEN_REVOKED", "the token was revoked"));
        }
        Ok(())
    }

    fn check_not_before(&self, claims: &Claims) -> Result<()> {
        let earliest = seconds_to_micros(claims.nbf.unwrap_or(claims.iat));
        if self.0.clock.now_micros() + self.leeway_micros() < earliest {
            return Err(refused("TOKEN_NOT_YET_VALID", "the token is not valid yet"));
        }
        Ok(())
    }

    fn with_key<T>(&self, kid: &str, read: impl FnOnce(&PublicKey) -> T) -> Result<T> {
        let state = self.0.state.read();
        if let Some(key) = state.trusted.get(kid) {
            return Ok(read(key));
        }
        let Some(key) = state.fetched.get(kid) else {
            self.0.unknown_key.notify_one();
            return Err(refused(KEY_UNKNOWN, "the token's key is not known"));
        };
        let age = self
            .0
            .clock
            .monotonic()
            .saturating_sub(state.fetched_at.unwrap_or_default());
        if age > Duration::from_secs(self.0.config.keys_max_age_s) {
            let message = "the keys are too old to verify tokens with";
            return Err(Error::unavailable("KEYS_TOO_OLD", message).with("age_s", age.as_secs()));
        }
        Ok(read(key))
    }

    fn cached(&self, hash: &[u8; 32]) -> Option<Arc<Verified>> {
        let state = self.0.state.read();
        state.recent.get(hash).or_else(|| state.older.get(hash)).cloned()
    }

    /// Two generations of half the size each: what was verified lately stays, at the cost of no list.
    fn remember(&self, hash: [u8; 32], verified: Verified) -> Arc<Verified> {
        let verified = Arc::new(verified);
        let mut state = self.0.state.write();
        if state.recent.len() >= (self.0.config.cache_size / 2).max(1) {
            state.older = std::mem::take(&mut state.recent);
        }
        state.recent.insert(hash, verified.clone());
        verified
    }

    fn leeway_micros(&self) -> i64 {
        seconds_to_micros(i64::try_from(self.0.config.leeway_s).unwrap_or(i64::MAX))
    }
}

/// An unknown key where no key was ever fetched is "not now"; everything else stays as it is.
fn not_yet(error: Error) -> Error {
    if error.reason() == KEY_UNKNOWN {
        Error::unavailable("KEYS_NOT_READY", "the keys that verify tokens are not there yet")
    } else {
        error
    }
}

/// A service's key signs that service's tokens and no others; only the users' keys sign access tokens.
fn check_owner(claims: &Claims, owner: &str) -> Result<()> {
    let owned = match claims.typ {
        TokenType::Access => owner == USERS,
        TokenType::Service => owner != USERS && owner == claims.sub,
    };
    if owned {
        Ok(())
    } else {
        Err(refused("TOKEN_OWNER", "the token's key belongs to somebody else"))
    }
}

fn principal(claims: &Claims) -> Result<Principal> {
    let roles = match claims.typ {
        TokenType::Service => BTreeSet::from([Role::Service]),
        TokenType::Access => user_roles(&claims.roles)?,
    };
    Ok(Principal {
        subject: claims.sub.clone(),
        roles,
        grants: Grants::from_names(claims.accounts.iter().cloned()),
        token_id: claims.jti.clone(),
        expires_at_micros: seconds_to_micros(claims.exp),
    })
}

fn user_roles(names: &[String]) -> Result<BTreeSet<Role>> {
    let roles = names
        .iter()
        .map(|name| name.parse::<Role>())
        .collect::<Result<BTreeSet<Role>>>();
    match roles {
        Ok(roles) if !roles.contains(&Role::Service) => Ok(roles),
        _ => Err(refused("TOKEN_ROLE", "the token claims a role that it may not have")),
    }
}

fn refused(reason: &'static str, message: impl Into<String>) -> Error {
    Error::unauthenticated(reason, message)
}

fn seconds_to_micros(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000)
}

fn is_key_unknown(verified: &Result<Arc<Principal>>) -> bool {
    verified.as_ref().is_err_and(|error| error.reason() == KEY_UNKNOWN)
}

#[cfg(test)]
mod tests;
