//! Work in fixed chunks, on a private pool of threads, with a way to stop.
//!
//! The division into chunks depends on the problem only and results are combined in the order of the chunks, so that
//! they are the same to the last bit with any number of threads. The pool is built per call and ends with it: a pool
//! that outlives its call would hang a forked child.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use crate::error::{Error, Result};

/// Threads and the flag that asks them to stop.
///
/// The calling thread works along: a pool that works while its caller sleeps is often put on the caller's processor and
/// leaves another one idle.
pub struct Workers<'a> {
    /// All threads but the caller.
    others: Option<rayon::ThreadPool>,
    stop: &'a AtomicBool,
}

impl<'a> Workers<'a> {
    /// `threads` threads, the calling one among them; `stop` set to true ends the work. Where the system gives no more
    /// threads, the calling one does all the work.
    ///
    /// # Errors
    /// None so far.
    pub fn new(threads: usize, stop: &'a AtomicBool) -> Result<Self> {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads - 1).build();
        let others = (threads > 1).then(pool).and_then(|built| built.ok());
        Ok(Workers { others, stop })
    }

    /// # Errors
    /// [`Error::Interrupted`] when the work should stop.
    pub fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }

    /// The results of `work` for each item, in the order of the items.
    ///
    /// # Errors
    /// The first error in the order of the items.
    pub fn map<I: Send, T: Send>(
        &self,
        items: Vec<I>,
        work: impl Fn(I) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        self.map_dyn(items, &work)
    }

    /// [`Workers::map`] with the work behind a pointer: the loops are compiled once for each type of item and result,
    /// and the work once, instead of both for each caller. A piece of work is large beside the call.
    #[inline(never)]
    fn map_dyn<I: Send, T: Send>(
        &self,
        items: Vec<I>,
        work: &(dyn Fn(I) -> Result<T> + Sync),
    ) -> Result<Vec<T>> {
        let guarded = |item: I| {
            self.check()?;
            work(item)
        };
        let Some(pool) = self.others.as_ref().filter(|_| items.len() > 1) else {
            return items.into_iter().map(guarded).collect();
        };
        let helpers = pool.current_num_threads().min(items.len() - 1);
        let mut results: Vec<Option<Result<T>>> = items.iter().map(|_| None).collect();
        let queue = Mutex::new(items.into_iter().zip(results.iter_mut()));
        let take = || queue.lock().ok().and_then(|mut q| q.next());
        let drain = || {
            while let Some((item, place)) = take() {
                *place = Some(guarded(item));
            }
        };
        pool.in_place_scope(|scope| {
            (0..helpers).for_each(|_| scope.spawn(|_| drain()));
            drain();
        });
        let lost = || Error::Bug("a piece of work was lost".to_string());
        results
            .into_iter()
            .map(|r| r.unwrap_or_else(|| Err(lost())))
            .collect()
    }
}

/// Cut `0..weights.len()` into consecutive ranges of about equal weight: at most `most` of them, none lighter than
/// `least` if it can be helped.
pub fn chunks(
    weights: impl Iterator<Item = usize> + Clone,
    least: usize,
    most: usize,
) -> Vec<std::ops::Range<usize>> {
    let total: usize = weights.clone().sum();
    let target = (total / most.max(1)).max(least).max(1);
    let (mut ranges, mut start, mut sum, mut end) = (Vec::new(), 0, 0, 0);
    for w in weights {
        sum += w;
        end += 1;
        if sum >= target {
            ranges.push(start..end);
            start = end;
            sum = 0;
        }
    }
    if start < end {
        ranges.push(start..end);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_everything_once_in_order() {
        let weights = [5, 1, 1, 9, 2, 2, 30, 1];
        let ranges = chunks(weights.iter().copied(), 4, 4);
        assert_eq!(ranges.first().unwrap().start, 0);
        assert_eq!(ranges.last().unwrap().end, weights.len());
        assert!(ranges.windows(2).all(|w| w[0].end == w[1].start));
    }

    #[test]
    fn results_keep_the_order_and_a_stop_is_an_error() {
        let stop = AtomicBool::new(false);
        let workers = Workers::new(2, &stop).unwrap();
        let squares = workers.map((0..50).collect(), |i: usize| Ok(i * i)).unwrap();
        assert!(squares.iter().enumerate().all(|(i, s)| *s == i * i));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(workers.map(vec![1], Ok), Err(Error::Interrupted));
    }
}
