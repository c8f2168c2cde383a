//! A simulated market that speaks Binance's spot REST and WebSocket formats.
