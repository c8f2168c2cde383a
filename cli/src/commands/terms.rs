//! From what a person types to the terms of a new order.

use crate::args::{NewOrder, OrderKind, TimeInForce};
use mesh::error::{Error, Result};
use mesh::pb::trading as pb;

/// The request that a command line asks for. What makes no sense together is refused by `trading`, by its field.
///
/// # Errors
/// `INVALID / USAGE` when a share or a time cannot be read.
pub(super) fn request(order: &NewOrder, side: pb::Side, client_order_id: String) -> Result<pb::SubmitOrderRequest> {
    let (trail, trail_basis_points) = match order.trail.as_deref() {
        None => (String::new(), 0),
        Some(distance) => match distance.strip_suffix('%') {
            Some(percent) => (String::new(), basis_points(percent)?),
            None => (distance.to_owned(), 0),
        },
    };
    let expire_time = order.expire.as_deref().map(|text| {
        text.parse::<mesh::pb::Timestamp>()
            .map_err(|error| usage("--expire", format!("{text}: {error}")))
    });
    Ok(pb::SubmitOrderRequest {
        account_id: order.account.account.clone(),
        client_order_id,
        symbol: order.symbol.clone(),
        side: side.into(),
        r#type: type_of(order).into(),
        time_in_force: time_in_force_of(order).into(),
        quantity: order.quantity.clone(),
        price: order.limit.clone().unwrap_or_default(),
        stop_price: order.stop.clone().unwrap_or_default(),
        trail,
        trail_basis_points,
        expire_time: expire_time.transpose()?,
        post_only: order.post_only,
        reduce_only: order.reduce_only,
        display_quantity: order.show.clone().unwrap_or_default(),
        strategy: order.strategy.clone().unwrap_or_default(),
    })
}

fn type_of(order: &NewOrder) -> pb::OrderType {
    match order.kind {
        Some(OrderKind::Market) => pb::OrderType::Market,
        Some(OrderKind::Limit) => pb::OrderType::Limit,
        Some(OrderKind::Stop) => pb::OrderType::Stop,
        Some(OrderKind::StopLimit) => pb::OrderType::StopLimit,
        Some(OrderKind::TakeProfit) => pb::OrderType::TakeProfit,
        Some(OrderKind::TakeProfitLimit) => pb::OrderType::TakeProfitLimit,
        Some(OrderKind::TrailingStop) => pb::OrderType::TrailingStop,
        None => match (&order.trail, &order.stop, &order.limit) {
            (Some(_), _, _) => pb::OrderType::TrailingStop,
            (None, Some(_), Some(_)) => pb::OrderType::StopLimit,
            (None, Some(_), None) => pb::OrderType::Stop,
            (None, None, Some(_)) => pb::OrderType::Limit,
            (None, None, None) => pb::OrderType::Market,
        },
    }
}

fn time_in_force_of(order: &NewOrder) -> pb::TimeInForce {
    match order.time_in_force {
        None if order.expire.is_some() => pb::TimeInForce::Gtd,
        None => pb::TimeInForce::Unspecified,
        Some(TimeInForce::Gtc) => pb::TimeInForce::Gtc,
        Some(TimeInForce::Ioc) => pb::TimeInForce::Ioc,
        Some(TimeInForce::Fok) => pb::TimeInForce::Fok,
        Some(TimeInForce::Day) => pb::TimeInForce::Day,
        Some(TimeInForce::Gtd) => pb::TimeInForce::Gtd,
    }
}

/// A share in percent, of at most two decimals, in hundredths of a percent.
fn basis_points(percent: &str) -> Result<i32> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = format!("{whole}{fraction:0<2}");
    let is_plain = !whole.is_empty() && fraction.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let points = digits.parse().ok().filter(|_| is_plain);
    points.ok_or_else(|| usage("--trail", format!("{percent}% is no share of at most two decimals")))
}

fn usage(option: &'static str, why: String) -> Error {
    Error::invalid("USAGE", format!("{option} {why}")).with("option", option)
}

#[cfg(test)]
mod tests {
    use super::request;
    use crate::args::{Cli, Command, OrderAction};
    use clap::Parser;
    use mesh::pb::trading as pb;

    fn typed(options: &str) -> Result<pb::SubmitOrderRequest, String> {
        let line = format!("trademesh order sell BTCUSDT 1 {options}");
        let cli = Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.kind().to_string())?;
        let Command::Order {
            action: OrderAction::Sell(order),
        } = cli.command
        else {
            panic!("{line}")
        };
        request(&order, pb::Side::Sell, "id".into()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_options_say_what_kind_of_order() {
        use pb::OrderType::{Limit, Market, Stop, StopLimit, TakeProfit, TakeProfitLimit, TrailingStop};
        for (options, kind) in [
            ("", Market),
            ("--limit 5", Limit),
            ("--stop 5", Stop),
            ("--stop 5 --limit 4", StopLimit),
            ("--trail 5", TrailingStop),
            ("--type market", Market),
            ("--type limit --limit 5", Limit),
            ("--type stop --stop 5", Stop),
            ("--type stop-limit --stop 5 --limit 4", StopLimit),
            ("--type take-profit --stop 5", TakeProfit),
            ("--type take-profit-limit --stop 5 --limit 6", TakeProfitLimit),
            ("--type trailing-stop --trail 1%", TrailingStop),
        ] {
            assert_eq!(typed(options).unwrap().r#type(), kind, "{options}");
        }
    }

    #[test]
    fn terms_and_times() {
        use pb::TimeInForce::{Day, Fok, Gtc, Gtd, Ioc, Unspecified};
        for (options, time_in_force) in [
            ("", Unspecified),
            ("--tif gtc", Gtc),
            ("--tif ioc", Ioc),
            ("--time-in-force fok", Fok),
            ("--tif day", Day),
            ("--tif gtd --expire 2027-01-31T18:00:00Z", Gtd),
            ("--expire 2027-01-31T18:00:00Z", Gtd),
        ] {
            assert_eq!(typed(options).unwrap().time_in_force(), time_in_force, "{options}");
        }
        let order = typed("--limit 5 --post-only --reduce-only --show 0.5 --strategy s").unwrap();
        assert!(order.post_only && order.reduce_only);
        assert_eq!((order.display_quantity.as_str(), order.strategy.as_str()), ("0.5", "s"));
        let expiring = typed("--expire 1970-01-01T00:00:01Z").unwrap();
        assert_eq!(expiring.expire_time.unwrap().as_micros(), Some(1_000_000));
        for (trail, amount, points) in [("50", "50", 0), ("1%", "", 100), ("1.5%", "", 150), ("0.25%", "", 25)] {
            let order = typed(&format!("--trail {trail}")).unwrap();
            assert_eq!((order.trail.as_str(), order.trail_basis_points), (amount, points));
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_option() {
        for (options, word) in [
            ("--trail 1.555%", "--trail"),
            ("--trail %", "--trail"),
            ("--trail -1%", "--trail"),
            ("--expire tomorrow", "--expire"),
        ] {
            let options = options.replace("--trail -", "--trail=-");
            assert!(typed(&options).unwrap_err().starts_with(word), "{options}");
        }
        for options in ["--trail 5 --stop 4", "--post-only", "--show 1", "--type iceberg"] {
            assert!(typed(options).is_err(), "{options}");
        }
    }
}
