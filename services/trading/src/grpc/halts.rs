//! Halts over all shards: whole or, if the process ends in between, whole again when it starts.

use super::Rpcs;
use super::fields::parse;
use crate::codec::{HaltMessage, halt_to_pb};
use crate::core::{CancelAll, Command, Halt, HaltScope, LiftHalt, OrderMatch, SetHalt};
use crate::error::other_answer;
use crate::shard::Reply;
use domain::{AccountId, Timestamp};
use mesh::{Error, Result};

/// Sets a halt at every shard that it concerns, then cancels what it covers, if asked to. Returns the halt, and how many
/// orders are on their way to an end.
pub(super) async fn set(rpcs: &Rpcs, halt: SetHalt) -> Result<(Option<HaltMessage>, usize)> {
    let rpcs = rpcs.clone();
    whole(async move {
        if rpcs.open.get().is_none()
            && let Some(cancelling) = early(&rpcs, &halt).await?
        {
            return Ok((Some(halt_to_pb(&as_kept(&rpcs, halt))), cancelling));
        }
        let _turn = rpcs.halting.lock().await;
        let mut answer = None;
        for shard in rpcs.halted_shards(halt.scope, &halt.target)? {
            match shard.urgent(Command::Halt(halt.clone())).await? {
                Reply::Halts(halts) => answer = answer.or(halts.into_iter().next()),
                _ => return Err(other_answer()),
            }
        }
        let cancelling = if halt.cancel_orders {
            cancel(&rpcs, &halt).await?
        } else {
            0
        };
        Ok((answer, cancelling))
    })
    .await
}

/// Lifts a halt at every shard.
pub(super) async fn lift(rpcs: &Rpcs, lift: LiftHalt) -> Result<()> {
    let rpcs = rpcs.clone();
    whole(async move {
        let _turn = rpcs.halting.lock().await;
        for shard in rpcs.halted_shards(lift.scope, &lift.target)? {
            shard.urgent(Command::Resume(lift.clone())).await?;
        }
        Ok(())
    })
    .await
}

/// Before the journals are replayed: none when they are by now.
async fn early(rpcs: &Rpcs, halt: &SetHalt) -> Result<Option<usize>> {
    if halt.scope == HaltScope::Account {
        rpcs.known(&parse("target", &halt.target)?)?;
    }
    rpcs.early.halt(halt).await
}

fn as_kept(rpcs: &Rpcs, halt: SetHalt) -> Halt {
    Halt {
        scope: halt.scope,
        target: halt.target,
        reason: halt.reason,
        subject: halt.subject,
        time: Timestamp::from_micros(rpcs.clock.now_micros()),
        cancel_orders: halt.cancel_orders,
    }
}

/// An account at a time, so that no decision is larger than one account's orders.
async fn cancel(rpcs: &Rpcs, halt: &SetHalt) -> Result<usize> {
    let Some(which) = orders_of(rpcs, halt) else {
        return Ok(0);
    };
    let is_meant = |account: &AccountId| halt.scope != HaltScope::Account || account.as_str() == halt.target;
    let accounts: Vec<AccountId> = rpcs
        .accounts
        .keys()
        .filter(|account| is_meant(account))
        .cloned()
        .collect();
    let mut count = 0;
    for account in accounts {
        let command = Command::CancelAll(CancelAll {
            account: account.clone(),
            which: which.clone(),
            request_id: "halt".to_owned(),
        });
        match rpcs.shard_of(&account)?.urgent(command).await? {
            Reply::Orders(orders) => count += orders.len(),
            _ => return Err(other_answer()),
        }
    }
    Ok(count)
}

/// Which orders of an account a halt covers; none when it is about another venue.
fn orders_of(rpcs: &Rpcs, halt: &SetHalt) -> Option<OrderMatch> {
    let mut which = OrderMatch::default();
    match halt.scope {
        HaltScope::Global | HaltScope::Account => {}
        HaltScope::Venue if halt.target != rpcs.venue.as_str() => return None,
        HaltScope::Venue => {}
        HaltScope::Symbol => which.symbol = halt.target.parse().ok(),
        HaltScope::Strategy => which.strategy = halt.target.parse().ok(),
    }
    Some(which)
}

/// Runs to its end even when the caller goes away: a halt is not left on half of the shards.
async fn whole<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let done = tokio::spawn(work).await;
    done.map_err(|error| Error::internal("TASK_FAILED", error.to_string()))?
}
