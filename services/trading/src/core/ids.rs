//! Ids that say where they come from.
//!
//! An order id is `<shard>-<sequence>`: the shard that decided it and, in base 32, the sequence of its acceptance in that
//! shard's journal. The id sent to the venue adds the journal's random id and the epoch that decided it, so that two
//! journals, or two owners of one journal, can never make the same one.

use domain::OrderId;

/// Crockford's digits in lower case: no letter is taken for another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many digits of the journal's id a venue id carries: 80 bits.
const JOURNAL_DIGITS: usize = 16;

/// The id of the order that the shard accepted at this sequence.
pub(crate) fn order_id(shard: u32, sequence: u64) -> OrderId {
    let text = format!("{shard}-{}", encode(sequence));
    OrderId::parse(&text).expect("digits and a dash are an order id")
}

/// The shard and the sequence that an order id names; none when it is not one of ours.
pub(crate) fn parse_order_id(text: &str) -> Option<(u32, u64)> {
    let (shard, sequence) = text.split_once('-')?;
    let parsed = (shard.parse().ok()?, decode(sequence)?);
    // One order has one id: "00-1" and "0-01" are none.
    (order_id(parsed.0, parsed.1).as_str() == text).then_some(parsed)
}

/// Makes and recognises the ids that one owner of one journal sends to the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueIds {
    journal: String,
    shard: u32,
    epoch: u64,
}

impl VenueIds {
    /// For the journal with this random id, as opened under this epoch.
    pub fn new(journal_id: [u8; 16], shard: u32, epoch: u64) -> VenueIds {
        let mut bits = [0; 16];
        bits[6..].copy_from_slice(&journal_id[..10]);
        let mut journal = encode_wide(u128::from_be_bytes(bits));
        while journal.len() < JOURNAL_DIGITS {
            journal.insert(0, '0');
        }
        VenueIds { journal, shard, epoch }
    }

    /// The id for the order accepted at this sequence: at most 36 characters of `[a-z0-9-]`.
    pub fn make(&self, sequence: u64) -> String {
        format!(
            "{}-{}-{}-{}",
            self.journal,
            encode(u64::from(self.shard)),
            encode(self.epoch),
            encode(sequence)
        )
    }

    /// The sequence that an id names, if this journal made it under any epoch.
    pub fn sequence_of(&self, venue_id: &str) -> Option<u64> {
        let mut parts = venue_id.split('-');
        let journal = parts.next()?;
        let shard = decode(parts.next()?)?;
        let _epoch = decode(parts.next()?)?;
        let sequence = decode(parts.next()?)?;
        let is_ours = journal == self.journal && shard == u64::from(self.shard) && parts.next().is_none();
        is_ours.then_some(sequence)
    }
}

fn encode(number: u64) -> String {
    encode_wide(u128::from(number))
}

fn encode_wide(mut number: u128) -> String {
    let mut digits = Vec::with_capacity(16);
    loop {
        digits.push(DIGITS[(number % 32) as usize]);
        number /= 32;
        if number == 0 {
            break;
        }
    }
    digits.reverse();
    String::from_utf8(digits).expect("the digits are ASCII")
}

fn decode(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |number, byte| {
        let digit = DIGITS.iter().position(|&digit| digit == byte)?;
        number.checked_mul(32)?.checked_add(digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::{VenueIds, order_id, parse_order_id};

    #[test]
    fn order_ids_name_their_shard_and_sequence() {
        for (shard, sequence, text) in [(0, 1, "0-1"), (1, 33, "1-11"), (7, u64::MAX, "7-fzzzzzzzzzzzz")] {
            assert_eq!(order_id(shard, sequence).as_str(), text);
            assert_eq!(parse_order_id(text), Some((shard, sequence)));
        }
    }

    #[test]
    fn anything_else_is_no_order_id() {
        for text in [
            "",
            "-",
            "0",
            "0-",
            "x-1",
            "00-1",
            "0-01",
            "0-u",
            "0-1-1",
            "0-zzzzzzzzzzzzzzzz",
            "-1-1",
        ] {
            assert_eq!(parse_order_id(text), None, "{text}");
        }
    }

    #[test]
    fn venue_ids_are_short_and_tell_journals_apart() {
        let ours = VenueIds::new([0xff; 16], 1, 7);
        let longest = VenueIds::new([0xff; 16], 31, 0xf_ffff).make(0xfff_ffff_ffff);
        assert!(longest.len() <= 36, "{longest}");
        assert_eq!(ours.sequence_of(&ours.make(99)), Some(99));
        let next_owner = VenueIds::new([0xff; 16], 1, 8);
        assert_ne!(ours.make(99), next_owner.make(99));
        assert_eq!(next_owner.sequence_of(&ours.make(99)), Some(99));
        for other in [VenueIds::new([1; 16], 1, 7), VenueIds::new([0xff; 16], 2, 7)] {
            assert_eq!(ours.sequence_of(&other.make(99)), None);
        }
        for text in ["", "x", "web_1", "a-b-c", "a-b-c-d-e"] {
            assert_eq!(ours.sequence_of(text), None, "{text}");
        }
        assert_eq!(ours.sequence_of(&format!("{}-1", ours.make(9))), None);
    }
}
