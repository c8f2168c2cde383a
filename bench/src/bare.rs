//! The least that a durable answer over REST costs, as a peer of the platform on the same machine: a bare server that takes
//! the same requests on the same paths, appends each to a file and answers once it is durable. No login, no risk gate, no
//! venue. Its instruments and quotes are those that the simulated exchange opens with, and stand still.

mod log;

use crate::Outcome;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use exchange::core::filters::MIN_NOTIONAL;
use exchange::core::listing::{Listing, catalogue};
use exchange::core::units::{Atoms, show};
use log::Log;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The file of the records.
const FILE: &str = "log";
/// Bytes of a record: about what trading writes for an order until its answer. A longer request is a longer record.
const RECORD: usize = 300;
/// What stands behind the order in the path of a cancel.
const CANCEL: &str = ":cancel";

/// What the routes stand on.
#[derive(Debug)]
struct Bare {
    log: Log,
    made: AtomicU64,
    instruments: String,
    quotes: String,
}

/// Serves on a free port, whose address is the first line on stdout, until stdin is closed: it ends with whoever started it.
///
/// # Errors
/// When it cannot listen, or `folder` takes no file.
pub(crate) fn run(folder: &std::path::Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let log = Log::create(&folder.join(FILE))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        serve(listener, log, stdin_closed()).await
    })
}

fn stdin_closed() -> oneshot::Receiver<()> {
    let (closed, is_closed) = oneshot::channel();
    std::thread::spawn(move || {
        // An error ends it as the end of the input does.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(closed);
    });
    is_closed
}

/// Serves until `end` is answered or dropped.
async fn serve(listener: TcpListener, log: Log, end: oneshot::Receiver<()>) -> Outcome {
    let listener = listener.tap_io(|stream| {
        // An answer that waits for the next packet is slower, and still an answer.
        let _ = stream.set_nodelay(true);
    });
    tokio::select! {
        served = axum::serve(listener, router(log)).into_future() => served?,
        _ = end => {}
    }
    Ok(())
}

fn router(log: Log) -> Router {
    let listings = catalogue(exchange::Config::default().symbols);
    let list = |one: fn(&Listing) -> Value| listings.iter().map(one).collect::<Vec<_>>();
    let bare = Bare {
        log,
        made: AtomicU64::new(0),
        instruments: json!({ "instruments": list(instrument) }).to_string(),
        quotes: json!({ "quotes": list(quote) }).to_string(),
    };
    Router::new()
        .route("/v1/accounts/{account}/orders", post(submit))
        .route("/v1/accounts/{account}/orders/{order}", post(cancel))
        .route(
            "/v1/instruments",
            get(|State(bare): State<Arc<Bare>>| async move { answer(bare.instruments.clone()) }),
        )
        .route(
            "/v1/quotes",
            get(|State(bare): State<Arc<Bare>>| async move { answer(bare.quotes.clone()) }),
        )
        .with_state(Arc::new(bare))
}

async fn submit(State(bare): State<Arc<Bare>>, Path(account): Path<String>, body: String) -> Response {
    let number = bare.made.fetch_add(1, Ordering::Relaxed) + 1;
    bare.keep(&format!("bare-{number}"), &format!("submit {account} {body}"))
        .await
}

async fn cancel(
    State(bare): State<Arc<Bare>>,
    Path((account, order)): Path<(String, String)>,
    body: String,
) -> Response {
    match order.strip_suffix(CANCEL) {
        Some(order) => bare.keep(order, &format!("cancel {account} {body}")).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Bare {
    /// Makes a request durable, and answers with the order that it is about.
    async fn keep(&self, order: &str, request: &str) -> Response {
        let record = format!("{:<width$}\n", format!("{order} {request}"), width = RECORD - 1);
        match self.log.append(record).await {
            true => answer(json!({ "order": { "orderId": order } }).to_string()),
            false => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

fn answer(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn instrument(listing: &Listing) -> Value {
    json!({
        "symbol": listing.symbol, "tickSize": show(listing.tick()), "lotSize": show(listing.lot()),
        "minQuantity": show(listing.lot()), "minNotional": show(MIN_NOTIONAL),
    })
}

fn quote(listing: &Listing) -> Value {
    let bid = listing.ticks_of(listing.start_price);
    let price = |ticks: i64| json!({ "price": show(Atoms::from(ticks) * listing.tick()) });
    json!({
        "symbol": listing.symbol, "state": "BOOK_STATE_LIVE", "bid": price(bid), "ask": price(bid + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::log::Log;
    use super::{FILE, RECORD, serve};
    use bench::orders::{Kind, Load, Market, Plan, Rest};
    use serde_json::json;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    async fn start(log: Log) -> (Rest, oneshot::Sender<()>, JoinHandle<crate::Outcome>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (end, is_over) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, log, is_over));
        (Rest::new(&url, 8, Duration::from_secs(10)).unwrap(), end, serving)
    }

    /// The records in the file; the room behind them is not written yet.
    fn records(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let written = text.trim_end_matches('\0');
        assert!(written.is_empty() || written.ends_with('\n'));
        written.lines().map(str::to_owned).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_answered_stands_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (rest, end, serving) = start(Log::create(&path).unwrap()).await;
        let body = json!({ "clientOrderId": "one", "symbol": "BTCUSDT" });

        let submitted = rest.post("/v1/accounts/paper-1/orders", &body).await;
        assert!(submitted.is_good(), "{}", submitted.error());
        assert_eq!(submitted.body["order"]["orderId"], "bare-1");
        let cancel = json!({ "requestId": "two" });
        let cancelled = rest.post("/v1/accounts/paper-1/orders/bare-1:cancel", &cancel).await;
        assert_eq!(cancelled.body["order"]["orderId"], "bare-1");
        let unknown = rest.post("/v1/accounts/paper-1/orders/bare-1:amend", &cancel).await;
        assert_eq!(unknown.status, 404);
        let kept = records(&path);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0].trim_end(), format!("bare-1 submit paper-1 {body}"));
        assert_eq!(kept[1].trim_end(), format!("bare-1 cancel paper-1 {cancel}"));
        assert!(kept.iter().all(|record| record.len() + 1 == RECORD));

        drop(end);
        serving.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_load_of_the_platform_runs_against_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (rest, _end, _serving) = start(Log::create(&path).unwrap()).await;
        let market = Arc::new(Market::live(&rest).await.unwrap());
        let plan = Plan {
            rate: 1_000,
            accounts: vec!["paper-1".to_owned(), "paper-2".to_owned()],
            connections: 8,
            seed: 1,
            prefix: "load-".to_owned(),
        };
        let load = Arc::new(Load::new(rest, market, plan));
        // Enough of the first ones rest for the others to cancel some.
        for millis in [500, 300] {
            load.clone().send_all(Duration::from_millis(millis)).await.unwrap();
        }
        let tally = load.take_tally();
        assert_eq!((tally.all().answered(), tally.all().refused()), (800, 0));
        let cancels = records(&path)
            .iter()
            .filter(|record| record.contains(" cancel "))
            .count();
        assert_eq!(cancels, tally.of(Kind::Cancel).answered());
        assert!(cancels > 0);
        assert_eq!(records(&path).len(), 800);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_acknowledged_that_the_file_did_not_take() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "").unwrap();
        let not_writable = std::fs::File::open(&path).unwrap();
        let (rest, _end, _serving) = start(Log::over(not_writable)).await;
        for _ in 0..2 {
            let submitted = rest.post("/v1/accounts/paper-1/orders", &json!({})).await;
            assert_eq!(submitted.status, 500);
        }
        assert!(records(&path).is_empty());
    }
}
