//! REST, gRPC, SSE and WebSocket on one port.
