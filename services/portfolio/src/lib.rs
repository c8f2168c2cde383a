//! Positions, cash, profit and loss by account.
