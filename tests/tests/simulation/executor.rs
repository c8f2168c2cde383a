//! Runs the tasks of a simulated world, one poll at a time, in an order that follows from the seed.
//!
//! Every task belongs to a group: a process, or the world around the processes. A group can be frozen, thawed and killed
//! between two polls. Since nothing happens inside of a poll that another task could see half done, that is a pause or a
//! crash at any await.

use futures::future::BoxFuture;
use mesh::app::Spawner;
use mesh::time::Chance;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Tasks that live and die together.
pub(crate) type Group = u32;

/// The group of the network, the venue and the clients: nothing happens to it.
pub(crate) const WORLD: Group = 0;

/// What tasks reach from within a poll.
#[derive(Default)]
struct Shared {
    ready: Mutex<BTreeSet<u64>>,
    spawned: Mutex<Vec<(Group, BoxFuture<'static, ()>)>>,
}

struct Task {
    group: Group,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

struct TaskWaker {
    id: u64,
    shared: Arc<Shared>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.shared.ready.lock().insert(self.id);
    }
}

/// Spawns into an [`Executor`] from anywhere.
#[derive(Clone)]
pub(crate) struct Tasks {
    shared: Arc<Shared>,
}

impl Tasks {
    /// Spawns a task.
    pub(crate) fn spawn(&self, group: Group, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.spawned.lock().push((group, Box::pin(task)));
    }

    /// What a process of this group spawns its tasks with.
    pub(crate) fn spawner(&self, group: Group) -> Spawner {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |task| {
            shared.spawned.lock().push((group, task));
            None
        })
    }
}

/// The executor.
pub(crate) struct Executor {
    shared: Arc<Shared>,
    tasks: BTreeMap<u64, Task>,
    next: u64,
    frozen: BTreeSet<Group>,
    dead: BTreeSet<Group>,
    chance: Chance,
}

impl Executor {
    pub(crate) fn new(chance: Chance) -> Executor {
        Executor {
            shared: Arc::default(),
            tasks: BTreeMap::new(),
            next: 0,
            frozen: BTreeSet::new(),
            dead: BTreeSet::new(),
            chance,
        }
    }

    pub(crate) fn tasks(&self) -> Tasks {
        Tasks {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Polls one task that is ready, and says which; none when all wait.
    pub(crate) fn step(&mut self) -> Option<(Group, u64)> {
        self.admit();
        let ready: Vec<u64> = {
            let mut ready = self.shared.ready.lock();
            ready.retain(|id| self.tasks.contains_key(id));
            let is_free = |id: &&u64| !self.frozen.contains(&self.tasks[*id].group);
            ready.iter().filter(is_free).copied().collect()
        };
        let id = *ready.get(self.chance.below(ready.len() as u64) as usize)?;
        self.shared.ready.lock().remove(&id);
        let task = self.tasks.get_mut(&id)?;
        let group = task.group;
        let waker = task.waker.clone();
        if let Poll::Ready(()) = task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.tasks.remove(&id);
        }
        Some((group, id))
    }

    fn admit(&mut self) {
        for (group, future) in std::mem::take(&mut *self.shared.spawned.lock()) {
            if self.dead.contains(&group) {
                continue;
            }
            self.next += 1;
            let id = self.next;
            let waker = Waker::from(Arc::new(TaskWaker {
                id,
                shared: Arc::clone(&self.shared),
            }));
            self.tasks.insert(id, Task { group, future, waker });
            self.shared.ready.lock().insert(id);
        }
    }

    /// Nothing of the group runs until it is thawed.
    pub(crate) fn freeze(&mut self, group: Group) {
        self.frozen.insert(group);
    }

    pub(crate) fn thaw(&mut self, group: Group) {
        self.frozen.remove(&group);
    }

    /// Drops every task of the group, and whatever it spawned.
    pub(crate) fn kill(&mut self, group: Group) {
        self.admit();
        self.dead.insert(group);
        self.frozen.remove(&group);
        let ended: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.group == group)
            .map(|(id, _)| *id)
            .collect();
        for id in ended {
            self.tasks.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Executor, WORLD};
    use mesh::time::Chance;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use tokio::sync::mpsc;

    fn run(seed: u64) -> (Vec<u32>, Executor) {
        let mut executor = Executor::new(Chance::seeded(seed));
        let seen = Arc::new(Mutex::new(Vec::new()));
        for group in [WORLD, 1, 2] {
            let (sender, mut receiver) = mpsc::channel(1);
            let (tasks, seen) = (executor.tasks(), Arc::clone(&seen));
            tasks.clone().spawn(group, async move {
                tasks.spawn(group, async move {
                    while let Some(number) = receiver.recv().await {
                        seen.lock().push(number);
                    }
                });
                for step in 0..4 {
                    let _ = sender.send(group * 10 + step).await;
                }
            });
        }
        executor.freeze(1);
        while executor.step().is_some() {}
        executor.kill(2);
        executor.thaw(1);
        while executor.step().is_some() {}
        let seen = seen.lock().clone();
        (seen, executor)
    }

    #[test]
    fn the_order_follows_from_the_seed_and_the_frozen_run_when_thawed() {
        let (seen, executor) = run(1);
        assert_eq!(seen, run(1).0);
        assert!((2..9).any(|seed| run(seed).0 != seen));
        assert_eq!(seen[8..], [10, 11, 12, 13]);
        assert!(executor.tasks.is_empty());
    }
}
