//! The life of a session's refresh tokens.
//!
//! The tokens that follow from one login are a family. At any time one of them works, and it works once: it is
//! exchanged for the next. Whoever presents another one of the family shows that a token was copied, and nobody can tell
//! which of the two bearers is the thief: the family ends (RFC 9700, section 4.14.2). No grace is given to a client
//! that lost the answer, because a thief would use it too.

/// What is kept of a family: never a token, only the hash of the one that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    /// The SHA-256 of the token that works.
    pub(crate) current: [u8; 32],
    /// When the last token of the family expires, in µs since the Unix epoch; set at login and never moved.
    pub(crate) expires_at: i64,
    /// Whether it was ended: logout, a changed password, a disabled user, reuse.
    pub(crate) ended: bool,
}

/// What presenting a token of a family means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    /// It is the one that works: exchange it.
    Current,
    /// It was used before: end the family.
    Reused,
    /// The family is past its time.
    Expired,
    /// The family was ended.
    Ended,
}

impl Family {
    /// Judges a presented token by its hash.
    pub(crate) fn present(&self, hash: &[u8; 32], now: i64) -> Presented {
        if self.ended {
            Presented::Ended
        } else if now >= self.expires_at {
            Presented::Expired
        } else if same(&self.current, hash) {
            Presented::Current
        } else {
            Presented::Reused
        }
    }
}

/// Compares two hashes in time that does not depend on where they differ.
pub(crate) fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.iter().zip(right).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::{Family, Presented, same};

    #[test]
    fn what_a_presented_token_means() {
        const CURRENT: u8 = 2;
        const USED: u8 = 1;
        // ended, token, now → outcome; the family expires at 100
        let table = [
            (false, CURRENT, 0, Presented::Current),
            (false, CURRENT, 99, Presented::Current),
            (false, CURRENT, 100, Presented::Expired),
            (false, USED, 99, Presented::Reused),
            (false, USED, 100, Presented::Expired),
            (true, CURRENT, 99, Presented::Ended),
            (true, USED, 99, Presented::Ended),
            (true, CURRENT, 100, Presented::Ended),
        ];
        for (ended, token, now, outcome) in table {
            let family = Family {
                current: [CURRENT; 32],
                expires_at: 100,
                ended,
            };
            assert_eq!(
                family.present(&[token; 32], now),
                outcome,
                "ended {ended}, token {token}, at {now}"
            );
        }
    }

    #[test]
    fn hashes_that_differ_in_one_bit_differ() {
        let hash = [7; 32];
        assert!(same(&hash, &hash));
        for byte in 0..32 {
            let mut other = hash;
            other[byte] ^= 0x80;
            assert!(!same(&hash, &other));
        }
    }
}
