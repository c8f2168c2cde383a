//! A batch on disk: a header, then each record after its length, then an end mark.
//!
//! ```text
//! magic        4  "TMJB"
//! length       4  bytes of the records part, without the end mark
//! first        8  sequence of the first record
//! count        4  records
//! epoch        8  of the writer
//! previous    16  chain value of the batch before
//! records crc  4  CRC-32C of the records part
//! header crc   4  CRC-32C of all the bytes above
//! records      …  (length 4, bytes)*
//! end          4  "BJMT"
//! ```
//! All numbers are little-endian. The chain value of a batch is the first half of the SHA-256 of its header and records.

use sha2::{Digest, Sha256};

/// The value that ties a batch to all before it.
pub(super) type Chain = [u8; 16];

/// What the first batch of a journal follows.
pub(super) const GENESIS: Chain = [0; 16];

pub(super) const HEADER: usize = 52;
const MAGIC: [u8; 4] = *b"TMJB";
/// Not zero, so that an end that never reached the disk, which reads as zeros, is known from one that did.
pub(super) const END: [u8; 4] = *b"BJMT";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) epoch: u64,
    pub(super) previous: Chain,
    records_crc: u32,
}

impl Header {
    /// Reads a header, or says why these bytes are none.
    pub(super) fn decode(bytes: &[u8; HEADER]) -> Result<Header, &'static str> {
        let header_crc = u32_at(bytes, HEADER - 4);
        if bytes[..4] != MAGIC {
            return Err("no batch begins here");
        }
        if crc32c::crc32c(&bytes[..HEADER - 4]) != header_crc {
            return Err("the checksum of a batch header is wrong");
        }
        let mut previous = GENESIS;
        previous.copy_from_slice(&bytes[28..44]);
        Ok(Header {
            length: u32_at(bytes, 4),
            first: u64_at(bytes, 8),
            count: u32_at(bytes, 16),
            epoch: u64_at(bytes, 20),
            previous,
            records_crc: u32_at(bytes, 44),
        })
    }

    fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[28..44].copy_from_slice(&self.previous);
        bytes[44..48].copy_from_slice(&self.records_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..HEADER - 4]);
        bytes[48..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Bytes of the whole batch.
    pub(super) fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.length) + END.len() as u64
    }

    /// The sequence after the last record.
    pub(super) fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }
}

/// Bytes that a batch of these records takes on disk.
pub(super) fn size_of(records: &[Vec<u8>]) -> u64 {
    let records: u64 = records.iter().map(|record| 4 + record.len() as u64).sum();
    HEADER as u64 + records + END.len() as u64
}

/// A whole batch and its chain value. The caller has bounded its size and count to 32 bits.
pub(super) fn encode(records: &[Vec<u8>], first: u64, epoch: u64, previous: Chain) -> (Vec<u8>, Chain) {
    let mut bytes = Vec::with_capacity(size_of(records) as usize);
    bytes.resize(HEADER, 0);
    for record in records {
        bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        bytes.extend_from_slice(record);
    }
    let header = Header {
        length: (bytes.len() - HEADER) as u32,
        first,
        count: records.len() as u32,
        epoch,
        previous,
        records_crc: crc32c::crc32c(&bytes[HEADER..]),
    };
    bytes[..HEADER].copy_from_slice(&header.encode());
    let chain = chain_value(&bytes);
    bytes.extend_from_slice(&END);
    (bytes, chain)
}

fn chain_value(header_and_records: &[u8]) -> Chain {
    let mut chain = GENESIS;
    chain.copy_from_slice(&Sha256::digest(header_and_records)[..16]);
    chain
}

/// The chain value of a whole batch.
pub(super) fn chain_of(batch: &[u8]) -> Chain {
    chain_value(&batch[..batch.len() - END.len()])
}

/// Checks a whole batch that begins with `header`.
pub(super) fn check(header: &Header, batch: &[u8]) -> Result<(), &'static str> {
    let (body, end) = batch.split_at(batch.len() - END.len());
    if crc32c::crc32c(&body[HEADER..]) != header.records_crc {
        return Err("the checksum of a batch's records is wrong");
    }
    if end != END {
        return Err("the end mark of a batch is wrong");
    }
    match records(header, batch).count() == header.count as usize {
        true => Ok(()),
        false => Err("a batch holds another number of records than it says"),
    }
}

/// The records of a batch with their sequences.
pub(super) fn records<'b>(header: &Header, batch: &'b [u8]) -> impl Iterator<Item = (u64, &'b [u8])> + use<'b> {
    let mut rest = &batch[HEADER..HEADER + header.length as usize];
    let mut sequence = header.first;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (record, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = after;
        sequence += 1;
        Some((sequence - 1, record))
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_reads_back_and_every_flipped_bit_shows() {
        let written = [b"one".to_vec(), Vec::new(), vec![0; 40]];
        let (bytes, chain) = encode(&written, 7, 3, [9; 16]);
        assert_eq!(bytes.len() as u64, size_of(&written));
        let header = Header::decode(bytes.first_chunk().unwrap()).unwrap();
        assert_eq!(
            (header.first, header.count, header.epoch, header.previous, header.next()),
            (7, 3, 3, [9; 16], 10)
        );
        assert_eq!(header.size(), bytes.len() as u64);
        assert_eq!((check(&header, &bytes), chain_of(&bytes)), (Ok(()), chain));
        let read: Vec<_> = records(&header, &bytes)
            .map(|(sequence, record)| (sequence, record.to_vec()))
            .collect();
        assert_eq!(
            read,
            vec![
                (7, written[0].clone()),
                (8, written[1].clone()),
                (9, written[2].clone())
            ]
        );
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let verdict = Header::decode(flipped.first_chunk().unwrap()).and_then(|header| check(&header, &flipped));
            assert!(verdict.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_count_that_does_not_match_shows() {
        let (mut bytes, _) = encode(&[b"one".to_vec()], 1, 1, GENESIS);
        let mut header = Header::decode(bytes.first_chunk().unwrap()).unwrap();
        header.count = 2;
        bytes[..HEADER].copy_from_slice(&header.encode());
        assert_eq!(
            check(&header, &bytes),
            Err("a batch holds another number of records than it says")
        );
    }
}
