//! `trademesh positions`: what an account holds, and what it earned.

use crate::args::AccountClient;
use crate::client::{authorised, unary};
use crate::output::{Format, or_dash, print, table};
use mesh::error::Result;
use mesh::pb::portfolio as pb;
use mesh::pb::portfolio::portfolio_service_client::PortfolioServiceClient;
use serde::Serialize;

/// The most positions on one page.
const PAGE_SIZE: i32 = 1000;

/// What the command prints.
#[derive(Debug, Serialize)]
struct Answer {
    portfolio: Option<pb::Portfolio>,
    positions: Vec<pb::Position>,
}

/// Shows positions, equity, and profit and loss.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn positions(options: &AccountClient) -> Result<()> {
    let mut client = PortfolioServiceClient::new(authorised(&options.client).await?);
    let portfolio = client
        .get_portfolio(unary(pb::GetPortfolioRequest {
            account_id: options.account.clone(),
        }))
        .await?;
    let mut positions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPositionsRequest {
            account_id: options.account.clone(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_positions(unary(request)).await?.into_inner();
        positions.extend(page.positions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let answer = Answer {
        portfolio: portfolio.into_inner().portfolio,
        positions,
    };
    print(Format::from_flag(options.client.json), &answer, as_text)
}

fn as_text(answer: &Answer) -> String {
    let mut text = String::new();
    if let Some(portfolio) = &answer.portfolio {
        text.push_str(&summary(portfolio));
        text.push_str("\n\n");
    }
    text.push_str(&table(
        &[
            "symbol",
            "quantity",
            "average cost",
            "mark",
            "realised",
            "unrealised",
            "realised fifo",
            "fees",
        ],
        answer.positions.iter().map(position_row).collect(),
    ));
    text
}

/// One line on an account.
pub(super) fn summary(portfolio: &pb::Portfolio) -> String {
    let mut line = format!(
        "{}  equity {} {asset}  realised {} {asset}  unrealised {} {asset}",
        portfolio.account_id,
        portfolio.equity,
        or_dash(&portfolio.realised_pnl),
        or_dash(&portfolio.unrealised_pnl),
        asset = portfolio.reporting_asset,
    );
    if !portfolio.unvalued_assets.is_empty() {
        line.push_str(&format!("  without a mark: {}", portfolio.unvalued_assets.join(" ")));
    }
    line
}

fn position_row(position: &pb::Position) -> Vec<String> {
    let average = position.average_cost_pnl.clone().unwrap_or_default();
    let fifo = position.fifo_pnl.clone().unwrap_or_default();
    let fees: Vec<String> = position
        .fees
        .iter()
        .map(|fee| format!("{} {}", fee.amount, fee.asset))
        .collect();
    vec![
        position.symbol.clone(),
        position.quantity.clone(),
        or_dash(&position.average_cost),
        or_dash(&position.mark.clone().unwrap_or_default().price),
        or_dash(&average.realised),
        or_dash(&average.unrealised),
        or_dash(&fifo.realised),
        or_dash(&fees.join(", ")),
    ]
}
