//! What R's own thread is told while the work goes on: an interrupt of the user, or an error such as that of a time limit.

use std::ffi::{c_int, c_void};

use extendr_api::prelude::*;

/// An object of R, as C hands it over.
type Sexp = *mut c_void;
type Body = unsafe extern "C" fn(*mut c_void) -> Sexp;
type Handler = unsafe extern "C" fn(Sexp, *mut c_void) -> Sexp;

unsafe extern "C" {
    fn R_CheckUserInterrupt();
    fn R_ToplevelExec(fun: Option<unsafe extern "C" fn(*mut c_void)>, data: *mut c_void) -> c_int;
    fn R_tryCatchError(body: Body, data: *mut c_void, handler: Handler, found: *mut c_void) -> Sexp;
    static R_NilValue: Sexp;
}

/// Why the work is to end.
#[derive(Debug, Clone)]
pub enum Wish {
    /// The user has asked to stop.
    Stop,
    /// R has raised an error with this message: `setTimeLimit()` does.
    Raise(String),
}

/// Whether the work is to end. Only on R's thread.
pub fn look() -> Option<Wish> {
    let mut raised: Option<String> = None;
    let place: *mut Option<String> = &mut raised;
    // SAFETY: `listen` gets the place of an `Option<String>` that outlives the call. R jumps at most to the end of
    // R_ToplevelExec, over frames of C and of `listen` and `ask`, which own nothing.
    let completed = unsafe { R_ToplevelExec(Some(listen), place.cast()) };
    match raised {
        Some(text) => Some(Wish::Raise(text)),
        None if completed == 0 => Some(Wish::Stop),
        None => None,
    }
}

/// Look for interrupts where errors are caught.
///
/// # Safety
/// Only on R's thread; `place` is that of an `Option<String>`.
unsafe extern "C" fn listen(place: *mut c_void) {
    // SAFETY: R's thread, and `keep` gets the place that it expects
    unsafe {
        R_tryCatchError(ask, std::ptr::null_mut(), keep, place);
    }
}

/// # Safety
/// Only on R's thread, within R_ToplevelExec.
unsafe extern "C" fn ask(_: *mut c_void) -> Sexp {
    // SAFETY: R's thread; a jump leaves this frame, which owns nothing
    unsafe {
        R_CheckUserInterrupt();
        R_NilValue
    }
}

/// Keep the message of a condition.
///
/// # Safety
/// Only on R's thread; `place` is that of an `Option<String>`.
unsafe extern "C" fn keep(condition: Sexp, place: *mut c_void) -> Sexp {
    // SAFETY: R hands over a condition, which it protects, and the place that was given to it
    unsafe {
        let condition = Robj::from_sexp(condition.cast());
        let parts = condition.as_list();
        let text = parts.and_then(|l| l.values().next()?.as_str().map(str::to_string));
        *place.cast::<Option<String>>() = Some(text.unwrap_or_default());
        R_NilValue
    }
}
