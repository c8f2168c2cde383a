//! `trademesh bench`: the load of `bench/`, sent to a running mesh.

use crate::args::{Bench, BenchOrders};
use crate::client::{authorised, session, unary};
use crate::output::{Format, print, table};
use bench::orders::{Door, Grpc, Kind, Load, Market, Plan, Rest, Tally};
use mesh::error::{Error, Kind as ErrorKind, Result};
use mesh::ids::Ids;
use mesh::pb::exchange::ListVenueAccountsRequest;
use mesh::pb::exchange::exchange_service_client::ExchangeServiceClient;
use mesh::pb::trading::ListAccountsRequest;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::time::{Chance, Clock};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request that has no answer after this failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 connections; each carries many requests.
const GRPC_CONNECTIONS: u32 = 4;
/// How often the progress is drawn, and quotes and token are renewed.
const TURN: Duration = Duration::from_secs(1);
/// How wide the bar is.
const WIDTH: usize = 30;
/// Items of a page.
const PAGE: i32 = 1_000;

/// Measures.
///
/// # Errors
/// When nobody is logged in, no account may be traded, an account is not paper, or the gateway does not answer.
pub(crate) async fn bench(what: &Bench) -> Result<()> {
    let Bench::Orders(options) = what;
    let accounts = accounts(options).await?;
    let rest = Rest::new(&options.client.server, options.connections, TIMEOUT).map_err(failed)?;
    rest.set_token(&session(&options.client).await?.1.access_token);
    let market = Arc::new(Market::live(&rest).await.map_err(failed)?);
    let plan = Plan {
        rate: options.rate,
        accounts: accounts.clone(),
        connections: options.connections,
        seed: options.seed,
        prefix: prefix(),
    };
    let door: Door = match options.grpc {
        true => Grpc::connect(&options.client.server, &rest.token(), GRPC_CONNECTIONS, TIMEOUT)
            .await
            .map_err(failed)?
            .into(),
        false => rest.clone().into(),
    };
    let load = Arc::new(Load::new(door.clone(), market.clone(), plan));
    let begun = Instant::now();
    let mut sending = tokio::spawn(load.clone().send_all(options.duration));
    let mut total = Tally::new();
    let mut in_flight = 0;
    let mut turns = tokio::time::interval_at((begun + TURN).into(), TURN);
    loop {
        let is_over = tokio::select! {
            sent = &mut sending => {
                sent.map_err(failed)?.map_err(failed)?;
                true
            }
            _ = turns.tick() => false,
        };
        let window = load.take_tally();
        total.add(&window).map_err(failed)?;
        if is_over {
            break;
        }
        in_flight = load.in_flight().max(in_flight);
        draw(&progress(begun.elapsed(), options.duration, &window, load.in_flight()));
        // The last quotes stay until there are others; so does the token.
        market.refresh(&rest).await;
        if let Ok((_, session)) = session(&options.client).await {
            rest.set_token(&session.access_token);
            door.set_token(&session.access_token).map_err(failed)?;
        }
    }
    draw("\n");
    let took = begun.elapsed();
    let tidied = load.cancel_resting().await.map_err(failed)?;
    let measured = Measured {
        options,
        accounts: accounts.len(),
        total: &total,
        took,
        in_flight,
        tidied,
    };
    print(Format::from_flag(options.client.json), &measured.json(), |_| {
        measured.text()
    })
}

/// The accounts that are traded.
async fn accounts(options: &BenchOrders) -> Result<Vec<String>> {
    let channel = authorised(&options.client).await?;
    let request = ListAccountsRequest {
        page_size: PAGE,
        page_token: String::new(),
    };
    let listed = TradingServiceClient::new(channel.clone())
        .list_accounts(unary(request))
        .await?;
    let listed = listed
        .into_inner()
        .accounts
        .into_iter()
        .map(|account| account.account_id);
    let is_wanted = |account: &String| options.accounts.is_empty() || options.accounts.contains(account);
    let accounts: Vec<String> = listed.filter(is_wanted).collect();
    if accounts.is_empty() {
        return Err(Error::refused(
            "NO_ACCOUNTS",
            "there is no such account that this session may trade",
        ));
    }
    if options.yes_live {
        return Ok(accounts);
    }
    let paper = paper(ExchangeServiceClient::new(channel)).await?;
    match accounts.iter().find(|account| !paper.contains(*account)) {
        None => Ok(accounts),
        Some(account) => Err(not_paper(account)),
    }
}

/// The accounts that the mesh's own simulated exchange has opened.
async fn paper<T>(mut exchange: ExchangeServiceClient<T>) -> Result<BTreeSet<String>>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<tonic::codegen::StdError>,
    T::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let mut names = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = ListVenueAccountsRequest {
            page_size: PAGE,
            page_token,
        };
        let page = match exchange.list_venue_accounts(unary(request)).await.map_err(Error::from) {
            Ok(page) => page.into_inner(),
            // A mesh without a simulated exchange, or a session that may not look at it: nothing is known to be paper.
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable) => return Ok(names),
            Err(error) => return Err(error),
        };
        names.extend(page.accounts.into_iter().map(|account| account.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(names);
        }
    }
}

fn not_paper(account: &str) -> Error {
    let message = format!(
        "account {account} is not known to be paper: the mesh's simulated exchange has no such account, or this session \
         may not look. With --yes-live real orders are sent"
    );
    Error::refused("NOT_PAPER", message).with("account", account)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::unavailable("BENCH_FAILED", error.to_string())
}

/// Ids of this run: no other run has them.
fn prefix() -> String {
    let id = Ids::new(Clock::system(), Chance::from_entropy()).next();
    // What is random in it is at its end.
    let start = id.len().saturating_sub(12);
    format!("bench-{}-", &id[start..])
}

