//! The faults that the exchange injects between itself and the platform while the load runs. Its ledger stays exact.

use bench::orders::Rest;
use serde_json::{Value, json};
use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What goes wrong: replies that come late, twice or out of order, connections that are cut before or after the venue has
/// acted, answers that say nothing of the outcome, events and market frames that are lost, doubled, late or out of order,
/// feeds that fall silent while their connection lives, and update ids that are damaged, which stands for a bad checksum.
/// Shares of requests and frames.
fn plan(seed: u64) -> Value {
    json!({"plan": {
        "seed": seed.to_string(), "scope": "FAULT_SCOPE_SIGNED",
        "replyDelay": 0.02, "replyDelayMinMs": 50, "replyDelayMaxMs": 400,
        "cutBeforeAcceptance": 0.005, "cutAfterAcceptance": 0.005, "unknownAfterAcceptance": 0.005,
        "userDrop": 0.005, "userDuplicate": 0.01, "userReorder": 0.01,
        "userDelay": 0.005, "userDelayMinMs": 50, "userDelayMaxMs": 300,
        "marketDrop": 0.0005, "marketDuplicate": 0.001, "marketReorder": 0.0005,
        "marketDelay": 0.001, "marketDelayMinMs": 50, "marketDelayMaxMs": 300,
        "stale": 0.0002, "staleMinMs": 500, "staleMaxMs": 2500, "depthDamage": 0.0005,
        "replyDuplicate": 0.2, "replyReorder": 0.2,
        "disconnect": 0.005,
    }})
}

/// Begins to inject.
///
/// # Errors
/// When the exchange refuses.
pub async fn begin(rest: &Rest, seed: u64) -> Outcome<()> {
    let answer = rest.post("/v1/exchange/faults", &plan(seed)).await;
    if answer.is_good() {
        return Ok(());
    }
    Err(format!("the faults are refused: {}", answer.error()).into())
}

/// Ends all faults. Returns what was injected, and how often.
///
/// # Errors
/// When the exchange refuses.
pub async fn end(rest: &Rest) -> Outcome<Vec<(String, u64)>> {
    let answer = rest.get("/v1/exchange/faults").await;
    let counts = answer.body["counts"].as_array().into_iter().flatten().map(|count| {
        let number = count["injected"].as_str().and_then(|text| text.parse().ok());
        (
            count["fault"].as_str().unwrap_or_default().to_owned(),
            number.unwrap_or_default(),
        )
    });
    let counts = counts.filter(|(_, number)| *number > 0).collect();
    let cleared = rest.post("/v1/exchange/faults:clear", &json!({})).await;
    if cleared.is_good() {
        return Ok(counts);
    }
    Err(format!("the faults do not end: {}", cleared.error()).into())
}
