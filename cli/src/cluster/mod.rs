//! What a running cluster knows, by the user's own `kubectl`: contexts, plugins and credentials are theirs.

mod kubectl;
mod pods;
mod proxy;
mod workload;

pub use kubectl::{Kubectl, Scope};
pub use pods::{Pod, Role};
pub use proxy::{Counts, Module, PLUGINS, STATS, State};

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The most calls that run at once.
const AT_ONCE: usize = 8;

/// Does the work on each, several at once; the results are in the same order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { return };
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_keeps_the_order() {
        let items: Vec<u64> = (0..100).collect();
        let doubled = super::each(&items, |item| {
            std::thread::sleep(std::time::Duration::from_micros(100 - item));
            item * 2
        });
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(super::each(&[], |(): &()| ()).is_empty());
    }
}
