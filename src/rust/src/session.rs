//! One call from R: the work runs on a thread of its own while R's thread looks for interrupts and shows progress.

use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::desk::{Desk, PATIENCE};
use crate::prompt::{look, Wish};
use mixedlm_core::machine::address_space;
use mixedlm_core::memory::amount;
use mixedlm_core::objective::{Observer, Progress};
use mixedlm_core::{Error, Result};

unsafe extern "C" {
    fn REprintf(format: *const c_char, ...);
    fn R_FlushConsole();
}

/// How often R's thread looks up while the work goes on.
const LOOK: Duration = Duration::from_millis(50);
/// How long a fit is silent before it shows progress, and how often it then does.
const SILENT: Duration = Duration::from_secs(2);
const REFRESH: Duration = Duration::from_millis(500);
/// Stack of the working thread.
const STACK: usize = 16 << 20;
/// Address space without which no work is begun: it is taken by the stacks and arenas of the threads.
const LEAST_SPACE: f64 = (64u64 << 20) as f64;

/// Settings of the call.
pub struct Session {
    progress: bool,
}

impl Session {
    /// A session that shows progress or not.
    pub fn new(progress: bool) -> Self {
        Session { progress }
    }

    /// Run `work` on a thread of its own; it is handed the flag that asks it to stop, and an observer.
    ///
    /// # Errors
    /// Those of the work; [`Error::Bug`] for a panic.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce(&AtomicBool, Observer<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        self.run_counting(None, work)
    }

    /// As [`Session::run`], for work that counts to `total`.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_counting<T: Send>(
        &self,
        total: Option<usize>,
        work: impl FnOnce(&AtomicBool, Observer<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        self.run_answering(total, None, work)
    }

    /// As [`Session::run_counting`], for work that asks R on the way: its questions are answered on R's thread.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_answering<T: Send>(
        &self,
        total: Option<usize>,
        desk: Option<&Desk<'_>>,
        work: impl FnOnce(&AtomicBool, Observer<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        enough_space()?;
        quiet_panics();
        let stop = AtomicBool::new(false);
        let mut wish = None;
        let (evaluations, best) = (AtomicUsize::new(0), AtomicU64::new(0));
        let observer = |p: Progress| {
            evaluations.store(p.evaluations, Ordering::Relaxed);
            best.store(p.best.to_bits(), Ordering::Relaxed);
        };
        let (done, finished) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let job = || {
                // dropped, and thereby noticed, at the end of the work, also by a panic
                let _done = done;
                work(&stop, &observer)
            };
            let builder = std::thread::Builder::new().stack_size(STACK);
            let worker = builder
                .spawn_scoped(scope, job)
                .map_err(|e| Error::Numerical(format!("a thread could not be started: {e}")))?;
            let mut display = Display::new(self.progress, total);
            // while questions come nothing else is looked at: R looks for interrupts when it answers
            while is_at_work(&finished, desk) {
                if let Some(found) = look() {
                    wish = wish.or(Some(found));
                    stop.store(true, Ordering::Relaxed);
                }
                display.show(
                    evaluations.load(Ordering::Relaxed),
                    f64::from_bits(best.load(Ordering::Relaxed)),
                );
            }
            display.clear();
            // an optimiser may panic when its objective is stopped
            match (worker.join(), wish) {
                (_, Some(Wish::Stop)) => Err(Error::Interrupted),
                (_, Some(Wish::Raise(text))) => Err(Error::invalid("limit", text)),
                (Ok(result), None) => result,
                (Err(_), None) => Err(Error::Bug("the numerical core stopped unexpectedly".to_string())),
            }
        })
    }
}

/// What stops the core unexpectedly is told by the error that becomes of it, not on the console as well, unless
/// `MIXEDLM_BACKTRACE` is set.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("MIXEDLM_BACKTRACE").is_none() {
            std::panic::set_hook(Box::new(|_| ()));
        }
    });
}

/// A process that may hardly take any more memory would be ended by the first allocation that fails.
fn enough_space() -> Result<()> {
    match address_space() {
        Some(left) if left < LEAST_SPACE => Err(Error::invalid(
            "memory",
            format!(
                "this process may take only {} more of memory (its address space is limited), and {} are needed to begin",
                amount(left),
                amount(LEAST_SPACE)
            ),
        )),
        _ => Ok(()),
    }
}

/// Wait a while, and answer what is asked meanwhile; false when the work has ended.
fn is_at_work(finished: &mpsc::Receiver<()>, desk: Option<&Desk<'_>>) -> bool {
    let Some(desk) = desk else {
        return finished.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout);
    };
    let began = Instant::now();
    while began.elapsed() < LOOK {
        desk.answer(PATIENCE);
        if finished.try_recv() == Err(mpsc::TryRecvError::Disconnected) {
            return false;
        }
    }
    true
}

/// A line on the console that says where the fit stands.
struct Display {
    active: bool,
    start: Instant,
    last: Option<Instant>,
    /// What is counted to, where it is known.
    total: Option<usize>,
}

impl Display {
    fn new(active: bool, total: Option<usize>) -> Self {
        Display {
            active,
            total,
            start: Instant::now(),
            last: None,
        }
    }

    fn show(&mut self, evaluations: usize, best: f64) {
        let due = match self.last {
            None => self.start.elapsed() > SILENT,
            Some(last) => last.elapsed() > REFRESH,
        };
        if self.active && due {
            self.last = Some(Instant::now());
            let seconds = self.start.elapsed().as_secs_f64();
            let state = match self.total {
                _ if evaluations == 0 => "reading the data".to_string(),
                None => format!("{evaluations} evaluations, criterion {best:.4}"),
                Some(total) => {
                    let left = seconds * (total as f64 / evaluations as f64 - 1.0).max(0.0);
                    format!("{evaluations} of {total} replicates, {left:.0} s left")
                }
            };
            print(&format!("\rmixedlm: {state} ({seconds:.0} s)   "));
        }
    }

    fn clear(&self) {
        if self.last.is_some() {
            print(&format!("\r{}\r", " ".repeat(78)));
        }
    }
}

/// Print on R's console. Only on R's thread.
fn print(text: &str) {
    if let Ok(text) = std::ffi::CString::new(text) {
        // SAFETY: R's thread; the format takes one string, which ends with a zero and outlives the call
        unsafe {
            REprintf(c"%s".as_ptr(), text.as_ptr());
            R_FlushConsole();
        }
    }
}
