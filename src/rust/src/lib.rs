//! The binding: the only code that knows R.
use extendr_api::prelude::*;

/// Version of the numerical core.
#[extendr]
fn rs_version() -> String {
    "0.1.0".to_string()
}

extendr_module! {
    mod mixedlm;
    fn rs_version;
}
