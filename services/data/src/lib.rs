//! Market data: venue feeds to books, trades and bars.
