//! Several orders or cancels of one account in one call: each entry is decided and answered by itself, in order, and all of
//! them are durable by one commit, since they reach the account's shard as one letter. A call with an entry that does not fit
//! the proto never gets here: nothing of it is decided.

use super::fields::{mismatch, parse};
use super::{Rpcs, order};
use crate::codec::entry_result;
use crate::core::{Cancel, Command};
use crate::error::other_answer;
use crate::metrics;
use crate::shard::Reply;
use domain::AccountId;
use mesh::Result;
use mesh::pb::trading as pb;

/// Submits each.
pub(super) async fn submit(rpcs: &Rpcs, request: pb::SubmitOrdersRequest) -> Result<pb::SubmitOrdersResponse> {
    let began = rpcs.clock.monotonic();
    let (account, shard) = rpcs.account(&request.account_id)?;
    let entries = request.orders.into_iter().map(|mut entry| {
        adopt(&account, &mut entry.account_id)?;
        super::orders::submit(&entry).map(Command::Submit)
    });
    let (commands, faults) = apart(entries);
    let replies = match commands.is_empty() {
        true => Vec::new(),
        false => shard.submit_each(commands).await?,
    };
    metrics::accept_latency(rpcs.clock.monotonic().saturating_sub(began));
    Ok(pb::SubmitOrdersResponse {
        results: together(replies, faults)?,
    })
}

/// Cancels each.
pub(super) async fn cancel(rpcs: &Rpcs, request: pb::CancelOrdersRequest) -> Result<pb::CancelOrdersResponse> {
    let (account, shard) = rpcs.account(&request.account_id)?;
    let entries = request.cancels.into_iter().map(|mut entry| {
        adopt(&account, &mut entry.account_id)?;
        Ok(Command::Cancel(Cancel {
            account: account.clone(),
            order_id: parse("order_id", &entry.order_id)?,
            request_id: entry.request_id,
        }))
    });
    let (commands, faults) = apart(entries);
    let replies = match commands.is_empty() {
        true => Vec::new(),
        false => shard.urgent_each(commands).await?,
    };
    Ok(pb::CancelOrdersResponse {
        results: together(replies, faults)?,
    })
}

/// The grant was checked on the account of the call: an entry must not name another one.
fn adopt(account: &AccountId, named: &mut String) -> Result<()> {
    if named.is_empty() {
        account.as_str().clone_into(named);
    }
    if named == account.as_str() {
        return Ok(());
    }
    Err(mismatch("account_id", "an entry's account is that of the call"))
}

/// The commands to decide, and the faults at their places: none is a command.
fn apart(entries: impl Iterator<Item = Result<Command>>) -> (Vec<Command>, Vec<Option<mesh::Error>>) {
    let mut commands = Vec::new();
    let faults = entries.map(|entry| match entry {
        Ok(command) => {
            commands.push(command);
            None
        }
        Err(fault) => Some(fault),
    });
    let faults = faults.collect();
    (commands, faults)
}

/// Replies and faults in the order of the request.
fn together(replies: Vec<Result<Reply>>, faults: Vec<Option<mesh::Error>>) -> Result<Vec<pb::EntryResult>> {
    let mut replies = replies.into_iter();
    let results = faults.into_iter().map(|fault| match fault {
        Some(fault) => Ok(entry_result(Err(fault))),
        None => {
            let reply = replies.next().ok_or_else(other_answer)?;
            let outcome = reply.and_then(order).and_then(|order| order.ok_or_else(other_answer));
            Ok(entry_result(outcome))
        }
    });
    results.collect()
}
