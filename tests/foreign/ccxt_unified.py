"""ccxt's own tests of its unified API, run against the simulated exchange: one line a test, and at last what the exchange
does not have and how it says so.

usage: ccxt_unified.py URL KEY_FILE
"""

import importlib
import json
import sys

import ccxt

url, key_file = sys.argv[1:]
with open(key_file) as file:
    key = json.load(file)

exchange = ccxt.binance({
    "apiKey": key["api_key"],
    "secret": key["secret"],
    "enableRateLimit": False,
    "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
})
for kind in ("public", "private"):
    exchange.urls["api"][kind] = url + "/api/v3"
exchange.urls["api"]["v1"] = url + "/api/v1"
exchange.urls["api"]["sapi"] = url + "/sapi/v1"
# only spot is pointed at the exchange, so ccxt's tests are not to look for the markets of Binance's other products
for kind in ("swap", "future", "option"):
    exchange.has[kind] = False

SYMBOL = "BTC/USDT"

# Binance's spot order book comes without a time.
TIMELESS = {"timestamp": True, "datetime": True}

# Trades of different takers may fall within one millisecond: a lower price is then no sign of a sell.
SAME_TIME = {"sideSequence": True}

# what a test does not look at
SKIPPED = {"fetchOrderBook": TIMELESS, "fetchL2OrderBook": TIMELESS, "fetchTrades": SAME_TIME}

# Name of the unified method, arguments of its test: what ccxt's runner tests on a spot market. Its test of createOrder does
# not run in Python (it adds numbers to text and rounds in a way that ccxt has in other languages alone): ccxt_orders.py
# stands for it.
TESTS = [
    ("loadMarkets", []),
    ("features", []),
    ("afterConstruct", []),
    ("fetchTicker", [SYMBOL]),
    ("fetchTickers", [SYMBOL]),
    ("fetchLastPrices", [SYMBOL]),
    ("fetchOHLCV", [SYMBOL]),
    ("fetchTrades", [SYMBOL]),
    ("fetchOrderBook", [SYMBOL]),
    ("fetchL2OrderBook", [SYMBOL]),
    ("signIn", []),
    ("fetchBalance", []),
    ("fetchOrders", [SYMBOL]),
    ("fetchOpenOrders", [SYMBOL]),
    ("fetchClosedOrders", [SYMBOL]),
    ("fetchMyTrades", [SYMBOL]),
]


def test_of(method):
    """ccxt's own test function of a unified method."""
    name = "test_" + exchange.un_camel_case(method)
    return getattr(importlib.import_module("ccxt.test.exchange.sync." + name), name)


# something to fetch: an order that rests, and one that is filled
exchange.load_markets()
price = exchange.price_to_precision(SYMBOL, exchange.fetch_order_book(SYMBOL, 5)["bids"][0][0] * 0.97)
exchange.create_order(SYMBOL, "limit", "buy", 0.01, float(price))
exchange.create_order(SYMBOL, "market", "buy", 0.01)

for method, arguments in TESTS:
    # the tests print what they do; only this script's lines are wanted
    talk, sys.stdout = sys.stdout, sys.stderr
    try:
        test_of(method)(exchange, SKIPPED.get(method, {}), *arguments)
    finally:
        sys.stdout = talk
    print("passed", method)

for method in ("fetchStatus", "fetchCurrencies", "fetchTradingFees", "fetchDeposits"):
    exchange.options["fetchCurrencies"] = True
    try:
        getattr(exchange, method)()
    except ccxt.BaseError as refusal:
        assert "404" in str(refusal), refusal
        print("absent", method)
    else:
        raise AssertionError(method + " has an answer: it belongs among the tests")
