"""ccxt, an independent Binance client, trades on the simulated exchange; what it reads must agree with what it did.

usage: ccxt_orders.py URL KEY_FILE
"""

import json
import sys
import time

import ccxt

url, key_file = sys.argv[1:]
with open(key_file) as file:
    key = json.load(file)

exchange = ccxt.binance({
    "apiKey": key["api_key"],
    "secret": key["secret"],
    "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
})
exchange.urls["api"]["public"] = url + "/api/v3"
exchange.urls["api"]["private"] = url + "/api/v3"
exchange.urls["api"]["v1"] = url + "/api/v1"

markets = exchange.load_markets()
assert "BTC/USDT" in markets, sorted(markets)[:5]
symbol = "BTC/USDT"
market = markets[symbol]

book = exchange.fetch_order_book(symbol, 20)
assert book["bids"] and book["asks"]
assert book["bids"][0][0] < book["asks"][0][0], "the book is not crossed"

candles = exchange.fetch_ohlcv(symbol, "1m", limit=50)
assert len(candles) > 1
assert all(low <= min(o, c) and high >= max(o, c) for _, o, high, low, c, _ in candles)
assert all(later[0] - earlier[0] == 60_000 for earlier, later in zip(candles, candles[1:]))

before = exchange.fetch_balance()
assert before["USDT"]["free"] > 0

price = exchange.price_to_precision(symbol, book["bids"][0][0] * 0.97)
amount = exchange.amount_to_precision(symbol, 0.01)
resting = exchange.create_order(symbol, "limit", "buy", float(amount), float(price))
assert resting["status"] == "open", resting
held = exchange.fetch_balance()
cost = float(price) * float(amount)
assert abs(held["USDT"]["used"] - before["USDT"]["used"] - cost) < 1e-6, "an open order holds its cost"
assert [order["id"] for order in exchange.fetch_open_orders(symbol)] == [resting["id"]]
cancelled = exchange.cancel_order(resting["id"], symbol)
assert cancelled["status"] == "canceled", cancelled
assert exchange.fetch_open_orders(symbol) == []
assert exchange.fetch_balance()["USDT"] == before["USDT"], "a cancelled order leaves no trace"

bought = exchange.create_order(symbol, "market", "buy", float(amount))
assert bought["status"] == "closed" and bought["filled"] == float(amount), bought
time.sleep(0.2)
trades = [trade for trade in exchange.fetch_my_trades(symbol) if trade["order"] == bought["id"]]
assert abs(sum(trade["amount"] for trade in trades) - float(amount)) < 1e-12
fees = {}
for trade in trades:
    currency = trade["fee"]["currency"]
    fees[currency] = fees.get(currency, 0) + trade["fee"]["cost"]
after = exchange.fetch_balance()
paid = sum(trade["cost"] for trade in trades) + fees.get("USDT", 0)
assert abs(before["USDT"]["total"] - after["USDT"]["total"] - paid) < 1e-6, "cash fell by what was paid"
gained = float(amount) - fees.get("BTC", 0)
assert abs(after["BTC"]["total"] - before["BTC"]["total"] - gained) < 1e-9, "the asset rose by what was bought"

try:
    exchange.create_order(symbol, "limit", "buy", 1e6, float(price))
except (ccxt.InsufficientFunds, ccxt.InvalidOrder):
    pass
else:
    raise AssertionError("an order beyond the balance is refused")
print("agreed")
