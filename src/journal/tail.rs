//! The newest records in memory, so that whoever follows the journal live does not read files.

use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Tail {
    /// The sequence of the first record kept.
    first: u64,
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
}

impl Tail {
    pub(super) fn new(next: u64, max_records: usize, max_bytes: usize) -> Tail {
        Tail {
            first: next,
            records: VecDeque::new(),
            bytes: 0,
            max_records,
            max_bytes,
        }
    }

    pub(super) fn push(&mut self, records: Vec<Vec<u8>>) {
        for record in records {
            self.bytes += record.len();
            self.records.push_back(record);
        }
        while self.records.len() > self.max_records || self.bytes > self.max_bytes {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// Records from `from` on, or `None` when they are not all here.
    pub(super) fn read(&self, from: u64, max: usize) -> Option<Vec<(u64, Vec<u8>)>> {
        let skip = usize::try_from(from.checked_sub(self.first)?).ok()?;
        let records = self.records.iter().skip(skip).take(max).cloned();
        Some((from..).zip(records).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_newest_within_both_bounds() {
        let mut tail = Tail::new(5, 3, 100);
        assert_eq!(tail.read(4, 9), None);
        assert_eq!(tail.read(5, 9), Some(vec![]));
        tail.push((0..5).map(|byte| vec![byte; 10]).collect());
        assert_eq!(tail.read(6, 9), None);
        assert_eq!(tail.read(7, 2), Some(vec![(7, vec![2; 10]), (8, vec![3; 10])]));
        tail.push(vec![vec![9; 95]]);
        assert_eq!(tail.read(9, 9), None);
        assert_eq!(tail.read(10, 9), Some(vec![(10, vec![9; 95])]));
        tail.push(vec![vec![9; 101]]);
        assert_eq!(tail.read(12, 9), Some(vec![]));
        assert_eq!(tail.read(11, 9), None);
    }
}
