//! For tests of services: dependencies without a process around them, and users' tokens without `auth`.

use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::EncodingKey;
use tonic::service::Routes;

use super::boot::store_of;
use super::readiness::Readiness;
use super::service::Deps;
use super::shutdown::Shutdown;
use crate::channel::{ChannelConfig, Channels};
use crate::identity::{
    AUDIENCE, Claims, ISSUER, PublicKey, ServiceIdentity, TokenType, USERS, Verifier, VerifierConfig, sign,
};
use crate::ids::Ids;
use crate::registry::{InProcess, LocalService};
use crate::server::{ServerConfig, layered};
use crate::store::StoreConfig;
use crate::time::{Chance, Clock};

/// Signs users' tokens. Trust its key: `verifier.trust(users.public_key())`.
pub struct Users {
    public: PublicKey,
    private: EncodingKey,
}

impl Users {
    /// A signer whose key follows from a seed.
    pub fn seeded(seed: u8) -> Users {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let der = key.to_pkcs8_der().expect("a key made of 32 bytes encodes");
        let public = PublicKey::new(USERS, key.verifying_key().to_bytes()).expect("a key's own public key is valid");
        Users {
            public,
            private: EncodingKey::from_ed_der(der.as_bytes()),
        }
    }

    /// The key that verifies the tokens.
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    /// A token for an hour.
    pub fn token(&self, clock: &Clock, subject: &str, roles: &[&str], accounts: &[&str]) -> String {
        let now_s = clock.now_micros().div_euclid(1_000_000);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: subject.to_owned(),
            roles: names(roles),
            accounts: names(accounts),
            jti: format!("{subject}-{now_s}"),
            iat: now_s,
            nbf: None,
            exp: now_s + 3_600,
            typ: TokenType::Access,
        };
        sign(&claims, &self.private, self.public.kid()).expect("an Ed25519 key signs")
    }
}

/// Services side by side in one process, without ports.
pub struct Bed {
    folder: std::path::PathBuf,
    clock: Clock,
    chance: Chance,
    shutdown: Shutdown,
    /// Where services and fakes are registered.
    pub in_process: InProcess,
    /// What every service verifies tokens with.
    pub verifier: Verifier,
    /// Signs users' tokens, which are trusted.
    pub users: Users,
}

impl Bed {
    /// A bed that keeps its files in a folder.
    pub fn new(folder: &Path, clock: Clock, chance: Chance) -> Bed {
        let verifier = Verifier::new(VerifierConfig::default(), clock.clone());
        let users = Users::seeded(1);
        verifier.trust(users.public_key());
        let (shutdown, _failures) = Shutdown::new();
        let (folder, in_process) = (folder.to_owned(), InProcess::default());
        Bed {
            folder,
            clock,
            chance,
            shutdown,
            in_process,
            verifier,
            users,
        }
    }

    /// The dependencies of a service.
    pub fn deps(&self, name: &str) -> Deps {
        let data_dir = self.folder.join(name);
        std::fs::create_dir_all(&data_dir).expect("the test's folder can be written");
        let identity = self.identity(name);
        Deps {
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            ids: Ids::new(self.clock.clone(), self.chance.clone()),
            channels: self.channels_of(identity.clone()),
            store: store_of(&StoreConfig::default(), &data_dir, name),
            data_dir,
            readiness: Readiness::default(),
            shutdown: self.shutdown.clone(),
            identity,
            verifier: self.verifier.clone(),
        }
    }

    /// Registers a service, or a fake of one, with all layers.
    pub fn register(&self, name: &str, routes: Routes) -> LocalService {
        let draining = self.shutdown.draining();
        let local = layered(
            name,
            routes,
            &ServerConfig::default(),
            &self.verifier,
            &self.chance,
            &draining,
        );
        self.in_process.register(name, local.clone());
        local
    }

    /// Channels of a service of this name.
    pub fn channels(&self, name: &str) -> Channels {
        self.channels_of(self.identity(name))
    }

    /// When everything ends.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    fn identity(&self, name: &str) -> ServiceIdentity {
        let identity = ServiceIdentity::load_or_create(&self.folder, name, &self.clock, &self.chance)
            .expect("the test's folder can be written");
        self.verifier.trust(identity.public_key().clone());
        identity
    }

    fn channels_of(&self, identity: ServiceIdentity) -> Channels {
        let registries = vec![Arc::new(self.in_process.clone()) as _];
        Channels::new(ChannelConfig::default(), registries, identity, self.chance.clone())
    }
}