/// What the progress is while requests are sent.
fn progress(elapsed: Duration, whole: Duration, window: &Tally, in_flight: u64) -> String {
    let share = (elapsed.as_secs_f64() / whole.as_secs_f64()).min(1.0);
    let done = (share * WIDTH as f64) as usize;
    let answered = window.of(Kind::Submit).answered() + window.of(Kind::Cancel).answered();
    format!(
        "\r[{}{}] {:3.0} %  {answered}/s  submit p99 {:.1} ms  in flight {in_flight}   ",
        "#".repeat(done),
        ".".repeat(WIDTH - done),
        share * 100.0,
        window.of(Kind::Submit).latency_ms(0.99)
    )
}

/// Draws on stderr, for people only.
fn draw(text: &str) {
    let mut error = std::io::stderr().lock();
    if error.is_terminal() {
        // Nobody reads: the measurement goes on.
        let _ = write!(error, "{text}").and_then(|()| error.flush());
    }
}

/// What was measured.
struct Measured<'a> {
    options: &'a BenchOrders,
    accounts: usize,
    total: &'a Tally,
    took: Duration,
    in_flight: u64,
    tidied: (usize, usize),
}

/// The quantiles that are shown.
const SHARES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

impl Measured<'_> {
    fn json(&self) -> Value {
        let kind = |kind: Kind| {
            let measured = self.total.of(kind);
            let mut of_kind = json!({"answered": measured.answered(), "failed": measured.refused()});
            for (name, share) in SHARES {
                of_kind[format!("{name}_ms")] = json!(measured.latency_ms(share));
            }
            of_kind
        };
        let errors: serde_json::Map<String, Value> = self
            .total
            .errors()
            .map(|(error, count)| (error.clone(), json!(count)))
            .collect();
        json!({
            "rate": self.options.rate, "duration_s": self.options.duration.as_secs(), "accounts": self.accounts,
            "took_s": self.took.as_secs_f64(), "most_in_flight": self.in_flight,
            "submit": kind(Kind::Submit), "cancel": kind(Kind::Cancel), "errors": errors,
            "cancelled_at_the_end": self.tidied.0, "not_cancelled": self.tidied.1,
        })
    }

    fn text(&self) -> String {
        let rows = [Kind::Submit, Kind::Cancel].map(|kind| {
            let measured = self.total.of(kind);
            let rate = measured.answered() as f64 / self.took.as_secs_f64();
            let mut row = vec![kind.name().to_owned(), format!("{rate:.1}")];
            row.extend(SHARES.map(|(_, share)| format!("{:.2}", measured.latency_ms(share))));
            row.push(measured.refused().to_string());
            row
        });
        let heading = [
            "ms from when due",
            "answers a second",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max",
            "failed",
        ];
        let mut text = format!(
            "{} requests a second due for {} s, {} accounts; at most {} in flight\n{}",
            self.options.rate,
            self.options.duration.as_secs(),
            self.accounts,
            self.in_flight,
            table(&heading, rows.to_vec())
        );
        for (error, count) in self.total.errors() {
            text.push_str(&format!("\n{count} x {error}"));
        }
        let (rested, left) = self.tidied;
        text.push_str(&format!("\n{rested} orders still rested and were cancelled"));
        if left > 0 {
            text.push_str(&format!("; {left} of them could not be: see `trademesh orders --open`"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Measured, failed, not_paper, prefix, progress};
    use crate::args::{Bench, Cli, Command};
    use bench::orders::{Kind, Tally};
    use clap::Parser;
    use std::time::Duration;

    #[test]
    fn progress_grows_to_the_whole() {
        let mut window = Tally::new();
        window.record(Kind::Submit, Duration::from_millis(2), None);
        let half = progress(Duration::from_secs(5), Duration::from_secs(10), &window, 3);
        assert!(half.contains("[###############...............]  50 %  1/s"), "{half}");
        let over = progress(Duration::from_secs(11), Duration::from_secs(10), &window, 0);
        assert!(over.contains("100 %") && !over.contains(".]"), "{over}");
    }

    #[test]
    fn errors_and_what_still_rests_are_told() {
        let cli = Cli::try_parse_from(["trademesh", "bench", "orders", "--duration", "2s"]).unwrap();
        let Command::Bench { what } = cli.command else {
            panic!("it is a bench")
        };
        let Bench::Orders(options) = &what;
        let mut total = Tally::new();
        total.record(
            Kind::Cancel,
            Duration::from_millis(4),
            Some("404 ORDER_NOT_FOUND".to_owned()),
        );
        let mut measured = Measured {
            options,
            accounts: 2,
            total: &total,
            took: Duration::from_secs(2),
            in_flight: 5,
            tidied: (7, 0),
        };
        let text = measured.text();
        assert!(text.contains("1 x cancel: 404 ORDER_NOT_FOUND"), "{text}");
        assert!(
            text.contains("7 orders still rested") && !text.contains("could not be"),
            "{text}"
        );
        measured.tidied = (7, 2);
        assert!(measured.text().contains("2 of them could not be"));
        let json = measured.json();
        assert_eq!(
            (&json["cancel"]["failed"], &json["not_cancelled"]),
            (&1.into(), &2.into())
        );
        assert_eq!(json["errors"]["cancel: 404 ORDER_NOT_FOUND"], 1);
        assert_eq!(failed("why").reason(), "BENCH_FAILED");
        assert_eq!(not_paper("live-1").context()["account"], "live-1");
        assert!(prefix().len() <= 24 && prefix() != prefix());
    }
}
