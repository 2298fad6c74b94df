//! What can go wrong, as data: the caller decides how to say it.

use std::fmt;

/// Why a computation gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// What was asked for cannot be computed: shapes, values or a model that is not defined for the data.
    InvalidInput {
        /// A short name of the kind, stable, for programs (`"shape"`, `"rank"`, `"crossed"`, ...).
        what: &'static str,
        /// One sentence for people.
        message: String,
    },
    /// The numbers left the range in which the result would mean anything.
    Numerical(String),
    /// The caller asked to stop.
    Interrupted,
    /// An invariant does not hold; please report it.
    Bug(String),
}

impl Error {
    /// An [`Error::InvalidInput`].
    pub fn invalid(what: &'static str, message: impl Into<String>) -> Self {
        Error::InvalidInput {
            what,
            message: message.into(),
        }
    }

    /// The stable short name of the kind of error.
    pub fn what(&self) -> &'static str {
        match self {
            Error::InvalidInput { what, .. } => what,
            Error::Numerical(_) => "numerical",
            Error::Interrupted => "interrupted",
            Error::Bug(_) => "bug",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidInput { message, .. } => write!(f, "{message}"),
            Error::Numerical(message) => write!(f, "{message}"),
            Error::Interrupted => write!(f, "interrupted"),
            Error::Bug(message) => {
                write!(f, "internal error, please report it: {message}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// A result of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// An empty vector with room for `len` numbers, or an error that gives the figure when the memory is not there.
///
/// # Errors
/// [`Error::InvalidInput`] (`"memory"`) when the allocation fails.
pub fn reserved(len: usize, purpose: &str) -> Result<Vec<f64>> {
    let mut v: Vec<f64> = Vec::new();
    v.try_reserve_exact(len).map_err(|_| {
        Error::invalid(
            "memory",
            format!(
                "{purpose} needs {}, which could not be had",
                crate::memory::amount(len as f64 * 8.0)
            ),
        )
    })?;
    Ok(v)
}

/// A vector of `len` zeros.
///
/// # Errors
/// As [`reserved`].
pub fn zeros(len: usize, purpose: &str) -> Result<Vec<f64>> {
    let mut v = reserved(len, purpose)?;
    v.resize(len, 0.0);
    Ok(v)
}
