//! Orders in one vector; freed places are used again. Links between the orders of a level run through it.

/// The link that leads nowhere.
pub(super) const NONE: u32 = u32::MAX;

/// An order, and its neighbours in its level's queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) id: u64,
    pub(super) lots: u64,
    pub(super) rank: i64,
    pub(super) is_buy: bool,
    pub(super) previous: u32,
    pub(super) next: u32,
}

/// The places of all resting orders.
#[derive(Debug, Clone, Default)]
pub(super) struct Slab {
    slots: Vec<Slot>,
    /// The first free place, plus one; free places are linked through `next` in the same way. Zero: none.
    free: u32,
    used: u32,
}

impl Slab {
    pub(super) fn len(&self) -> usize {
        self.used as usize
    }

    pub(super) fn is_full(&self) -> bool {
        self.used >= NONE - 1
    }

    /// Takes a place. The caller has asked [`Slab::is_full`].
    pub(super) fn insert(&mut self, slot: Slot) -> u32 {
        self.used += 1;
        if self.free == 0 {
            let place = self.slots.len() as u32;
            self.slots.push(slot);
            return place;
        }
        let place = self.free - 1;
        self.free = self.slots[place as usize].next;
        self.slots[place as usize] = slot;
        place
    }

    pub(super) fn remove(&mut self, place: u32) {
        self.slots[place as usize].next = self.free;
        self.free = place + 1;
        self.used -= 1;
    }
}

impl std::ops::Index<u32> for Slab {
    type Output = Slot;

    fn index(&self, place: u32) -> &Slot {
        &self.slots[place as usize]
    }
}

impl std::ops::IndexMut<u32> for Slab {
    fn index_mut(&mut self, place: u32) -> &mut Slot {
        &mut self.slots[place as usize]
    }
}
