//! What a server may take of us: time, bytes, calls.

/// What a server may take of us. Every limit is finite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// To a connection, TLS included.
    pub connect_ms_max: u64,
    /// From the request to the first byte of the reply; a local model reads a long prompt for minutes.
    pub first_byte_ms_max: u64,
    /// From the request to an error: one that comes sooner is of a request that nobody has worked on for long.
    pub unpaid_ms_max: u64,
    /// Between two pieces of a reply.
    pub idle_ms_max: u64,
    /// For the rest of a body whose reply is complete: read so that the connection can be used again.
    pub tail_ms_max: u64,
    /// Of a whole body as sent: each token of a stream costs some 300.
    pub body_bytes_max: u64,
    /// Of what is kept of it: words and arguments, or the one JSON document.
    pub reply_bytes_max: u64,
    /// Of one event of a stream.
    pub event_bytes_max: u64,
    /// Of the body of an answer that is not 200; what is more is not read.
    pub error_bytes_max: u64,
    /// Calls in one reply.
    pub calls_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_ms_max: 10_000,
            first_byte_ms_max: 300_000,
            unpaid_ms_max: 5_000,
            idle_ms_max: 120_000,
            tail_ms_max: 200,
            body_bytes_max: 64 << 20,
            reply_bytes_max: 8 << 20,
            event_bytes_max: 4 << 20,
            error_bytes_max: 64 << 10,
            calls_max: 64,
        }
    }
}
