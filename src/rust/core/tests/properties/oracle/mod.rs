//! A dense oracle: the model from its definition, with plain loops, that shares no code with the core.

pub mod dense;
pub mod differences;
pub mod minimise;
pub mod model;
pub mod problem;
pub mod random;
pub mod real;
