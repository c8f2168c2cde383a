//! `trademesh quote`, and how a quote is shown.

use crate::args::Client;
use crate::client::{authorised, unary};
use crate::output::{Format, or_dash, print, short, table};
use mesh::error::Result;
use mesh::pb::data as pb;
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;

/// The heading of a table of quotes.
pub(super) const HEADING: [&str; 8] = [
    "symbol", "bid", "bid size", "ask", "ask size", "last", "state", "age ms",
];

/// Shows the best prices of symbols.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn quote(symbols: &[String], options: &Client) -> Result<()> {
    let mut client = MarketDataServiceClient::new(authorised(options).await?);
    let answer = client
        .list_quotes(unary(pb::ListQuotesRequest {
            symbols: symbols.to_vec(),
        }))
        .await?
        .into_inner();
    print(Format::from_flag(options.json), &answer, |answer| {
        table(&HEADING, answer.quotes.iter().map(quote_row).collect())
    })
}

/// One row of it.
pub(super) fn quote_row(quote: &pb::Quote) -> Vec<String> {
    let side = |level: &Option<pb::Level>| {
        let level = level.clone().unwrap_or_default();
        (or_dash(&level.price), or_dash(&level.quantity))
    };
    let (bid, bid_size) = side(&quote.bid);
    let (ask, ask_size) = side(&quote.ask);
    vec![
        quote.symbol.clone(),
        bid,
        bid_size,
        ask,
        ask_size,
        or_dash(&quote.last_price),
        short(quote.state().as_str_name(), "BOOK_STATE_"),
        (quote.age_us / 1000).to_string(),
    ]
}
