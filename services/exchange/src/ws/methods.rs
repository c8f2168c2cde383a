//! The methods of the WebSocket API that do what an endpoint of the REST surface does.

use http::Method;

/// Method of the WebSocket API, and the route that does the same.
const METHODS: &[(&str, Method, &str)] = &[
    ("ping", Method::GET, "ping"),
    ("time", Method::GET, "time"),
    ("exchangeInfo", Method::GET, "exchangeInfo"),
    ("depth", Method::GET, "depth"),
    ("trades.recent", Method::GET, "trades"),
    ("trades.historical", Method::GET, "historicalTrades"),
    ("trades.aggregate", Method::GET, "aggTrades"),
    ("klines", Method::GET, "klines"),
    ("uiKlines", Method::GET, "uiKlines"),
    ("avgPrice", Method::GET, "avgPrice"),
    ("ticker.24hr", Method::GET, "ticker/24hr"),
    ("ticker.tradingDay", Method::GET, "ticker/tradingDay"),
    ("ticker", Method::GET, "ticker"),
    ("ticker.price", Method::GET, "ticker/price"),
    ("ticker.book", Method::GET, "ticker/bookTicker"),
    ("order.place", Method::POST, "order"),
    ("order.test", Method::POST, "order/test"),
    ("order.status", Method::GET, "order"),
    ("order.cancel", Method::DELETE, "order"),
    ("order.cancelReplace", Method::POST, "order/cancelReplace"),
    ("order.amend.keepPriority", Method::PUT, "order/amend/keepPriority"),
    ("order.amendments", Method::GET, "order/amendments"),
    ("openOrders.status", Method::GET, "openOrders"),
    ("openOrders.cancelAll", Method::DELETE, "openOrders"),
    ("orderList.place", Method::POST, "order/oco"),
    ("orderList.place.oco", Method::POST, "orderList/oco"),
    ("orderList.place.oto", Method::POST, "orderList/oto"),
    ("orderList.place.otoco", Method::POST, "orderList/otoco"),
    ("orderList.status", Method::GET, "orderList"),
    ("orderList.cancel", Method::DELETE, "orderList"),
    ("openOrderLists.status", Method::GET, "openOrderList"),
    ("account.status", Method::GET, "account"),
    ("account.rateLimits.orders", Method::GET, "rateLimit/order"),
    ("account.commission", Method::GET, "account/commission"),
    ("allOrders", Method::GET, "allOrders"),
    ("allOrderLists", Method::GET, "allOrderList"),
    ("myTrades", Method::GET, "myTrades"),
    ("myPreventedMatches", Method::GET, "myPreventedMatches"),
];

/// The route that does what a method does.
pub(super) fn route(name: &str) -> Option<(&'static Method, &'static str)> {
    let found = METHODS.iter().find(|(method, ..)| *method == name);
    found.map(|(_, method, path)| (method, *path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_method_is_a_route_of_its_own() {
        let names: BTreeSet<&str> = METHODS.iter().map(|(name, ..)| *name).collect();
        let routes: BTreeSet<(&str, &str)> = METHODS
            .iter()
            .map(|(_, method, path)| (method.as_str(), *path))
            .collect();
        assert_eq!((names.len(), routes.len()), (METHODS.len(), METHODS.len()));
        assert_eq!(route("order.place"), Some((&Method::POST, "order")));
        assert_eq!(route("session.status"), None);
    }
}
