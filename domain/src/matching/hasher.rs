//! A fixed hash for order ids. Ids come from our own counter, so that nobody can craft collisions.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds the hasher with nothing random in it.
pub(super) type BuildIdHasher = BuildHasherDefault<IdHasher>;

/// Fibonacci hashing (Knuth, TAOCP volume 3, 6.4): a multiplication by 2^64 / φ, high bits folded onto the low.
#[derive(Default)]
pub(super) struct IdHasher(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for IdHasher {
    fn write_u64(&mut self, id: u64) {
        let product = (self.0 ^ id).wrapping_mul(GOLDEN);
        self.0 = product ^ (product >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::IdHasher;
    use std::hash::Hasher;

    #[test]
    fn neighbours_differ_in_low_and_high_bits_and_bytes_count_in_order() {
        let hash = |id: u64| {
            let mut hasher = IdHasher::default();
            hasher.write_u64(id);
            hasher.finish()
        };
        let low: std::collections::BTreeSet<u64> = (0..1024).map(|id| hash(id) & 1023).collect();
        assert!(low.len() > 500, "{}", low.len());
        let high: std::collections::BTreeSet<u64> = (0..128).map(|id| hash(id) >> 57).collect();
        assert!(high.len() > 60, "{}", high.len());
        let of_bytes = |bytes: &[u8]| {
            let mut hasher = IdHasher::default();
            hasher.write(bytes);
            hasher.finish()
        };
        assert_ne!(of_bytes(&[1, 2]), of_bytes(&[2, 1]));
    }
}
