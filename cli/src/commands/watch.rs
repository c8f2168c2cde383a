//! `trademesh watch`: one line a message until Ctrl-C, or until enough were seen.

use super::{orders, positions, quote};
use crate::args::{Topic, Watch};
use crate::client::{Authorised, authorised};
use crate::output::{Format, print};
use mesh::error::{Error, Result};
use mesh::pb::data::StreamQuotesRequest;
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::pb::portfolio::StreamPortfolioRequest;
use mesh::pb::portfolio::portfolio_service_client::PortfolioServiceClient;
use mesh::pb::trading::StreamOrderEventsRequest;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use serde::Serialize;
use tonic::Streaming;

/// Follows the topic.
///
/// # Errors
/// When the gateway refuses, or the stream breaks.
pub(crate) async fn watch(options: &Watch) -> Result<()> {
    let channel = authorised(&options.account.client).await?;
    match options.topic {
        Topic::Quotes => quotes(channel, options).await,
        Topic::Orders => order_events(channel, options).await,
        Topic::Portfolio => portfolio(channel, options).await,
    }
}

async fn quotes(channel: Authorised, options: &Watch) -> Result<()> {
    let request = StreamQuotesRequest {
        symbols: options.symbols.clone(),
    };
    let stream = MarketDataServiceClient::new(channel)
        .stream_quotes(request)
        .await?
        .into_inner();
    follow(stream, options, |message| {
        message
            .quote
            .as_ref()
            .map(|quote| quote::quote_row(quote).join("  "))
            .unwrap_or_default()
    })
    .await
}

async fn order_events(channel: Authorised, options: &Watch) -> Result<()> {
    let request = StreamOrderEventsRequest {
        account_id: options.account.account.clone(),
        from_sequence: 0,
    };
    let stream = TradingServiceClient::new(channel)
        .stream_order_events(request)
        .await?
        .into_inner();
    follow(stream, options, |message| {
        message
            .order
            .as_ref()
            .map(|order| orders::order_row(order).join("  "))
            .unwrap_or_default()
    })
    .await
}

async fn portfolio(channel: Authorised, options: &Watch) -> Result<()> {
    let request = StreamPortfolioRequest {
        account_id: options.account.account.clone(),
    };
    let stream = PortfolioServiceClient::new(channel)
        .stream_portfolio(request)
        .await?
        .into_inner();
    follow(stream, options, |message| {
        message.portfolio.as_ref().map(positions::summary).unwrap_or_default()
    })
    .await
}

async fn follow<T: Serialize>(mut stream: Streaming<T>, options: &Watch, line_of: impl Fn(&T) -> String) -> Result<()> {
    let format = Format::from_flag(options.account.client.json);
    let mut seen = 0;
    while options.count.is_none_or(|count| seen < count) {
        let message = tokio::select! {
            message = stream.message() => message?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let Some(message) = message else {
            return Err(Error::unavailable("STREAM_ENDED", "the stream ended"));
        };
        print(format, &message, &line_of)?;
        seen += 1;
    }
    Ok(())
}
