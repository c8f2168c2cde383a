//! One side of the book: its levels in a vector, the best one last.
//!
//! Trading happens at the end of the vector, where taking a level away or adding one moves next to nothing, and
//! where a search ends soon. A *rank* is a tick turned so that higher is better: the tick itself for bids, its
//! negative for asks.

use super::slab::{NONE, Slab, Slot};

/// The orders at one tick, oldest first, as a list through the slab.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) rank: i64,
    pub(super) lots: u64,
    pub(super) head: u32,
    pub(super) tail: u32,
}

/// The levels of one side, worst first.
#[derive(Debug, Clone, Default)]
pub(super) struct Ladder {
    levels: Vec<Level>,
    total_lots: u64,
}

impl Ladder {
    pub(super) fn best(&self) -> Option<&Level> {
        self.levels.last()
    }

    /// Levels from the best to the worst.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().rev()
    }

    pub(super) fn get(&self, rank: i64) -> Option<&Level> {
        self.find(rank).ok().map(|index| &self.levels[index])
    }

    /// Whether `lots` more can be counted.
    pub(super) fn has_room_for(&self, lots: u64) -> bool {
        self.total_lots.checked_add(lots).is_some()
    }

    /// Lots at `worst_rank` or better, counted no further than `enough`.
    pub(super) fn lots_within(&self, worst_rank: i64, enough: u64) -> u64 {
        let mut sum = 0u64;
        for level in self.iter().take_while(|level| level.rank >= worst_rank) {
            // Cannot overflow: it is at most `total_lots`.
            sum += level.lots;
            if sum >= enough {
                return enough;
            }
        }
        sum
    }

    /// Appends an order to the queue of its level; the level's new total.
    pub(super) fn push(&mut self, slab: &mut Slab, place: u32) -> u64 {
        let (rank, lots) = (slab[place].rank, slab[place].lots);
        self.total_lots += lots;
        match self.find(rank) {
            Ok(index) => {
                let level = &mut self.levels[index];
                level.lots += lots;
                slab[level.tail].next = place;
                slab[place].previous = level.tail;
                level.tail = place;
                level.lots
            }
            Err(index) => {
                self.levels.insert(
                    index,
                    Level {
                        rank,
                        lots,
                        head: place,
                        tail: place,
                    },
                );
                lots
            }
        }
    }

    /// Takes an order, which its neighbours have let go, out of its level; the level's new total.
    pub(super) fn unlink(&mut self, slot: &Slot, place: u32) -> u64 {
        let Ok(index) = self.find(slot.rank) else {
            unreachable!("a resting order's level is in its ladder");
        };
        self.total_lots -= slot.lots;
        let level = &mut self.levels[index];
        level.lots -= slot.lots;
        if level.head == place {
            level.head = slot.next;
        }
        if level.tail == place {
            level.tail = slot.previous;
        }
        let lots = level.lots;
        if level.head == NONE {
            self.levels.remove(index);
        }
        lots
    }

    /// Takes lots off one of a level's orders, which stays; the level's new total.
    pub(super) fn shrink(&mut self, rank: i64, lots: u64) -> u64 {
        let Ok(index) = self.find(rank) else {
            unreachable!("a resting order's level is in its ladder");
        };
        self.total_lots -= lots;
        let level = &mut self.levels[index];
        level.lots -= lots;
        level.lots
    }

    /// Writes back what trading left of the best level: its queue now starts at `head`.
    pub(super) fn set_best(&mut self, lots_taken: u64, head: u32) {
        self.total_lots -= lots_taken;
        if head == NONE {
            self.levels.pop();
        } else if let Some(level) = self.levels.last_mut() {
            level.lots -= lots_taken;
            level.head = head;
        }
    }

    fn find(&self, rank: i64) -> Result<usize, usize> {
        // Most calls concern the best few levels: look at those before halving.
        const NEAR: usize = 8;
        let near = self.levels.len().saturating_sub(NEAR);
        if let Some(level) = self.levels.get(near).filter(|level| level.rank <= rank) {
            if level.rank == rank {
                return Ok(near);
            }
            let above = self.levels[near..].iter().take_while(|level| level.rank < rank).count();
            let index = near + above;
            return match self.levels.get(index) {
                Some(level) if level.rank == rank => Ok(index),
                _ => Err(index),
            };
        }
        self.levels[..near].binary_search_by_key(&rank, |level| level.rank)
    }
}
