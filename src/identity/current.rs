//! The caller on whose behalf the running task works.

use std::future::Future;
use std::sync::Arc;

use super::Principal;

/// A verified caller with the token to forward.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The verified principal.
    pub principal: Arc<Principal>,
    /// The access token, without `Bearer`.
    pub token: Arc<str>,
}

tokio::task_local! {
    static CURRENT: Option<Caller>;
}

/// The caller of the running task; none outside a call, and in tasks that a call has spawned.
pub fn current() -> Option<Caller> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Runs a future on behalf of a caller (or of nobody but the service itself).
pub fn with<F: Future>(caller: Option<Caller>, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(caller, future)
}

/// Runs a closure on behalf of a caller.
pub(crate) fn with_sync<T>(caller: Option<Caller>, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(caller, run)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Caller, current, with, with_sync};
    use crate::identity::{Grants, Principal};

    #[tokio::test]
    async fn the_caller_is_known_only_inside_its_scope() {
        let caller = Caller {
            principal: Arc::new(Principal {
                subject: "ada".to_owned(),
                roles: [].into(),
                grants: Grants::All,
                token_id: "1".to_owned(),
                expires_at_micros: 0,
            }),
            token: "token".into(),
        };
        assert!(current().is_none());
        let seen = with(Some(caller.clone()), async {
            current().map(|caller| caller.principal.subject.clone())
        })
        .await;
        assert_eq!(seen.as_deref(), Some("ada"));
        assert!(with(None, async { current() }).await.is_none());
        assert!(with_sync(Some(caller), current).is_some());
        assert!(current().is_none());
    }
}
